"""PyVerilator on our own build: masked writes, signed reads, one call per signal."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from spikequant.build_cache import check_whole
from spikequant.errors import BackendError
from spikequant_mint_rtl.inspection.shim import pyverilator

Function = Callable[..., int]
WORD = 32


def open_model(library: Path) -> Model:
    """Return PyVerilator's object for a built core, with the methods of :class:`Model`.

    Raises:
        BackendError: PyVerilator is missing, or the library does not load.
    """
    kind = type("PyVerilatorModel", (Model, pyverilator().PyVerilator), {})
    try:
        check_whole(library)
        return cast("Model", kind(str(library)))
    except (OSError, AttributeError, ValueError) as error:
        raise BackendError(f"the built core {library} does not load: {error}; delete it to build anew") from error


class Model:
    """What is put before ``PyVerilator``: ``io`` holds the core's ports, ``internals`` its visible registers.

    PyVerilator hands a value to the model as it is, so that -3 in a 5-bit port reads back as 253 and is
    computed with as such. Here a write keeps the low bits that the signal has.
    """

    lib: Any
    model: int | None
    io: Any
    internals: Any
    clock: Any
    inputs: list[tuple[str, int]]
    outputs: list[tuple[str, int]]
    internal_signals: list[tuple[str, int]]
    auto_eval: bool
    auto_tracing_mode: str | None

    def __init__(self, library: str) -> None:
        self._functions: dict[str, Function] = {}
        self._widths: dict[str, int] = {}
        cast("Any", super()).__init__(library)

    def width(self, name: str) -> int:
        """Return the bits of a port or internal signal."""
        if name not in self._widths:
            self._widths = dict(self.inputs + self.outputs + self.internal_signals)
        return self._widths[name]

    def close(self) -> None:
        """Free the model."""
        if self.model is not None:
            self._function("destruct", ctypes.c_void_p)(self.model)
            self.model = None

    def read(self, name: str) -> int:
        """Return a signal's bits as an unsigned integer."""
        width = self.width(name)
        if width > 2 * WORD:
            return int(self._read_words(name, -(-width // WORD)))
        return int(self._read_64(name) if width > WORD else self._read_32(name))

    def write(self, name: str, value: int) -> None:
        """Set a signal; like every write it keeps the low bits."""
        width = self.width(name)
        if width > 2 * WORD:
            self._write_words(name, -(-width // WORD), value)
        elif width > WORD:
            self._write_64(name, value)
        else:
            self._write_32(name, value)

    def word(self, name: str, index: int) -> int:
        """Return one 32-bit word of a signal wider than 64 bits."""
        return self._word_function(name)(self.model, index)

    def getter(self, name: str, index: int | None = None) -> Callable[[], int]:
        """Return a function that reads a signal, or one of its words: the fastest way to read it often."""
        if index is not None:
            return partial(self._word_function(name), self.model, index)
        if self.width(name) > 2 * WORD:
            return partial(self.read, name)
        kind = ctypes.c_uint64 if self.width(name) > WORD else ctypes.c_uint32
        return partial(self._function(f"get_{name}", ctypes.c_void_p, result=kind), self.model)

    def _word_function(self, name: str) -> Function:
        return self._function(f"get_{name}", ctypes.c_void_p, ctypes.c_int, result=ctypes.c_uint32)

    def eval(self) -> None:
        """Let the model settle."""
        self._function("eval", ctypes.c_void_p)(self.model)
        if self.auto_tracing_mode == "eval":
            cast("Any", self).add_to_vcd_trace()

    def _read_32(self, name: str) -> int:
        return self._function(f"get_{name}", ctypes.c_void_p, result=ctypes.c_uint32)(self.model)

    def _read_64(self, name: str) -> int:
        return self._function(f"get_{name}", ctypes.c_void_p, result=ctypes.c_uint64)(self.model)

    def _read_words(self, name: str, count: int) -> int:
        return sum(self.word(name, index) << (WORD * index) for index in range(count))

    def _write_32(self, name: str, value: int) -> None:
        self._set(name, value, ctypes.c_uint32)

    def _write_64(self, name: str, value: int) -> None:
        self._set(name, value, ctypes.c_uint64)

    def _set(self, name: str, value: int, kind: Any) -> None:
        masked = int(value) & ((1 << self.width(name)) - 1)
        self._function(f"set_{name}", ctypes.c_void_p, kind)(self.model, masked)
        cast("Any", self)._post_write_hook(name, masked)

    def _write_words(self, name: str, count: int, value: int) -> None:
        masked = int(value) & ((1 << self.width(name)) - 1)
        set_word = self._function(f"set_{name}", ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64)
        for index in range(count):
            set_word(self.model, index, masked >> (WORD * index) & 0xFFFFFFFF)
        cast("Any", self)._post_write_hook(name, masked)

    def _function(self, name: str, *arguments: Any, result: Any = ctypes.c_int) -> Function:
        """Return an entry point; PyVerilator looks it up and types it anew at every call."""
        found = self._functions.get(name)
        if found is None:
            found = getattr(self.lib, name)
            found.argtypes, found.restype = list(arguments), result
            self._functions[name] = found
        return found
