"""One simulated core: its registers, memories and counters, through C calls on whole blocks."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.build_cache import load_library
from spikequant.errors import BackendError
from spikequant_mint_rtl.buffers import LANES, WORD
from spikequant_mint_rtl.packing import Words


class Memory(IntEnum):
    """What a host access addresses (``Sel*`` in ``mint_pkg.sv``)."""

    REGISTER = 0
    WEIGHT = 1
    THETA = 2
    BIAS = 3
    SPIKE = 4
    SCALE = 5


class Register(IntEnum):
    """Register addresses (``Reg*`` in ``mint_pkg.sv``)."""

    COMMAND = 0
    FLAGS = 1
    TIMESTEPS = 2
    PLANES = 3
    TILES = 4
    LAST_LANES = 5
    OUT_HEIGHT = 6
    OUT_WIDTH = 7
    IN_HEIGHT = 8
    IN_WIDTH = 9
    KERNEL_HEIGHT = 10
    KERNEL_WIDTH = 11
    STRIDE_Y = 12
    STRIDE_X = 13
    ORIGIN_Y = 14
    ORIGIN_X = 15
    CHANNELS = 16
    WORDS = 17
    TAIL_BITS = 18
    WINDOW_HEIGHT = 19
    WINDOW_WIDTH = 20
    SRC_ORIGIN = 21
    SRC_ROW_STRIDE = 22
    SRC_TAP_Y_STRIDE = 23
    SRC_TAP_X_STRIDE = 24
    SRC_PLANE_STRIDE = 25
    SRC_TIME_STRIDE = 26
    SRC_OUT_X_STRIDE = 27
    SRC_OUT_Y_STRIDE = 28
    DST_BASE = 29
    DST_WORDS = 30
    DST_ROW_STRIDE = 31
    DST_TIME_STRIDE = 32
    DST_HEIGHT = 33
    DST_WIDTH = 34
    POOL_HEIGHT = 35
    POOL_WIDTH = 36
    TILE_ROWS = 37
    ROW_BASE = 38
    TILE_BASE = 39
    SUM_BASE = 40
    COUNTERS = 64


COUNTERS = (
    "cycles",
    "broadcasts",
    "accumulates",
    "rows_read",
    "words_read",
    "words_written",
    "words_merged",
    "bias_adds",
    "shortcut_adds",
    "sums_read",
    "sums_written",
    "steps",
    "fires",
    "saturations",
)
CLEAR_COUNTERS = 2


@dataclass(frozen=True)
class Output:
    """What a pass gives, sample by sample.

    Attributes:
        words: Destination words ``(samples, words)``.
        rows: Accumulators or stored potentials ``(samples, rows, 128)``, or None.
        fired: Spikes of each row, as words ``(samples, rows, 4)``, or None.
    """

    words: Words
    rows: NDArray[np.int32] | None
    fired: Words | None


@dataclass(frozen=True)
class Running:
    """What a core runs, for whoever watches it.

    Attributes:
        layer: Name of the layer's neurons.
        number: Which of its passes.
        tile: Its first tile.
        origin: Output row and column at which its block begins.
        sample: First sample, in the batch.
    """

    layer: str = ""
    number: int = 0
    tile: int = 0
    origin: tuple[int, int] = (0, 0)
    sample: int = 0


class Simulator:
    """A core in memory; :meth:`close` frees it."""

    running = Running()

    def __init__(self, library: Path) -> None:
        self._lib = load_library(library, "the built core")
        self._lib.mint_new.restype = ctypes.c_void_p
        self._core: int | None = self._lib.mint_new()

    def close(self) -> None:
        """Free the model."""
        if self._core is not None:
            self._lib.mint_delete(ctypes.c_void_p(self._core))
            self._core = None

    def write(self, memory: Memory, address: int, data: NDArray[Any]) -> None:
        """Write 32-bit words from ``address`` on; signed values keep their low bits."""
        words = _words(data)
        self._lib.mint_write(
            self._handle, ctypes.c_uint32(memory), ctypes.c_uint32(address), _at(words), ctypes.c_uint64(words.size)
        )

    def read(self, memory: Memory, address: int, count: int) -> Words:
        """Read ``count`` words (of registers or spikes)."""
        words = np.empty(count, np.uint32)
        self._lib.mint_read(
            self._handle, ctypes.c_uint32(memory), ctypes.c_uint32(address), _at(words), ctypes.c_uint64(count)
        )
        return words

    def configure(self, registers: Mapping[Register, int]) -> None:
        """Write registers; a negative address wraps, as the core's adders do."""
        for register, value in registers.items():
            self.write(Memory.REGISTER, register, np.array([value], np.int64))

    def clear_counters(self) -> None:
        """Set all counters to zero."""
        self.configure({Register.COMMAND: CLEAR_COUNTERS})

    def counters(self) -> dict[str, int]:
        """Return every counter by name."""
        words = self.read(Memory.REGISTER, Register.COUNTERS, 2 * len(COUNTERS)).tolist()
        return {name: words[2 * i] | words[2 * i + 1] << 32 for i, name in enumerate(COUNTERS)}

    def run_samples(
        self,
        source: Words,
        destination: tuple[int, int],
        rows: int,
        *,
        keep_rows: bool,
        cycle_limit: int,
        sum_stride: int = 0,
    ) -> Output:
        """Run the configured pass for each sample.

        Args:
            source: ``(samples, words)``, written to the spike memory from address 0.
            destination: Address and number of the words read back per sample.
            rows: Rows of 128 values that the core puts out per sample.
            keep_rows: Whether to return them.
            cycle_limit: Cycles after which a sample counts as hung.
            sum_stride: Scratchpad rows from one sample to the next.

        Raises:
            BackendError: The core did not end, or put out another number of rows.
        """
        samples = source.shape[0]
        source = np.ascontiguousarray(source)
        words = np.empty((samples, destination[1]), np.uint32)
        kept = np.empty((samples, rows, LANES), np.int32) if keep_rows else None
        fired = np.empty((samples, rows, LANES // WORD), np.uint32) if keep_rows else None
        status = self._lib.mint_run_samples(
            self._handle,
            ctypes.c_uint64(samples),
            _at(source),
            ctypes.c_uint64(source.shape[1]),
            _at(words),
            ctypes.c_uint32(destination[0]),
            ctypes.c_uint64(destination[1]),
            None if kept is None else _at(kept),
            None if fired is None else _at(fired),
            ctypes.c_uint64(rows),
            ctypes.c_uint64(cycle_limit),
            ctypes.c_uint32(sum_stride),
        )
        if status:
            what = f"did not end within {cycle_limit} cycles" if status == 1 else f"did not put out {rows} rows"
            raise BackendError(f"the simulated core {what}; this is a defect of mint_rtl, please report it")
        return Output(words, kept, fired)

    @property
    def _handle(self) -> ctypes.c_void_p:
        if self._core is None:
            raise BackendError("the executable is closed; compile the program again")
        return ctypes.c_void_p(self._core)


def _words(data: NDArray[Any]) -> Words:
    if data.dtype != np.uint32:
        data = (data.astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)
    return np.ascontiguousarray(data).reshape(-1)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
