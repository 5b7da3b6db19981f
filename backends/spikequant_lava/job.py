"""Translate a program into a job for the runner: a description in JSON and its arrays, in Lava's layout."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.program import Conv2d, Flatten, Input, IntArray, Lif, Node, Program, Weighted
from spikequant.program.arithmetic import per_neuron
from spikequant_lava.layout import Layout
from spikequant_lava.placement import Placement, placed

Arrays = dict[str, NDArray[Any]]
Fields = dict[str, Any]


class Plan:
    """All of a job that does not depend on the inputs.

    Attributes:
        program: What is run.
        layouts: Layout of every node's output.
        placements: The process chosen for each weighted node.
        delays: Steps by which each node's output lags behind the program: one per dense or conv2d on its way.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layouts: dict[str, Layout] = {}
        self.delays: dict[str, int] = {}
        self.placements: dict[str, Placement] = {
            node.name: placed(program, node) for node in program.nodes if isinstance(node, Weighted)
        }
        self._carriers: dict[str, str] = {}  # whose process puts a node's value out: flatten has none
        self._nodes: list[Fields] = []
        self._arrays: Arrays = {}
        for node in program.order:
            self._add(node)

    @property
    def steps_after(self) -> int:
        """Steps that Lava runs after the last input, until the deepest node has seen it."""
        return max(self.delays.values())

    def job(self, inputs: Mapping[str, IntArray]) -> Arrays:
        """Return the arrays of the job file.

        Args:
            inputs: int64 ``(timesteps, batch, *shape)`` per input node, as ``input_values`` returns them.
        """
        arrays = dict(self._arrays)
        samples = next(iter(inputs.values())).shape[1]
        for node in self.program.inputs:
            frames = inputs[node.name][0] if node.coding == "direct" else _sample_major(inputs[node.name])
            arrays[f"{node.name}/frames"] = self.layouts[node.name].to_lava(frames)
        description = {"timesteps": self.program.timesteps, "samples": samples, "nodes": self._nodes}
        arrays["description"] = np.array(json.dumps(description))
        return arrays

    def _add(self, node: Node) -> None:
        if isinstance(node, Input):
            self._place(node, Layout.of(node.shape), delay=0)
            self._describe(node, process="source", repeat=self.program.timesteps if node.coding == "direct" else 1)
            return
        source = self.program.source_of(node.name).name
        before, delay = self.layouts[source], self.delays[source]
        if isinstance(node, Flatten):
            self._place(node, before.flattened(), delay)
            self._carriers[node.name] = self._carriers[source]
        elif isinstance(node, Weighted):
            self._place(node, Layout.of(self.program.shapes[node.name]), delay + 1)
            self._add_weighted(node, before, source=self._carriers[source])
        else:
            self._place(node, before, delay)
            self._add_neuron(node, source)

    def _place(self, node: Node, layout: Layout, delay: int) -> None:
        self.layouts[node.name], self.delays[node.name] = layout, delay
        self._carriers[node.name] = node.name

    def _add_weighted(self, node: Weighted, before: Layout, source: str) -> None:
        if isinstance(node, Conv2d):
            window = {key: list(getattr(node, key)[::-1]) for key in ("stride", "padding", "dilation")}
            codes = node.codes.transpose(3, 2, 0, 1)
            extra: Fields = {"window": window, "groups": node.groups, "input_shape": list(before.lava_shape)}
        else:
            codes, extra = node.codes[:, before.order], {}
        placement = self.placements[node.name]
        bias = node.bias if node.bias is not None and placement.own_bias else np.zeros(node.out_channels, np.int64)
        self._arrays.update({f"{node.name}/weights": codes, f"{node.name}/bias": bias})
        self._describe(
            node, process=placement.process, source=source, graded=placement.graded, dtype=placement.dtype, **extra
        )

    def _add_neuron(self, node: Node, source: str) -> None:
        carrier = self._carriers[source]
        if isinstance(node, Lif):
            self._neuron(node, "theta", node.theta)
            self._neuron(node, "bias", self._bias(source, node.bias))
            rules: Fields = {key: getattr(node, key) for key in ("order", "u_bits", "overflow")}
            rules.update(leak=dataclasses.asdict(node.leak), reset=dataclasses.asdict(node.reset))
            self._describe(node, process="lif", source=carrier, rules=rules)
        else:
            self._neuron(node, "bias", self._bias(source, None))
            self._describe(node, process="readout", source=carrier)

    def _describe(self, node: Node, **fields: Any) -> None:
        shape = list(self.layouts[node.name].lava_shape)
        self._nodes.append({"name": node.name, "shape": shape, "delay": self.delays[node.name], **fields})

    def _bias(self, source: str, own: IntArray | None) -> IntArray:
        """The constant that a neuron adds: its own and that of the weighted node before it."""
        total = np.zeros((1, *self.program.shapes[source]), np.int64)
        if own is not None:
            total = total + per_neuron(own, total.ndim)
        before = self.program.by_name[source]
        if isinstance(before, Weighted) and before.bias is not None and not self.placements[source].own_bias:
            total = total + per_neuron(before.bias, total.ndim)
        result: IntArray = total[0]
        return result

    def _neuron(self, node: Node, key: str, value: IntArray) -> None:
        """Store a constant once per neuron."""
        shape = self.program.shapes[node.name]
        full = np.broadcast_to(per_neuron(value, len(shape) + 1), (1, *shape))
        self._arrays[f"{node.name}/{key}"] = self.layouts[node.name].to_lava(full)[0]


def _sample_major(values: IntArray) -> IntArray:
    """Turn ``(timesteps, batch, *shape)`` into rows ``(batch * timesteps, *shape)``, one sample after the other."""
    rows: IntArray = values.swapaxes(0, 1).reshape(-1, *values.shape[2:])
    return rows
