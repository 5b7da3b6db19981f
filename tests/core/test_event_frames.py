"""Frames of events: by the definition, event by event, and only of the samples that are asked for."""

import re

import numpy as np
import pytest

from spikequant import EventFrames, Split
from spikequant.errors import DataError, UsageError

FRAME = (2, 3, 4)
SIZE = 24


def recording(seed, count, span=10_000, crowded=False):
    rng = np.random.default_rng(seed)
    sites = rng.integers(0, 2 if crowded else SIZE, count)
    return np.sort(rng.integers(0, span, count)), sites


RECORDINGS = [recording(0, 300), recording(1, 0), recording(2, 1), recording(3, 900, crowded=True), recording(4, 50)]


def by_hand(time, site, start, steps, frame_us, most):
    """Count one event after the other."""
    made = np.zeros((steps, *FRAME), np.int64)
    for t, s in zip(time.tolist(), site.tolist(), strict=True):
        step = t // frame_us - start
        if 0 <= step < steps:
            place = (step, *np.unravel_index(s, FRAME))
            made[place] = min(made[place] + 1, most)
    return made


def frames(recordings=None, *, timesteps=7, frame_us=1000, start=0, most=255):
    given = RECORDINGS if recordings is None else recordings
    return EventFrames.of(given, FRAME, timesteps=timesteps, frame_us=frame_us, start=start, most=most)


@pytest.mark.parametrize("most", [1, 3, 255])
@pytest.mark.parametrize(
    ("timesteps", "frame_us", "start"), [(7, 1000, 0), (20, 1000, 2), (1, 20_000, 0), (3, 1, 9998)]
)
def test_every_sample_is_what_counting_by_hand_gives(timesteps, frame_us, start, most):
    x = frames(timesteps=timesteps, frame_us=frame_us, start=start, most=most)
    expected = np.stack([by_hand(*r, start, timesteps, frame_us, most) for r in RECORDINGS])
    assert x.shape == expected.shape == (5, timesteps, *FRAME)
    assert x[:].dtype == x.dtype == np.uint8
    assert np.array_equal(x[:], expected)
    assert np.array_equal(x[3], expected[3])
    assert np.array_equal(x[1:4], expected[1:4])
    assert np.array_equal(x[[4, 0, 0]], expected[[4, 0, 0]])
    assert np.array_equal(x[np.arange(5) % 2 == 0], expected[::2])
    assert np.array_equal(x[-1], expected[-1])


def test_more_events_than_a_byte_holds_are_clipped_and_counted():
    crowd = (np.zeros(300, int), np.full(300, 5))
    x = frames([crowd, crowd], timesteps=1)
    assert x[0].reshape(-1).tolist() == [255 if site == 5 else 0 for site in range(SIZE)]
    assert x.clipped() == 2 * 45
    few = frames(most=3)
    lost = sum(int(by_hand(*r, 0, 7, 1000, 10**6).sum()) - int(by_hand(*r, 0, 7, 1000, 3).sum()) for r in RECORDINGS)
    assert few.clipped() == lost > 0


def test_a_crop_begins_at_any_frame_and_is_as_long_as_wanted():
    x = frames(timesteps=4, start=1)
    indices, starts = [3, 0, 3, 1, 2], [0, 4, 8, 2, 500]
    expected = [by_hand(*RECORDINGS[i], s, 6, 1000, 255) for i, s in zip(indices, starts, strict=True)]
    assert np.array_equal(x.crops(indices, starts, 6), expected)
    assert np.array_equal(x.crops([0, 3], [1, 1], 4), x[[0, 3]])
    assert not x.crops([0], [10**9], 2).any()


@pytest.mark.parametrize(("indices", "starts"), [([0, 1], [0]), ([0], [-1])])
def test_crops_that_cannot_be_are_refused(indices, starts):
    with pytest.raises(UsageError, match=r"^crops of \d recordings need as many starts, 0 or more; got \[.*\]$"):
        frames().crops(indices, starts, 2)


