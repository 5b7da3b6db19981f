"""Axes of an exploration: which quantities share a format, and the precision levels they go through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from spikequant.errors import UsageError
from spikequant.formats import FloatFormat, Format, IntFormat, QFormat, parse_format

Level = int | Format
"""A number of fraction bits (the integer bits come from the range of each quantity), or a whole format: ``UQ0.5``,
``INTn``, ``FP32``."""

MOST_FRACTION_BITS = 32
T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Axis:
    """Quantities that take their levels together.

    Source: Q-SpiNN, Algorithm 1: one nested loop per axis, ``QL`` sorted in descending precision.

    Attributes:
        name: How users call it: ``w``, or the name of a group such as ``N``.
        quantities: Names of the quantities.
        levels: Descending precision.

    Raises:
        UsageError: A list is empty, levels are not in descending order, twice there, or of two kinds.

    >>> from spikequant.formats import FP32
    >>> print(Axis("N", ("V", "Vth"), (FP32, 8, 6)))
    N (V, Vth): FP32, 8, 6
    """

    name: str
    quantities: tuple[str, ...]
    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        if not self.quantities:
            raise UsageError(f"axis '{self.name}' holds no quantity; name one at least")
        _check_levels(self.name, self.levels)

    def __str__(self) -> str:
        named = "" if self.quantities == (self.name,) else f" ({', '.join(self.quantities)})"
        return f"{self.name}{named}: {', '.join(str(level) for level in self.levels)}"


def parse_levels(text: str) -> tuple[str, tuple[Level, ...]]:
    """Read ``NAME=LEVEL,LEVEL,...``; a level is a number of fraction bits, or a format such as ``UQ0.5`` or ``INT4``.

    Raises:
        UsageError: The text is of another form, or the levels cannot be used.

    >>> parse_levels("w=FP32,8,6")
    ('w', (FloatFormat(), 8, 6))
    """
    name, given = _named_list("--levels", text, "w=16,14,12")
    levels = tuple(_level(name, word) for word in given)
    _check_levels(name, levels)
    return name, levels


def parse_group(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``NAME=QUANTITY,QUANTITY,...``.

    Raises:
        UsageError: The text is of another form, or names a quantity twice.

    >>> parse_group("N=V,Vth")
    ('N', ('V', 'Vth'))
    """
    name, quantities = _named_list("--group", text, "N=V,Vth")
    if not quantities:
        raise UsageError(f"--group {text!r} holds no quantity; write it like N=V,Vth")
    for quantity in quantities:
        if quantities.count(quantity) > 1:
            raise UsageError(f"--group {text!r} names '{quantity}' twice; name each quantity once")
    return name, tuple(quantities)


def make_axes(
    variables: Sequence[str],
    levels: Iterable[tuple[str, tuple[Level, ...]]],
    groups: Iterable[tuple[str, tuple[str, ...]]] = (),
    default: tuple[Level, ...] = (),
) -> tuple[Axis, ...]:
    """Return one axis per group or single quantity, in the order of ``variables`` (the first is the outermost loop).

    Args:
        variables: Every quantity that can be explored.
        levels: Levels by name of a group or quantity.
        groups: Quantities by name of the group.
        default: Levels of an axis that has none of its own; empty leaves such quantities out.

    Raises:
        UsageError: A name is unknown or stands for two things, a quantity is in two groups, or nothing is left.
    """
    members = _once("--group", groups)
    chosen = _once("--levels", levels)
    owner: dict[str, str] = {}
    for group, quantities in members.items():
        if group in variables and quantities != (group,):
            raise UsageError(f"--group '{group}' has the name of a quantity; give the group another name")
        for quantity in quantities:
            if quantity not in variables:
                raise UsageError(f"--group '{group}' names '{quantity}'; what can be explored: {', '.join(variables)}")
            if quantity in owner:
                raise UsageError(f"'{quantity}' is in the groups '{owner[quantity]}' and '{group}'; leave it in one")
            owner[quantity] = group
    names = list(dict.fromkeys(owner.get(quantity, quantity) for quantity in variables))
    for name in chosen:
        if name in owner and owner[name] != name:
            raise UsageError(f"--levels '{name}': it is part of the group '{owner[name]}'; give the group's levels")
        if name not in names:
            raise UsageError(
                f"--levels '{name}' is no quantity or group; known: {', '.join(names)}; a group is made with"
                f" --group {name}=QUANTITY,QUANTITY"
            )
    axes = [Axis(n, members.get(n, (n,)), chosen.get(n, default)) for n in names if chosen.get(n, default)]
    if not axes:
        raise UsageError(f"no quantity has levels; give --levels for one of: {', '.join(names)}")
    return tuple(axes)


def _once(option: str, given: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    found: dict[str, T] = {}
    for name, values in given:
        if name in found:
            raise UsageError(f"{option} is given twice for '{name}'; give it once")
        found[name] = values
    return found


def _named_list(option: str, text: str, example: str) -> tuple[str, list[str]]:
    name, equals, rest = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(f"{option} {text!r} is not of the form NAME=VALUE,VALUE,...; write it like {example}")
    words = [word.strip() for word in rest.split(",")] if rest.strip() else []
    if "" in words:
        raise UsageError(f"{option} {text!r} has an empty item; write it like {example}")
    return name, words


def _level(name: str, word: str) -> Level:
    if re.fullmatch(r"\d{1,4}", word, re.ASCII):
        return int(word)
    if word.startswith(("FP", "INT", "Q", "UQ")):
        return parse_format(word)
    raise UsageError(
        f"axis '{name}': level {word!r} is not known; give a number of fraction bits, or a format such as"
        " Q1.6, UQ0.5, INT4 or FP32"
    )


def _check_levels(name: str, levels: tuple[Level, ...]) -> None:
    if not levels:
        raise UsageError(f"axis '{name}' has no levels; give some in descending order, such as {name}=16,14,12")
    for level in levels:
        if isinstance(level, int) and not 0 <= level <= MOST_FRACTION_BITS:
            raise UsageError(f"axis '{name}': level {level} must be 0 to {MOST_FRACTION_BITS} fraction bits")
    for before, level in pairwise(levels):
        if level in levels[: levels.index(before) + 1]:
            raise UsageError(f"axis '{name}': level {level} is there twice; give each level once")
        kinds = {type(before), type(level)} - {FloatFormat}
        if len(kinds) > 1:
            raise UsageError(f"axis '{name}' mixes fraction bits, Q formats and INTn; give levels of one kind")
        if not _bits(before) > _bits(level):
            raise UsageError(
                f"axis '{name}': level {level} comes after {before}; give the levels in descending precision"
            )


def _bits(level: Level) -> float:
    """Return what orders levels of one kind: fraction bits, or width; floats are above all others."""
    if isinstance(level, FloatFormat):
        return float("inf")
    return float(
        level.frac_bits if isinstance(level, QFormat) else level.bits if isinstance(level, IntFormat) else level
    )
