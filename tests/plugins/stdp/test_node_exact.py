"""The node against an independent transcription of its definition in exact rationals, and against its Lava file."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.nir_profile.fields import Fields, pack
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.lava_diehl_cook import Neurons, uniform
from spikequant_stdp.nir_mapping import DiehlCookMapping
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance

NEURONS, STEPS = 3, 8


def nearest(value, fmt, rounding, overflow, chance):
    """Value on the grid of ``fmt``."""
    step = Fraction(1, 2**fmt.frac_bits)
    code = floor(value / step)
    rest = value / step - code
    code += {"TR": False, "RN": rest >= Fraction(1, 2), "SR": chance < rest}[rounding.value]
    low, high = fmt.code_range
    if overflow is Overflow.WRAP:
        while code > high:
            code -= high - low + 1
        while code < low:
            code += high - low + 1
    return max(low, min(high, code)) * step


def simulated(node, excitation, inhibitors):
    """Spikes, V, waiting steps, g and unrounded V of every step as fractions: the text of the network's dynamics."""
    fmt, cell = node.fmt, node.synapse
    vth = [Fraction(int(code), 2**node.vth_frac_bits) for code in np.broadcast_to(node.vth, (NEURONS,))]
    decay = Fraction(node.decay, 2**node.decay_shift)
    v, waits, g = [Fraction(node.rest)] * NEURONS, [0] * NEURONS, [Fraction(0)] * NEURONS
    series = []
    for t in range(STEPS):
        crossed, unrounded = [], []
        for n in range(NEURONS):

            def chance(tensor, n=n, t=t):
                return Fraction(float(uniforms(RandomKey(node.seed, tensor, t), np.array([n]))[0]))

            acc = Fraction(int(excitation[t][n]), 2**node.x_frac_bits)
            old = v[n]
            if cell:
                decayed = g[n] * Fraction(cell.decay, 2**node.decay_shift)
                g[n] = nearest(decayed + acc, cell.fmt, node.rounding, node.overflow, chance("g"))
                drive = g[n] * (cell.e_exc - old) / 2**cell.shift - cell.inhibition * int(inhibitors[t][n])
            else:
                drive = acc
            exact = decay * (old - node.rest) + node.rest
            if waits[n] <= 0:
                exact += drive
            unrounded.append(exact)
            v[n] = nearest(exact, fmt, node.rounding, node.overflow, chance("V"))
            waits[n] -= 1
            crossed.append(v[n] >= vth[n])
            if crossed[n]:
                waits[n], v[n] = node.refractory, Fraction(node.reset)
        first = crossed.index(True) if any(crossed) else -1
        fires = [int(c and (n == first or not node.one_spike)) for n, c in enumerate(crossed)]
        series.append((fires, list(v), [max(w, 0) for w in waits], list(g), unrounded))
    return series


