"""MNIST and Fashion-MNIST: the real files, and small ones of the same format."""

import gzip
import re
import struct

import numpy as np
import pytest

from spikequant.errors import DataError
from spikequant_datasets import FashionMnist, Mnist

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
X = np.random.default_rng(2).integers(0, 256, (3, 28, 28), np.uint8)
Y = np.array([7, 0, 9], np.uint8)
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx(array, magic):
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write(place, images=None, labels=None, suffix=".gz"):
    place.mkdir(parents=True, exist_ok=True)
    for stem, content in ((IMAGES, images or idx(X, 2051)), (LABELS, labels or idx(Y, 2049))):
        packed = gzip.compress(content, 1) if suffix == ".gz" else content
        (place / f"{stem}{suffix}").write_bytes(packed)


@pytest.mark.parametrize(
    ("kind", "split", "counts"),
    [
        (Mnist, "train", TRAIN_COUNTS),
        (Mnist, "test", TEST_COUNTS),
        (FashionMnist, "train", [6000] * 10),
        (FashionMnist, "test", [1000] * 10),
    ],
)
def test_the_real_set_has_its_published_counts(real_folder, kind, split, counts):
    data = kind().load(split, real_folder(kind.name, *(file.name for file in kind.files)))
    assert data.x.shape == (sum(counts), 1, 28, 28)
    assert data.x.dtype == np.uint8
    assert data.y.dtype == np.int64
    assert np.bincount(data.y).tolist() == counts


@pytest.mark.parametrize("kind", [Mnist, FashionMnist])
@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("nested", [True, False])
def test_files_are_found_packed_or_plain_in_the_folder_or_its_sub_folder(tmp_path, kind, suffix, nested):
    write(tmp_path / kind.name if nested else tmp_path, suffix=suffix)
    data = kind().load("test", (tmp_path / "nowhere", tmp_path))
    assert np.array_equal(data.x, X[:, None])
    assert data.y.tolist() == [7, 0, 9]


def test_unpacked_files_may_have_the_dot_of_the_originals(tmp_path):
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx(X, 2051))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx(Y, 2049))
    assert np.array_equal(Mnist().load("test", (tmp_path,)).x, X[:, None])


def test_the_files_of_the_sibling_set_are_refused(real_folder, tmp_path):
    (folder,) = real_folder("mnist", f"{IMAGES}.gz", f"{LABELS}.gz")
    source = folder / "mnist" if (folder / "mnist").is_dir() else folder
    for stem in (IMAGES, LABELS):
        (tmp_path / f"{stem}.gz").write_bytes((source / f"{stem}.gz").read_bytes())
    assert len(Mnist().load("test", (tmp_path,))) == 10_000
    expected = (
        f"data set 'fashion-mnist': file {tmp_path / LABELS}.gz is that of 'mnist', whose files have the same names; "
        "keep each set in a folder of its name, 'mnist' and 'fashion-mnist'"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        FashionMnist().load("test", (tmp_path,))


def test_a_missing_set_says_where_it_looked_and_how_to_get_it(tmp_path):
    expected = (
        f"data set 'mnist' is missing: looked for {IMAGES}.gz and {LABELS}.gz in {tmp_path / 'mnist'}, {tmp_path}; "
        "get it with `spikequant fetch mnist` (11.6 MB), or name its folder by --data-dir or SPIKEQUANT_DATA"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        Mnist().load("test", (tmp_path,))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"images": idx(X, 2049)}, "its IDX magic is 2049; it must be 2051"),
        ({"images": idx(X, 2051)[:-1]}, "its header announces 2352 bytes, and 2351 follow"),
        ({"images": idx(X, 2051) + b"\0"}, "its header announces 2352 bytes, and 2353 follow"),
        ({"images": idx(X, 2051)[:10]}, "it has 10 bytes, and its IDX header alone takes 16"),
        ({"images": idx(X[:, :27], 2051)}, "its images are 27x28; they must be 28x28"),
        ({"images": idx(X[:2], 2051)}, f"it holds 2 images, and {LABELS}.gz has 3 labels"),
    ],
)
def test_a_damaged_image_file_is_named_with_its_fault(tmp_path, content, fault):
    write(tmp_path, **content)
    expected = f"data set 'mnist': file {tmp_path / IMAGES}.gz cannot be used: {fault}; replace it, "
    with pytest.raises(DataError, match=f"^{re.escape(expected)}"):
        Mnist().load("test", (tmp_path,))


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (idx(Y, 2051), "its IDX magic is 2051; it must be 2049"),
        (idx(np.array([1, 10, 2], np.uint8), 2049), "it holds label 10; labels are 0..9"),
    ],
)
def test_a_damaged_label_file_is_named_with_its_fault(tmp_path, labels, fault):
    write(tmp_path, labels=labels)
    expected = f"data set 'mnist': file {tmp_path / LABELS}.gz cannot be used: {fault}; replace it, "
    with pytest.raises(DataError, match=f"^{re.escape(expected)}"):
        Mnist().load("test", (tmp_path,))


@pytest.mark.parametrize("keep", [5, 200, -4])
def test_a_cut_gzip_file_is_named(tmp_path, keep):
    write(tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"^data set 'mnist': file {re.escape(str(path))} cannot be used: "):
        Mnist().load("test", (tmp_path,))


def test_a_flipped_bit_in_a_gzip_file_is_found(tmp_path):
    write(tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be used"):
        Mnist().load("test", (tmp_path,))
