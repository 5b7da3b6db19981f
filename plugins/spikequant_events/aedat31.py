"""Read AEDAT 3.1, the format of DVS-Gesture's original recordings.

tonic 1.7.0 has a reader of it, ``tonic.io.read_dvs_ibm``, which fails on every file ("too many values to unpack") and
takes each packet for polarity events; so this one is ours, from the description that IBM gives with the data.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from spikequant_events.recordings import Events, RecordingError

MAGIC = b"#!AER-DAT3.1"
HEADER = struct.Struct("<HHIIIIII")
POLARITY, EVENT_BYTES = 1, 8
OVERFLOW_BITS = 31


def read_aedat31(path: Path) -> Events:
    """Return the polarity events of a file, times in microseconds; packets of other types are passed over.

    Raises:
        RecordingError: It cannot be read, is of another format, or is cut.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(str(error)) from error
    if not content.startswith(MAGIC):
        raise RecordingError(f"it begins with {content[:12]!r}; it must begin with {MAGIC!r}")
    times, data = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    at = _behind_comments(content)
    while at < len(content):
        if at + HEADER.size > len(content):
            raise RecordingError(f"it is cut within the head of a packet, at byte {at} of {len(content)}")
        kind, _, size, _, overflow, capacity, number, _ = HEADER.unpack_from(content, at)
        at += HEADER.size
        if capacity != number or (kind == POLARITY and size != EVENT_BYTES):
            raise RecordingError(
                f"a packet before byte {at} has {number} events of {size} bytes in place of {capacity}"
            )
        if at + number * size > len(content):
            raise RecordingError(f"it is cut within a packet of {number} events, at byte {at} of {len(content)}")
        if kind == POLARITY:
            words = np.frombuffer(content, "<u4", 2 * number, at).astype(np.int64).reshape(number, 2)
            data.append(words[:, 0])
            times.append(words[:, 1] + (overflow << OVERFLOW_BITS))
        at += number * size
    words = np.concatenate(data)
    return Events.of(np.concatenate(times), words >> 17 & 0x1FFF, words >> 2 & 0x1FFF, words >> 1 & 1)


def _behind_comments(content: bytes) -> int:
    """Return where the first packet begins: behind the lines that begin with ``#``."""
    at = 0
    while content[at : at + 1] == b"#":
        end = content.find(b"\n", at)
        at = len(content) if end < 0 else end + 1
    return at
