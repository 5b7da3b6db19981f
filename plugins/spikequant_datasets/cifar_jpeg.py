"""Decode ``train_jpeg.npz``: the CIFAR-10 training images as one common JPEG header and 50,000 payloads."""

from __future__ import annotations

import importlib
import io
import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikequant_datasets.cifar_batches import BatchError, checked_labels

KEYS = ("header", "payload", "offset", "label")


def decode_images(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels ``(samples, 3, 32, 32)`` and labels.

    Image i is the JPEG file ``header + payload[offset[i]:offset[i + 1]]``, 32x32 RGB.

    Raises:
        BatchError: The archive or one of its images is damaged.
        ImportError: Pillow is not installed.
    """
    pillow = importlib.import_module("PIL.Image")
    header, payload, offset, label = _arrays(path)
    labels = checked_labels(label, len(offset) - 1)
    pixels = np.empty((len(labels), 3, 32, 32), np.uint8)
    lead = header.tobytes()
    for number in range(len(labels)):
        content = lead + payload[offset[number] : offset[number + 1]].tobytes()
        try:
            image = np.asarray(pillow.open(io.BytesIO(content), formats=("JPEG",)).convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise BatchError(f"image {number} is no JPEG that Pillow can decode ({error})") from error
        if image.shape != (32, 32, 3):
            raise BatchError(f"image {number} is {image.shape[1]}x{image.shape[0]}; it must be 32x32")
        pixels[number] = image.transpose(2, 0, 1)
    return pixels, labels


def _arrays(path: Path) -> list[NDArray[np.integer]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[key] for key in KEYS]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        raise BatchError(str(error)) from error
    offset = arrays[2]
    if offset.ndim != 1 or not len(offset) or offset[-1] != len(arrays[1]) or (offset[1:] < offset[:-1]).any():
        raise BatchError("its 'offset' does not divide its 'payload'")
    return arrays
