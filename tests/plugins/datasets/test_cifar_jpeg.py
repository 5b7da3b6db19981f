"""The lossy copy of the CIFAR-10 training images."""

import io
import re
import sys

import numpy as np
import pytest

from spikequant.errors import DataError
from spikequant_datasets import Cifar10

COLOURS = [(200, 30, 30), (20, 180, 40)]


def write(path, **changes):
    """Write images of one colour each; the common header is empty, which is a valid choice of prefix."""
    image_module = pytest.importorskip("PIL.Image", reason="needs Pillow")
    files = []
    for colour in COLOURS:
        buffer = io.BytesIO()
        image_module.new("RGB", (32, 32), colour).save(buffer, "JPEG")
        files.append(buffer.getvalue())
    head = files[0][:2]
    rest = [file[2:] for file in files]
    arrays = {
        "header": np.frombuffer(head, np.uint8),
        "payload": np.frombuffer(b"".join(rest), np.uint8),
        "offset": np.cumsum([0, *map(len, rest)], dtype=np.uint32),
        "label": np.array([3, 8], np.uint8),
    }
    np.savez(path, **(arrays | changes))


def test_without_pillow_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    (tmp_path / "train_jpeg.npz").write_bytes(b"")
    expected = (
        f"data set 'cifar10': {tmp_path / 'train_jpeg.npz'} holds JPEG images, and Pillow is not installed; run "
        "`pip install pillow`, or get the lossless images with `spikequant fetch cifar10`"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        Cifar10().load("train", (tmp_path,))


def test_each_image_is_header_plus_its_payload(tmp_path):
    write(tmp_path / "train_jpeg.npz")
    with pytest.warns(UserWarning, match="lossy JPEG copy"):
        data = Cifar10().load("train", (tmp_path,))
    assert data.x.shape == (2, 3, 32, 32)
    assert data.y.tolist() == [3, 8]
    for image, colour in zip(data.x, COLOURS, strict=True):
        assert np.abs(image.reshape(3, -1).T.astype(int) - colour).max() <= 3  # JPEG's own loss


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"offset": np.array([0, 700, 5])}, "its 'offset' does not divide its 'payload'"),
        ({"label": np.array([3, 10])}, "its labels are not all integers in 0..9"),
        ({"label": np.array([3])}, "it has 2 images, and its labels are no list of that length"),
        ({"header": np.zeros(2, np.uint8)}, "image 0 is no JPEG that Pillow can decode"),
        ({"payload": np.array([None])}, "Object arrays cannot be loaded"),
    ],
)
def test_a_damaged_copy_is_named_with_its_fault(tmp_path, changes, fault):
    write(tmp_path / "train_jpeg.npz", **changes)
    with pytest.raises(DataError, match=f"train_jpeg.npz cannot be used: {re.escape(fault)}"):
        Cifar10().load("train", (tmp_path,))


def test_the_copy_does_not_serve_for_testing(tmp_path):
    (tmp_path / "train_jpeg.npz").write_bytes(b"")
    with pytest.raises(DataError, match=r"^data set 'cifar10' is missing"):
        Cifar10().load("test", (tmp_path,))
