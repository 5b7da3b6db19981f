"""What a user is told about a file: collected while it is read, each thing once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from spikequant.errors import NirError
from spikequant.importer import Finding, Level

SHOWN_NODES = 6
MAX_SHOWN = 80


@dataclass
class Notes:
    """Findings so far, and whether faults are mended.

    Attributes:
        repair: Mend a fault that can be mended safely; otherwise such a fault is an error.
        names: Under which name the network has a node of the file; filled when that is known.
    """

    repair: bool = False
    names: dict[str, str] = field(default_factory=dict)
    _found: dict[tuple[Level, str], list[str]] = field(default_factory=dict)

    def add(self, level: Level, node: str, text: str) -> None:
        """Keep a finding; the same text about several nodes becomes one."""
        nodes = self._found.setdefault((level, text), [])
        if node and node not in nodes:
            nodes.append(node)

    def mend(self, node: str, fault: str, cure: str) -> None:
        """Say that ``fault`` is mended by ``cure``, so that the caller goes on as if it had never been.

        Raises:
            NirError: Repairs were not asked for; the message says what they would do.
        """
        if not self.repair:
            where = f"node '{node}': " if node else ""
            raise NirError(f"{where}{fault}; import it with --repair and {cure}, or export it again")
        self.add("repaired", node, f"{fault}; {cure}")

    def findings(self) -> tuple[Finding, ...]:
        """Return all findings, repairs first, then in the order found."""
        made = [
            _finding(level, text, [self.names.get(node, node) for node in nodes])
            for (level, text), nodes in self._found.items()
        ]
        return tuple(sorted(made, key=lambda finding: finding.level != "repaired"))


def _finding(level: Level, text: str, nodes: list[str]) -> Finding:
    if len(nodes) < 2:
        return Finding(level, nodes[0] if nodes else "", text)
    return Finding(level, "", f"{text} (nodes {listed(nodes)})")


def listed(names: Iterable[str]) -> str:
    """Return a list of names for a message, cut where it grows long.

    >>> listed("abcdefgh")
    'a, b, c, d, e, f and 2 more'
    """
    given = [shown(name) for name in names]
    more = f" and {len(given) - SHOWN_NODES} more" if len(given) > SHOWN_NODES else ""
    return ", ".join(given[:SHOWN_NODES]) + more


def shown(name: str) -> str:
    r"""Return a name from a file as it can be printed: one line, no control codes, at most 80 characters.

    >>> shown("lif\n1")
    'lif\\n1'
    """
    text = name if name.isprintable() else name.encode("unicode_escape", "surrogatepass").decode("ascii")
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
