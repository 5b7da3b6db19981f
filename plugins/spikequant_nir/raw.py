"""A file's content as nodes and edges, before anything is understood of it but the classes and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikequant_nir.findings import shown

Path = tuple[str, ...]

PARAMETERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Affine": (("weight", "bias"), ()),
    "AvgPool2d": (("kernel_size", "stride", "padding"), ()),
    "Conv1d": (("weight", "stride", "padding", "dilation", "groups", "bias"), ("input_shape",)),
    "Conv2d": (("weight", "stride", "padding", "dilation", "groups", "bias"), ("input_shape",)),
    "CubaLI": (("tau_syn", "tau_mem", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), ("v_reset", "w_in")),
    "Delay": (("delay",), ()),
    "Flatten": ((), ("start_dim", "end_dim", "input_type")),
    "I": (("r",), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "Input": (("shape",), ()),
    "LI": (("tau", "r", "v_leak"), ()),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "Linear": (("weight",), ()),
    "NIRGraph": (("nodes", "edges"), ()),
    "Output": (("shape",), ()),
    "Scale": (("scale",), ()),
    "SumPool2d": (("kernel_size", "stride", "padding"), ()),
    "Threshold": (("threshold",), ()),
}
"""The fields that each class of NIR needs and may have, without ``type`` and ``metadata``."""


@dataclass
class RawNode:
    """A node as the file has it.

    Attributes:
        path: Its name, after the names of the graphs around it.
        kind: Its class in NIR.
        fields: Numbers, arrays and texts by field.
        port: It is an Input or Output of an inner graph, and passes on what it takes.
    """

    path: Path
    kind: str
    fields: dict[str, Any]
    port: bool = False

    @property
    def name(self) -> str:
        """Its name for messages."""
        return name_of(self.path)

    @property
    def where(self) -> str:
        """The node for the begin of an error."""
        return f"node '{self.name}' ({self.kind})"


@dataclass
class RawGraph:
    """A graph with its nodes, some of which may be graphs, and its edges by the names in the file."""

    path: Path
    nodes: dict[str, RawNode | RawGraph]
    edges: list[tuple[str, str]]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The graph for the begin of an error."""
        return f"graph '{name_of(self.path)}'" if self.path else "the graph"


def name_of(path: Path) -> str:
    """Return a path for messages."""
    return ".".join(shown(part) for part in path)
