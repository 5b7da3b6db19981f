"""Boolean expressions of Liberty libraries, over waves of any shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikequant.errors import BackendError

Wave = npt.NDArray[np.bool_]
_TOKEN = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?|[01]|[!'&*|+^()])")
_AND_STARTS = re.compile(r"[\w!(]")


@dataclass(frozen=True)
class Function:
    """An expression: ``var`` of a name, ``const`` of 0 or 1, ``not``, ``and``, ``or``, ``xor`` of expressions."""

    kind: str
    name: str = ""
    parts: tuple[Function, ...] = ()

    @property
    def pins(self) -> frozenset[str]:
        """Names that the expression reads."""
        own = {self.name} if self.kind == "var" else set()
        return frozenset(own).union(*(part.pins for part in self.parts))

    def __call__(self, waves: Mapping[str, Wave]) -> Wave:
        """Return the expression's value; ``waves`` has an entry for each of its pins."""
        if self.kind == "var":
            return waves[self.name]
        if self.kind == "const":
            return np.array(self.name == "1")
        values = [part(waves) for part in self.parts]
        if self.kind == "not":
            return ~values[0]
        joined: Wave = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}[self.kind](*values)
        return joined


def parse_function(text: str) -> Function:
    """Read an expression; ``!`` and ``'`` bind tightest, then ``^``, then ``&``, ``*`` or a blank, then ``|`` or ``+``.

    Raises:
        BackendError: The text is no such expression.

    >>> waves = {name: np.array(value) for name, value in (("A", True), ("B", False), ("C", True))}
    >>> [bool(parse_function(text)(waves)) for text in ("!(A B) + C'", "A' | B ^ C & B", "A ^ C", "1")]
    [True, False, False, True]
    >>> sorted(parse_function("!A + B*C'").pins)
    ['A', 'B', 'C']
    """
    tokens = []
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            raise _bad(text)
        tokens.append(found[1])
        place = found.end()
    function, rest = _or(tokens, text)
    if rest:
        raise _bad(text)
    return function


def _or(tokens: list[str], text: str) -> tuple[Function, list[str]]:
    left, tokens = _and(tokens, text)
    while tokens and tokens[0] in "|+":
        right, tokens = _and(tokens[1:], text)
        left = Function("or", parts=(left, right))
    return left, tokens


def _and(tokens: list[str], text: str) -> tuple[Function, list[str]]:
    left, tokens = _xor(tokens, text)
    while tokens and (tokens[0] in "&*" or _AND_STARTS.match(tokens[0])):
        right, tokens = _xor(tokens[1:] if tokens[0] in "&*" else tokens, text)
        left = Function("and", parts=(left, right))
    return left, tokens


def _xor(tokens: list[str], text: str) -> tuple[Function, list[str]]:
    left, tokens = _not(tokens, text)
    while tokens and tokens[0] == "^":
        right, tokens = _not(tokens[1:], text)
        left = Function("xor", parts=(left, right))
    return left, tokens


def _not(tokens: list[str], text: str) -> tuple[Function, list[str]]:
    if not tokens:
        raise _bad(text)
    if tokens[0] == "!":
        inner, tokens = _not(tokens[1:], text)
        return Function("not", parts=(inner,)), tokens
    if tokens[0] == "(":
        value, tokens = _or(tokens[1:], text)
        if tokens[:1] != [")"]:
            raise _bad(text)
    elif tokens[0] in "01":
        value = Function("const", tokens[0])
    elif re.match(r"[A-Za-z_]", tokens[0]):
        value = Function("var", tokens[0])
    else:
        raise _bad(text)
    tokens = tokens[1:]
    while tokens[:1] == ["'"]:
        value, tokens = Function("not", parts=(value,)), tokens[1:]
    return value, tokens


def _bad(text: str) -> BackendError:
    return BackendError(
        f"the library's expression {text[:80]!r} cannot be read; names, ! ' ^ & * | + ( ) 0 1 are known"
    )
