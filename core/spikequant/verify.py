"""Compare two traces with ``==`` and find the first difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.errors import UsageError
from spikequant.trace import Trace, check_array


@dataclass(frozen=True)
class Difference:
    """Where two traces first part.

    ``what`` is ``spike``, ``potential``, the name of a further state variable, or ``output``; ``element`` is
    the index within the node's shape.
    """

    node: str
    what: str
    timestep: int
    sample: int
    element: tuple[int, ...]
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"node '{self.node}', timestep {self.timestep}, sample {self.sample}, element {self.element}:"
            f" {self.what} expected {self.expected}, got {self.got}"
        )


@dataclass(frozen=True)
class Verdict:
    """Outcome of a comparison: how much was compared, how much differs, and the first difference."""

    spikes: int
    states: int
    outputs: int
    differences: int
    first: Difference | None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.differences == 0

    def __str__(self) -> str:
        compared = f"{self.spikes:,} spikes, {self.states:,} states and {self.outputs:,} outputs compared"
        if self.identical:
            return f"identical ({compared})"
        return f"{self.differences:,} differences ({compared}); first: {self.first}"


def compare(expected: Trace, got: Trace, order: Sequence[str] = ()) -> Verdict:
    """Compare every spike, stored state and output.

    Args:
        expected: The oracle's trace.
        got: The trace under test.
        order: Node names in topological order; decides which of several differences at the same
            timestep is called first. Default: the order of ``expected``.

    Returns:
        The verdict; the first difference has the lowest timestep, then node, sample and element.

    Raises:
        UsageError: The traces do not hold the same nodes and shapes, or hold something else than integers
            of shape ``(timesteps, batch, ...)``, or hold nothing; so they cannot be compared.
    """
    first: Difference | None = None
    names = [*order, *expected.spikes, *(_split(name)[0] for name in expected.potentials), *expected.outputs]
    rank = {name: i for i, name in enumerate(names[::-1])}
    totals = {"spike": 0, "potential": 0, "output": 0}
    differences = 0
    for what, name, a, b in _pairs(expected, got):
        totals[what] += a.size
        unequal = _unequal(a, b)
        count = int(np.count_nonzero(unequal))
        if not count:
            continue
        differences += count
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(unequal)), a.shape))
        node, variable = _split(name) if what == "potential" else (name, what)
        here = Difference(node, variable, index[0], index[1], index[2:], int(a[index]), int(b[index]))
        if first is None or (here.timestep, -rank[node]) < (first.timestep, -rank[first.node]):
            first = here
    if not any(totals.values()):
        raise UsageError("the traces hold no spike, potential or output, so nothing was compared; record a run")
    return Verdict(totals["spike"], totals["potential"], totals["output"], differences, first)


def _split(name: str) -> tuple[str, str]:
    """Return node and state variable of what a trace holds as ``NAME`` or ``NAME.VARIABLE``."""
    node, _, variable = name.partition(".")
    return node, variable or "potential"


def _pairs(expected: Trace, got: Trace) -> Iterator[tuple[str, str, NDArray[Any], NDArray[Any]]]:
    for what, field in (("spike", "spikes"), ("potential", "potentials"), ("output", "outputs")):
        left, right = getattr(expected, field), getattr(got, field)
        if set(left) != set(right):
            raise UsageError(
                f"the traces hold different nodes in '{field}': {sorted(left)} and {sorted(right)};"
                " compare traces of the same model"
            )
        for name in left:
            a, b = np.asarray(left[name]), np.asarray(right[name])
            if a.shape != b.shape:
                raise UsageError(
                    f"node '{name}': {field} have shapes {a.shape} and {b.shape}; run both on the same samples"
                )
            for array in (a, b):
                check_array(name, field, array)
            yield what, name, a, b


def _unequal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Compare integers of any two types by value: equal in 64 bits, and of the same sign."""
    differ: NDArray[np.bool_] = (a.astype(np.int64) != b.astype(np.int64)) | ((a < 0) != (b < 0))
    return differ
