"""Turn the runner's result into a trace with counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.counting import readout_counts, spiking_counts, weighted_counts
from spikequant.counts import Counts, NodeCounts
from spikequant.oracle import value_of
from spikequant.program import IntArray, Lateral, Program, Readout, SpikingNode, Weighted
from spikequant.trace import Trace
from spikequant_lava.job import Plan

Arrays = dict[str, NDArray[Any]]


def read_result(path: Path) -> Arrays:
    """Load the result file."""
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def trace_of(plan: Plan, inputs: Mapping[str, IntArray], result: Arrays, *, record: bool) -> Trace:
    """Return the trace of a run.

    Args:
        plan: What the job was made from.
        inputs: int64 ``(timesteps, batch, *shape)`` per input node.
        result: The runner's arrays, rows ordered by sample, then timestep.
        record: Whether the trace holds spikes and potentials.
    """
    program = plan.program
    spikes = {n.name: _shaped(plan, n.name, result[f"{n.name}/spikes"]) for n in program.spiking if not n.graded}
    graded = {n.name: _state(plan, n, n.variables[0], result) for n in program.spiking if n.graded}
    outputs = {n.name: _shaped(plan, n.name, result[f"{n.name}/output"]) for n in program.readouts}
    counts = _counts(plan, Values(program, {**inputs, **spikes, **graded, **outputs}), result)
    if not record:
        return Trace(outputs=outputs, counts=counts)
    potentials = {
        name: graded[name] if name in graded else _state(plan, node, variable, result)
        for node in program.spiking
        for name, variable in zip(node.state_names, node.variables, strict=True)
    }
    return Trace(spikes, potentials, outputs, counts)


class Values:
    """Values of all nodes, those without state computed from what was recorded.

    Args:
        program: The program.
        known: ``(timesteps, batch, *shape)`` of every input, spiking and readout node.
    """

    def __init__(self, program: Program, known: Mapping[str, NDArray[Any]]) -> None:
        self._program = program
        self._known = dict(known)

    def of(self, name: str) -> NDArray[Any]:
        """Return ``(timesteps, batch, *shape)`` of a node."""
        if name not in self._known:
            x = self.into(name)
            value = value_of(self._program.by_name[name], [_merged(array) for array in x])
            self._known[name] = value.reshape(*x[0].shape[:2], *value.shape[1:])
        return self._known[name]

    def into(self, name: str) -> list[IntArray]:
        """Return what arrives at a node, one array for each edge; a delayed one brings zero first."""
        found = []
        for edge in self._program.inputs_of(name):
            value = self.of(edge.source).astype(np.int64)
            if edge.delayed:
                value = np.concatenate([np.zeros_like(value[:1]), value[:-1]])
            found.append(value)
        return found


def _merged(values: IntArray) -> IntArray:
    """Join timesteps and batch into one axis."""
    merged: IntArray = values.reshape(-1, *values.shape[2:])
    return merged


def _state(plan: Plan, node: SpikingNode, variable: str, result: Arrays) -> NDArray[Any]:
    """A state variable of a node, ``(timesteps, batch, *shape)``."""
    return _shaped(plan, node.name, result[f"{node.name}/state_{variable}"])


def _shaped(plan: Plan, name: str, rows: NDArray[Any]) -> NDArray[Any]:
    """Turn rows in Lava's layout into ``(timesteps, batch, *shape)``."""
    timesteps = plan.program.timesteps
    values = plan.layouts[name].from_lava(rows)
    return np.ascontiguousarray(values.reshape(-1, timesteps, *values.shape[1:]).swapaxes(0, 1))


def _counts(plan: Plan, values: Values, result: Arrays) -> Counts:
    program = plan.program
    nodes: dict[str, NodeCounts] = {}
    for node in program.order:
        if isinstance(node, (Weighted, Lateral)):
            (x,) = values.into(node.name)
            nodes[node.name] = weighted_counts(program, node, _merged(x))
        elif isinstance(node, SpikingNode):
            fired, acted = values.of(node.name), int(np.maximum(result[f"{node.name}/saturations"], 0).sum())
            nodes[node.name] = spiking_counts(program, node, fired.size, int(np.count_nonzero(fired)), acted)
        elif isinstance(node, Readout):
            nodes[node.name] = readout_counts(program, node, values.of(node.name).size)
    return Counts("lava", values.of(program.inputs[0].name).shape[1], nodes, notes=_notes(plan, result))


def _notes(plan: Plan, result: Arrays) -> tuple[str, ...]:
    """Say which process carried each node, what ran, and what was not counted."""
    versions = json.loads(str(result["report"]))["versions"]
    ran = ", ".join(f"{name} {version}" for name, version in versions.items())
    carried = [f"{name}: {plan.carried_by(name)}" for name in plan.placements]
    if plan.fused:
        carried.insert(0, f"{plan.cells} nodes and relays share {plan.processes} processes of Lava")
    silent = [
        f"{node.name}: saturations are not counted, since its implementation does not say where overflow acts"
        for node in plan.program.spiking
        if result[f"{node.name}/saturations"].min() < 0
    ]
    return (f"run by {ran}", *carried, *silent)
