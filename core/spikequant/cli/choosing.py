"""What ``select`` and ``report`` share: the options that say what is chosen, and from which store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from spikequant.cli.common import parse_options
from spikequant.errors import UsageError
from spikequant.explore import Exploration, Store, read_exploration
from spikequant.registry import registry
from spikequant.selector import Selector

Function = TypeVar("Function", bound=Callable[..., Any])
DEFAULT = "reward"
DEFAULT_NAME = "default"
SIGNIFICANCE = "significance"
"""Name of the store in which ``spikequant significance`` keeps its own evaluations."""


def memory_bound(context: click.Context, param: click.Parameter, text: str | None) -> dict[str, Any] | None:
    """Return the option of the selector that a bound means: up to 1, or in %, relative to FP32; above 1 in bits."""
    if text is None:
        return None
    try:
        if text.endswith("%"):
            return {"ratio": float(text[:-1]) / 100}
        return {"ratio": float(text)} if float(text) <= 1 else {"bits": int(text)}
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is neither a ratio up to 1, nor a percentage such as 25%, nor a whole number of bits"
        ) from error


@dataclass(frozen=True)
class Wanted:
    """The options of :func:`choice_options`."""

    selector: str | None
    options: tuple[str, ...]
    mu: float | None
    max_drop: float | None
    max_memory: dict[str, Any] | None
    everything: bool

    def make(self) -> Selector:
        """Return the selector that the options ask for.

        Raises:
            UsageError: Options that contradict each other.
            PluginError: The selector is not installed or refuses its options.
        """
        shortcuts: dict[str, dict[str, Any]] = {}
        if self.mu is not None:
            shortcuts["reward"] = {"mu": self.mu}
        if self.max_drop is not None:
            shortcuts["max-drop"] = {"drop": self.max_drop}
        if self.max_memory is not None:
            shortcuts["max-memory"] = self.max_memory
        named = [self.selector] if self.selector is not None else []
        names = list(dict.fromkeys([*named, *shortcuts]))
        if len(names) > 1:
            raise UsageError(
                "--mu, --max-drop and --max-memory each stand for a selector (reward, max-drop, max-memory);"
                f" these were asked for together: {', '.join(names)}; give one"
            )
        name = names[0] if names else DEFAULT
        given = {**parse_options(self.options), **shortcuts.get(name, {})}
        return cast("Selector", registry().make("selector", name, given))


def choice_options(function: Function) -> Function:
    """Add the options that say what is chosen and from which store; see :func:`wanted`."""
    options = (
        click.option(
            "--store", type=click.Path(path_type=Path), help="Store to read; default: RUN/explore/NAME.sqlite."
        ),
        click.option("--name", help=f"Of the store in the run folder; default: {DEFAULT_NAME}."),
        click.option("--selector", help=f"Who chooses; default: {DEFAULT}."),
        click.option(
            "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the selector; repeatable."
        ),
        click.option("--mu", type=float, help="Reward: weight of memory against accuracy."),
        click.option(
            "--max-drop", type=float, metavar="POINTS", help="The smallest within POINTS of accuracy of FP32."
        ),
        click.option(
            "--max-memory",
            callback=memory_bound,
            metavar="RATIO|BITS",
            help="The most accurate within this memory: up to 1 or in % relative to FP32, above 1 in bits.",
        ),
        click.option("--all", "everything", is_flag=True, help="Choose also among what missed the target."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def load_exploration(path: Path) -> Exploration:
    """Return the exploration in a store.

    Raises:
        StoreError: There is no store, it is damaged, or nothing was explored into it.
    """
    with Store.read(path) as opened:
        return read_exploration(opened)


def find_store(run: Path, store: Path | None, name: str | None) -> Path | None:
    """Return the store that the options mean; ``None`` if none was named and nothing was explored.

    Raises:
        UsageError: None was named, and only stores of other names are there.
    """
    if store is not None:
        return store
    folder = run / "explore"
    path = folder / f"{name or DEFAULT_NAME}.sqlite"
    if name is not None or path.is_file():
        return path
    others = sorted(other.stem for other in folder.glob("*.sqlite") if other.stem != SIGNIFICANCE)
    if others:
        raise UsageError(
            f"{run} holds no exploration named '{DEFAULT_NAME}'; give one with --name: {', '.join(others)}"
        )
    return None