@st.composite
def cases(draw):
    """A node with an input that makes it fire, saturate and wait."""
    frac, x_frac = draw(st.integers(0, 6)), draw(st.integers(0, 24))
    rest = draw(st.integers(-65, 3))
    synapse = None
    if draw(st.booleans()):
        g = QFormat(draw(st.integers(1, 5)), draw(st.integers(0, 6)), draw(st.booleans()))
        ints = (draw(st.integers(0, 65536)), draw(st.integers(-10, 10)), draw(st.integers(0, 7)))
        synapse = Conductance(g, *ints, inhibition=draw(st.integers(0, 130)), count_bit=x_frac + 7)
    vth_frac = draw(st.integers(0, 8))
    over_rest = draw(st.lists(st.integers(1, 40 << vth_frac), min_size=NEURONS, max_size=NEURONS))
    node = DiehlCook(
        "exc",
        vth=np.array(over_rest) + (rest << vth_frac),
        vth_frac_bits=vth_frac,
        fmt=QFormat(draw(st.integers(7, 9)), frac),
        x_frac_bits=x_frac,
        rest=rest,
        reset=draw(st.integers(-128, 10)),
        refractory=draw(st.integers(0, 3)),
        decay=draw(st.integers(0, 65536)),
        rounding=draw(st.sampled_from(Rounding)),
        overflow=draw(st.sampled_from(Overflow)),
        seed=draw(st.integers(-(1 << 63), (1 << 63) - 1)),
        one_spike=draw(st.booleans()),
        synapse=synapse,
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    reach = (64 if synapse else 300) << x_frac
    excitation = rng.integers(-reach // draw(st.integers(1, 60)), reach, (STEPS, NEURONS))
    return node, excitation, rng.integers(0, 3, (STEPS, NEURONS))


def packed(node, excitation, inhibitors):
    return excitation - (inhibitors << node.synapse.count_bit) if node.synapse else excitation


def in_codes(node, series):
    """The fractions as codes, which they must be exactly."""
    formats = (node.fmt.frac_bits, 0, node.synapse.fmt.frac_bits if node.synapse else 0)
    for fires, *state, _ in series:
        codes = [[value * 2**frac for value in part] for part, frac in zip(state, formats, strict=True)]
        yield [fires, *codes][: 1 + len(node.variables)]


@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_node_is_its_definition_in_exact_rationals(case):
    node = case[0]
    x, state = packed(*case), node.initial(2, (NEURONS,))
    for t, expected in enumerate(in_codes(node, simulated(*case))):
        spikes, state, _ = node.advance(np.stack([x[t], x[t]]), state, t)
        for found in ([spikes[0], *(part[0] for part in state)], [spikes[1], *(part[1] for part in state)]):
            assert [part.tolist() for part in found] == expected


@settings(max_examples=300, deadline=None)
@given(cases())
def test_the_file_for_lava_gives_the_same(case):
    node, x = case[0], packed(*case)
    fields = pack("node 'exc'", DiehlCookMapping().fields(node))
    population, state = Neurons(fields, (NEURONS,)), node.initial(1, (NEURONS,))
    for _ in range(2):
        population.reset()
        state = node.initial(1, (NEURONS,))
        for t in range(STEPS):
            spikes, state, overflowed = node.advance(x[None, t], state, t)
            fired, stored = population.step(x[t], t)
            assert fired.tolist() == spikes[0].tolist()
            assert stored.pop("overflowed").tolist() == overflowed[0].tolist()
            assert list(stored) == list(node.variables)
            assert [part.tolist() for part in stored.values()] == [part[0].tolist() for part in state]


@settings(max_examples=100, deadline=None)
@given(cases())
def test_every_value_stays_within_its_limits_and_h_within_its_bounds(case):
    node, x = case[0], packed(*case)
    low, high = node.pre_reset_limits(int(x.min()), int(x.max()))
    state = node.initial(1, (NEURONS,))
    for t, (*_, unrounded) in enumerate(simulated(*case)):
        assert low <= min(unrounded) * 2**node.fine_bits <= max(unrounded) * 2**node.fine_bits <= high
        _, state, _ = node.advance(x[None, t], state, t)
        for part, (least, most) in zip(state, node.state_limits, strict=True):
            assert least <= part.min() <= part.max() <= most


def test_the_file_for_lava_takes_shapes_and_plain_arrays():
    node = DiehlCook("exc", vth=np.arange(-52, -46).reshape(2, 3) << 4, x_frac_bits=0, rounding=Rounding.SR)
    population, state = Neurons(dict(DiehlCookMapping().fields(node)), (2, 3)), node.initial(1, (2, 3))
    rng = np.random.default_rng(0)
    fires = 0
    for t in range(40):
        x = rng.integers(-2, 9, (2, 3))
        spikes, state, _ = node.advance(x[None], state, t)
        fired, stored = population.step(x, t)
        assert np.array_equal(fired, spikes[0])
        assert np.array_equal(stored["potential"], state[0][0])
        fires += int(fired.sum())
    assert fires > 3


@pytest.mark.parametrize("seed", [0, 7, -3, (1 << 63) - 1])
def test_its_random_numbers_are_those_of_the_core(seed):
    expected = uniforms(RandomKey(seed, "V", 12), np.arange(50))
    assert uniform(seed, "V", 12, 50).tolist() == expected.tolist()


def test_fields_travel_as_the_reader_of_a_file_gives_them():
    node = DiehlCook("exc", synapse=Conductance())
    fields = Fields("node 'exc'", pack("node 'exc'", DiehlCookMapping().fields(node)))
    assert fields.integer("count_bit") == 20
