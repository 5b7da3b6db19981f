"""What holds of every engine run: grids, ranges, and no dependence on how the work was split."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.rounding import Overflow, Rounding, to_codes
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine, quantized_theta, quantized_weights
from spikequant_stdp.engine.neurons import Neurons
from spikequant_stdp.engine.quantize import on_grid
from spikequant_stdp.engine.sums import arriving_sums, exact_sums, sum_of_rows

roundings = st.sampled_from(list(Rounding))
overflows = st.sampled_from(list(Overflow))


def grids(int_bits, frac_bits, signed=None):
    bits = st.tuples(
        st.integers(*int_bits), st.integers(*frac_bits), st.booleans() if signed is None else st.just(signed)
    )
    return bits.filter(any).map(lambda given: QFormat(*given))


def seeds():
    return st.integers(0, 2**32)


def network(seed, formats, timesteps=30, neurons=6):
    rng = np.random.default_rng(seed)
    p = Parameters(20, neurons, timesteps, threshold=-60.0, norm=9.0, rule="weight-dependent", mu=0.5)
    w = rng.uniform(0, 1, (20, neurons)).astype(np.float32)
    images = rng.integers(0, 256, (5, 20), dtype=np.uint8)
    return p, State(w, rng.uniform(0, 2, neurons).astype(np.float32)), images


def on(grid, values):
    codes = np.asarray(values) / grid.step
    low, high = grid.code_range
    return bool((codes == np.floor(codes)).all() and (codes >= low).all() and (codes <= high).all())


@settings(max_examples=40, deadline=None)
@given(grids((7, 11), (0, 10), signed=True), roundings, overflows, seeds())
def test_a_quantized_potential_is_on_its_grid_and_in_its_range(fmt, rounding, overflow, seed):
    formats = Formats(V=fmt, rounding=rounding, overflow=overflow, seed=seed)
    p, state, images = network(seed, formats)
    spikes = p.coding.spikes(images, p.timesteps).swapaxes(0, 1)
    assert on(fmt, TorchEngine().infer_spikes(p, formats, state, spikes).potential)


@settings(max_examples=40, deadline=None)
@given(grids((6, 10), (0, 8), signed=True), roundings, seeds())
def test_a_quantized_threshold_stays_on_its_grid_and_in_its_range(fmt, rounding, seed):
    formats = Formats(Vth=fmt, rounding=rounding, seed=seed)
    p, state, images = network(seed, formats)
    assert on(fmt, p.threshold + quantized_theta(p, formats, state.theta))
    TorchEngine().train(p, formats, state, images, draw=1)
    assert on(fmt, p.threshold + state.theta)
    assert np.array_equal(quantized_theta(p, formats, state.theta), state.theta)


@settings(max_examples=40, deadline=None)
@given(grids((0, 1), (1, 10)), roundings, overflows, seeds())
def test_stored_weights_stay_on_their_grid_and_in_its_range(fmt, rounding, overflow, seed):
    formats = Formats(w=fmt, rounding=rounding, overflow=overflow, weight_mode="stored", seed=seed)
    p, state, images = network(seed, formats)
    assume(overflow != Overflow.WRAP or not fmt.signed or p.w_max <= fmt.range[1])  # else refused by name
    training = TorchEngine().train(p, formats, state, images[:2], draw=1)
    assert on(fmt, state.w)
    assert np.array_equal(quantized_weights(formats, state.w), state.w)
    assert 0 <= training.vanished <= training.updates


@st.composite
def potentials(draw):
    fmt = draw(grids((7, 11), (0, 12), signed=True))
    w = draw(grids((0, 1), (0, 12)))
    codes = st.integers(*fmt.code_range)
    return fmt, w, draw(st.lists(codes, min_size=3, max_size=3)), draw(st.integers(-(2**18), 2**18))


@settings(max_examples=200, deadline=None)
@given(potentials(), roundings, overflows, seeds(), st.integers(0, 2**40))
def test_one_step_of_a_quantized_potential_is_its_rational_rounded_once(drawn, rounding, overflow, seed, step):
    """Against int64 in units of the finest step, and that against Fraction."""
    fmt, w, codes, acc_code = drawn
    p = Parameters(1, 3, threshold=2000.0)
    neurons = Neurons(p, Formats(w=w, V=fmt, rounding=rounding, overflow=overflow, seed=seed), 1)
    neurons.v[:] = torch.tensor(codes, dtype=torch.float64) * fmt.step
    neurons.step(torch.full((1, 3), acc_code * w.step, dtype=torch.float64), torch.full((3,), 1e9), step)
    fine = max(fmt.frac_bits + 16, w.frac_bits)
    chances = uniforms(RandomKey(seed, "V", step), np.arange(3))
    for j, code in enumerate(codes):
        leaked = (code - (-65 << fmt.frac_bits)) * 64884 << (fine - fmt.frac_bits - 16)
        total = leaked + (-65 << fine) + (acc_code << (fine - w.frac_bits))
        rational = Fraction(64884, 65536) * (Fraction(code, 2**fmt.frac_bits) + 65) - 65
        assert Fraction(total, 2**fine) == rational + Fraction(acc_code, 2**w.frac_bits)
        assert -(2**53) < total < 2**53
        floor, rest = divmod(total, 2 ** (fine - fmt.frac_bits))
        rest = Fraction(rest, 2 ** (fine - fmt.frac_bits))
        up = {"TR": False, "RN": rest >= Fraction(1, 2), "SR": Fraction(float(chances[j])) < rest}[rounding.value]
        low, high = fmt.code_range
        expected = floor + up
        expected = min(max(expected, low), high) if overflow == "saturate" else (expected - low) % (2 * -low) + low
        assert float(neurons.v[0, j]) == expected * fmt.step


@settings(max_examples=30, deadline=None)
@given(roundings, seeds(), st.integers(0, 5))
def test_a_batch_may_be_split_anywhere(rounding, seed, cut):
    formats = Formats(w=QFormat(1, 4), V=QFormat(8, 3), Vth=QFormat(7, 3), rounding=rounding, seed=seed)
    p, state, images = network(seed, formats)
    whole = TorchEngine().infer(p, [(formats, state)], images)
    parts = [TorchEngine().infer(p, [(formats, state)], part) for part in (images[:cut], images[cut:])]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
    at_once, in_two = state.copy(), state.copy()
    first = TorchEngine().train(p, formats, at_once, images, draw=1)
    counts = [TorchEngine().train(p, formats, in_two, part, draw=1).counts for part in (images[:cut], images[cut:])]
    assert np.array_equal(np.concatenate(counts), first.counts)
    assert np.array_equal(in_two.w, at_once.w)
    assert np.array_equal(in_two.theta, at_once.theta)


def test_more_images_than_run_at_once_give_what_each_gives_alone(monkeypatch):
    p, state, images = network(3, Formats())
    whole = TorchEngine().infer(p, [(Formats(), state)], images)
    monkeypatch.setattr("spikequant_stdp.engine.torch_engine.IMAGES_AT_ONCE", 2)
    seen = []
    parts = TorchEngine().infer(
        p, [(Formats(), state)], images, progress=lambda done, total: seen.append((done, total))
    )
    assert np.array_equal(parts, whole)
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert whole.sum() > 10


def test_candidates_together_give_what_each_gives_alone():
    p, state, images = network(4, Formats())
    other = State(state.w[::-1].copy(), state.theta)
    candidates = [
        (Formats(w=w, V=V, Vth=Vth, rounding=rounding), weights)
        for w in (None, QFormat(1, 3))
        for V in (None, QFormat(8, 2))
        for Vth in (None, QFormat(7, 2))
        for rounding in Rounding
        for weights in (state, other)
    ]
    together = TorchEngine().infer(p, candidates, images)
    for index, candidate in enumerate(candidates):
        assert np.array_equal(TorchEngine().infer(p, [candidate], images)[0], together[index])
    assert len({counts.tobytes() for counts in together}) > 12


def test_stochastic_rounding_repeats_by_seed_and_differs_between_seeds():
    p, state, images = network(5, Formats())

    def weights(seed):
        formats = Formats(w=QFormat(0, 4), rounding=Rounding.SR, weight_mode="stored", seed=seed)
        trained = state.copy()
        TorchEngine().train(p, formats, trained, images, draw=1)
        return trained.w

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_training_reports_each_image_and_no_images_change_nothing():
    p, state, images = network(6, Formats())
    seen = []
    TorchEngine().train(p, Formats(), state, images[:3], draw=1, progress=lambda *words: seen.append(words))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    before = state.copy()
    training = TorchEngine().train(p, Formats(), state, images[:0], draw=1)
    assert training.counts.shape == (0, 6)
    assert np.array_equal(state.w, before.w)
    assert state.images == 3
    assert TorchEngine().infer(p, [(Formats(), state)], images[:0]).shape == (1, 0, 6)


def test_training_encodes_with_its_draw():
    p, state, images = network(7, Formats())
    first, again = state.copy(), state.copy()
    TorchEngine().train(p, Formats(), first, images, draw=4)
    spikes = p.coding.spikes(images, p.timesteps, draw=4).swapaxes(0, 1)
    TorchEngine().train_spikes(p, Formats(), again, spikes)
    assert np.array_equal(first.w, again.w)
    TorchEngine().train(p, Formats(), state, images, draw=3)
    assert not np.array_equal(first.w, state.w)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=9),
    grids((0, 2), (0, 9)),
    roundings,
    overflows,
    seeds(),
)
def test_rounding_by_element_is_the_rounding_of_the_whole(values, fmt, rounding, overflow, seed):
    formats = Formats(rounding=rounding, overflow=overflow, seed=seed)
    key = RandomKey(seed, "w", 3)
    whole = to_codes(np.array(values), fmt, rounding, overflow, key).codes * fmt.step
    elements = torch.arange(len(values)).flip(0)
    got = on_grid(torch.tensor(values, dtype=torch.float64).flip(0), fmt, formats, key, elements).flip(0)
    assert got.tolist() == whole.tolist()


def test_stochastic_rounding_does_not_go_up_where_the_number_equals_the_rest():
    key = RandomKey(9, "V", 0)
    rest = uniforms(key, torch.arange(5))
    formats = Formats(rounding=Rounding.SR)
    assert on_grid(rest, QFormat(3, 0), formats, key, torch.arange(5)).tolist() == [0.0] * 5
    assert on_grid(rest + 2**-53, QFormat(3, 0), formats, key, torch.arange(5)).tolist() == [1.0] * 5
    assert on_grid(rest - 1, QFormat(3, 0), formats, key, torch.arange(5)).tolist() == [-1.0] * 5


def test_stochastic_rounding_just_below_zero_compares_the_exact_rest(monkeypatch):
    """The rest of -1.5 * 2**-53 is no float64: it lies between the two largest random numbers."""
    chances = torch.tensor([1 - 2**-52, 1 - 2**-53], dtype=torch.float64)
    monkeypatch.setattr("spikequant_stdp.engine.quantize.uniforms", lambda key, elements: chances)
    x = torch.full((2,), -1.5 * 2**-53, dtype=torch.float64)
    formats = Formats(rounding=Rounding.SR)
    assert on_grid(x, QFormat(3, 0), formats, RandomKey(0, "V"), torch.arange(2)).tolist() == [0.0, -1.0]


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(1, 5), seeds())
def test_sums_are_added_in_ascending_order(rows, neurons, seed):
    rng = np.random.default_rng(seed)
    w = (rng.random((30, neurons)) * 2.0 ** rng.integers(-20, 20, (30, neurons))).astype(np.float32)
    spikes = rng.random((rows, 30)) < 0.4
    expected = np.zeros((rows, neurons), dtype=np.float32)
    for r, i, j in np.ndindex(rows, 30, neurons):
        if spikes[r, i]:
            expected[r, j] = np.float32(expected[r, j] + w[i, j])
    got = arriving_sums(torch.from_numpy(w), torch.from_numpy(spikes))
    assert np.array_equal(got.numpy(), expected)
    for r in range(rows):
        assert np.array_equal(sum_of_rows(torch.from_numpy(w[spikes[r]])).numpy(), expected[r])


@pytest.mark.parametrize(("top", "dtype"), [(2**22, torch.float32), (2**24, torch.float64)])
def test_sums_of_codes_are_exact_also_beyond_float32(top, dtype):
    w = torch.tensor([[top / 4], [0.25], [0.25]])
    sums = exact_sums(w, torch.ones((1, 3), dtype=torch.bool), 0.25)
    assert sums.dtype == dtype
    assert sums.item() == top / 4 + 0.5


def test_division_is_not_by_a_reciprocal():
    """Engines divide by w_max and by column sums; both quotients must be the correctly rounded ones."""
    rng = np.random.default_rng(0)
    x, y = (rng.random(10_000).astype(np.float32) + np.float32(0.1) for _ in range(2))
    assert np.array_equal((torch.tensor(np.float32(78.4)) / torch.from_numpy(y)).numpy(), np.float32(78.4) / y)
    for divisor in (0.7, 0.75, 3.0):
        quotient = torch.from_numpy(x) / torch.tensor(divisor, dtype=torch.float32)
        assert np.array_equal(quotient.numpy(), x / np.float32(divisor))
