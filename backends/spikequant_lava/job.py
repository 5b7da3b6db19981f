"""Translate a program into a job for the runner: a description in JSON and its arrays, in Lava's layout."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.program import (
    Conv2d,
    Input,
    IntArray,
    Lateral,
    Lif,
    Node,
    Pool,
    PoolOr,
    Program,
    Readout,
    SpikingNode,
    Weighted,
)
from spikequant.program.arithmetic import per_neuron
from spikequant_lava.implementations import Kinds, implementation_of
from spikequant_lava.parts import parts_of
from spikequant_lava.placement import Placement, placed
from spikequant_lava.wiring import Relay, Wiring

Arrays = dict[str, NDArray[Any]]
Fields = dict[str, Any]

PROCESSES = 32
"""Processes that a program is given unless its user says otherwise; see docs/lava.md for what each costs."""


class Plan:
    """All of a job that does not depend on the inputs.

    Attributes:
        program: What is run.
        wiring: Which process feeds which, and when.
        layouts: Layout of every node's output.
        placements: The process chosen for each weighted node.
        parts: Names of the nodes and relays in each process.
    """

    def __init__(
        self, program: Program, kinds: Kinds | None = None, processes: int = PROCESSES, wiring: Wiring | None = None
    ) -> None:
        self.program = program
        self.wiring = wiring or Wiring(program)
        self.layouts = self.wiring.layouts
        self.placements: dict[str, Placement] = {
            node.name: placed(program, node, immediate=not self.wiring.steps[node.name])
            for node in program.order
            if isinstance(node, Weighted)
        }
        self._kinds: Kinds = kinds or {}
        self._processes: list[Fields] = []
        self._arrays: Arrays = {}
        for node in program.order:
            self._add(node)
        for relay in self.wiring.relays:
            self._add_relay(relay)
        self.parts = parts_of(self._processes, processes)

    @property
    def steps_after(self) -> int:
        """Steps that Lava runs after the last input, until the node that lags most has seen it."""
        return max(self.wiring.lags.values())

    @property
    def processes(self) -> int:
        """How many processes Lava runs for the program."""
        return len(self.parts)

    @property
    def cells(self) -> int:
        """How many nodes and relays those processes carry."""
        return len(self._processes)

    @property
    def fused(self) -> bool:
        """Whether some process carries several nodes, because there are more of them than processes."""
        return self.processes < self.cells

    def carried_by(self, name: str) -> str:
        """Say what carries a weighted node."""
        placement = self.placements[name]
        if placement.process.startswith("stock") and self.fused and [name] not in self.parts:
            return f"own {placement.process.replace('stock_', 'integer ')} (it shares its process)"
        return str(placement)

    def job(self, inputs: Mapping[str, IntArray], *, record: bool = True) -> Arrays:
        """Return the arrays of the job file.

        Args:
            inputs: int64 ``(timesteps, batch, *shape)`` per input node, as ``input_values`` returns them.
            record: Whether states are recorded that no count needs.
        """
        arrays = dict(self._arrays)
        samples = next(iter(inputs.values())).shape[1]
        for node in self.program.inputs:
            frames = inputs[node.name][0] if node.coding == "direct" else _sample_major(inputs[node.name])
            low, high = node.limits
            narrow = frames.astype(np.result_type(np.min_scalar_type(low), np.min_scalar_type(high)))
            arrays[f"{node.name}/frames"] = self.layouts[node.name].to_lava(narrow)
        description = {
            "timesteps": self.program.timesteps,
            "samples": samples,
            "steps_after": self.steps_after,
            "record": record,
            "processes": self._processes,
            "parts": self.parts,
        }
        arrays["description"] = np.array(json.dumps(description))
        return arrays

    def _add(self, node: Node) -> None:
        if isinstance(node, Input):
            self._describe(node, process="source", repeat=self.program.timesteps if node.coding == "direct" else 1)
        elif isinstance(node, Weighted):
            self._add_weighted(node)
        elif isinstance(node, Lateral):
            self._describe(node, process="lateral", code=node.code)
        elif isinstance(node, Pool):
            self._add_pool(node)
        elif isinstance(node, Readout):
            self._add_readout(node)
        elif type(node) is Lif:
            self._add_lif(node)
        elif isinstance(node, SpikingNode):
            self._add_plugin(node)

    def _add_weighted(self, node: Weighted) -> None:
        before = self.layouts[self.program.source_of(node.name).name]
        if isinstance(node, Conv2d):
            window = window_of(node, "stride", "padding", "dilation")
            codes = node.codes.transpose(3, 2, 0, 1)
            extra: Fields = {"window": window, "groups": node.groups}
        else:
            codes, extra = node.codes[:, before.order], {}
        placement = self.placements[node.name]
        bias = node.bias if node.bias is not None and placement.own_bias else np.zeros(node.out_channels, np.int64)
        self._arrays.update({f"{node.name}/weights": codes, f"{node.name}/bias": bias})
        fields = {key: getattr(placement, key) for key in ("process", "graded", "dtype", "immediate")}
        self._describe(node, input_shape=list(before.lava_shape), **fields, **extra)

    def _add_pool(self, node: Pool) -> None:
        before = self.layouts[self.program.source_of(node.name).name]
        self._describe(
            node,
            process="pool",
            input_shape=list(before.lava_shape),
            window=window_of(node, "kernel", "stride", "padding"),
            join="max" if isinstance(node, PoolOr) else "sum",
        )

    def _add_readout(self, node: Readout) -> None:
        self._neuron(node, "bias", self._bias(node))
        self._describe(node, process="readout")

    def _add_lif(self, node: Lif) -> None:
        self._neuron(node, "theta", node.theta)
        self._neuron(node, "bias", self._bias(node, node.bias))
        rules: Fields = {key: getattr(node, key) for key in ("order", "u_bits", "overflow")}
        rules.update(leak=dataclasses.asdict(node.leak), reset=dataclasses.asdict(node.reset))
        self._describe(node, process="lif", rules=rules)

    def _add_plugin(self, node: SpikingNode) -> None:
        found = implementation_of(node, self._kinds)
        self._arrays.update({f"{node.name}/field/{key}": array for key, array in found.arrays.items()})
        self._arrays[f"{node.name}/order"] = self.layouts[node.name].order
        self._describe(
            node,
            process="plugin",
            kind=node.kind,
            path=found.path,
            text=found.text,
            scalars=found.scalars,
            arrays=list(found.arrays),
            variables=list(node.variables),
            graded=node.graded,
            emitted_limits=list(node.emitted_limits),
            program_shape=list(self.program.shapes[node.name]),
        )

    def _add_relay(self, relay: Relay) -> None:
        if relay.order is not None:
            self._arrays[f"{relay.name}/order"] = relay.order
        self._processes.append(
            {
                "name": relay.name,
                "process": "relay",
                "sources": list(relay.sources),
                "input_shape": list(self.layouts[relay.node].lava_shape),
                "shape": list(self.layouts[relay.laid_as].lava_shape),
                "lag": self.wiring.lags[relay.node],
                "depth": relay.depth,
                "masked": relay.masked,
                "ordered": relay.order is not None,
            }
        )

    def _describe(self, node: Node, **fields: Any) -> None:
        common = {
            "name": node.name,
            "sources": list(self.wiring.feeds[node.name]),
            "shape": list(self.layouts[node.name].lava_shape),
            "lag": self.wiring.lags[node.name],
        }
        self._processes.append({**common, **fields})

    def _bias(self, node: Node, own: IntArray | None = None) -> IntArray:
        """The constant that a neuron adds: its own and that of the weighted node before it."""
        source = self.program.source_of(node.name)
        total = np.zeros((1, *self.program.shapes[source.name]), np.int64)
        if own is not None:
            total = total + per_neuron(own, total.ndim)
        if isinstance(source, Weighted) and source.bias is not None and not self.placements[source.name].own_bias:
            total = total + per_neuron(source.bias, total.ndim)
        result: IntArray = total[0]
        return result

    def _neuron(self, node: Node, key: str, value: IntArray) -> None:
        """Store a constant once per neuron."""
        shape = self.program.shapes[node.name]
        full = np.broadcast_to(per_neuron(value, len(shape) + 1), (1, *shape))
        self._arrays[f"{node.name}/{key}"] = self.layouts[node.name].to_lava(full)[0]


def window_of(node: Conv2d | Pool, *keys: str) -> Fields:
    """Fields of a window, the horizontal number first, as Lava's images have it."""
    return {key: list(getattr(node, key)[::-1]) for key in keys}


def _sample_major(values: IntArray) -> IntArray:
    """Turn ``(timesteps, batch, *shape)`` into rows ``(batch * timesteps, *shape)``, one sample after the other."""
    rows: IntArray = values.swapaxes(0, 1).reshape(-1, *values.shape[2:])
    return rows
