"""Networks of lava-dl's tutorials and tests on stock Lava: oxford (2,000 timesteps), tiny, netx_mnist."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikequant.program import Dense, Input, chain
from spikequant_cuba import FixedLif
from spikequant_lava.backend import LavaBackend
from spikequant_lava_dl.importer import LavaDlImporter

DATA = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[4] / "shared" / "data") / "models" / "lava_dl"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"SPIKEQUANT_DATA: no networks in {DATA}")
STEPS = 2000
THETA = 6 << 6


def oxford(theta):
    nodes = [Input("x", (200,), 1, coding="per_step")]
    with h5py.File(DATA / "oxford.net") as file:
        for key in ("0", "1"):
            layer = file["layer"][key]
            nodes.append(Dense(f"fc{key}", layer["weight"][()].astype(np.int64), bits=9))
            keep = np.array(4096 - int(layer["neuron/vDecay"][()]))
            loihi = {"u_bits": 24, "decay_bits": 12, "rounding": "toward_zero", "input_shift": 6}
            nodes.append(FixedLif(name=f"lif{key}", decay=keep, theta=np.array(theta), overflow="symmetric", **loihi))
    return chain(nodes, STEPS)


def events(key, later=0):
    with np.load(DATA / "oxford_spikes.npz") as archive:
        rows = archive[key]
    spikes = np.zeros((STEPS, 1, 200), np.int64)
    spikes[np.round(rows[:, 2]).astype(int) - later, 0, rows[:, 0].astype(int)] = 1
    return spikes


def run(mode, theta):
    with LavaBackend(mode=mode).compile(oxford(theta)) as executable:
        return executable.run(events("input"))


def test_the_mode_exact_gives_all_reference_spikes_and_no_other(lava_python):
    assert np.array_equal(run("exact", THETA).spikes["lif1"], events("ground_truth", later=2))


def test_stock_lif_fires_at_v_above_theta_and_the_reference_at_v_equal_to_it_too(lava_python):
    trace = run("loihi", THETA)
    (claim,) = trace.counts.claims
    assert claim.startswith(
        "claim: neither exact nor spike-exact (stock): 3,067 of 912,000 spikes differ, 180,064 of 912,000 states,"
        " 0 of 0 outputs, on 1 sample; by node: lif0 53 of 512,000, lif1 3,014 of 400,000;"
        " first: node 'lif0', timestep 0"
    )
    assert "lif0: it fires at 385 and more instead of 384, as v > 64 vth allows; 49 potentials lay between" in claim
    assert "lif1: it fires at 385 and more instead of 384, as v > 64 vth allows; 724 potentials lay between" in claim


def test_the_same_network_with_a_threshold_that_stock_lif_has_is_exact(lava_python):
    (claim,) = run("loihi", THETA + 1).counts.claims
    assert claim == (
        "claim: exact (stock processes with the same arithmetic; all equal:"
        " 912,000 spikes, 912,000 states, 0 outputs on 1 sample)"
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tiny.net", {"timesteps": 16, "encode": "layer"}),
        ("netx_mnist.net", {"timesteps": 12, "fire": ">", "encode": "integrate"}),
    ],
)
def test_neurons_that_fire_above_their_threshold_are_exact_on_stock_processes(name, options, lava_python):
    program = LavaDlImporter(**options).read(DATA / name).program
    low, high = {"layer": (-20, 62), "integrate": (0, 255)}[options["encode"]]
    x = np.random.default_rng(0).integers(low, high + 1, (2, *program.input.shape))
    with LavaBackend(mode="loihi").compile(program) as executable:
        trace = executable.run(x)
    assert trace.counts.claims[0].startswith("claim: exact (stock processes with the same arithmetic; all equal: ")
    assert all(spikes.any() for spikes in trace.spikes.values())
