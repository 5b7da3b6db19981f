"""Rate coding: each spike follows from the image, the seed, the draw and the step, and from nothing else."""

import hashlib
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikequant.errors import UsageError
from spikequant.rate_coding import RateCoding

M64 = 2**64 - 1


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M64
    return z ^ (z >> 31)


def image_hash(image, seed, draw):
    """The definition in Python's unbounded integers, sharing nothing with the encoder."""
    name = int.from_bytes(hashlib.blake2b(b"input", digest_size=8).digest(), "little")
    h = mix(mix(mix(seed & M64) ^ name) + 0x9E3779B97F4A7C15 * (draw + 1) & M64)
    data = bytes(image) + b"\0" * (-len(image) % 8)
    for start in range(0, len(data), 8):
        h = mix(h ^ int.from_bytes(data[start : start + 8], "little"))
    return h


def threshold(pixel, coding):
    return min(math.floor(pixel / coding.peak * (coding.rate_hz * coding.dt) * 65536 + 0.5), 65536)


def oracle(image, coding, timesteps, draw):
    """Spikes of one flat image, (T, pixels), one at a time."""
    blocks = math.ceil(timesteps / 4)
    h = image_hash(image, coding.seed, draw)
    spikes = np.zeros((timesteps, len(image)), dtype=np.uint8)
    for t in range(timesteps):
        for i, pixel in enumerate(image):
            thr = threshold(pixel, coding)
            if coding.kind == "regular":
                spikes[t, i] = (t + 1) * thr // 65536 > t * thr // 65536
            else:
                word = mix((h + 0x9E3779B97F4A7C15 * (i * blocks + t // 4 + 1)) & M64)
                spikes[t, i] = (word >> 16 * (t % 4) & 0xFFFF) < thr
    return spikes


codings = st.builds(
    RateCoding,
    st.sampled_from(["poisson", "regular"]),
    st.floats(0, 2000),
    st.sampled_from([1e-3, 5e-4, 0.01]),
    st.sampled_from([1, 16, 255]),
    st.integers(-(2**65), 2**65),
)


@settings(max_examples=60, deadline=None)
@given(codings, st.integers(1, 19), st.integers(1, 9), st.integers(0, 3), st.data())
def test_every_spike_is_the_definitions(coding, pixels, timesteps, draw, data):
    row = st.lists(st.integers(0, coding.peak), min_size=pixels, max_size=pixels)
    images = np.array(data.draw(st.lists(row, min_size=1, max_size=3)), dtype=np.uint8)
    expected = np.stack([oracle(image.tolist(), coding, timesteps, draw) for image in images], axis=1)
    got = coding.spikes(images, timesteps, draw)
    assert got.dtype == np.uint8
    assert np.array_equal(got, expected)


def test_known_spikes_never_change():
    image = np.arange(0, 256, 17, dtype=np.uint8)[None]
    spikes = RateCoding(rate_hz=500.0, seed=7).spikes(image, 5, draw=2)[:, 0]
    assert ["".join(map(str, step)) for step in spikes.tolist()] == KNOWN


KNOWN = ["0000000000001101", "0000000001000101", "0000000011101011", "0000000000011100", "0000000000010001"]


def test_an_images_spikes_do_not_depend_on_its_place_in_a_batch():
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5), dtype=np.uint8)
    coding = RateCoding(rate_hz=300.0)
    whole = coding.spikes(images, 10)
    assert whole.shape == (10, 7, 4, 5)
    for n in range(7):
        assert np.array_equal(coding.spikes(images[n : n + 1], 10), whole[:, n : n + 1])
    assert np.array_equal(coding.spikes(images[::-1], 10), whole[:, ::-1])


def test_a_large_batch_that_is_worked_in_parts_gives_the_same(monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (9, 30), dtype=np.uint8)
    whole = RateCoding().spikes(images, 11)
    monkeypatch.setattr("spikequant.rate_coding._CHUNK_NUMBERS", 13)
    assert np.array_equal(RateCoding().spikes(images, 11), whole)


def test_other_seeds_draws_and_images_give_other_spikes():
    image = np.full((1, 400), 128, dtype=np.uint8)
    other = image.copy()
    other[0, 399] = 127
    given = RateCoding(rate_hz=500.0).spikes(image, 8)
    assert not np.array_equal(given, RateCoding(rate_hz=500.0, seed=1).spikes(image, 8))
    assert not np.array_equal(given, RateCoding(rate_hz=500.0).spikes(image, 8, draw=1))
    assert not np.array_equal(given[:, :, :399], RateCoding(rate_hz=500.0).spikes(other, 8)[:, :, :399])


@pytest.mark.parametrize("pixel", [1, 64, 128, 255])
def test_the_mean_rate_lies_within_its_binomial_bound(pixel):
    images = np.full((40, 100), pixel, dtype=np.uint8)
    images[:, 0] = np.arange(40)
    count = int(RateCoding(seed=3).spikes(images, 250)[:, :, 1:].sum())
    trials, chance = 40 * 99 * 250, threshold(pixel, RateCoding()) / 65536
    assert abs(count - trials * chance) < 5 * math.sqrt(trials * chance * (1 - chance))


def test_neighbouring_pixels_and_steps_are_not_correlated():
    spikes = RateCoding(rate_hz=500.0).spikes(np.full((1, 4000), 255, dtype=np.uint8), 64)[:, 0].astype(float)
    centred = spikes - 0.5
    bound = 5 / math.sqrt(spikes.size) * 0.25
    assert abs((centred[1:] * centred[:-1]).mean()) < bound
    assert abs((centred[:, 1:] * centred[:, :-1]).mean()) < bound
    assert abs((centred[4:] * centred[:-4]).mean()) < bound


def test_regular_spikes_are_counted_exactly_and_evenly_spaced():
    coding = RateCoding("regular")
    images = np.arange(256, dtype=np.uint8)[None]
    spikes = coding.spikes(images, 250)[:, 0]
    assert spikes.sum(axis=0).tolist() == [250 * int(thr) // 65536 for thr in coding.thresholds]
    gaps = np.diff(np.nonzero(spikes[:, 255])[0])
    assert set(gaps.tolist()) == {7, 8}


@pytest.mark.parametrize("kind", ["poisson", "regular"])
def test_a_black_pixel_never_spikes_and_a_full_rate_always_does(kind):
    images = np.array([[0, 255]], dtype=np.uint8)
    spikes = RateCoding(kind, rate_hz=1000.0).spikes(images, 300)
    assert not spikes[:, 0, 0].any()
    assert spikes[:, 0, 1].all()
    assert np.array_equal(RateCoding(kind, rate_hz=9e9).spikes(images, 300), spikes)


def test_whole_pixels_of_any_integer_type_give_the_same_spikes():
    images = np.array([[0, 7, 16]])
    coding = RateCoding(rate_hz=500.0, peak=16)
    assert np.array_equal(coding.spikes(images, 6), coding.spikes(images.astype(np.uint8), 6))


def test_no_images_give_no_spikes():
    assert RateCoding().spikes(np.zeros((0, 3, 2), dtype=np.uint8), 4).shape == (4, 0, 3, 2)


@given(codings)
def test_json_gives_the_coding_back(coding):
    assert RateCoding.from_json(coding.to_json()) == coding


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "temporal"}, "kind is 'temporal'; it must be one of poisson, regular"),
        ({"rate_hz": -1.0}, "rate_hz is -1.0; it must be a finite number, at least 0"),
        ({"rate_hz": math.nan}, "rate_hz is nan; it must be a finite number, at least 0"),
        ({"dt": 0.0}, "dt is 0.0; it must be a positive, finite number of seconds"),
        ({"peak": 256}, "peak is 256; it must be a whole number, 1 to 255"),
        ({"peak": True}, "peak is True; it must be a whole number, 1 to 255"),
        ({"seed": 0.5}, "seed is 0.5; it must be a whole number"),
    ],
)
def test_what_cannot_be_used_is_named(options, words):
    with pytest.raises(UsageError, match=f"^{re.escape('rate coding: ' + words)}$"):
        RateCoding(**options)


@pytest.mark.parametrize(
    ("images", "timesteps", "words"),
    [
        (
            np.zeros((1, 2)),
            3,
            "rate coding: pixels are float64 of shape (1, 2); they must be whole numbers of shape (n, ...), 0 to 9",
        ),
        (np.array([[3, 10]]), 3, "rate coding: pixels reach 3..10; they must be 0 to 9"),
        (np.array([[-1, 0]]), 3, "rate coding: pixels reach -1..0; they must be 0 to 9"),
        (np.array([[1]]), 0, "rate coding: timesteps is 0; it must be a whole number, at least 1"),
    ],
)
def test_images_that_cannot_be_coded_are_refused(images, timesteps, words):
    with pytest.raises(UsageError, match=f"^{re.escape(words)}$"):
        RateCoding(peak=9).spikes(images, timesteps)


def test_json_with_other_fields_is_refused():
    words = "rate coding has the fields kind, speed; it must have kind, rate_hz, dt, peak, seed"
    with pytest.raises(UsageError, match=f"^{re.escape(words)}$"):
        RateCoding.from_json({"kind": "poisson", "speed": 1})
