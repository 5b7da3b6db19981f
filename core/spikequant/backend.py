"""The contract of a backend: something that runs integer programs and returns traces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

from numpy.typing import NDArray

from spikequant.errors import RefusedError
from spikequant.program import Node, Program
from spikequant.trace import Trace

Inputs = NDArray[Any] | Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Availability:
    """Whether a backend's tools are here; if not, what is missing and the command that mends it."""

    ready: bool
    detail: str
    remedy: str = ""


class Executable(ABC):
    """A compiled program; use it as a context manager, or call :meth:`close`.

    Attributes:
        on_progress: Set by whoever runs the program; a backend that takes long over one batch calls it now
            and then with a line that says where it is.
    """

    on_progress: Callable[[str], None] | None = None

    @abstractmethod
    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch from the initial state.

        Args:
            inputs: As :func:`spikequant.oracle.run_oracle` takes them.
            record: With ``False`` the trace holds readouts and counts only.

        Returns:
            The trace, equal to the oracle's in every spike, potential and output.

        Raises:
            UsageError: The inputs do not fit the program.
            BackendError: The tool behind the backend failed.
        """

    def close(self) -> None:  # noqa: B027 - most executables hold nothing
        """Release what the executable holds; it cannot run again."""

    def __enter__(self) -> Executable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Backend(ABC):
    """Runs programs somewhere: in NumPy, in torch, on a simulator, on a chip.

    A subclass names what it supports, says per node what it refuses, and builds an executable. It must
    refuse rather than approximate: a program that compiles gives the oracle's integers.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    supports: ClassVar[tuple[type[Node], ...]]

    @abstractmethod
    def build(self, program: Program) -> Executable:
        """Return an executable for a program that :meth:`refusals` accepts."""

    def refusal(self, program: Program, node: Node) -> str | None:
        """Say why ``node``, of a supported kind, cannot run here: what it needs and what the limit is."""
        return None

    def availability(self) -> Availability:
        """Say whether the tools behind this backend are installed."""
        return Availability(True, "always there")

    def refusals(self, program: Program) -> dict[str, str]:
        """Return the reason under the name of each node that this backend cannot run."""
        reasons: dict[str, str] = {}
        for node in program.order:
            if not isinstance(node, self.supports):
                known = ", ".join(sorted(kind.kind for kind in self.supports))
                reasons[node.name] = f"kind {node.kind} is not supported ({self.name} runs {known})"
            elif reason := self.refusal(program, node):
                reasons[node.name] = reason
        return reasons

    def compile(self, program: Program) -> Executable:
        """Check every node, then build.

        Raises:
            RefusedError: Some node cannot run here; all of them are named.
            BackendError: The tool behind the backend is missing or failed.
        """
        reasons = self.refusals(program)
        if reasons:
            listed = "; ".join(f"node '{name}': {reason}" for name, reason in reasons.items())
            raise RefusedError(f"backend '{self.name}' refuses the program: {listed}")
        return self.build(program)
