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
from spikequant.program import IntArray, Lif, Program, Readout, Weighted
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
    spikes = {n.name: _shaped(plan, n.name, result[f"{n.name}/spikes"]) for n in program.spiking}
    outputs = {n.name: _shaped(plan, n.name, result[f"{n.name}/output"]) for n in program.readouts}
    saturations = {n.name: int(result[f"{n.name}/saturations"].sum()) for n in program.spiking}
    counts = _counts(plan, {**inputs, **spikes, **outputs}, saturations, result)
    if not record:
        return Trace(outputs=outputs, counts=counts)
    potentials = {n.name: _shaped(plan, n.name, result[f"{n.name}/potential"]) for n in program.spiking}
    return Trace(spikes, potentials, outputs, counts)


def _shaped(plan: Plan, name: str, rows: NDArray[Any]) -> NDArray[Any]:
    """Turn rows in Lava's layout into ``(timesteps, batch, *shape)``."""
    timesteps = plan.program.timesteps
    values = plan.layouts[name].from_lava(rows)
    return np.ascontiguousarray(values.reshape(-1, timesteps, *values.shape[1:]).swapaxes(0, 1))


def _counts(plan: Plan, values: Mapping[str, Any], saturations: Mapping[str, int], result: Arrays) -> Counts:
    program = plan.program
    samples = next(iter(values.values())).shape[1]
    nodes: dict[str, NodeCounts] = {}
    for node in program.order:
        if isinstance(node, Weighted):
            nodes[node.name] = weighted_counts(
                program, node, _merged(program, program.source_of(node.name).name, values)
            )
        elif isinstance(node, Lif):
            fired = values[node.name]
            nodes[node.name] = spiking_counts(
                program, node, fired.size, int(np.count_nonzero(fired)), saturations[node.name]
            )
        elif isinstance(node, Readout):
            nodes[node.name] = readout_counts(program, node, values[node.name].size)
    return Counts("lava", samples, nodes, notes=_notes(plan, result))


def _merged(program: Program, name: str, values: Mapping[str, Any]) -> IntArray:
    """Values of node ``name`` as ``(timesteps * batch, *shape)``; a node without state is computed from its source."""
    if name in values:
        known = np.asarray(values[name])
        return known.reshape(-1, *known.shape[2:]).astype(np.int64)
    return value_of(program.by_name[name], [_merged(program, program.source_of(name).name, values)])


def _notes(plan: Plan, result: Arrays) -> tuple[str, ...]:
    """Say which process carried each node and what ran."""
    versions = json.loads(str(result["report"]))["versions"]
    ran = ", ".join(f"{name} {version}" for name, version in versions.items())
    carried = tuple(f"{name}: {placement}" for name, placement in plan.placements.items())
    return (f"run by {ran}", *carried)
