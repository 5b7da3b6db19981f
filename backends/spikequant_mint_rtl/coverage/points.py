"""Read Verilator's coverage files, and sum them up by source file.

The format is Verilator's own (``verilated_cov.cpp``): one line per point, keys and values of a letter or
a word each between control characters, then the count. Its ``verilator_coverage`` is not in the package.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spikequant.errors import BackendError

HEADER = "# SystemC::Coverage-3"
KEY, VALUE = "\x01", "\x02"
LINE_KINDS = ("line", "branch")


@dataclass(frozen=True)
class Point:
    """One thing that can be covered.

    Attributes:
        kind: ``line`` (a block), ``branch`` (an arm of an if), ``toggle`` (a bit that rises, or falls).
        file: Name of the source file, without its folder.
        line: Line of the file.
        lines: The lines that run when the point is passed.
        comment: Which arm, or which bit and direction.
        column: Where in the line.
    """

    kind: str
    file: str
    line: int
    lines: tuple[int, ...]
    comment: str
    column: int


@dataclass(frozen=True)
class FileCoverage:
    """What of a source file was covered: line, branch and toggle points as covered and total."""

    file: str
    lines: tuple[int, int]
    points: tuple[int, int]
    toggles: tuple[int, int]
    missed: tuple[Point, ...]

    @property
    def line_share(self) -> float:
        """Covered lines among all, 1 where there is none."""
        return share(self.lines)


def share(pair: tuple[int, int]) -> float:
    """Return covered / total, 1 for nothing at all."""
    return pair[0] / pair[1] if pair[1] else 1.0


def read_points(path: Path) -> dict[Point, int]:
    """Return the counts of one file.

    Raises:
        BackendError: It is no coverage file of a known form.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    first, *rest = text.splitlines()
    if not first.startswith(HEADER):
        raise BackendError(f"{path} begins with {first[:40]!r}; a coverage file begins with {HEADER!r}")
    counts: dict[Point, int] = defaultdict(int)
    for row in rest:
        if row.startswith("C "):
            point, count = parse_point(row)
            counts[point] += count
    return dict(counts)


def parse_point(row: str) -> tuple[Point, int]:
    r"""Return the point and the count of a line.

    >>> row = "C '\x01f\x02rtl/a.sv\x01l\x0212\x01n\x023\x01page\x02v_line/a\x01o\x02block\x01S\x0212-13,15' 7"
    >>> parse_point(row)[0].lines
    (12, 13, 15)
    """
    body, _, count = row[2:].rpartition(" ")
    fields = dict(item.split(VALUE, 1) for item in body.strip("'").split(KEY) if VALUE in item)
    kind = fields["page"].partition("/")[0].removeprefix("v_")
    line = int(fields["l"])
    lines = tuple(_lines(fields["S"])) if fields.get("S") else (line,)
    name = Path(fields["f"]).name
    return Point(kind, name, line, lines, fields.get("o", ""), int(fields.get("n", 0))), int(count)


def merged(parts: Iterable[Mapping[Point, int]]) -> dict[Point, int]:
    """Return the sums of several files."""
    total: dict[Point, int] = defaultdict(int)
    for part in parts:
        for point, count in part.items():
            total[point] += count
    return dict(total)


def by_file(counts: Mapping[Point, int]) -> list[FileCoverage]:
    """Sum the points of each source file up; a line counts as covered when any of its points was passed."""
    groups: dict[str, dict[Point, int]] = defaultdict(dict)
    for point, count in counts.items():
        groups[point.file][point] = count
    return [_file(name, groups[name]) for name in sorted(groups)]


def _file(name: str, counts: Mapping[Point, int]) -> FileCoverage:
    flow = {point: count for point, count in counts.items() if point.kind in LINE_KINDS}
    toggles = [count for point, count in counts.items() if point.kind == "toggle"]
    seen: dict[int, bool] = {}
    for point, count in flow.items():
        for line in point.lines:
            seen[line] = seen.get(line, False) or count > 0
    missed = tuple(sorted((p for p, count in flow.items() if not count), key=lambda p: (p.line, p.column)))
    return FileCoverage(
        name,
        (sum(seen.values()), len(seen)),
        (len(flow) - len(missed), len(flow)),
        (sum(count > 0 for count in toggles), len(toggles)),
        missed,
    )


def _lines(text: str) -> Iterable[int]:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        yield from range(int(first), int(last if dash else first) + 1)
