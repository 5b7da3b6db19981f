"""The Lava files of DECOLLE's kinds compute what the nodes do: two programs written apart, over random fields.

They need NumPy only, so they run here without Lava, far more of them than Lava could run.
"""

import importlib.util

import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.formats import QFormat
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.nir_mapping import NODE_MAPPINGS
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner

SHAPES = ((6,), (2, 3, 2), (3, 2), (1, 3, 2), (3, 3, 3))


def any_format(rng):
    width = int(rng.integers(2, 33)) if rng.random() < 0.2 else int(rng.integers(2, 12))
    signed = bool(rng.random() < 0.8)
    fraction = int(rng.integers(0, width - signed + 1))
    return QFormat(width - signed - fraction, fraction, signed)


def any_decay(rng, name, gain):
    shift = int(rng.integers(0, 25)) if rng.random() < 0.3 else int(rng.integers(0, 9))
    whole = 1 << shift
    return {name: int(rng.integers(0, whole + 1)), f"{name}_shift": shift, gain: int(rng.integers(0, whole + 1))}


def any_rules(rng, rounding):
    overflow = Overflow(rng.choice(["saturate", "wrap"]))
    return {"rounding": rounding, "overflow": overflow, "seed": int(rng.integers(-(1 << 63), 1 << 63))}


def any_trace(rng, rounding, shape):
    """A node and the range of its input; the fields may leave 63 bits, which raises."""
    decays = any_decay(rng, "alpha", "p_gain") | any_decay(rng, "beta", "q_gain")
    bits = int(rng.integers(1, 33))
    node = DecolleTrace("n", p_fmt=any_format(rng), q_fmt=any_format(rng), **decays, **any_rules(rng, rounding))
    return node, -(1 << (bits - 1)), (1 << bits) - 1


def any_neurons(rng, rounding, shape):
    v_fmt, bits = any_format(rng), int(rng.integers(1, 40))
    low, high = v_fmt.code_range
    node = DecolleNeurons(
        "n",
        v_fmt=v_fmt,
        r_fmt=any_format(rng),
        **any_decay(rng, "gamma", "r_gain"),
        rho=int(rng.integers(0, 1 << int(rng.integers(1, 31)))),
        rho_shift=int(rng.integers(0, 25)),
        x_frac_bits=int(rng.integers(0, 63)) if rng.random() < 0.1 else int(rng.integers(0, 20)),
        vth=rng.integers(low, high + 1, [(), shape[:1], shape][rng.integers(3)]),
        **any_rules(rng, rounding),
    )
    return node, -(1 << bits), 1 << bits


def implementation(node, shape):
    """What the node's file defines, with the fields that the runner would give it."""
    path = node.implementations["lava"]
    spec = importlib.util.spec_from_file_location(f"{path.stem}_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Neurons(dict(NODE_MAPPINGS[node.kind].fields(node)), shape)


def assert_equal(node, x):
    """Run ``(timesteps, batch, *shape)`` through both and compare all; return how often overflow acted, and spikes."""
    shape = x.shape[2:]
    neurons = implementation(node, shape)
    overflows = fires = 0
    state = node.initial(x.shape[1], shape)
    expected = []
    for t, now in enumerate(x):
        emitted, state, over = node.advance(now, state, t)
        expected.append((emitted, dict(zip(node.variables, state, strict=True)) | {"overflowed": over}))
    for sample in range(x.shape[1]):
        neurons.reset()
        for t, (emitted, arrays) in enumerate(expected):
            got, stored = neurons.step(x[t, sample].copy(), t)
            assert np.array_equal(got, emitted[sample]), f"{node}, sample {sample}, timestep {t}"
            assert set(stored) == set(arrays)
            for name, array in arrays.items():
                assert np.array_equal(stored[name], array[sample]), f"{node}, {name}, sample {sample}, timestep {t}"
            overflows += int(arrays["overflowed"][sample].sum())
            fires += int(np.count_nonzero(emitted[sample]))
    return overflows, fires


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("draw", [any_trace, any_neurons])
def test_random_nodes_compute_the_same_in_both(draw, rounding):
    rng = np.random.default_rng(7)
    totals, done, outside = np.zeros(2, int), 0, 0
    while done < 150:
        shape = SHAPES[rng.integers(len(SHAPES))]
        try:
            node, low, high = draw(rng, rounding, shape)
            node.pre_reset_limits(low, high)
        except ProgramError:
            outside += 1
            continue
        totals += assert_equal(node, rng.integers(low, high + 1, (5, 2, *shape)))
        done += 1
    assert totals.min() > 300
    assert outside < done / 3


def test_a_step_finer_than_the_random_numbers_is_compared_exactly():
    """More than 53 bits are dropped: P is a multiple of 2**-53, and the rest is a number of 55 bits."""
    fields = {"alpha": 1, "alpha_shift": 24, "p_gain": 1 << 24, "beta": 1 << 24, "beta_shift": 24, "q_gain": 1 << 24}
    node = DecolleTrace("n", p_fmt=QFormat(1, 0), q_fmt=QFormat(0, 31), rounding=Rounding.SR, **fields)
    x = np.random.default_rng(0).integers(-1, 1, (6, 2, 500))
    assert node.dropped_bits[0] == 55
    assert assert_equal(node, x)[1] > 100


def test_the_winner_is_the_same_in_both():
    x = np.random.default_rng(0).integers(-2, 3, (9, 4, 2, 3, 2))
    assert assert_equal(Winner("n", start=4), x) == (0, 20)


def test_a_wrong_constant_shows():
    """The comparison can fail: a file that is given another field disagrees."""
    node = DecolleTrace(
        "n", p_fmt=QFormat(3, 4), q_fmt=QFormat(3, 4), alpha=7, alpha_shift=3, p_gain=1, beta=7, beta_shift=3, q_gain=8
    )
    other = DecolleTrace(
        "n", p_fmt=QFormat(3, 4), q_fmt=QFormat(3, 4), alpha=6, alpha_shift=3, p_gain=1, beta=7, beta_shift=3, q_gain=8
    )
    neurons = implementation(other, (3,))
    state, same = node.initial(1, (3,)), True
    for t in range(6):
        emitted, state, _ = node.advance(np.ones((1, 3), np.int64), state, t)
        same &= np.array_equal(neurons.step(np.ones(3, np.int64), t)[0], emitted[0])
    assert not same