def test_a_recordings_length_is_that_of_its_last_event():
    last = [int(t[-1]) // 1000 + 1 if len(t) else 0 for t, _ in RECORDINGS]
    assert frames().steps_of(np.arange(5)).tolist() == last
    assert frames().steps_of([1, 2]).tolist() == last[1:3]
    assert frames([RECORDINGS[1]]).steps_of([0]).tolist() == [0]


def test_the_last_frame_of_a_narrow_type_is_kept():
    for top in (65_533, 65_534, 65_535, 65_536):
        x = frames([(np.array([top]), np.array([1]))], frame_us=1)
        assert x.crops([0], [top], 1).sum() == 1
        assert x.crops([0], [top - 1], 1).sum() == 0
        assert x.crops([0], [top + 1], 1).sum() == 0
        assert x.crops([0], [top - 1], 2)[0, 1].sum() == 1
        assert x.steps_of([0]).tolist() == [top + 1]


def test_events_out_of_order_give_the_same_frames():
    order = np.random.default_rng(7).permutation(300)
    time, site = RECORDINGS[0]
    assert np.array_equal(frames([(time[order], site[order])])[:], frames([(time, site)])[:])


def test_the_head_of_a_split_stays_events():
    split = Split(frames(), np.arange(5))
    head = split.head(3)
    assert isinstance(head.x, EventFrames)
    assert len(head) == len(head.x) == 3
    assert np.array_equal(head.x[:], split.x[:3])
    assert head.x.frame_of is split.x.frame_of
    assert split.head(None) is split
    assert np.array_equal(split.x.select([4, 0])[:], split.x[[4, 0]])
    assert (split.x.events, head.x.events) == (1251, 301)


def test_the_digest_depends_on_what_the_samples_depend_on_and_nothing_else():
    whole = frames()
    same = frames([*RECORDINGS, RECORDINGS[0]]).select(slice(5))
    wide = frames([*RECORDINGS, (np.array([10**8]), np.array([0]))]).select(slice(5))
    assert wide.frame_of.dtype != whole.frame_of.dtype
    assert whole.digest() == same.digest() == wide.digest()
    moved = [(t, (s + 1) % SIZE) for t, s in RECORDINGS]
    others = [
        frames(moved),
        frames(most=1),
        frames(start=1),
        frames(timesteps=8),
        frames(frame_us=999),
        frames(RECORDINGS[:4]),
        frames(RECORDINGS[::-1]),
    ]
    assert len({whole.digest(), *(other.digest() for other in others)}) == 8


def test_one_array_of_everything_is_only_made_on_purpose():
    message = "EventFrames(shape=(5, 7, 2, 3, 4), frame_us=1000, start=0, most=255) is not made into one array by"
    with pytest.raises(TypeError, match=f"^{re.escape(message)} accident; take the samples you need: "):
        np.asarray(frames())
    assert frames()[:].shape == frames().shape


def test_no_recording_at_all():
    x = frames([])
    assert (len(x), x.shape, x[:].shape) == (0, (0, 7, *FRAME), (0, 7, *FRAME))


@pytest.mark.parametrize(
    ("time", "site", "message"),
    [
        ([-1, 5], [0, 0], "recording 1 has an event at -1 us; times count from 0"),
        ([1, 5], [0, 24], "recording 1 has events at 0..24; (2, 3, 4) holds 0..23"),
        ([1, 5], [-1, 3], "recording 1 has events at -1..3; (2, 3, 4) holds 0..23"),
        ([1], [1, 2], "recording 1 has times (1,) and sites (2,); it needs two equal rows of integers"),
        ([1.5], [1], "recording 1 has times (1,) and sites (1,); it needs two equal rows of integers"),
        ([2**32 * 1000], [1], "an event lies in frame 4294967296; frames are counted to 4294967294"),
    ],
)
def test_events_that_cannot_be_are_named_with_their_recording(time, site, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        frames([RECORDINGS[0], (np.array(time), np.array(site))])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"timesteps": 0}, "event frames: timesteps is 0; it must be 1 or more"),
        ({"frame_us": 0}, "event frames: frame_us is 0; it must be 1 or more"),
        ({"start": -1}, "event frames: start is -1; it must be 0 or more"),
        ({"most": 256}, "event frames: most is 256; it must be 1 to 255"),
        ({"most": 0}, "event frames: most is 0; it must be 1 to 255"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(setting, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        frames(**setting)
