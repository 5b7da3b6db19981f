"""A ``.nir`` file of another tool as an imported model: run as it is, or made the model of a run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikequant import InputCoding
from spikequant.errors import UsageError
from spikequant.float_trace import FloatTrace, joined_floats
from spikequant.importer import Finding, ImportedModel
from spikequant_cuba import CubaNeuron
from spikequant_nir.dynamics import CUBA_KINDS, GRADED_KINDS
from spikequant_nir.engine_float import float_runner
from spikequant_nir.engine_watch import Keeper
from spikequant_nir.graph import Graph
from spikequant_nir.learner import Frozen
from spikequant_nir.model import MOST_VALUES, NirModel
from spikequant_nir.rules import Rules

NETWORK = "nir"


class NirImported(ImportedModel):
    """A network in floats, from a ``.nir`` file.

    Args:
        graph: The network, with its values.
        rules: Of its simulation.
        findings: What was assumed, is ambiguous or was repaired.
        source: Name of the file.
        sha256: Of the file.
    """

    def __init__(
        self, graph: Graph, rules: Rules, findings: Sequence[Finding] = (), *, source: str = "", sha256: str = ""
    ) -> None:
        self.graph, self.rules, self.findings = graph, rules, tuple(findings)
        self.input_shapes = {node.name: node.shape for node in graph.inputs}
        self.output_shapes = {node.name: node.shape for node in graph.outputs}
        self.dt = rules.dt
        self.network = NETWORK
        record = {"source": source, "sha256": sha256}
        self.network_options = {
            "graph": graph.to_text(),
            **rules.options(),
            **{name: value for name, value in record.items() if value},
        }
        self.neuron, self.neuron_options = CubaNeuron.name, {}
        self.quantizer, self.quantizer_options = "qif", {"format": "Q1.6"}
        self.learner = Frozen.name
        coding = InputCoding(graph.inputs[0].shape, 8, 1)
        self.parameters = NirModel(graph, rules, CubaNeuron(), coding, 1).state_dict()

    @torch.no_grad()
    def run(self, inputs: Mapping[str, NDArray[Any]], *, record: bool = True) -> FloatTrace:
        """Run in floats; see :meth:`spikequant.importer.ImportedModel.run`."""
        given = self._checked(inputs)
        steps, samples = next(iter(given.values())).shape[:2]
        arrays = {
            node.name: {k: torch.from_numpy(np.array(a)) for k, a in node.arrays.items()} for node in self.graph.nodes
        }
        runner = float_runner(self.graph, self.rules, arrays)
        graded, cuba = (
            frozenset(node.name for node in self.graph.nodes if node.kind in kinds)
            for kinds in (GRADED_KINDS, CUBA_KINDS)
        )
        size = max(1, MOST_VALUES // (steps * max(math.prod(node.shape) for node in self.graph.nodes)))
        traces = []
        for start in range(0, samples, size):
            keeper = Keeper({node.name: node.name for node in self.graph.nodes}, graded, cuba)
            part = {name: torch.from_numpy(value[:, start : start + size].copy()) for name, value in given.items()}
            outputs = runner.run(part, steps, keeper if record else None)
            traces.append(
                FloatTrace(
                    {name: torch.stack(parts).to(torch.uint8).numpy() for name, parts in keeper.spikes.items()},
                    {name: torch.stack(parts).numpy() for name, parts in keeper.states.items()},
                    {name: value.float().numpy() for name, value in outputs.items()},
                )
            )
        return joined_floats(traces)

    def _checked(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return the inputs in the network's shapes."""
        known = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
        for name in (*inputs, *self.input_shapes):
            if name not in inputs or name not in self.input_shapes:
                state = "unknown" if name not in self.input_shapes else "missing"
                raise UsageError(f"input '{name}' is {state}; the network takes: {known}")
        found: dict[str, NDArray[np.float32]] = {}
        for name, shape in self.input_shapes.items():
            value = np.asarray(inputs[name])
            if value.ndim < 2 or math.prod(value.shape[2:]) != math.prod(shape) or 0 in value.shape:
                raise UsageError(
                    f"input '{name}' has the shape {value.shape}; it must be (timesteps, samples,"
                    f" {', '.join(map(str, shape))})"
                )
            found[name] = value.astype(np.float32).reshape(*value.shape[:2], *shape)
        if len({value.shape[:2] for value in found.values()}) > 1:
            shapes = ", ".join(f"{name} {value.shape[:2]}" for name, value in found.items())
            raise UsageError(f"inputs differ in timesteps or samples: {shapes}; give all the same")
        return found
