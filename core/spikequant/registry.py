"""Discovery of plugins: what is there, what failed to load and why, which names are claimed twice.

One broken plugin never stops the others; it is an error only when somebody asks for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from spikequant import hookspecs
from spikequant.backend import Backend
from spikequant.dataset import Dataset
from spikequant.errors import PluginError
from spikequant.learner import Learner
from spikequant.network import Network
from spikequant.neuron import Neuron
from spikequant.quantizer import Quantizer
from spikequant.selector import Selector

HOOKS = {
    "quantizer": "spikequant_quantizers",
    "neuron": "spikequant_neurons",
    "learner": "spikequant_learners",
    "selector": "spikequant_selectors",
    "backend": "spikequant_backends",
    "dataset": "spikequant_datasets",
    "network": "spikequant_networks",
}
CONTRACTS: dict[str, type] = {
    "quantizer": Quantizer,
    "neuron": Neuron,
    "learner": Learner,
    "selector": Selector,
    "backend": Backend,
    "dataset": Dataset,
    "network": Network,
}
FILE_HOOKS = {"energy table": "spikequant_energy_tables", "recipe": "spikequant_recipes"}


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
    """Something a plugin offers under a name: a class of a contract, a file, or a command."""

    kind: str
    name: str
    value: Any
    provider: Provider


@dataclass(frozen=True)
class Registry:
    """All offers and failures; :meth:`get` is how a name becomes a class."""

    offers: tuple[Offer, ...]
    failures: tuple[Failure, ...]
    providers: tuple[Provider, ...] = field(default=())

    def of(self, kind: str) -> tuple[Offer, ...]:
        """Return the offers of one kind, by name."""
        return tuple(sorted((o for o in self.offers if o.kind == kind), key=lambda o: o.name))

    def conflicts(self) -> tuple[str, ...]:
        """Return one sentence per name that more than one distribution claims."""
        groups: dict[tuple[str, str], list[Provider]] = {}
        for offer in self.offers:
            groups.setdefault((offer.kind, offer.name), []).append(offer.provider)
        return tuple(_conflict(kind, name, by) for (kind, name), by in groups.items() if len(by) > 1)

    def get(self, kind: str, name: str) -> Any:
        """Return what is offered as ``kind`` under ``name``.

        Raises:
            PluginError: Nobody offers it, its plugin did not load, or several claim the name.
        """
        found = [offer for offer in self.of(kind) if offer.name == name]
        if len(found) > 1:
            raise PluginError(_conflict(kind, name, [offer.provider for offer in found]))
        if found:
            return found[0].value
        for failure in self.failures:
            if failure.provider.plugin == name:
                raise PluginError(f"{failure}; mend or uninstall it")
        known = ", ".join(sorted({offer.name for offer in self.of(kind)})) or "none"
        broken = f"; {len(self.failures)} plugins did not load, see 'spikequant plugins'" if self.failures else ""
        raise PluginError(f"{kind} '{name}' is not installed; known: {known}{broken}")

    def make(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Return an instance of the class under ``name``, made with ``options``.

        Raises:
            PluginError: As :meth:`get`; or an option is unknown or refused.
        """
        cls = self.get(kind, name)
        known = [p for p in inspect.signature(cls).parameters.values() if p.kind is not p.VAR_KEYWORD]
        unknown = sorted(set(options) - {p.name for p in known})
        if unknown:
            names = ", ".join(p.name for p in known) or "none"
            raise PluginError(f"{kind} '{name}' has no option '{unknown[0]}'; its options are: {names}")
        try:
            return cls(**options)
        except (TypeError, ValueError) as error:
            raise PluginError(f"{kind} '{name}' refuses its options: {error}") from error


def node_kinds(found: Registry | None = None) -> dict[str, Any]:
    """Return how each plugin neuron's own node kind is written to and read from NIR."""
    kinds: dict[str, Any] = {}
    for offer in (found or registry()).of("neuron"):
        kinds.update(offer.value.node_mappings())
    return kinds


@cache
def registry() -> Registry:
    """Return what is installed; looked up once per process."""
    return discover(_entry_points())


def discover(entry_points: Iterable[tuple[EntryPoint, Distribution]]) -> Registry:
    """Load each entry point by itself and collect what it offers."""
    offers: list[Offer] = []
    failures: list[Failure] = []
    providers: list[Provider] = []
    for entry, distribution in entry_points:
        provider = Provider(entry.name, distribution.metadata["Name"], distribution.version)
        providers.append(provider)
        try:
            offers.extend(_offers(entry.load(), provider))
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything; it is recorded
            failures.append(Failure(provider, f"{type(error).__name__}: {error}"))
    return Registry(tuple(offers), tuple(failures), tuple(providers))


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    found: dict[tuple[str, str, str], tuple[EntryPoint, Distribution]] = {}
    for distribution in distributions():
        for entry in distribution.entry_points:
            if entry.group == hookspecs.PROJECT:
                found.setdefault((distribution.metadata["Name"], entry.name, entry.value), (entry, distribution))
    return sorted(found.values(), key=lambda pair: (pair[0].name, pair[1].metadata["Name"]))


def _offers(module: Any, provider: Provider) -> list[Offer]:
    """Ask one plugin, in a manager of its own, so that nothing it does can hide another."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, provider.plugin)
    manager.check_pending()
    implemented = [hook.name for hook in manager.get_hookcallers(module) or []]
    _check_marked(module, implemented)
    offers: list[Offer] = []
    for kind, hook in HOOKS.items():
        for classes in getattr(manager.hook, hook)():
            offers.extend(Offer(kind, _name_of(kind, cls), cls, provider) for cls in classes)
    for kind, hook in FILE_HOOKS.items():
        for files in getattr(manager.hook, hook)():
            offers.extend(Offer(kind, name, Path(path), provider) for name, path in files.items())
    for commands in manager.hook.spikequant_commands():
        offers.extend(Offer("command", command.name, command, provider) for command in commands)
    return offers


def _check_marked(module: Any, implemented: list[str]) -> None:
    specified = {name for name in vars(hookspecs) if name.startswith(hookspecs.PROJECT + "_")}
    for name in sorted(specified - set(implemented)):
        if callable(getattr(module, name, None)):
            raise TypeError(f"{name}() lacks @hookimpl; put the decorator above it")
    if not implemented:
        where = module.__name__ if isinstance(module, ModuleType) else repr(module)
        raise TypeError(f"{where} implements no hook; define one of {', '.join(sorted(specified))} with @hookimpl")


def _name_of(kind: str, cls: Any) -> str:
    name = getattr(cls, "name", None)
    if not isinstance(cls, type) or not isinstance(name, str) or not name:
        raise TypeError(f"the {kind} {cls!r} has no name; set the class attribute 'name' to a word")
    contract = CONTRACTS[kind]
    if not issubclass(cls, contract):
        raise TypeError(
            f"the {kind} '{name}' is no {contract.__name__}; derive the class from spikequant.{contract.__name__}"
        )
    return name


def _conflict(kind: str, name: str, providers: Iterable[Provider]) -> str:
    who = " and by ".join(str(provider) for provider in providers)
    return f"{kind} name '{name}' is claimed by {who}; uninstall one of them"
