"""Native kernels of plugins: a few C files, compiled for this processor on first use and kept.

A library is named by its content: sources, flags, the compiler's version and everything the compiler knows of the
processor. So a cache on a shared home folder never gives one machine the instructions of another.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from spikequant.build_cache import build_cache, content_key, make_once, run_tool
from spikequant.errors import BackendError

REMEDY = "install a C compiler (Debian: apt-get install gcc)"
FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared")
NATIVE = "-march=native"


def c_compiler() -> tuple[str, ...] | None:
    """Return the command of the C compiler, or None: ``$CC`` if it is set, else cc, gcc or clang."""
    chosen = shlex.split(os.environ.get("CC", ""))
    for words in (chosen,) if chosen else (["cc"], ["gcc"], ["clang"]):
        program = shutil.which(words[0])
        if program is not None:
            return (program, *words[1:])
    return None


def native_library(name: str, sources: Sequence[Path], flags: Sequence[str] = (), cache: Path | None = None) -> Path:
    """Return the shared library of some C files, compiled when this content never was on such a processor.

    Arithmetic is as written: every operation is rounded by itself, with no fused multiply-add.

    Args:
        name: Says whose kernels they are, in file names and errors, such as the plugin's name.
        sources: All ``.c`` files and the headers that they include, in one folder.
        flags: Further flags, such as ``-mno-avx512f``.
        cache: Where libraries are kept; default the user's cache folder.

    Returns:
        A library to load with :mod:`ctypes`.

    Raises:
        BackendError: There is no compiler, it failed, or the cache cannot be written. The caller has another way
            to compute the same, and says what is lost.
    """
    compiler = c_compiler()
    if compiler is None:
        raise BackendError(f"the native kernels of {name} need a C compiler, and there is none on PATH; {REMEDY}")
    identity, used = _identity(compiler, tuple(flags))
    folder = build_cache("native") if cache is None else cache
    content = [part for path in sorted(sources) for part in (path.name, path.read_bytes())]
    target = folder / f"{name}-{content_key([*content, identity, *used])}.so"
    if not target.exists():
        units = [path for path in sources if path.suffix == ".c"]
        make_once(folder, target, lambda scratch: _compile(compiler, used, units, scratch))
    return target


def _compile(compiler: Sequence[str], flags: Sequence[str], units: Sequence[Path], scratch: Path) -> Path:
    library = scratch / "kernels.so"
    run_tool([*compiler, *flags, "-o", library, *units, "-lm"], remedy=REMEDY)
    return library


@lru_cache(maxsize=8)
def _identity(compiler: tuple[str, ...], flags: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the compiler's predefined macros, which name its version and the processor, and the flags to use."""
    for tuning in ((NATIVE,), ()):
        used = (*FLAGS, *tuning, *flags)
        try:
            return run_tool([*compiler, *used, "-dM", "-E", "-x", "c", os.devnull], remedy=REMEDY), used
        except BackendError:
            if not tuning:
                raise
    raise AssertionError
