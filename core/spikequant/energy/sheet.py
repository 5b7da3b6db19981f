"""A table of figures that is not made, printed, saved or drawn without its energy table and assumptions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from spikequant.errors import UsageError

Cell = str | int | float | None
Kind = Literal["savings", "layers", "memory", "widths", "sparsity", "timesteps"]
Unit = Literal["", "pJ", "share", "times"]
NO_TABLE = "none"
"""Stands for the energy table where figures are ratios of counts and nothing was billed."""


@dataclass(frozen=True)
class Column:
    """Name and unit of a column; ``share`` holds fractions, which are printed as per cent."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    name: str
    unit: Unit = ""


@dataclass(frozen=True)
class Sheet:
    """Figures with their table, technology, source and assumptions.

    Attributes:
        kind: What it is, for programs.
        title: What it is, for people.
        table: Name of the energy table; ``none`` where nothing was billed.
        technology: Of the table; else the backend that counted.
        source: Where the table's figures come from; else what was counted.
        assumptions: What was assumed, in words; at least one.
        columns: Names and units.
        rows: One cell for each column; ``None`` where there is no figure.
        paper: The paper's figure to hold beside these, in words, never used to make them.
        notes: What else must be said.

    Raises:
        UsageError: A field that must be said is empty, a row has another number of cells, or a figure is none.

    >>> half = (Column("zeros", "share"),), ((0.5,),)
    >>> print(Sheet("sparsity", "zeros", "none", "torch", "counts", ("1 sample",), *half))
    zeros
      table: none (torch; counts)
      assumed: 1 sample
       zeros
      50.0 %
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    kind: Kind
    title: str
    table: str
    technology: str
    source: str
    assumptions: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    paper: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("title", "table", "technology", "source"):
            if not getattr(self, field).strip():
                raise UsageError(f"a sheet's {field} is empty; a figure is printed only with its {field}")
        if not self.assumptions or not all(words.strip() for words in self.assumptions):
            raise UsageError(f"sheet '{self.title}' lacks an assumption; a figure is printed only with its assumptions")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise UsageError(f"sheet '{self.title}' has {len(self.columns)} columns and a row of another length")
        for column in self.columns:
            if column.unit and any(isinstance(cell, str) for cell in self.column(column.name)):
                raise UsageError(
                    f"sheet '{self.title}' has words in column '{column.name}', whose unit is {column.unit}"
                )

    @property
    def said(self) -> tuple[str, ...]:
        """What no figure of this sheet is shown without: table and assumptions, one line each."""
        lines = [f"table: {self.table} ({self.technology}; {self.source})"]
        lines += [f"assumed: {words}" for words in self.assumptions]
        return (*lines, f"paper: {self.paper}") if self.paper else tuple(lines)

    def column(self, name: str) -> tuple[Cell, ...]:
        """Return the cells of a column.

        Raises:
            UsageError: There is no such column.
        """
        names = [column.name for column in self.columns]
        if name not in names:
            raise UsageError(f"sheet '{self.title}' has no column '{name}'; it has {', '.join(names)}")
        return tuple(row[names.index(name)] for row in self.rows)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as people read them."""
        units = [column.unit for column in self.columns]
        return tuple(tuple(shown(cell, unit) for cell, unit in zip(row, units, strict=True)) for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, every field under its name."""
        return asdict(self)

    def __str__(self) -> str:
        heads = [heading(column) for column in self.columns]
        widths = [max(map(len, cells)) for cells in zip(heads, *self.texts, strict=True)]
        left = [
            column.unit == "" and any(isinstance(c, str) for c in self.column(column.name)) for column in self.columns
        ]
        lines = [
            "  ".join(
                f"{cell:{'<' if text else '>'}{width}}" for cell, width, text in zip(row, widths, left, strict=True)
            )
            for row in (heads, *self.texts)
        ]
        words = [*self.said, *(f"note: {note}" for note in self.notes)]
        return "\n".join([self.title, *(f"  {line.rstrip()}" for line in (*words, *lines))])


def heading(column: Column) -> str:
    """Return a column's name with its unit, where cells do not show it."""
    return f"{column.name} ({column.unit})" if column.unit == "pJ" else column.name


def shown(cell: Cell, unit: Unit) -> str:
    """Return a cell as people read it.

    >>> shown(1234.56, "pJ"), shown(0.479, "share"), shown(2.0, "times"), shown(None, "pJ")
    ('1,234.6', '47.9 %', '2.000', '-')
    """
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if unit == "share":
        return f"{100 * cell:.1f} %"
    if unit == "times":
        return f"{cell:.3f}"
    return f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}"
