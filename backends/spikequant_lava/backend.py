"""The backend ``lava``: programs on the lava-nc runtime in its own interpreter, equal to the oracle."""

from __future__ import annotations

import os
from typing import ClassVar, Literal

from spikequant import Availability, Backend, Executable
from spikequant.errors import BackendError, PluginError
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    Lateral,
    Lif,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
)
from spikequant.registry import node_kinds
from spikequant_lava import environment
from spikequant_lava.executable import LavaExecutable
from spikequant_lava.implementations import Kinds, implementation_of, is_implemented
from spikequant_lava.job import PROCESSES
from spikequant_lava.loihi.executable import StockExecutable
from spikequant_lava.loihi.reasons import stock_reasons

__all__ = ["LavaBackend", "LavaExecutable"]


class LavaBackend(Backend):
    """Runs programs on lava-nc 0.10.0, Intel's simulator of Loihi, in an interpreter of its own.

    Args:
        mode: ``exact``: own process models wherever Lava's own are not exact; the oracle's integers. ``loihi``:
            Lava's stock bit-accurate processes alone, which approximate: each run is compared with the oracle
            and says what holds in a note that begins ``claim:``.
        processes: Largest number of Lava's processes for the nodes of a program; each is a process of the
            operating system. A program with more nodes and relays shares them, in the mode ``exact``.
        kinds: Mappings of plugins' neuron kinds; default: those of the installed plugins.
    """

    name: ClassVar[str] = "lava"
    summary: ClassVar[str] = "lava-nc 0.10.0 in an isolated interpreter; its delays are undone, loops included"
    supports: ClassVar[tuple[type[Node], ...]] = (
        Input,
        Dense,
        Conv2d,
        PoolOr,
        PoolSum,
        Lateral,
        Add,
        Concat,
        Flatten,
        Lif,
        SpikingNode,
        Readout,
    )

    def __init__(
        self, mode: Literal["exact", "loihi"] = "exact", processes: int = PROCESSES, kinds: Kinds | None = None
    ) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}; it must be 1 or more")
        self._mode = mode
        self._processes = processes
        self._given = kinds

    @property
    def _kinds(self) -> Kinds:
        return node_kinds() if self._given is None else self._given

    def refusals(self, program: Program) -> dict[str, str]:
        """Return the reason under the name of each node that cannot run here; the mode decides."""
        if self._mode == "exact":
            return super().refusals(program)
        strange = {node.name: reason for node in program.order if (reason := self._strange(program, node))}
        return strange or stock_reasons(program)

    def _strange(self, program: Program, node: Node) -> str | None:
        """Refuse what no mode runs: operators of third parties, and what no path joins to the first input."""
        if not isinstance(node, self.supports):
            known = ", ".join(sorted(kind.kind for kind in self.supports))
            return f"kind {node.kind} is not supported ({self.name} runs {known})"
        return None if isinstance(node, SpikingNode) and type(node) is not Lif else self.refusal(program, node)

    def refusal(self, program: Program, node: Node) -> str | None:
        """Refuse what no path joins to the first input, plugins' kinds without implementation, redefined nodes."""
        if node.name not in _joined(program, program.inputs[0].name):
            return (
                f"no path of edges, whatever their direction, joins it to the input '{program.inputs[0].name}';"
                " Lava runs one connected graph, so make two programs"
            )
        if type(node) in self.supports:
            return None
        known = next(kind for kind in self.supports if isinstance(node, kind))
        if not isinstance(node, SpikingNode) or (known is Lif and not is_implemented(node)):
            return f"{type(node).__name__} redefines {known.kind}, and Lava would run the plain {known.kind}"
        try:
            implementation_of(node, self._kinds)
        except (BackendError, PluginError) as error:
            return str(error)
        return None

    def availability(self) -> Availability:
        """Ready if ``spikequant lava setup`` has completed."""
        if os.name != "posix":
            return Availability(False, "Lava's process groups need POSIX", "run on Linux or macOS")
        return environment.availability()

    def build(self, program: Program) -> Executable:
        """Plan the job; nothing runs yet."""
        available = self.availability()
        if not available.ready:
            raise BackendError(f"backend 'lava' is not ready: {available.detail}; {available.remedy}")
        if self._mode == "loihi":
            return StockExecutable(program, environment.current().python)
        return LavaExecutable(program, environment.current().python, kinds=self._kinds, processes=self._processes)


def _joined(program: Program, start: str) -> set[str]:
    """Names of the nodes that edges join to ``start``."""
    found: set[str] = set()
    new = {start}
    while new:
        found |= new
        touching = [edge for edge in program.edges if edge.source in new or edge.target in new]
        new = {name for edge in touching for name in (edge.source, edge.target)} - found
    return found
