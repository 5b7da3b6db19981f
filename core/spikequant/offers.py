"""What discovery finds: offers of plugins, and plugins that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provider:
    """A distribution's plugin module, named by its entry point."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Failure:
    """A plugin that offers nothing, and why."""

    provider: Provider
    reason: str

    def __str__(self) -> str:
        return f"plugin '{self.provider.plugin}' did not load: {self.provider}: {self.reason}"


@dataclass(frozen=True)
class Offer:
    """Something a plugin offers under a name: a class of a contract, a file, a command, or a node kind's mapping."""

    kind: str
    name: str
    value: Any
    provider: Provider


def one_line(error: BaseException, *, label: bool = True) -> str:
    r"""Return a stranger's error as one line: its first line of text, by default after its class.

    >>> one_line(ValueError("odd number\nof bits"))
    'ValueError: odd number'
    >>> one_line(ValueError("odd number"), label=False), one_line(ValueError(), label=False)
    ('odd number', 'ValueError')
    """
    kind = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # even the text of a stranger's error may fail
        lines = []
    if not lines:
        return kind
    return f"{kind}: {lines[0]}" if label else lines[0]
