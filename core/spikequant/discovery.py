"""Discovery: which distributions have plugins, and what each plugin's hooks return.

Whatever a stranger's module, metadata or hook does is recorded as a failure of that plugin; only Ctrl-C passes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pluggy

from spikequant import hookspecs
from spikequant.backend import Backend
from spikequant.dataset import Dataset
from spikequant.exporter import Exporter
from spikequant.importer import Importer
from spikequant.learner import Learner
from spikequant.network import Network
from spikequant.neuron import Neuron
from spikequant.offers import Failure, Offer, Provider
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
    "exporter": "spikequant_exporters",
    "importer": "spikequant_importers",
}
CONTRACTS: dict[str, type] = {
    "quantizer": Quantizer,
    "neuron": Neuron,
    "learner": Learner,
    "selector": Selector,
    "backend": Backend,
    "dataset": Dataset,
    "network": Network,
    "exporter": Exporter,
    "importer": Importer,
}
FILE_HOOKS = {"energy table": "spikequant_energy_tables", "recipe": "spikequant_recipes"}
COMMAND_HOOK = "spikequant_commands"
NODE_KIND = "node kind"
ENTRY_POINTS = "entry_points.txt"

Entry = tuple[EntryPoint, Distribution]


def installed(found: Iterable[Distribution] | None = None) -> tuple[list[Entry], list[Failure]]:
    """Return every plugin's entry point by name, and the distributions whose metadata cannot be read.

    Args:
        found: Distributions to look through; all that are installed by default.
    """
    entries: dict[tuple[str, str, str], Entry] = {}
    failures: list[Failure] = []
    for distribution in distributions() if found is None else found:
        try:
            ours = [entry for entry in distribution.entry_points if entry.group == hookspecs.PROJECT]
        except Exception:  # how a damaged file shows differs between Python versions
            if _is_ours(distribution):
                by = provider_of("", distribution)
                reason = f"its {ENTRY_POINTS} is damaged; each line must be of the form NAME = MODULE"
                failures.append(Failure(Provider(by.distribution, by.distribution, by.version), reason))
            continue
        for entry in ours:
            key = (provider_of("", distribution).distribution, entry.name, entry.value)
            entries.setdefault(key, (entry, distribution))
    return [entries[key] for key in sorted(entries, key=lambda key: (key[1], key[0], key[2]))], failures


def provider_of(plugin: str, distribution: Distribution) -> Provider:
    """Return the provider, with words in place of a name or version that its metadata lacks."""
    name, version = _metadata(distribution)
    if not name:
        name = f"a distribution without a name in {distribution.locate_file('')}"
    return Provider(plugin, name, version or "(no version)")


def offers_of(entry: EntryPoint, distribution: Distribution) -> list[Offer]:
    """Load one plugin and return what it offers.

    Raises:
        BaseException: Whatever the plugin raises; or TypeError, ValueError: It offers something malformed.
    """
    name, version = _metadata(distribution)
    if not name or not version:
        raise ValueError("its metadata has no Name or no Version; install it again")
    return _offers(entry.load(), provider_of(entry.name, distribution))


def _metadata(distribution: Distribution) -> tuple[str, str]:
    """Return name and version, empty where missing: Python versions differ in what they raise then."""
    try:
        metadata: Any = distribution.metadata
        return metadata.get("Name") or "", distribution.version or ""
    except Exception:
        return "", ""


def _is_ours(distribution: Distribution) -> bool:
    try:
        return f"[{hookspecs.PROJECT}]" in (distribution.read_text(ENTRY_POINTS) or "")
    except (OSError, UnicodeError):
        return False


def _offers(module: Any, provider: Provider) -> list[Offer]:
    """Ask one plugin, in a manager of its own, so that nothing it does can hide another."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, provider.plugin)
    except pluggy.PluginValidationError as error:  # its text has several lines, the reason last
        raise TypeError("; ".join(filter(None, map(str.strip, str(error).splitlines())))) from error
    manager.check_pending()
    callers = manager.get_hookcallers(module) or []
    _check_marked(module, [caller.name for caller in callers])
    answers = {caller.name: _answer(caller) for caller in callers}
    offers = [Offer(kind, name, value, provider) for kind, name, value in _named(answers)]
    kinds = {
        name: mapping
        for offer in offers
        if offer.kind == "neuron"
        for name, mapping in _mappings(offer.name, offer.value)
    }
    return [*offers, *(Offer(NODE_KIND, name, mapping, provider) for name, mapping in kinds.items())]


def _answer(caller: pluggy.HookCaller) -> Any:
    results = caller()
    if not results:  # pluggy drops None
        raise TypeError(f"{caller.name}() returned None; return {_returns(caller.name)}")
    (answer,) = results
    wanted = Mapping if caller.name in FILE_HOOKS.values() else (list, tuple)
    if not isinstance(answer, wanted):
        raise TypeError(f"{caller.name}() returned a {type(answer).__name__}; return {_returns(caller.name)}")
    return answer


def _returns(hook: str) -> str:
    return "a dict of paths under their names" if hook in FILE_HOOKS.values() else "a list"


def _named(answers: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, name and value of everything that the hooks returned."""
    for kind, hook in HOOKS.items():
        for cls in answers.get(hook, ()):
            yield kind, _name_of(kind, cls), cls
    for kind, hook in FILE_HOOKS.items():
        for name, path in answers.get(hook, {}).items():
            if not isinstance(name, str) or not name or not isinstance(path, (str, os.PathLike)):
                raise TypeError(f"{hook}() returned {name!r}: {path!r}; return {_returns(hook)}")
            yield kind, name, Path(path)
    for command in answers.get(COMMAND_HOOK, ()):
        if not isinstance(command, click.Command) or not isinstance(command.name, str) or not command.name:
            raise TypeError(f"{COMMAND_HOOK}() returned {command!r}; return click commands, each with a name")
        command.get_short_help_str()  # what --help shows; it fails here rather than there
        yield "command", command.name, command


def _mappings(neuron: str, cls: type[Neuron]) -> Iterator[tuple[str, Any]]:
    """Yield the node kinds of a neuron's own with their mappings."""
    mappings = cls.node_mappings()
    if not isinstance(mappings, Mapping):
        raise TypeError(f"neuron '{neuron}': node_mappings() returned {mappings!r}; return a dict of mappings by kind")
    for kind, mapping in mappings.items():
        lacking = [part for part in ("to_nir", "fields", "from_nir") if not callable(getattr(mapping, part, None))]
        if not isinstance(kind, str) or not kind or lacking:
            raise TypeError(
                f"neuron '{neuron}': node_mappings() returned {kind!r}: {mapping!r};"
                " each kind needs an object with to_nir, fields and from_nir"
            )
        yield kind, mapping


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
