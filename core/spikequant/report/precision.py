"""Accuracy against bits, from whatever was explored: each group of quantities alone, and all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spikequant.explore.evaluation import Evaluation
from spikequant.formats import FloatFormat, Format, QFormat

FLOAT_LEVEL = 1_000
"""Level of FP32: above every count of bits."""


@dataclass(frozen=True)
class Line:
    """Accuracies in [0, 1] at descending levels, under one rounding."""

    rounding: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Panel:
    """One group of quantities at descending levels under one approach (``PTQ``, ``ITQ``), others at their finest."""

    title: str
    approach: str
    levels: tuple[int, ...]
    lines: tuple[Line, ...]


def level_of(fmt: Format) -> int:
    """Return the fraction bits of ``Qi.f``, the bits of ``INTn``, and a number above all for ``FP32``."""
    if isinstance(fmt, FloatFormat):
        return FLOAT_LEVEL
    return fmt.frac_bits if isinstance(fmt, QFormat) else fmt.bits


def precision_panels(evaluations: Sequence[Evaluation]) -> tuple[Panel, ...]:
    """Return one panel per group of quantities, and one in which all groups have the same level.

    Quantities that always have the same level are one group. Panels of fewer than two levels are left out.

    Source: Q-SpiNN, Figs. 10 and 11: (a) weights, (b) neuron parameters, (c) both.
    """
    names = list(dict.fromkeys(name for e in evaluations for name, _ in e.setting.formats))
    table = [{name: _level(e, name) for name in names} for e in evaluations]
    columns: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        columns.setdefault(tuple(row[name] for row in table), []).append(name)
    groups = list(columns.values())
    top = {name: max(row[name] for row in table) for name in names}
    chosen = [_alone(group, table, top) for group in groups]
    if len(groups) > 1:
        together = [i for i, row in enumerate(table) if len(set(row.values())) == 1]
        chosen.append(("all together", names[0], together))
    approaches = sorted({e.setting.approach for e in evaluations if not e.setting.is_float}, reverse=True)
    panels = [_panel(a, *group, evaluations, table) for group in chosen for a in approaches]
    return tuple(panel for panel in panels if len(panel.levels) > 1)


def _alone(group: list[str], table: Sequence[Mapping[str, int]], top: Mapping[str, int]) -> tuple[str, str, list[int]]:
    """Return a title, the quantity whose levels count, and the evaluations in which all others are at their finest."""
    others = [name for name in top if name not in group]
    rest = "FP32" if {top[name] for name in others} == {FLOAT_LEVEL} else "their finest"
    title = ", ".join(group) + (f" alone ({', '.join(others)} at {rest})" if others else "")
    return title, group[0], [i for i, row in enumerate(table) if all(row[name] == top[name] for name in others)]


def _panel(
    approach: str,
    title: str,
    name: str,
    chosen: Sequence[int],
    evaluations: Sequence[Evaluation],
    table: Sequence[Mapping[str, int]],
) -> Panel:
    """Return the lines of the chosen evaluations; a float one is on every line, as it has no rounding."""
    lines: dict[str, dict[int, float]] = {}
    floats: dict[int, float] = {}
    for i in chosen:
        setting, level = evaluations[i].setting, table[i][name]
        if setting.is_float:
            floats[level] = evaluations[i].accuracy
        elif setting.approach == approach:
            lines.setdefault(setting.rounding.value, {})[level] = evaluations[i].accuracy
    whole = {rounding: {**floats, **points} for rounding, points in sorted(lines.items())}
    levels = sorted({level for points in whole.values() for level in points}, reverse=True)
    drawn = tuple(Line(rounding, tuple(sorted(points.items(), reverse=True))) for rounding, points in whole.items())
    return Panel(title, approach, tuple(levels), drawn)


def _level(evaluation: Evaluation, name: str) -> int:
    formats = dict(evaluation.setting.formats)
    return level_of(formats[name]) if name in formats else FLOAT_LEVEL
