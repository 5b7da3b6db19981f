"""CIFAR-10: the real test batch, and small batches of the same layout."""

import io
import lzma
import pickle
import re
import sys
import tarfile

import numpy as np
import pytest

from spikequant.errors import DataError
from spikequant_datasets import Cifar10

FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"
TRAIN = [f"data_batch_{number}" for number in range(1, 6)]


def batch(seed, count=4, **changes):
    generator = np.random.default_rng(seed)
    content = {
        b"batch_label": b"testing batch 1 of 1",
        b"labels": generator.integers(0, 10, count).tolist(),
        b"data": generator.integers(0, 256, (count, 3072), np.uint8),
        b"filenames": [b"a.png"] * count,
    }
    return content | {key.encode(): value for key, value in changes.items()}


def packed(content):
    return pickle.dumps(content, protocol=4)


def write_archive(path, names):
    with tarfile.open(path, "w:gz") as archive:
        for seed, name in reversed(list(enumerate(names))):
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            content = packed(batch(seed))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def assert_is_train(split):
    batches = [batch(seed) for seed in range(5)]
    assert np.array_equal(split.x, np.concatenate([part[b"data"] for part in batches]).reshape(20, 3, 32, 32))
    assert split.y.tolist() == [label for part in batches for label in part[b"labels"]]
    assert split.y.dtype == np.int64


def test_the_real_test_batch_has_its_published_labels(real_folder):
    data = Cifar10().load("test", real_folder("cifar10", "test_batch.xz"))
    assert data.x.shape == (10_000, 3, 32, 32)
    assert data.x.dtype == np.uint8
    assert np.bincount(data.y).tolist() == [1000] * 10
    assert data.y[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]


def test_the_real_jpeg_copy_serves_for_training_with_a_warning(real_folder):
    pytest.importorskip("PIL.Image", reason="needs Pillow")
    with pytest.warns(UserWarning, match=r"^training images of 'cifar10' come from the lossy JPEG copy "):
        data = Cifar10().load("train", real_folder("cifar10", "train_jpeg.npz"))
    assert data.x.shape == (50_000, 3, 32, 32)
    assert np.bincount(data.y).tolist() == [5000] * 10
    assert data.y[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert np.abs(data.x.mean((0, 2, 3)) - [125.3, 123.0, 113.9]).max() < 0.5  # published channel means


@pytest.mark.parametrize("sub", ["cifar10", f"cifar10/{FOLDER}", FOLDER, "."])
def test_batches_are_found_unpacked_in_any_documented_place(tmp_path, sub):
    (tmp_path / sub).mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(TRAIN):
        (tmp_path / sub / name).write_bytes(packed(batch(seed)))
    assert_is_train(Cifar10().load("train", (tmp_path / "nowhere", tmp_path)))


def test_batches_are_read_from_the_archive_in_their_order(tmp_path):
    write_archive(tmp_path / ARCHIVE, TRAIN)
    assert_is_train(Cifar10().load("train", (tmp_path,)))


def test_a_test_batch_alone_may_be_xz_packed(tmp_path):
    (tmp_path / "test_batch.xz").write_bytes(lzma.compress(packed(batch(0))))
    assert Cifar10().load("test", (tmp_path,)).y.tolist() == batch(0)[b"labels"]


def test_a_missing_set_says_where_it_looked_and_how_to_get_it(tmp_path):
    expected = (
        f"data set 'cifar10' is missing: looked for {ARCHIVE} or test_batch in {tmp_path / 'cifar10'}, {tmp_path}; "
        "get it with `spikequant fetch cifar10` (170.5 MB), or name its folder by --data-dir or SPIKEQUANT_DATA"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        Cifar10().load("test", (tmp_path,))


class Hostile:
    def __init__(self, action):
        self.action = action

    def __reduce__(self):
        return self.action


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ((print, ("run",)), "builtins.print"),
        ((np.load, ("x",)), "numpy.load"),
        ((io.open, ("x", "w")), r"(_?io|builtins).open"),
    ],
)
def test_a_hostile_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch, capsys, action, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "test_batch"
    path.write_bytes(packed(batch(0, labels=Hostile(action))))
    with pytest.raises(DataError, match=rf"file {re.escape(str(path))} cannot be used: .*it asks for '{name}'"):
        Cifar10().load("test", (tmp_path,))
    assert [file.name for file in tmp_path.iterdir()] == ["test_batch"]
    assert capsys.readouterr().out == ""


def test_a_refused_module_is_not_even_imported(tmp_path):
    (tmp_path / "test_batch").write_bytes(b"cantigravity\nfly\n.")
    with pytest.raises(DataError, match=r"it asks for 'antigravity\.fly', which no data file needs"):
        Cifar10().load("test", (tmp_path,))
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (packed(batch(0))[:-500], "its pickle cannot be read"),
        (b"", "its pickle cannot be read"),
        (packed([1]), "it is no table with the entries 'data' and 'labels'"),
        (packed(batch(0, data=np.zeros((4, 3071), np.uint8))), "its 'data' is no uint8 array of 3072 values a row"),
        (packed(batch(0, data=np.zeros((4, 3072), np.int16))), "its 'data' is no uint8 array of 3072 values a row"),
        (packed(batch(0, labels=[1, 2, 3])), "it has 4 images, and its labels are no list of that length"),
        (packed(batch(0, labels=[1, 2, 3, 10])), "its labels are not all integers in 0..9"),
        (packed(batch(0, labels=[1, 2, 3, -1])), "its labels are not all integers in 0..9"),
        (packed(batch(0, labels=[1, 2, 3, 0.5])), "its labels are not all integers in 0..9"),
    ],
)
def test_a_damaged_batch_is_named_with_its_fault(tmp_path, content, fault):
    path = tmp_path / "test_batch"
    path.write_bytes(content)
    expected = f"data set 'cifar10': file {path} cannot be used: {fault}"
    with pytest.raises(DataError, match=f"^{re.escape(expected)}"):
        Cifar10().load("test", (tmp_path,))


def test_a_cut_archive_is_named(tmp_path):
    path = tmp_path / ARCHIVE
    write_archive(path, TRAIN)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(DataError, match=rf"file {re.escape(str(path))} cannot be used: "):
        Cifar10().load("train", (tmp_path,))


def test_an_archive_without_the_batch_says_so(tmp_path):
    write_archive(tmp_path / ARCHIVE, TRAIN[:4])
    with pytest.raises(DataError, match=f"cannot be used: it lacks {FOLDER}/data_batch_5"):
        Cifar10().load("train", (tmp_path,))


def test_a_cut_xz_file_is_named(tmp_path):
    (tmp_path / "test_batch.xz").write_bytes(lzma.compress(packed(batch(0)))[:-100])
    with pytest.raises(DataError, match=r"test_batch\.xz cannot be used: Compressed data ended"):
        Cifar10().load("test", (tmp_path,))
