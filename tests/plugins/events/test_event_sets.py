"""The real recordings, their labels as published here, and what the options make of them."""

import numpy as np
import pytest

from spikequant import EventFrames
from spikequant.errors import PluginError
from spikequant.runs import make_dataset
from spikequant_events import spikequant_datasets
from spikequant_events.stratified import stratified

LABELS = {  # of the README beside the archives
    ("nmnist-small", "train"): [97, 116, 99, 93, 105, 92, 94, 117, 87, 100],
    ("nmnist-small", "test"): [8, 14, 8, 11, 14, 7, 10, 15, 2, 11],
}
EVENTS = {"train": 4_133_231, "test": 385_596}


@pytest.fixture(scope="module")
def small_folders(real_events):
    return real_events("nmnist-small", "nmnist_small.npz")


@pytest.fixture(scope="module")
def braille_folders(real_events):
    return real_events("braille", "braille7_spikes.npz")


def test_the_plugin_offers_seven_sets():
    names = [offered.name for offered in spikequant_datasets()]
    assert names == ["nmnist-small", "nmnist", "dvs-gesture", "cifar10-dvs", "shd", "braille", "braille27"]
    assert all(offered.frames for offered in spikequant_datasets())


@pytest.mark.parametrize(
    ("name", "options", "shape", "bits", "frame_s"),
    [
        ("nmnist-small", {}, (2, 34, 34), 8, 0.001),
        ("nmnist-small", {"downsample": 2, "frame_ms": 5.0, "counts": "binary"}, (2, 17, 17), 1, 0.005),
        ("nmnist", {"downsample": 3, "bits": 4}, (2, 12, 12), 4, 0.001),
        ("dvs-gesture", {}, (2, 32, 32), 8, 0.001),
        ("dvs-gesture", {"size": 48}, (2, 48, 48), 8, 0.001),
        ("cifar10-dvs", {"downsample": 1}, (2, 128, 128), 8, 0.001),
        ("shd", {"size": 70}, (70,), 8, 0.001),
        ("braille", {}, (12,), 1, 0.005),
        ("braille", {"frame_steps": 4}, (12,), 3, 0.02),
        ("braille", {"frame_steps": 4, "counts": "binary"}, (12,), 1, 0.02),
        ("braille27", {}, (24,), 8, 0.005),
    ],
)
def test_what_a_set_gives_is_known_before_any_file_is_read(name, options, shape, bits, frame_s):
    made = make_dataset(name, options=options, timesteps=50)
    assert (made.shape, made.bits, made.peak, made.frame_s) == (shape, bits, 1, frame_s)
    assert made.timesteps == 50


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_real_nmnist_has_its_labels_and_all_its_events(small_folders, split):
    found = make_dataset("nmnist-small", timesteps=400).load(split, small_folders)
    assert np.bincount(found.y, minlength=10).tolist() == LABELS["nmnist-small", split]
    assert isinstance(found.x, EventFrames)
    assert found.x.events == EVENTS[split]
    assert found.x.clipped() == 0
    dense = sum(int(found.x[i : i + 50].sum()) for i in range(0, len(found), 50))
    assert dense == EVENTS[split]  # no recording is longer than 400 ms


