"""The contract of a spiking node as checks: what executors rely on when they call ``initial`` and ``advance``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikequant.program import IntArray, Program, SpikingNode, State
from spikequant.testing.kit import Contract

STEPS = 7
BATCH = 5
Step = tuple[IntArray, State, IntArray]


def check_starts(program: Program) -> None:
    """The state starts with one integer array ``(batch, *shape)`` for each variable, within its limits."""
    for node, _ in driven(program):
        start = node.initial(BATCH, program.shapes[node.name])
        _assert_state(node, start, (BATCH, *program.shapes[node.name]), "initial()")


def check_advances(program: Program) -> None:
    """Spikes lie in their limits, overflow is 0 or 1, the state stays in its limits, all of the input's shape.

    A graded node puts out its new potential in place of spikes.
    """
    for node, x in driven(program):
        for t, (spikes, state, overflowed) in enumerate(steps(node, x)):
            where = f"advance() at timestep {t}"
            _assert_state(node, state, x.shape[1:], where)
            for what, values in (("spikes", spikes), ("overflow", overflowed)):
                fits = values.shape == x.shape[1:] and values.dtype.kind in "iub"
                found = f"{values.dtype} of shape {values.shape}"
                assert fits, f"{_label(node)}: {where} gives {what} as {found}; it takes integers like its input"
                if node.graded and what == "spikes":
                    stored = np.array_equal(values, state[0])
                    assert stored, f"{_label(node)}: {where} puts out something else than its potential; it is graded"
                    continue
                low, high = node.emitted_limits if what == "spikes" else (0, 1)
                inside = low <= int(values.min()) and int(values.max()) <= high
                needed = "0 or 1" if (low, high) == (0, 1) else f"{low} to {high}"
                assert inside, f"{_label(node)}: {where} gives {what} {values.min()}..{values.max()}; it takes {needed}"


def check_arguments_unchanged(program: Program) -> None:
    """A step writes neither to its input nor to the state it was given."""
    for node, x in driven(program):
        state = node.initial(BATCH, x.shape[2:])
        for t, given in enumerate(x):
            kept = [np.array(values) for values in (given, *state)]
            _, after, _ = node.advance(given, state, t)
            for name, before, values in zip(("x", *node.variables), kept, (given, *state), strict=True):
                same = np.array_equal(before, values)
                assert same, f"{_label(node)}: advance() at timestep {t} writes to its argument {name}"
            state = after


def check_repeats(program: Program) -> None:
    """The same input gives the same spikes and states again: nothing is kept in the node."""
    for node, x in driven(program):
        _assert_equal(node, steps(node, x), steps(node, x), "differ in a second run")


def check_batch_split(program: Program) -> None:
    """A batch in two parts gives what it gives at once."""
    for node, x in driven(program):
        parts = zip(steps(node, x[:, :2]), steps(node, x[:, 2:]), strict=True)
        _assert_equal(node, steps(node, x), [_joined(*pair) for pair in parts], "depend on the batch's split")


def driven(program: Program) -> Iterator[tuple[SpikingNode, IntArray]]:
    """Return each spiking node with inputs ``(timesteps, batch, *shape)`` from the whole range of its source."""
    for node in program.spiking:
        rng, (edge,) = np.random.default_rng(1), program.inputs_of(node.name)
        low, high = program.ranges[edge.source]
        size = (STEPS, BATCH, *program.shapes[node.name])
        near = rng.integers(max(low, -100), min(high, 100) + 1, size) if low <= 100 and high >= -100 else low
        values = np.where(rng.random(size) < 0.5, near, rng.integers(low, high + 1, size))
        yield node, np.where(rng.random(size) < 0.1, rng.choice(np.array([low, high]), size), values)


def steps(node: SpikingNode, x: IntArray) -> list[Step]:
    """Advance ``node`` over ``x`` and return copies of what each timestep gave."""
    state, found = node.initial(x.shape[1], x.shape[2:]), []
    for t, given in enumerate(x):
        spikes, state, overflowed = node.advance(given.copy(), tuple(values.copy() for values in state), t)
        found.append((np.array(spikes), tuple(np.array(values) for values in state), np.array(overflowed)))
    return found


def _label(node: SpikingNode) -> str:
    return f"node '{node.name}' ({node.kind})"


def _assert_state(node: SpikingNode, state: State, shape: tuple[int, ...], where: str) -> None:
    names = node.variables
    counted = isinstance(state, tuple) and len(state) == len(names)
    assert counted, f"{_label(node)}: {where} must give a tuple of {len(names)} arrays: {', '.join(names)}"
    for name, values, (low, high) in zip(names, state, node.state_limits, strict=True):
        fits = values.dtype == np.int64 and values.shape == shape
        found = f"{values.dtype} of shape {values.shape}"
        assert fits, f"{_label(node)}: {where} gives {name} as {found}; it must be int64 of shape {shape}"
        inside = low <= int(values.min()) and int(values.max()) <= high
        reach = f"{values.min()}..{values.max()}"
        assert inside, f"{_label(node)}: {where} gives {name} {reach}; state_limits says {low}..{high}"


def _joined(a: Step, b: Step) -> Step:
    state = tuple(np.concatenate(pair) for pair in zip(a[1], b[1], strict=True))
    return np.concatenate([a[0], b[0]]), state, np.concatenate([a[2], b[2]])


def _assert_equal(node: SpikingNode, expected: list[Step], got: list[Step], what: str) -> None:
    for t, (a, b) in enumerate(zip(expected, got, strict=True)):
        names = ("spikes", *node.variables, "overflow")
        for name, left, right in zip(names, (a[0], *a[1], a[2]), (b[0], *b[1], b[2]), strict=True):
            same = np.array_equal(left, right)
            assert same, f"{_label(node)}, timestep {t}: {name} {what}"


node_checks: Contract[Program] = Contract(
    "program", (check_starts, check_advances, check_arguments_unchanged, check_repeats, check_batch_split)
)
"""Checks of every spiking node of a program, which gives each its shape and the range of its input."""
