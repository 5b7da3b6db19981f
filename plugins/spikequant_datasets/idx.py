"""MNIST and Fashion-MNIST: images and labels in IDX files, gzipped or plain."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikequant import Dataset, RemoteFile, Split
from spikequant.data_folders import damaged, held, missing, places
from spikequant.dataset import SplitName
from spikequant.errors import DataError

MAGIC = {3: 2051, 1: 2049}
PREFIX = {"train": "train", "test": "t10k"}


class IdxImages(Dataset):
    """28x28 images of ten classes in the four files of MNIST.

    Attributes:
        label_md5: Of the uncompressed label file of each split, to tell the sets apart: their files have
            the same names.
    """

    shape = (1, 28, 28)
    classes = 10
    label_md5: ClassVar[dict[SplitName, str]]

    def load(self, split: SplitName, folders: tuple[Path, ...]) -> Split:
        """Return one split as uint8 ``(samples, 1, 28, 28)``.

        Raises:
            DataError: The files are missing, damaged, or those of a sibling set.
        """
        stems = (f"{PREFIX[split]}-images-idx3-ubyte", f"{PREFIX[split]}-labels-idx1-ubyte")
        wanted = [(f"{stem}.gz", stem, stem.replace("-idx", ".idx")) for stem in stems]
        for place in places(self.name, folders):
            if files := held(place, wanted):
                return self._read(split, *files)
        raise missing(self, " and ".join(f"{stem}.gz" for stem in stems), folders)

    def _read(self, split: SplitName, image_file: Path, label_file: Path) -> Split:
        raw = self._content(label_file)
        self._refuse_sibling(split, label_file, raw)
        y = self._array(label_file, raw, 1)
        if len(y) and y.max() >= self.classes:
            raise damaged(self, label_file, f"it holds label {y.max()}; labels are 0..{self.classes - 1}")
        x = self._array(image_file, self._content(image_file), 3)
        if x.shape[1:] != self.shape[1:]:
            raise damaged(self, image_file, f"its images are {x.shape[1]}x{x.shape[2]}; they must be 28x28")
        if len(x) != len(y):
            raise damaged(self, image_file, f"it holds {len(x)} images, and {label_file.name} has {len(y)} labels")
        return Split(x.reshape(-1, *self.shape), y.astype(np.int64))

    def _content(self, path: Path) -> bytes:
        try:
            content = path.read_bytes()
            return gzip.decompress(content) if path.suffix == ".gz" else content
        except (OSError, EOFError, zlib.error) as error:
            raise damaged(self, path, str(error)) from error

    def _array(self, path: Path, content: bytes, axes: int) -> NDArray[np.uint8]:
        """Return the array of an IDX file: magic, one length per axis (big-endian 32 bit), then bytes."""
        header = 4 * (1 + axes)
        if len(content) < header:
            raise damaged(self, path, f"it has {len(content)} bytes, and its IDX header alone takes {header}")
        magic, *lengths = struct.unpack(f">{1 + axes}I", content[:header])
        if magic != MAGIC[axes]:
            raise damaged(self, path, f"its IDX magic is {magic}; it must be {MAGIC[axes]}")
        if len(content) - header != math.prod(lengths):
            raise damaged(
                self, path, f"its header announces {math.prod(lengths)} bytes, and {len(content) - header} follow"
            )
        return np.frombuffer(content, np.uint8, offset=header).reshape(lengths)

    def _refuse_sibling(self, split: SplitName, path: Path, content: bytes) -> None:
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        for sibling in (Mnist, FashionMnist):
            if sibling.name != self.name and sibling.label_md5[split] == digest:
                raise DataError(
                    f"data set '{self.name}': file {path} is that of '{sibling.name}', whose files have the same "
                    f"names; keep each set in a folder of its name, '{sibling.name}' and '{self.name}'"
                )


class Mnist(IdxImages):
    """Handwritten digits 0-9 (LeCun, Cortes and Burges, 1998)."""

    name = "mnist"
    summary = "70,000 handwritten digits, 28x28 grey: 60,000 train, 10,000 test"
    label_md5: ClassVar[dict[SplitName, str]] = {
        "train": "a25bea736e30d166cdddb491f175f624",
        "test": "27ae3e4e09519cfbb04c329615203637",
    }
    files = tuple(
        RemoteFile(name, f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}", f"md5:{md5}", size)
        for name, md5, size in (
            ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9912422),
            ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28881),
            ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1648877),
            ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4542),
        )
    )


class FashionMnist(IdxImages):
    """Articles of clothing in ten classes (Xiao, Rasul and Vollgraf, 2017)."""

    name = "fashion-mnist"
    summary = "70,000 pictures of clothing, 28x28 grey: 60,000 train, 10,000 test"
    label_md5: ClassVar[dict[SplitName, str]] = {
        "train": "9018921c3c673c538a1fc5bad174d6f9",
        "test": "15d484375f8d13e6eb1aabb0c3f46965",
    }
    files = tuple(
        RemoteFile(name, f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}", f"md5:{md5}", size)
        for name, md5, size in (
            ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26421880),
            ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29515),
            ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4422102),
            ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5148),
        )
    )
