"""A plain export of ours, read again as a float model with NIR's own rules, spikes as the oracle does."""

import numpy as np
import pytest

from spikequant.nir_profile import PlainForm, write_plain
from spikequant.oracle import run_oracle
from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Leak, Lif, PoolSum, Program, chain
from spikequant.registry import registry

HALF = Leak.by_shift(1)


def convolutional():
    rng = np.random.default_rng(4)
    return chain(
        [
            Input("x", (2, 6, 6), 1, coding="per_step"),
            Conv2d("conv", rng.integers(-7, 8, (3, 2, 3, 3)), bits=4, padding=(1, 1)),
            Lif("lif1", u_bits=16, theta=np.array(7), leak=HALF, bias=np.array([1, 0, -1])),
            PoolSum("pool"),
            Flatten("flat"),
            Dense("fc", rng.integers(-7, 8, (5, 27)), bits=4),
            Lif("lif2", u_bits=16, theta=np.array(9)),
        ],
        15,
    )


def recurrent():
    rng = np.random.default_rng(5)
    nodes = (
        Input("x", (9,), 1, coding="per_step"),
        Dense("fc", rng.integers(-7, 8, (6, 9)), bits=4),
        Dense("back", rng.integers(-7, 8, (6, 6)), rng.integers(-3, 4, 6), bits=4),
        Add("sum"),
        Lif("lif", u_bits=16, theta=np.array(6), leak=HALF),
    )
    pairs = (("x", "fc"), ("fc", "sum"), ("back", "sum"), ("sum", "lif"))
    return Program(nodes, (*(Edge(*pair) for pair in pairs), Edge("lif", "back", delayed=True)), 15)


@pytest.mark.parametrize("form", [PlainForm(), PlainForm(unit_gain=True), PlainForm("1.0.4")], ids=str)
@pytest.mark.parametrize("make", [convolutional, recurrent])
def test_our_own_importer_runs_a_plain_file_as_the_oracle_does(make, form, tmp_path):
    program = make()
    x = (np.random.default_rng(6).random((program.timesteps, 12, *program.input.shape)) < 0.4).astype(np.int64)
    trace = run_oracle(program, x)
    assert trace.counts.saturations == 0
    write_plain(program, tmp_path / "plain.nir", form)
    model = registry().make("importer", "nir", {"dt": 1e-4, "repair": True}).read(tmp_path / "plain.nir")
    floats = model.run(dict.fromkeys(model.input_shapes, x.astype(np.float32)))
    for expected, got in zip(trace.spikes.values(), floats.spikes.values(), strict=True):
        assert expected.sum() > 50
        assert np.array_equal(expected, got)
