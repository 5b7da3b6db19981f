"""CIFAR-10: the official Python batches, or a lossy JPEG copy of the training images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from spikequant import Dataset, RemoteFile, Split
from spikequant.data_folders import damaged, held, missing, places
from spikequant.dataset import SplitName
from spikequant.errors import DataError
from spikequant_datasets.cifar_batches import BatchError, read_archive, read_batch, read_file
from spikequant_datasets.cifar_jpeg import decode_images

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
JPEG = "train_jpeg.npz"
BATCHES: dict[SplitName, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}


class Cifar10(Dataset):
    """Colour pictures of ten classes of animals and vehicles (Krizhevsky, 2009)."""

    name = "cifar10"
    summary = "60,000 colour pictures, 32x32: 50,000 train, 10,000 test"
    shape = (3, 32, 32)
    classes = 10
    files = (
        RemoteFile(
            ARCHIVE,
            f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
            "md5:c58f30108f718f92721af3b95e74349a",
            170498071,
        ),
    )

    def load(self, split: SplitName, folders: tuple[Path, ...]) -> Split:
        """Return one split as uint8 ``(samples, 3, 32, 32)``, in the official order.

        Of each place the unpacked batches are taken, else the archive. Only if no place has either does
        the JPEG copy serve for training.

        Raises:
            DataError: The files are missing or damaged, or the JPEG copy needs Pillow.
        """
        for place in places(self.name, folders):
            if (found := self._official(split, place)) is not None:
                return found
        if split == "train":
            for place in places(self.name, folders):
                if (place / JPEG).is_file():
                    return self._lossy(place / JPEG)
        raise missing(self, f"{ARCHIVE} or {', '.join(BATCHES[split])}", folders)

    def _official(self, split: SplitName, place: Path) -> Split | None:
        names = BATCHES[split]
        wanted = [(f"{FOLDER}/{name}", f"{FOLDER}/{name}.xz", name, f"{name}.xz") for name in names]
        if files := held(place, wanted):
            return _joined([self._batch(path, None) for path in files])
        archive = place / ARCHIVE
        if not archive.is_file():
            return None
        try:
            contents = read_archive(archive, [f"{FOLDER}/{name}" for name in names])
        except BatchError as error:
            raise damaged(self, archive, str(error)) from error
        return _joined([self._batch(archive, content) for content in contents])

    def _batch(self, path: Path, content: bytes | None) -> Split:
        try:
            pixels, labels = read_batch(read_file(path) if content is None else content)
        except BatchError as error:
            raise damaged(self, path, str(error)) from error
        return Split(pixels.reshape(-1, *self.shape), labels)

    def _lossy(self, path: Path) -> Split:
        try:
            pixels, labels = decode_images(path)
        except BatchError as error:
            raise damaged(self, path, str(error)) from error
        except ImportError as error:
            raise DataError(
                f"data set '{self.name}': {path} holds JPEG images, and Pillow is not installed; run "
                f"`pip install pillow`, or get the lossless images with `spikequant fetch {self.name}`"
            ) from error
        warnings.warn(
            f"training images of '{self.name}' come from the lossy JPEG copy {path}; accuracies differ by a few points "
            f"from those with the official images (`spikequant fetch {self.name}`)",
            stacklevel=3,
        )
        return Split(pixels, labels)


def _joined(batches: list[Split]) -> Split:
    return Split(np.concatenate([batch.x for batch in batches]), np.concatenate([batch.y for batch in batches]))
