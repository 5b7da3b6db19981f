"""Write recordings in the formats that the sets are published in, from their published descriptions."""

from __future__ import annotations

import struct

import h5py
import numpy as np


def events(seed, count, *, width, height, span_us, step_us=1):
    """Return rows t, x, y, p in order of time."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, span_us // step_us, count)) * step_us
    return t, rng.integers(0, width, count), rng.integers(0, height, count), rng.integers(0, 2, count)


def by_hand(rows, shape, *, timesteps, frame_us, place, start=0, most=255):
    """Count one event after the other; ``place(x, y, p)`` says where it goes."""
    made = np.zeros((timesteps, *shape), np.int64)
    for t, x, y, p in zip(*(np.asarray(row).tolist() for row in rows), strict=True):
        step = t // frame_us - start
        if 0 <= step < timesteps:
            where = (step, *place(x, y, p))
            made[where] = min(made[where] + 1, most)
    return made


def nmnist_bin(rows):
    """Return the 40 bits of each event: x, y, polarity and the 23 bits of the time."""
    return b"".join(
        bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255])
        for t, x, y, p in zip(*(row.tolist() for row in rows), strict=True)
    )


def aedat31(rows, *, packet=100):
    """Return an AEDAT 3.1 file of polarity events, in packets."""
    t, x, y, p = rows
    parts = [b"#!AER-DAT3.1\r\n", b"#Format: RAW\r\n", b"#Source 1: DVS128\r\n", b"#!END-HEADER\r\n"]
    for begin in range(0, len(t), packet):
        n = len(t[begin : begin + packet])
        parts.append(struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, n, n, n))
        part = slice(begin, begin + n)
        data = x[part] << 17 | y[part] << 2 | p[part] << 1 | 1
        parts.append(np.stack([data, t[part]], axis=1).astype("<u4").tobytes())
    return b"".join(parts)


def gesture_npy(rows):
    """Return the rows x, y, p, t (ms) that tonic cut a gesture into."""
    t, x, y, p = rows
    return np.stack([x, y, p, t // 1000], axis=1)


DESCRIPTION = (
    '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">'
    '<node name="0" path="/mainloop/Recorder/outInfo/0/"><attr key="compression" type="string">NONE</attr>'
    '<attr key="typeIdentifier" type="string">EVTS</attr>'
    '<node name="info" path="/mainloop/Recorder/outInfo/0/info/"><attr key="sizeX" type="int">128</attr>'
    '<attr key="sizeY" type="int">128</attr></node></node></node></dv>'
)


def aedat4(rows, *, packet=100):
    """Return an AEDAT 4 file without compression: a header and packets, each a FlatBuffers table."""
    t, x, y, p = (row.tolist() for row in rows)
    parts = [b"#!AER-DAT4.0\r\n", _header()]
    for begin in range(0, len(t), packet):
        chosen = range(begin, min(begin + packet, len(t)))
        body = b"".join(struct.pack("<qhh?3x", t[i], x[i], y[i], bool(p[i])) for i in chosen)
        # size, root, "EVTS", the vtable (4 bytes of sizes, 2 of its one field), padding, the table and its vector
        table = struct.pack("<HHHH", 6, 8, 4, 0) + struct.pack("<iI", 8, 8) + bytes(4) + struct.pack("<I", len(chosen))
        root = struct.pack("<I", 16) + b"EVTS" + table + body
        parts.append(struct.pack("<IIII", 0, len(root) + 4, len(root), 0)[:12] + root)
    return b"".join(parts)


def _header():
    """Return the size and the IOHeader: no compression, no table of data at the end, the description."""
    text = DESCRIPTION.encode()
    vtable = struct.pack("<HHHHH", 10, 20, 8, 12, 4) + bytes(2)
    table = struct.pack("<iIiq", 12, 16, 0, -1)
    string = struct.pack("<I", len(text)) + text + b"\0"
    root = struct.pack("<I", 20) + b"IOHE" + vtable + table + string
    return struct.pack("<I", len(root)) + root


def shd_h5(path, recordings, labels):
    """Write an SHD file: times (s, float16) and units per recording, and labels."""
    with h5py.File(path, "w") as file:
        spikes = file.create_group("spikes")
        times = spikes.create_dataset("times", (len(recordings),), dtype=h5py.vlen_dtype(np.float16))
        units = spikes.create_dataset("units", (len(recordings),), dtype=h5py.vlen_dtype(np.uint16))
        for number, (seconds, unit) in enumerate(recordings):
            times[number], units[number] = seconds.astype(np.float16), unit.astype(np.uint16)
        file["labels"] = np.asarray(labels, np.uint16)