def test_the_real_nmnist_is_what_counting_by_hand_gives(small_folders, files):
    found = make_dataset("nmnist-small", options={"frame_ms": 7.0, "downsample": 2, "start": 2}, timesteps=30)
    split = found.load("test", small_folders)
    with np.load(next(f for f in small_folders[0].rglob("nmnist_small.npz"))) as archive:
        offset = archive["test_offset"]
        rows = [archive[f"test_{key}"] for key in ("t", "x", "y", "p")]
    for number in (0, 57, 99):
        mine = [row[offset[number] : offset[number + 1]] for row in rows]
        expected = files.by_hand(
            mine, (2, 17, 17), timesteps=30, frame_us=7000, start=2, place=lambda x, y, p: (p, y // 2, x // 2)
        )
        assert np.array_equal(split.x[number], expected)


def test_the_same_recordings_in_their_original_files_give_the_same_frames(small_folders, files, tmp_path):
    pytest.importorskip("tonic", reason="needs tonic")
    with np.load(next(f for f in small_folders[0].rglob("nmnist_small.npz"))) as archive:
        offset, labels, numbers = (archive[f"test_{key}"] for key in ("offset", "label", "id"))
        rows = [archive[f"test_{key}"].astype(np.int64) for key in ("t", "x", "y", "p")]
    for n in range(20):
        path = tmp_path / "Test" / str(labels[n]) / f"{numbers[n]}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.nmnist_bin([row[offset[n] : offset[n + 1]] for row in rows]))
    original = make_dataset("nmnist", timesteps=60, options={"frame_ms": 5.0}).load("test", (tmp_path,))
    packed = make_dataset("nmnist-small", timesteps=60, options={"frame_ms": 5.0}).load("test", small_folders).head(20)
    assert np.array_equal(original.y, packed.y)
    assert np.array_equal(original.x[:], packed.x[:])


def test_the_real_braille_letters(braille_folders):
    train, test = (make_dataset("braille").load(split, braille_folders) for split in ("train", "test"))
    assert train.x.shape == (685, 256, 12)
    assert test.x.shape == (172, 256, 12)
    both = np.bincount(train.y) + np.bincount(test.y)
    assert both.tolist() == [119, 129, 121, 127, 117, 124, 120]
    assert np.bincount(test.y).tolist() == [24, 26, 24, 26, 23, 25, 24]  # a fifth of each, rounded up
    with np.load(next(f for f in braille_folders[0].rglob("braille7_spikes.npz"))) as archive:
        bits, labels = np.unpackbits(archive["x"], axis=-1)[..., :12], archive["y"].astype(np.int64)
    for split, found in (("train", train), ("test", test)):
        chosen = stratified(labels, split, "spikequant braille split 1")
        assert np.array_equal(found.x[:], bits[chosen])
        assert np.array_equal(found.y, labels[chosen])


@pytest.mark.parametrize("counts", ["counts", "binary"])
def test_steps_of_braille_are_summed_or_joined(braille_folders, counts):
    whole = make_dataset("braille").load("test", braille_folders).x[:20]
    joined = make_dataset("braille", options={"frame_steps": 5, "counts": counts})
    assert joined.timesteps == 52
    found = joined.load("test", braille_folders).x[:20]
    padded = np.concatenate([whole, np.zeros((20, 4, 12), np.uint8)], axis=1).reshape(20, 52, 5, 12)
    assert np.array_equal(found, padded.sum(axis=2) if counts == "counts" else padded.max(axis=2))
    assert found.max() == (5 if counts == "counts" else 1)


def test_the_real_27_letters(real_events):
    folders = real_events("braille", "braille27_events_th10.npz")
    for split, count in (("train", 4320), ("test", 1080)):
        found = make_dataset("braille27").load(split, folders)
        assert np.bincount(found.y).tolist() == [count // 27] * 27
        assert found.x[:50].shape == (50, 265, 24)
        assert found.x.steps_of(np.arange(count)).max() == 261


def test_a_stratified_split_takes_a_fifth_of_every_class_and_shares_nothing():
    labels = np.random.default_rng(0).integers(0, 4, 333)
    train, test = (stratified(labels, split, "key") for split in ("train", "test"))
    assert sorted([*train, *test]) == list(range(333))
    assert abs(len(test) - 333 / 5) < 1
    assert all(abs((labels[test] == c).sum() - (labels == c).sum() / 5) <= 1 for c in range(4))
    assert stratified(labels, "test", "other key").tolist() != test.tolist()


def test_a_whole_recording_is_divided_into_its_timesteps(small_folders):
    whole = make_dataset("nmnist-small", options={"whole": True, "frame_ms": 10.0}, timesteps=30).load(
        "test", small_folders
    )
    every = make_dataset("nmnist-small", timesteps=400).load("test", small_folders)
    assert whole.x.shape == (100, 30, 2, 34, 34)
    assert whole.x.clipped() == 0
    for k in range(0, 100, 9):
        frames = whole.x[k].astype(int)
        assert frames.sum() == every.x[k].astype(int).sum()
        assert frames[0].any()
        assert frames[-1].any()


def test_the_frames_of_a_whole_recording_are_those_of_the_rule_by_hand(real_events):
    with np.load(real_events("nmnist-small", "nmnist_small.npz")[0] / "nmnist-small" / "nmnist_small.npz") as archive:
        t = archive["test_t"][: archive["test_offset"][1]].astype(int)
    expected = np.bincount([(time - t[0]) * 7 // (t[-1] - t[0] + 1) for time in t.tolist()], minlength=7)
    found = make_dataset("nmnist-small", options={"whole": True}, timesteps=7).load(
        "test", real_events("nmnist-small", "nmnist_small.npz")
    )
    assert found.x[0].astype(int).sum((1, 2, 3)).tolist() == expected.tolist()


def test_whole_recordings_begin_at_their_first_event():
    with pytest.raises(PluginError, match=r"start is 3 and whole is true; .* set it to 0"):
        make_dataset("nmnist-small", options={"whole": True, "start": 3}, timesteps=30)
