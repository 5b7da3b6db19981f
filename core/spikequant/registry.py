"""The registry of plugins: what is there, what failed to load and why, which names are claimed twice.

One broken plugin never stops the others; it is an error only when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

from spikequant import program
from spikequant.discovery import FILE_HOOKS, HOOKS, NODE_KIND, Entry, installed, offers_of, provider_of
from spikequant.errors import PluginError
from spikequant.offers import Failure, Offer, Provider, one_line
from spikequant.plugin_options import checked_options
from spikequant.program import Node

__all__ = [
    "COMMANDS",
    "FILE_HOOKS",
    "HOOKS",
    "Failure",
    "Offer",
    "Provider",
    "Registry",
    "discover",
    "node_kinds",
    "registry",
]

COMMANDS = (
    "calibrate",
    "doctor",
    "drift",
    "energy",
    "explore",
    "export",
    "fetch",
    "import",
    "inspect",
    "memory",
    "plugins",
    "quantize",
    "report",
    "run",
    "select",
    "significance",
    "train",
    "verify",
)
NODE_KINDS = tuple(sorted({v.kind for v in vars(program).values() if isinstance(v, type) and issubclass(v, Node)}))
EXPORTS = ("nir",)
BUILT_IN = {"command": COMMANDS, NODE_KIND: NODE_KINDS, "exporter": EXPORTS}


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
        """Return one sentence per name that is built in, or that more than one distribution claims."""
        names = dict.fromkeys((offer.kind, offer.name) for offer in self.offers)
        return tuple(text for kind, name in names if (text := self._conflict(kind, name)))

    def get(self, kind: str, name: str) -> Any:
        """Return what is offered as ``kind`` under ``name``.

        Raises:
            PluginError: Nobody offers it, its plugin did not load, or several claim the name.
        """
        if text := self._conflict(kind, name):
            raise PluginError(text)
        if claims := self._claims(kind, name):
            return claims[0].value
        for failure in self.failures:
            if failure.provider.plugin == name:
                raise PluginError(f"{failure}; mend or uninstall it")
        known = ", ".join(sorted({*BUILT_IN.get(kind, ()), *(offer.name for offer in self.of(kind))})) or "none"
        broken = f"; {len(self.failures)} plugins did not load, see 'spikequant plugins'" if self.failures else ""
        raise PluginError(f"{kind} '{name}' is not installed; known: {known}{broken}")

    def make(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Return an instance of the class under ``name``, made with ``options``.

        Raises:
            PluginError: As :meth:`get`; or an option is unknown, of another type than the constructor
                says, or refused by it.
        """
        cls = self.get(kind, name)
        try:
            return cls(**checked_options(kind, name, cls, options))
        except (KeyboardInterrupt, PluginError):
            raise
        except BaseException as error:  # a stranger's constructor may raise anything
            text = one_line(error, label=not isinstance(error, (TypeError, ValueError)))
            raise PluginError(f"{kind} '{name}' refuses its options: {text}") from error

    def _claims(self, kind: str, name: str) -> list[Offer]:
        """Return the offers of a name; a neuron that inherits another's mapping claims nothing new."""
        found = [offer for offer in self.offers if offer.kind == kind and offer.name == name]
        if kind != NODE_KIND:
            return found
        return list({type(offer.value): offer for offer in reversed(found)}.values())[::-1]

    def _conflict(self, kind: str, name: str) -> str:
        """Say who claims a name that cannot be used because of that; empty if it can."""
        claims = self._claims(kind, name)
        who = " and by ".join(str(offer.provider) for offer in claims)
        if claims and name in BUILT_IN.get(kind, ()):
            return f"{kind} name '{name}' is built in and claimed by {who}; the built-in one stays, uninstall the other"
        return f"{kind} name '{name}' is claimed by {who}; uninstall one of them" if len(claims) > 1 else ""


class Contested:
    """Stands for the mapping of a node kind that several plugins claim; using it is the error."""

    def __init__(self, conflict: str) -> None:
        self.conflict = conflict

    def to_nir(self, *_: Any) -> NoReturn:
        """Refuse to write the node.

        Raises:
            PluginError: Always.
        """
        raise PluginError(self.conflict)

    fields = from_nir = to_nir


def node_kinds(found: Registry | None = None) -> dict[str, Any]:
    """Return how each plugin neuron's own node kind is written to and read from NIR.

    A built-in kind is nobody else's; a kind that several plugins claim is an error when a file has it.
    """
    found = found or registry()
    kinds: dict[str, Any] = {}
    for offer in found.of(NODE_KIND):
        if offer.name not in NODE_KINDS:
            conflict = found._conflict(NODE_KIND, offer.name)
            kinds[offer.name] = Contested(conflict) if conflict else offer.value
    return kinds


@cache
def registry() -> Registry:
    """Return what is installed; looked up once per process."""
    entries, damaged = installed()
    found = discover(entries)
    return Registry(found.offers, (*found.failures, *damaged), found.providers)


def discover(entry_points: Iterable[Entry]) -> Registry:
    """Load each entry point by itself and collect what it offers."""
    offers: list[Offer] = []
    failures: list[Failure] = []
    providers: list[Provider] = []
    for entry, distribution in entry_points:
        provider = provider_of(entry.name, distribution)
        providers.append(provider)
        try:
            offers.extend(offers_of(entry, distribution))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's module may raise anything; it is recorded
            failures.append(Failure(provider, one_line(error)))
    return Registry(tuple(offers), tuple(failures), tuple(providers))
