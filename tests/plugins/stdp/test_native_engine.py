"""The native engine gives the bits of the torch engine: every option, every kind of instructions."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import fields, replace

import numpy as np
import pytest

from spikequant.counter_rng import RandomKey, uniforms
from spikequant.formats import QFormat
from spikequant.native_build import c_compiler
from spikequant.rate_coding import RateCoding
from spikequant.rounding import Rounding
from spikequant_stdp import engine as engines
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine, native, native_groups
from spikequant_stdp.engine.native import NativeEngine

pytestmark = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")
KINDS = {"widest": (), "without-avx512": ("-mno-avx512f",), "plain": ("-DSTDP_PLAIN",)}


@pytest.fixture(params=KINDS)
def fast(request):
    return NativeEngine(KINDS[request.param])


def equal_recorded(got, expected):
    for field in fields(expected):
        ours, theirs = getattr(got, field.name), getattr(expected, field.name)
        assert (ours is None) == (theirs is None), field.name
        if theirs is not None:
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            differ = np.argwhere(ours != theirs)
            assert not len(differ), f"{field.name}: step, image, neuron {differ[0]}: {len(differ)} values differ"


def equal_states(got, expected):
    assert np.array_equal(got.w, expected.w)
    assert np.array_equal(got.theta, expected.theta)
    assert got.theta.dtype == expected.theta.dtype
    assert got.images == expected.images


def equal_training(got, expected):
    assert np.array_equal(got.counts, expected.counts)
    assert (got.vanished, got.updates) == (expected.vanished, expected.updates)


def some_images(seed, n, inputs):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, inputs), dtype=np.uint8)
    images[rng.random(images.shape) < 0.5] = 0
    return images


def some_state(seed, p):
    rng = np.random.default_rng(seed)
    w = rng.random((p.inputs, p.neurons), dtype=np.float32)
    w *= np.float32(p.norm) / w.sum(axis=0)
    return State(w, rng.random(p.neurons, dtype=np.float32))


def test_the_kinds_of_instructions_are_three():
    assert NativeEngine(KINDS["plain"]).lanes == "plain"
    assert NativeEngine(KINDS["without-avx512"]).lanes in ("avx2", "plain")


@pytest.mark.parametrize("seed", range(4))
def test_training_on_spikes(random_cases, fast, seed):
    for p, formats, state, images in random_cases(seed, 8):
        spikes = p.coding.spikes(images, p.timesteps, draw=1).swapaxes(0, 1)
        ours, theirs = state.copy(), state.copy()
        got = fast.train_spikes(p, formats, ours, spikes, record=True)
        expected = TorchEngine().train_spikes(p, formats, theirs, spikes, record=True)
        equal_recorded(got.recorded, expected.recorded)
        equal_training(got, expected)
        equal_states(ours, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_training_on_images(random_cases, fast, seed):
    for p, formats, state, images in random_cases(40 + seed, 6):
        ours, theirs = state.copy(), state.copy()
        got, expected = (e.train(p, formats, s, images, draw=2) for e, s in ((fast, ours), (TorchEngine(), theirs)))
        assert got.recorded is None
        equal_training(got, expected)
        equal_states(ours, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_inference(random_cases, fast, seed):
    for p, formats, state, images in random_cases(80 + seed, 10):
        spikes = p.coding.spikes(images, p.timesteps).swapaxes(0, 1)
        for record in (True, False):
            got, expected = (e.infer_spikes(p, formats, state, spikes, record) for e in (fast, TorchEngine()))
            equal_recorded(got, expected)
        assert np.array_equal(fast.infer(p, [(formats, state)], images)[0], got.spikes.sum(axis=0))


@pytest.mark.parametrize("neurons", [1, 15, 16, 64, 81, 400, 417])
def test_every_width_of_a_row(fast, neurons):
    p = Parameters(40, neurons, timesteps=30, norm=12.0, threshold=-62.0, coding=RateCoding(rate_hz=400.0))
    images = some_images(neurons, 4, 40)
    fixed = {"w": QFormat(0, 5), "V": QFormat(9, 4), "Vth": QFormat(9, 4)}
    for formats in (Formats(), Formats(**fixed), Formats(**fixed, rounding=Rounding.SR)):
        ours, theirs = some_state(1, p), some_state(1, p)
        got, expected = (e.train(p, formats, s, images, draw=1) for e, s in ((fast, ours), (TorchEngine(), theirs)))
        equal_training(got, expected)
        equal_states(ours, theirs)
        assert expected.counts.sum() > 4
        candidates = [(formats, ours)]
        assert np.array_equal(fast.infer(p, candidates, images), TorchEngine().infer(p, candidates, images))


def candidates_of(p):
    weights = (None, QFormat(0, 3), QFormat(1, 6))
    variables = (None, QFormat(9, 0), QFormat(9, 6))
    state, other = some_state(2, p), some_state(3, p)
    for rounding in Rounding:
        for w in weights:
            for variable in variables:
                yield Formats(w, variable, variable, rounding=rounding, seed=len(rounding.value)), state
    yield Formats(), other


def test_many_candidates_at_once_are_each_as_by_itself(fast):
    p = Parameters(50, 33, timesteps=40, norm=15.0, threshold=-62.0, coding=RateCoding(rate_hz=300.0))
    images = some_images(5, 6, 50)
    candidates = list(candidates_of(p))
    together = fast.infer(p, candidates, images)
    assert np.array_equal(together, [fast.infer(p, [each], images)[0] for each in candidates])
    assert len({counts.tobytes() for counts in together}) > len(candidates) // 3
    assert np.array_equal(together, TorchEngine().infer(p, candidates, images))


@pytest.mark.parametrize("at_once", [1, 2, 5, 27])
def test_candidates_of_several_calls_are_as_those_of_one(monkeypatch, at_once):
    p = Parameters(50, 33, timesteps=40, norm=15.0, threshold=-62.0, coding=RateCoding(rate_hz=300.0))
    images, candidates = some_images(5, 6, 50), list(candidates_of(p))
    expected = NativeEngine().infer(p, candidates, images)
    for module in (native, native_groups):
        monkeypatch.setattr(module, "CANDIDATES_A_CALL", at_once)
    assert np.array_equal(NativeEngine().infer(p, candidates, images), expected)


def test_parts_of_a_call_and_calls_one_after_the_other_make_no_difference(monkeypatch):
    p = Parameters(40, 20, timesteps=20, norm=12.0, threshold=-62.0, coding=RateCoding(rate_hz=400.0))
    images, fast = some_images(6, 7, 40), NativeEngine()
    for formats in (Formats(), Formats(QFormat(0, 4), QFormat(9, 2), QFormat(9, 2), rounding=Rounding.SR)):
        whole, parted, split = some_state(4, p), some_state(4, p), some_state(4, p)
        spikes = p.coding.spikes(images, p.timesteps, draw=1).swapaxes(0, 1)
        expected = fast.train_spikes(p, formats, whole, spikes, record=True)
        for part in (slice(0, 3), slice(3, 7)):
            fast.train(p, formats, split, images[part], draw=1)
        equal_states(split, whole)
        with monkeypatch.context() as patched:
            patched.setattr(native, "IMAGES_A_CALL", 2)
            got = fast.train_spikes(p, formats, parted, spikes, record=True)
            counts = fast.infer(p, [(formats, whole), (Formats(), whole)], images)
        equal_recorded(got.recorded, expected.recorded)
        equal_training(got, expected)
        equal_states(parted, whole)
        assert np.array_equal(counts, fast.infer(p, [(formats, whole), (Formats(), whole)], images))


def test_progress_is_told_and_may_stop_training_between_calls(monkeypatch):
    p = Parameters(20, 5, timesteps=10, norm=6.0)
    images, told = some_images(7, 5, 20), []

    def stop(done, total):
        told.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(native, "IMAGES_A_CALL", 2)
    state, expected = some_state(1, p), some_state(1, p)
    with pytest.raises(KeyboardInterrupt):
        NativeEngine().train(p, Formats(), state, images, draw=1, progress=stop)
    assert told == [(2, 5), (4, 5)]
    NativeEngine().train(p, Formats(), expected, images[:4], draw=1)
    equal_states(state, expected)


def test_a_column_whose_factor_no_float32_holds(fast):
    p = Parameters(9, 3, timesteps=5, norm=1e6, w_max=1e6, coding=RateCoding(rate_hz=0.0))
    ours, theirs = some_state(1, p), some_state(1, p)
    for state in (ours, theirs):
        state.w[:, 0] *= np.float32(1e-40)
        state.w[0, 0] = 0.0
    images = some_images(1, 3, 9)
    for engine, state in ((fast, ours), (TorchEngine(), theirs)):
        engine.train(p, Formats(), state, images, draw=1)
    assert np.isfinite(theirs.w).all()
    equal_states(ours, theirs)


def test_no_candidates_and_no_images():
    p = Parameters(20, 5, timesteps=10)
    assert NativeEngine().infer(p, [], some_images(1, 3, 20)).shape == (0, 3, 5)
    assert NativeEngine().infer(p, [(Formats(), some_state(1, p))], some_images(1, 0, 20)).shape == (1, 0, 5)
    assert NativeEngine().train(p, Formats(), some_state(1, p), some_images(1, 0, 20), draw=1).counts.shape == (0, 5)


def test_threads_do_not_disturb_each_other():
    p = Parameters(40, 20, timesteps=50, norm=12.0, threshold=-62.0, coding=RateCoding(rate_hz=400.0))
    images, fast = some_images(8, 60, 40), NativeEngine()
    states = [some_state(seed, p) for seed in range(4)]
    expected = [some_state(seed, p) for seed in range(4)]
    work = [threading.Thread(target=fast.train, args=(p, Formats(), s, images), kwargs={"draw": 1}) for s in states]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    for seed, state in enumerate(expected):
        fast.train(p, Formats(), state, images, draw=1)
        equal_states(states[seed], state)


def test_what_cannot_be_computed_is_refused_as_by_torch():
    p = Parameters(20, 5, timesteps=10)
    state = some_state(1, p)
    bad = [
        lambda e: e.infer(p, [(Formats(V=QFormat(3, 2)), state)], some_images(1, 2, 20)),
        lambda e: e.infer(p, [(Formats(), state)], some_images(1, 2, 21)),
        lambda e: e.train(p, Formats(), State(state.w.T, state.theta), some_images(1, 2, 20), draw=1),
        lambda e: e.train_spikes(p, Formats(), state, np.full((1, 10, 20), 2, dtype=np.uint8)),
        lambda e: e.train(
            replace(p, coding=RateCoding(peak=7)), Formats(), state, np.full((1, 20), 8, dtype=np.uint8), draw=1
        ),
    ]
    for act in bad:
        said = []
        for engine in (NativeEngine(), TorchEngine()):
            with pytest.raises(ValueError, match=r"\w") as error:
                act(engine)
            said.append(str(error.value))
        assert said[0] == said[1]


def test_without_a_compiler_torch_takes_over_with_one_warning(tmp_path):
    code = (
        "from spikequant_stdp.engine import engine\n"
        "print(engine('auto').name, engine('auto').name)\n"
        "try:\n    engine('native')\nexcept Exception as error:\n    print(type(error).__name__)\n"
    )
    environment = {**os.environ, "PATH": "", "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("CC", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["torch", "torch", "BackendError"]
    assert done.stderr.count("\n") == 1
    assert "need a C compiler, and there is none on PATH" in done.stderr


def test_auto_is_native_where_there_is_a_compiler():
    assert engines.engine("auto").name == "native"


@pytest.mark.parametrize("place", [-1, 0, 1])
def test_a_rest_beside_its_random_number_is_rounded_as_all_bits_say(fast, place):
    """The fast path compares the upper bits first; here they are equal for many of the weights."""
    p = Parameters(1, 1 << 14, timesteps=2)
    chances = uniforms(RandomKey(3, "w", 1), np.arange(p.neurons)).astype(np.float32)
    chances = np.nextafter(chances, np.float32(place * 2)) if place else chances
    formats = Formats(w=QFormat(0, 1), rounding=Rounding.SR, seed=3)
    state = State((chances / 2)[None].copy(), np.zeros(p.neurons, dtype=np.float32))
    spikes = np.array([[[1], [0]]], dtype=np.uint8)
    got, expected = (e.train_spikes(p, formats, state.copy(), spikes, record=True) for e in (fast, TorchEngine()))
    equal_recorded(got.recorded, expected.recorded)
    assert len(np.unique(expected.recorded.potential[1])) == (1 if place else 2)
