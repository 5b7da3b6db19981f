"""The syntax of Liberty files: groups with attributes and further groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from spikequant.errors import BackendError

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|\\\s*?\n|[\s]+|"((?:[^"\\]|\\.|\\\n)*)"|([(){};:,])|([^\s(){};:,"]+)', re.DOTALL
)


@dataclass
class Group:
    """``kind (args) { ... }``.

    Attributes:
        kind: Word in front.
        args: Words in the brackets.
        values: Simple attributes, ``name : value ;``; the last one of a name counts.
        lists: Complex attributes, ``name (value, value) ;``.
        groups: Groups within, in order.
    """

    kind: str
    args: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, *kinds: str) -> Iterator[Group]:
        """Yield the groups within of these kinds."""
        return (group for group in self.groups if group.kind in kinds)


def parse_liberty(text: str) -> Group:
    """Return the outermost group of a Liberty file.

    Raises:
        BackendError: The text ends within a group, or is none.

    >>> top = parse_liberty('library(tiny) { time_unit : "1ns"; cell(INV) { area : 1.5; } /* end */ }')
    >>> top.args, top.values["time_unit"], next(top.of("cell")).values
    (('tiny',), '1ns', {'area': '1.5'})
    """
    outer = Group("", ())
    try:
        _statement(_Tokens(text), outer)
    except (StopIteration, RecursionError):
        raise BackendError("the Liberty library ends within a group; is the file damaged?") from None
    found = next(outer.of("library"), None)
    if found is None:
        raise BackendError("the text does not begin with a library (NAME) { ... }; give a Liberty file")
    return found


def _statement(tokens: _Tokens, group: Group) -> None:
    """Read an attribute or a group into ``group``; stray semicolons are passed over."""
    kind, word = next(tokens)
    if (kind, word) == ("mark", ";"):
        return
    _, after = next(tokens)
    if kind == "mark" or after not in (":", "("):
        raise BackendError(f"the Liberty library has {word!r} where an attribute or a group must be; is it damaged?")
    if after == ":":
        group.values[word] = _value(tokens)
        return
    args = []
    while (item := next(tokens)) != ("mark", ")"):
        if item != ("mark", ","):
            args.append(item[1])
    following = next(tokens)
    if following != ("mark", "{"):
        group.lists[word] = tuple(args)
        tokens.back(following)
        return
    made = Group(word, tuple(args))
    group.groups.append(made)
    while (item := next(tokens)) != ("mark", "}"):
        tokens.back(item)
        _statement(tokens, made)


def _value(tokens: _Tokens) -> str:
    """Return what stands up to a semicolon, or up to the end of the group where that was forgotten."""
    words = []
    while (item := next(tokens)) not in (("mark", ";"), ("mark", "}")):
        words.append(item[1])
    tokens.back(item)
    return " ".join(words)


class _Tokens:
    """Words, strings and marks of a text, with one step back."""

    def __init__(self, text: str) -> None:
        self._found = _TOKEN.finditer(text)
        self._kept: tuple[str, str] | None = None

    def __iter__(self) -> _Tokens:
        return self

    def __next__(self) -> tuple[str, str]:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        for found in self._found:
            if found[2] is not None:
                return ("mark", found[2])
            if found[3] is not None:
                return ("word", found[3])
            if found[1] is not None:
                return ("string", found[1])
        raise StopIteration

    def back(self, token: tuple[str, str]) -> None:
        """Give a token back, to be the next one."""
        self._kept = token
