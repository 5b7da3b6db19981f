"""The recorded results as the tables of docs/interchange.md; only the standard library, so that a test can load it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE, RECORDED = ROOT / "docs" / "interchange.md", Path(__file__).with_name("recorded.json")
BEGIN, END = "<!-- begin {name}: written by python -m benchmarks.interchange -->", "<!-- end {name} -->"
LONGEST, VARIES = 60, "varies from run to run"
Cell = Mapping[str, Any]
ONE_BY_ONE, ELSEWHERE = " \\*", " †"
"""Marks of networks that take no batch, and of those that return another layer's values."""


def page(text: str, recorded: Mapping[str, Any]) -> str:
    """Return ``text`` with every table between its marks made again from ``recorded``."""
    for name, lines in tables(recorded).items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        text = f"{head}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{tail}"
    return text


def tables(recorded: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the lines of each table by its name."""
    tools = recorded["tools"]
    named = {key: f"{tool['name']} {tool['version']}" for key, tool in tools.items()}
    made = {
        "plain": _outward(named, recorded["plain"], {key: f"`{tool['words']}`" for key, tool in tools.items()}),
        "profile": _outward(named, recorded["profile"], {}),
    }
    for key, cells in recorded["inward"].items():
        made[key] = _inward(cells)
    return made


def words(rules: Mapping[str, Any]) -> str:
    """Return rules as options of the command line.

    >>> words({"dt": 0.0001, "reset": "zero", "fire": ">="})
    '--dt 0.0001 --reset zero --option "fire=>="'
    """
    own = ("dt", "reset", "reset_delay")
    options = [
        f"--{name.replace('_', '-')} {rules[name]:{'g' if name == 'dt' else ''}}" for name in own if name in rules
    ]
    for name, value in rules.items():
        if name not in own:
            said = f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            options.append(f'--option "{said}"' if ">" in said else f"--option {said}")
    return " ".join(options)


def shown(cell: Cell) -> str:
    r"""Return what stands in a table.

    >>> shown({"differ": 3, "of": 1600, "layers": {"a": 0, "b": 3}, "batched": False})
    '3 of 1,600 differ \\*'
    >>> shown({"refused": "ValueError: no"})
    'refused: ValueError: no'
    """
    for key, text in (
        ("refused here", "refused by the export"),
        ("refused", "refused"),
        ("not written", "not written"),
    ):
        if cell.get(key) == VARIES:
            return VARIES
        if key in cell:
            return f"{text}: {_short(cell[key])}"
    if "shape" in cell:
        return f"returns values of shape {tuple(cell['shape'])}, not {tuple(cell['for'])}"
    suffix = ("" if cell.get("batched", True) else ONE_BY_ONE) + ("" if cell.get("returned", True) else ELSEWHERE)
    if identical(cell):
        return f"identical{suffix}"
    return f"{cell['differ']:,} of {cell['of']:,} differ{suffix}"


def identical(cell: Cell) -> bool:
    """Return whether every spike of every layer that could be seen is equal."""
    return cell.get("differ") == 0 and not any(cell.get("layers", {}).values())


def _short(text: str) -> str:
    clean = text.replace("|", "\\|").replace("<", "&lt;")
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 3].rstrip() + "..."


def _outward(tools: Mapping[str, str], cells: Mapping[str, Mapping[str, Cell]], forms: Mapping[str, str]) -> list[str]:
    rows: list[Sequence[str]] = [["program", *tools.values()]]
    if forms:
        rows.append(["*exported with*", *(forms[key] for key in tools)])
    rows += [[title, *(shown(cells[key][title]) for key in tools)] for title in next(iter(cells.values()))]
    return _lines(rows)


def _inward(cells: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows: list[Sequence[str]] = [
        ["network", "options of `spikequant import`", "spikes here", "the tool reads it itself"]
    ]
    for cell in cells.values():
        if "not written" in cell:
            rows.append([cell["title"], "", shown(cell), ""])
        else:
            rows.append([cell["title"], f"`{words(cell['rules'])}`", shown(cell["here"]), shown(cell["there"])])
    return _lines(rows)


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def load() -> dict[str, Any]:
    """Return the recorded results."""
    recorded: dict[str, Any] = json.loads(RECORDED.read_text())
    return recorded
