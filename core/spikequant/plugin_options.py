"""Options of a plugin's class, checked against its constructor before that is called."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from spikequant.errors import PluginError

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    type(None): "none",
}


def checked_options(kind: str, name: str, cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``options`` as the constructor of ``cls`` annotates them: a text becomes a path, a 1 a float.

    Values are taken as JSON has them, strictly: true is no number, 1.0 no whole number. Parameters
    without an annotation, or with one that cannot be resolved, take anything.

    Raises:
        PluginError: An option is unknown, or its value is not of the annotated type.
    """
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    known = [p.name for p in inspect.signature(cls).parameters.values() if p.kind not in fixed]
    unknown = sorted(set(options) - set(known))
    if unknown:
        names = ", ".join(known) or "none"
        raise PluginError(f"{kind} '{name}' has no option '{unknown[0]}'; its options are: {names}")
    hints = _hints(cls)
    return {
        option: _checked(f"{kind} '{name}': option '{option}'", value, hints[option]) if option in hints else value
        for option, value in options.items()
    }


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls.__init__)
    except Exception:  # annotations are a stranger's code; the names may exist for type checkers only
        return {}


def _checked(what: str, value: Any, hint: Any) -> Any:
    try:
        adapter = TypeAdapter(hint)
    except Exception:  # a type that pydantic knows no schema of, or a stranger's schema that fails
        return value
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = None
    try:
        return adapter.validate_python(value, strict=True) if text is None else adapter.validate_json(text, strict=True)
    except ValidationError as error:
        shown = repr(value) if text is None else text
        short = shown if len(shown) <= 80 else f"{shown[:77]}..."
        wanted = _wanted(hint) or error.errors()[0]["msg"].lower()
        raise PluginError(f"{what} is {short}; it must be {wanted}") from error


def _wanted(hint: Any) -> str:
    """Say in words what values a type has; empty for types that have none here."""
    if hint in WORDS:
        return WORDS[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "one of " + ", ".join(str(member.value) for member in hint)
    if origin is Literal:
        return "one of " + ", ".join(str(part) for part in parts)
    words = [_wanted(part) for part in parts if part is not Ellipsis]
    if origin in (Union, types.UnionType) and all(words):
        return " or ".join(words)
    if origin in (list, tuple, Sequence) and len(words) == 1 and words[0]:
        return f"a list, each item {words[0]}"
    return ""
