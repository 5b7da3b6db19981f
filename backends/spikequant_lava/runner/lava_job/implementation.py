"""A plugin's implementation of its neuron kind: loaded from a private file by path, and distrusted."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path
from typing import Any

import numpy as np

OVERFLOWED = "overflowed"
"""What a step may report beside its variables: where overflow changed what is stored."""


class ImplementationError(Exception):
    """An implementation failed or broke its contract; the text names the node, its kind and the file."""


class Implementation:
    """One node's neurons.

    Args:
        node: The node's description: ``name``, ``kind``, ``path``, ``text``, ``variables``, ``program_shape``,
            ``graded`` (whether it emits the first variable as stored) and ``emitted_limits``.
        fields: What the kind's mapping says of the node.
        folder: Where the text becomes a file.
    """

    def __init__(self, node: dict[str, Any], fields: dict[str, Any], folder: Path) -> None:
        self._who = f"node '{node['name']}' (kind {node['kind']}): the implementation {node['path']}"
        self._variables: list[str] = node["variables"]
        self.shape: tuple[int, ...] = tuple(node["program_shape"])
        self._graded: bool = node["graded"]
        self._limits: list[int] = node["emitted_limits"]
        self._counts = OVERFLOWED not in self._variables
        self._path = folder / f"{node['name']}.py"
        self._neurons = self._made(node, fields)

    def reset(self) -> None:
        """Begin a sample.

        Raises:
            ImplementationError: It fails.
        """
        try:
            self._neurons.reset()
        except (Exception, SystemExit) as error:
            raise self._failed("reset()", error) from error

    def advance(self, x: Any, t: int) -> tuple[Any, dict[str, Any], int]:
        """Advance one timestep.

        Args:
            x: int64 of the node's shape.
            t: The timestep, from 0.

        Returns:
            Spikes (of a graded node the potential), the state variables, and in how many neurons overflow
            acted, -1 if it does not say.

        Raises:
            ImplementationError: It fails, or returns something else.
        """
        where = f"step() at timestep {t}"
        try:
            returned = self._neurons.step(x, t)
        except (Exception, SystemExit) as error:
            raise self._failed(where, error) from error
        if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], dict)):
            raise self._broken(where, f"returned {_brief(returned)}; it must return (spikes, dict of state arrays)")
        emitted = self._integers(where, "values" if self._graded else "spikes", returned[0], *self._limits)
        state = dict(returned[1])
        overflowed = state.pop(OVERFLOWED, None) if self._counts else None
        if set(state) != set(self._variables):
            listed = ", ".join(map(str, state)) or "nothing"
            raise self._broken(where, f"returned the state {listed}; it must be {', '.join(self._variables)}")
        limits = np.iinfo(np.int32)
        state = {name: self._integers(where, name, value, limits.min, limits.max) for name, value in state.items()}
        if self._graded and (emitted != state[self._variables[0]]).any():
            stored = self._variables[0]
            raise self._broken(where, f"returned values other than {stored}; a graded node emits what it stores")
        acted = -1 if overflowed is None else self._integers(where, OVERFLOWED, overflowed, 0, 1).sum()
        return emitted, state, int(acted)

    def _made(self, node: dict[str, Any], fields: dict[str, Any]) -> Any:
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(node["text"], encoding="utf-8")
        spec: Any = importlib.util.spec_from_file_location(f"implementation_of_{node['name']}", self._path)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise self._failed("loading it", error) from error
        if not callable(getattr(module, "Neurons", None)):
            raise ImplementationError(f"{self._who} defines no class Neurons(fields, shape)")
        try:
            return module.Neurons(fields, self.shape)
        except (Exception, SystemExit) as error:
            raise self._failed("Neurons(fields, shape)", error) from error

    def _integers(self, where: str, name: str, value: Any, low: int, high: int) -> Any:
        array = np.asarray(value)
        if array.dtype.kind not in "biu" or array.shape != self.shape:
            got = f"{array.dtype} of shape {array.shape}"
            raise self._broken(where, f"returned {name} as {got}; it must be integers of shape {self.shape}")
        if array.size and (array.min() < low or array.max() > high):
            raise self._broken(where, f"returned {name} of {array.min()}..{array.max()}; it must be {low}..{high}")
        return array.astype(np.int64)

    def _failed(self, where: str, error: BaseException) -> ImplementationError:
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self._path)]
        place = f" (line {lines[-1].lineno}: {lines[-1].line})" if lines else ""
        return self._broken(where, f"raised {type(error).__name__}: {error}{place}")

    def _broken(self, where: str, what: str) -> ImplementationError:
        return ImplementationError(" ".join(f"{self._who}: {where} {what}".split()))


def _brief(value: Any) -> str:
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, tuple) else "")
