"""Random programs and inputs for test suites: from a seed, or as a hypothesis strategy.

They cover every node kind and every rule of the integer semantics, at sizes small enough to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spikequant.backend import Backend
from spikequant.errors import UsageError
from spikequant.program import Input, IntArray, Program
from spikequant.testing.choices import SeededChoices
from spikequant.testing.growth import Growth
from spikequant.testing.limits import Limits

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

T = TypeVar("T")
Accept = Backend | Callable[[Program], bool] | None


def random_program(seed: int, base: Limits | None = None, **limits: Any) -> Program:
    """Return the program of ``seed``; the same on every machine.

    Args:
        seed: Any non-negative integer.
        base: Limits to start from; default: the whole semantics.
        limits: Fields of :class:`spikequant.testing.limits.Limits` to set.

    >>> random_program(3, recurrent=False).recurrent
    False
    """
    return Growth(SeededChoices(seed), replace(base or Limits(), **limits)).program()


def accepted_programs(accept: Accept, count: int, *bases: Limits, tries: int = 2000) -> list[tuple[int, Program]]:
    """Return the first ``count`` seeds whose programs are accepted, with their programs.

    Args:
        accept: A backend whose refusals must be empty, or a predicate; ``None`` accepts all.
        count: How many.
        bases: Limits to take in turn; default: the whole semantics.
        tries: Seeds to try before giving up.

    Raises:
        UsageError: Fewer were accepted.
    """
    found: list[tuple[int, Program]] = []
    turns = bases or (Limits(),)
    for seed in range(tries):
        program = random_program(seed, turns[seed % len(turns)])
        if accepts(accept, program):
            found.append((seed, program))
        if len(found) == count:
            return found
    raise UsageError(f"{len(found)} of {tries} random programs were accepted, and {count} are needed; widen the limits")


def accepts(accept: Accept, program: Program) -> bool:
    """Return whether a backend refuses no node of ``program``, or a predicate holds."""
    if accept is None:
        return True
    return not accept.refusals(program) if isinstance(accept, Backend) else accept(program)


def programs(accept: Accept = None, **limits: Any) -> SearchStrategy[Program]:
    """Return a hypothesis strategy of programs.

    Args:
        accept: As for :func:`accepted_programs`.
        limits: As for :func:`random_program`.
    """
    from hypothesis import strategies as st

    @st.composite
    def grown(draw: DrawFn) -> Program:
        return Growth(_Drawn(draw), Limits(**limits)).program()

    return grown().filter(lambda program: accepts(accept, program)) if accept is not None else grown()


class _Drawn:
    """Choices drawn by hypothesis; only arrays come from a seeded generator."""

    def __init__(self, draw: DrawFn) -> None:
        from hypothesis import strategies as st

        self._draw, self._st = draw, st
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def number(self, low: int, high: int) -> int:
        return self._draw(self._st.integers(low, high))

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(self._st.sampled_from(options))


def random_inputs(program: Program, batch: int, seed: int) -> dict[str, IntArray]:
    """Return inputs for every input node, as :func:`spikequant.oracle.run_oracle` takes them.

    Each sample has its own density; about one in eight holds only extreme values.

    >>> program = random_program(0, inputs=1, codings=("direct",))
    >>> random_inputs(program, 2, seed=0)[program.input.name].shape == (2, *program.input.shape)
    True
    """
    rng = np.random.default_rng(seed)
    return {node.name: _input_array(node, program.timesteps, batch, rng) for node in program.inputs}


def _input_array(node: Input, timesteps: int, batch: int, rng: np.random.Generator) -> IntArray:
    lead = (batch,) if node.coding == "direct" else (timesteps, batch)
    shape, per_sample = (*lead, *node.shape), (batch,) + (1,) * len(node.shape)
    low, high = node.limits
    values = rng.integers(low, high + 1, shape)
    extreme = rng.choice(np.array([low, high]), shape)
    values = np.where(rng.random(per_sample) < 1 / 8, extreme, values)
    return np.where(rng.random(shape) < rng.random(per_sample) + 0.1, values, 0)
