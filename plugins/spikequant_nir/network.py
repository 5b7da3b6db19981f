"""The network ``nir``: one that was made elsewhere, its structure as text or in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

from spikequant import InputCoding, Network
from spikequant.errors import UsageError
from spikequant.model import NeuronFactory
from spikequant_cuba import CubaNeuron
from spikequant_nir.clips import CLIP_RULES, ClipRule
from spikequant_nir.graph import Graph
from spikequant_nir.importer import NirImporter
from spikequant_nir.model import NirModel
from spikequant_nir.rules import Rules


class NirNetwork(Network):
    """A network from a ``.nir`` file of another tool.

    Args:
        graph: Its structure, as ``spikequant import`` writes it; the values are the run's parameters.
        file: Instead: a ``.nir`` file whose values the model starts with.
        output: The output that decides the class; the first by default.
        clip: Where the clips of quantizers start that have one: ``quantizer`` (as that says), ``max`` (the largest
            weight of a layer) or ``mse`` (the least squared error).
        source: Name of the imported file, for the record.
        sha256: Of the imported file, likewise.
        dt: Seconds of one timestep; this and the following as in :class:`~spikequant_nir.rules.Rules`.
        reset: ``zero``, ``subtract`` or ``to-value``.
        reset_delay: 0 or 1.
        fire: ``>`` or ``>=``.
        most_spikes: Of one step.
        v_min: Least potential.
        current: ``new`` or ``old``.
        integrate: ``euler`` or ``exponential``.
        if_gain: ``auto``, ``step`` or ``dt``.
        decode: ``sum``.
    """

    name: ClassVar[str] = "nir"
    summary: ClassVar[str] = "a network imported from a .nir file of another tool"

    def __init__(
        self,
        *,
        graph: str = "",
        file: str = "",
        output: str = "",
        clip: ClipRule = "quantizer",
        source: str = "",
        sha256: str = "",
        dt: float = 1e-4,
        reset: str = "to-value",
        reset_delay: int = 0,
        fire: str = ">",
        most_spikes: int = 1,
        v_min: float | None = None,
        current: str = "new",
        integrate: str = "euler",
        if_gain: str = "auto",
        decode: str = "sum",
    ) -> None:
        if bool(graph) == bool(file):
            raise ValueError(
                "network 'nir' takes a graph or a file, and was given"
                f" {'both' if graph else 'neither'}; make a run with `spikequant import`, or set network.file to a .nir"
            )
        if clip not in CLIP_RULES:
            raise ValueError(f"network 'nir': clip is {clip!r}; it must be one of {', '.join(CLIP_RULES)}")
        said: dict[str, Any] = {
            "dt": dt,
            "reset": reset,
            "reset_delay": reset_delay,
            "fire": fire,
            "most_spikes": most_spikes,
            "v_min": v_min,
            "current": current,
            "integrate": integrate,
            "if_gain": if_gain,
        }
        self.rules = Rules(**said, decode=decode)  # type: ignore[arg-type]
        self.graph = Graph.from_text(graph) if graph else NirImporter(**said).graph(Path(file))
        self.output, self.clip = output, clip
        outputs = [node.name for node in self.graph.outputs]
        if output and output not in outputs:
            raise ValueError(f"network 'nir': output is '{output}'; the network has: {', '.join(outputs)}")

    def model(self, neuron: NeuronFactory, coding: InputCoding, classes: int, timesteps: int, *, seed: int) -> NirModel:
        """Return the model; nothing of it is random.

        Raises:
            UsageError: The neuron is another than ``cuba``, or the samples or classes are not those of the network.
        """
        cell = neuron()
        if not isinstance(cell, CubaNeuron):
            raise UsageError(
                f"network 'nir' runs neuron '{CubaNeuron.name}' only, and was given '{cell.name}'; set neuron.name to"
                f" '{CubaNeuron.name}'"
            )
        made = NirModel(self.graph, self.rules, cell, coding, timesteps, output=self.output, clip=self.clip)
        self._check(made, coding, classes)
        return made

    def _check(self, made: NirModel, coding: InputCoding, classes: int) -> None:
        output = self.graph.by_name[made.output]
        if math.prod(output.shape) < classes:
            raise UsageError(
                f"output '{output.name}' of the network has {math.prod(output.shape)} values, and the data set has"
                f" {classes} classes; choose the data set it was trained on, or another output with --set"
                " network.output=NAME"
            )
        entries = self.graph.inputs
        if len(entries) == 1 and math.prod(entries[0].shape) != math.prod(coding.shape):
            raise UsageError(
                f"input '{entries[0].name}' of the network has the shape {entries[0].shape}, and the data set's samples"
                f" are {coding.shape}; choose the data set it was trained on"
            )
