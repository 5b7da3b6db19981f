"""The four kinds against docs/cuba.md in exact rationals, the torch backend and the file for Lava."""

import sys
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cuba_programs import Draw, dense_program, drive, image_program

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.oracle import run_oracle
from spikequant.testing.node import node_checks
from spikequant.verify import compare
from spikequant_cuba import CubaLi, CubaLif, FixedLi, FixedLif, lava_cuba
from spikequant_cuba.firing import Firing
from spikequant_cuba.grid import RULES
from spikequant_cuba.nir_mapping import NODE_MAPPINGS
from spikequant_cuba.synapse import Synapse
from spikequant_torch.backend import TorchBackend

KINDS = (FixedLif, FixedLi, CubaLif, CubaLi)
STEPS, SHAPE, BATCH = 8, (3, 2), 2


class Neuron:
    """One neuron in exact rationals."""

    def __init__(self, node, element):
        self.node, self.element = node, element
        self.v = self.i = 0

    def of(self, name):
        value = getattr(self.node, name)
        value = value.reshape(-1, 1) if value.ndim == 1 else value
        return int(np.broadcast_to(value, SHAPE).flat[self.element])

    def rounded(self, value, tensor, t):
        code = floor(value)
        rest = value - code
        chance = Fraction(float(uniforms(RandomKey(self.node.seed, tensor, t), np.array([self.element]))[0]))
        up = {
            "floor": False,
            "nearest": rest >= Fraction(1, 2),
            "toward_zero": value < 0 and rest > 0,
            "stochastic": chance < rest,
        }
        return code + up[self.node.rounding]

    def kept(self, value, bits):
        top = (1 << (bits - 1)) - 1
        bottom = -top if self.node.overflow == "symmetric" else -top - 1
        if self.node.overflow == "wrap":
            return (value - bottom) % (1 << bits) + bottom
        return max(bottom, min(top, value))

    def spikes_of(self, potential):
        if self.node.most_spikes == 1:
            return int(potential >= self.of("theta"))
        return max(0, min(self.node.most_spikes, floor(Fraction(potential, self.of("theta")))))

    def after(self, h, n):
        if self.node.reset == "subtract":
            return h - n * self.of("theta")
        return h if n == 0 else self.of("reset_value") if self.node.reset == "value" else 0

    def step(self, x, t):
        """Return what is emitted, V, I and whether overflow acted, as sections 1 to 7 say."""
        node, one, over = self.node, 1 << self.node.decay_bits, False
        y = self.rounded(x * Fraction(2) ** node.input_shift, "x", t)
        if isinstance(node, Synapse):
            before = self.i
            total = self.rounded(Fraction(self.of("i_decay") * before, one), "I", t) + y
            self.i = self.kept(total, node.i_bits)
            over = self.i != total
            seen = before if node.order == "potential_first" else self.i
            y = self.rounded(seen * Fraction(2) ** node.i_shift, "i", t)
        h = self.rounded(Fraction(self.of("decay") * self.v, one), "V", t) + y
        h += 0 if node.bias is None else self.of("bias")
        n = None
        if isinstance(node, Firing):
            if node.reset_delay:
                h = self.after(h, self.spikes_of(self.v))
                n = self.spikes_of(h)
            else:
                n = self.spikes_of(h)
                h = self.after(h, n)
        if node.v_min is not None:
            h = max(h, self.of("v_min"))
        self.v = self.kept(h, node.u_bits)
        return self.v if n is None else n, self.v, self.i, int(over or self.v != h)


def stepped(node, x):
    """What each timestep gives, by the node: emitted, states, overflow."""
    state = node.initial(BATCH, SHAPE)
    for t, given in enumerate(x):
        emitted, state, over = node.advance(given, state, t)
        yield emitted, state, over


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounding", RULES)
def test_nodes_are_their_equations_in_exact_rationals_and_in_the_file_for_lava(kind, rounding):
    emitted_any = overflows = 0
    for seed in range(60):
        draw = Draw(seed, rounding)
        node = draw.cell("cell", SHAPE, 40, kind)
        x = draw.rng.integers(-30, 41, (STEPS, BATCH, *SHAPE))
        neurons = [[Neuron(node, element) for element in range(6)] for _ in range(BATCH)]
        files = [lava_cuba.Neurons(dict(NODE_MAPPINGS[kind.kind].fields(node)), SHAPE) for _ in range(BATCH)]
        for t, (emitted, state, over) in enumerate(stepped(node, x)):
            for sample in range(BATCH):
                wanted = [n.step(int(v), t) for n, v in zip(neurons[sample], x[t, sample].flat, strict=True)]
                got = [emitted, state[0], state[-1] if len(state) > 1 else np.zeros_like(over), over]
                for position, part in enumerate(got):
                    assert [step[position] for step in wanted] == part[sample].ravel().tolist(), (seed, t, position)
                sent, variables = files[sample].step(x[t, sample], t)
                names = ("potential", "current")[: len(state)]
                assert sorted(variables) == sorted((*names, "overflowed"))
                assert np.array_equal(sent, emitted[sample]), (seed, t)
                assert np.array_equal(variables["overflowed"], over[sample]), (seed, t)
                for name, values in zip(names, state, strict=True):
                    assert np.array_equal(variables[name], values[sample]), (seed, t, name)
            emitted_any += int(np.count_nonzero(emitted))
            overflows += int(over.sum())
            low, high = node.emitted_limits
            assert low <= emitted.min() <= emitted.max() <= high
    assert emitted_any > 500
    assert overflows > 100


@pytest.mark.parametrize("seed", range(40))
def test_torch_gives_the_oracles_integers_and_counts(seed):
    program = (dense_program if seed % 2 else image_program)(Draw(seed))
    inputs = drive(program, seed)
    expected = run_oracle(program, inputs)
    with TorchBackend().compile(program) as executable:
        got = executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]


@node_checks(*[dense_program(Draw(seed, rule), kind) for seed, rule in enumerate(RULES) for kind in KINDS])
def test_node_contract(check, program):
    check(program)


@node_checks(*[image_program(Draw(seed)) for seed in range(8)])
def test_node_contract_over_images(check, program):
    check(program)


@pytest.mark.parametrize("seed", range(30))
def test_no_sum_within_a_step_leaves_its_stated_bounds(seed):
    """Inputs at both ends of their range, states at both ends of their registers."""
    draw = Draw(seed)
    node = draw.cell("cell", SHAPE, 40)
    rng = np.random.default_rng(seed)
    low, high = node.pre_reset_limits(-40, 40)
    state = tuple(rng.choice(np.array(limits), (50, *SHAPE)) for limits in node.state_limits)
    x = rng.choice(np.array([-40, 40]), (50, *SHAPE))
    driven = node._driven(x, state, 0)
    h = node._decayed(state[0], node.decay, "V", 0) + driven.value
    if node.bias is not None:
        h = h + np.broadcast_to(node.bias.reshape(-1, 1) if node.bias.ndim == 1 else node.bias, SHAPE)
    assert low <= h.min()
    assert h.max() <= high
