"""Write Value Change Dump files (IEEE 1364-2005, section 18): the few statements that a waveform viewer needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

FIRST, LAST = 33, 126  # printable characters, of which identifiers are made


@dataclass(frozen=True)
class Variable:
    """A variable of the dump: its scope below the top, its name and its width in bits."""

    scope: str
    name: str
    width: int


class VcdWriter:
    """Writes changes as they come; values are plain integers, negative ones in two's complement.

    Args:
        file: Where to write.
        variables: In the order of their values; those of one scope together.
        comment: Goes into the header.
        top: Name of the outermost scope.
    """

    def __init__(self, file: TextIO, variables: Sequence[Variable], comment: str, top: str) -> None:
        self._file, self._variables = file, list(variables)
        self._ids = [identifier(index) for index in range(len(self._variables))]
        self._last: list[int | None] = [None] * len(self._variables)
        self._head(comment, top)

    def at(self, time: int, values: Sequence[int]) -> None:
        """Write what changed since the last call; the first call after a gap writes everything."""
        changed = [index for index, value in enumerate(values) if self._last[index] != value]
        if not changed:
            return
        whole = all(value is None for value in self._last)
        lines = [f"#{time}", *(["$dumpon"] if whole else [])]
        lines += [self._change(index, values[index]) for index in changed]
        self._file.write("\n".join([*lines, *(["$end"] if whole else []), ""]))
        self._last = list(values)

    def gap(self, time: int) -> None:
        """Show every variable as unknown from ``time`` on."""
        unknown = [f"x{code}" if variable.width == 1 else f"bx {code}" for variable, code in self._all()]
        self._file.write("\n".join([f"#{time}", "$dumpoff", *unknown, "$end", ""]))
        self._last = [None] * len(self._variables)

    def _head(self, comment: str, top: str) -> None:
        lines = [f"$comment {comment} $end", "$timescale 1ns $end", f"$scope module {top} $end"]
        scope = ""
        for variable, code in self._all():
            if variable.scope != scope:
                lines += [*(["$upscope $end"] if scope else []), f"$scope module {variable.scope} $end"]
                scope = variable.scope
            span = f" [{variable.width - 1}:0]" if variable.width > 1 else ""
            lines.append(f"$var wire {variable.width} {code} {variable.name}{span} $end")
        lines += [*(["$upscope $end"] if scope else []), "$upscope $end", "$enddefinitions $end", ""]
        self._file.write("\n".join(lines))

    def _change(self, index: int, value: int) -> str:
        width, code = self._variables[index].width, self._ids[index]
        bits = value & ((1 << width) - 1)
        return f"{bits}{code}" if width == 1 else f"b{bits:b} {code}"

    def _all(self) -> list[tuple[Variable, str]]:
        return list(zip(self._variables, self._ids, strict=True))


def identifier(index: int) -> str:
    """Return the short code of variable ``index``.

    >>> identifier(0), identifier(93), identifier(94)
    ('!', '~', '!!')
    """
    base = LAST - FIRST + 1
    code = chr(FIRST + index % base)
    while index >= base:
        index = index // base - 1
        code = chr(FIRST + index % base) + code
    return code
