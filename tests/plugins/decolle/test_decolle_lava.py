"""DECOLLE's programs give the oracle's integers on Lava: traces, neurons, pools and votes, in every rounding."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from decolle_models import conv, counts, mlp, quantized

from spikequant.formats import QFormat
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, PoolOr, Readout, chain
from spikequant.program_inputs import program_inputs
from spikequant.rounding import Overflow, Rounding
from spikequant.verify import compare
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.nir_mapping import NODE_MAPPINGS
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner
from spikequant_lava import environment
from spikequant_lava.backend import LavaBackend
from spikequant_lava.selftest import check

CLASSES = 4


@pytest.fixture(scope="module")
def lava_python() -> Path:
    environment.setup(check=check)
    return environment.current().python


class Draw:
    """Nodes of one program: formats and constants from one generator, one rounding and one overflow rule."""

    def __init__(self, seed, rounding, overflow):
        self.rng = np.random.default_rng(seed)
        self.rules = {"rounding": rounding, "overflow": overflow}
        self.normalised = bool(self.rng.integers(2))

    def decay(self, name, gain):
        shift = int(self.rng.integers(5, 9))
        code = int(self.rng.integers(1 << (shift - 1), 1 << shift))
        return {name: code, f"{name}_shift": shift, gain: (1 << shift) - code if self.normalised else 1 << shift}

    def trace(self, name, seed):
        p, q = (QFormat(int(self.rng.integers(0, 3)), int(self.rng.integers(2, 8))) for _ in "PQ")
        decays = self.decay("alpha", "p_gain") | self.decay("beta", "q_gain")
        self.p_fraction = p.frac_bits
        return DecolleTrace(name, p_fmt=p, q_fmt=q, seed=seed, **decays, **self.rules)

    def codes(self, *shape):
        self.w_fraction = int(self.rng.integers(4, 8))
        return self.rng.integers(-128, 128, shape)

    def neurons(self, name, channels, seed):
        v = QFormat(int(self.rng.integers(0, 3)), int(self.rng.integers(2, 8)))
        return DecolleNeurons(
            name,
            v_fmt=v,
            r_fmt=QFormat(int(self.rng.integers(0, 3)), int(self.rng.integers(2, 8))),
            **self.decay("gamma", "r_gain"),
            rho=int(self.rng.integers(100, 256)),
            rho_shift=7,
            x_frac_bits=self.w_fraction + self.p_fraction,
            vth=self.rng.integers(0, 1 << (v.frac_bits - 1), channels),
            seed=seed,
            **self.rules,
        )


def convolutional(draw, shape=(2, 9, 8), channels=(4, 3), kernel=3, timesteps=10):
    """Two convolutions with pooling, a dense layer, and the vote of the last one's random readout."""
    nodes, size = [Input("input", shape, bits=3, coding="per_step")], shape
    for k, count in enumerate(channels, 1):
        nodes += [
            draw.trace(f"trace{k}", k - 1),
            Conv2d(f"conv{k}", draw.codes(count, size[0], kernel, kernel), padding=(kernel // 2,) * 2),
            draw.neurons(f"lif{k}", count, k - 1),
            PoolOr(f"pool{k}", (2, 2), (2, 2)),
        ]
        size = (count, size[1] // 2, size[2] // 2)
    features = int(np.prod(size))
    nodes += [draw.trace("trace3", 2), Flatten("flatten3"), Dense("fc3", draw.codes(7, features))]
    nodes += [draw.neurons("lif3", 7, 2), Dense("score", draw.rng.integers(-127, 128, (CLASSES, 7)))]
    nodes += [Winner("winner", start=2), Dense("votes", np.eye(CLASSES, dtype=int), bits=1, signed=False)]
    return chain([*nodes, Readout("readout")], timesteps=timesteps)


def connected(draw):
    """Two dense layers whose summed readout decides."""
    nodes = [Input("input", (12,), bits=1, coding="per_step")]
    for k, (fan_out, fan_in) in enumerate(((9, 12), (5, 9)), 1):
        nodes += [draw.trace(f"trace{k}", k), Dense(f"fc{k}", draw.codes(fan_out, fan_in))]
        nodes += [draw.neurons(f"lif{k}", fan_out, k)]
    nodes += [Dense("score", draw.rng.integers(-127, 128, (CLASSES, 5))), Readout("readout")]
    return chain(nodes, timesteps=15)


def run_both(program, density=0.3, batch=3):
    rng = np.random.default_rng(3)
    shape = (program.timesteps, batch, *program.input.shape)
    inputs = rng.integers(0, program.input.limits[1] + 1, shape) * (rng.random(shape) < density)
    with LavaBackend(kinds=NODE_MAPPINGS).compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert sorted(got.spikes) == sorted(expected.spikes) == [n.name for n in sorted_spiking(program)]
    assert sorted(got.potentials) == sorted(expected.potentials)
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def sorted_spiking(program):
    return sorted((node for node in program.spiking if not node.graded), key=lambda node: node.name)


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("rounding", Rounding)
def test_convolutional_programs_equal_the_oracle(rounding, overflow, lava_python):
    trace = run_both(convolutional(Draw(8, rounding, overflow)))
    counts = trace.counts.nodes
    assert all(0 < counts[name].fires < counts[name].steps for name in ("lif1", "lif2", "lif3", "winner"))
    assert sum(count.saturations for count in counts.values()) > 100
    assert trace.outputs["readout"][-1].sum(axis=1).tolist() == [8] * 3


@pytest.mark.parametrize("seed", range(4))
def test_connected_programs_equal_the_oracle(seed, lava_python):
    rounding = (Rounding.SR, Rounding.TR, Rounding.RN, Rounding.SR)[seed]
    trace = run_both(connected(Draw(seed, rounding, tuple(Overflow)[seed % 2])))
    assert {"trace1", "trace1.synaptic", "lif1", "lif1.refractory"} <= set(trace.potentials)
    assert all(trace.counts.nodes[name].fires for name in ("trace1", "lif1", "trace2", "lif2"))


def test_frames_of_34_by_34_pixels_equal_the_oracle(lava_python):
    """Q-SpiNN's event frames and kernels of 7 x 7, with fewer channels than its network."""
    draw = Draw(1, Rounding.SR, Overflow.SATURATE)
    trace = run_both(convolutional(draw, (2, 34, 34), (12, 8), 7, timesteps=6), density=0.05, batch=2)
    assert trace.potentials["trace1"].shape == (6, 2, 2, 34, 34)
    assert trace.counts.nodes["lif2"].fires


@pytest.mark.parametrize(
    ("network", "rounding", "formats", "wide"),
    [
        (conv(), "SR", {"P": "UQ4.3", "Q": "Q5.2", "R": "UQ2.3", "V": "Q6.1", "w": "Q0.6"}, False),
        (mlp(decode="sum"), "RN", {"P": "Q1.16", "Q": "Q1.16", "R": "Q1.16", "V": "Q2.16", "w": "Q1.14"}, True),
    ],
)
def test_a_model_of_the_plugin_runs_with_the_installed_mappings(network, rounding, formats, wide, lava_python):
    """Unsigned traces; codes of 16 bits on traces of 18, whose sums Lava's own Dense cannot hold."""
    program = quantized(network, rounding=rounding, **formats).lower()
    inputs = program_inputs(program, counts().numpy().astype(np.int64))
    with LavaBackend().compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert np.array_equal(expected.predictions(), got.predictions())
    assert got.counts.nodes["lif1"].fires
    assert any("own integer" in note for note in got.counts.notes) is wide
