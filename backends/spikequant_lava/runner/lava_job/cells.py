"""Make the kernel of one node, or of one relay, from its description in the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .implementation import Implementation
from .kernels import Kernel
from .kernels.neurons import Lif, Plugin, Readout
from .kernels.pool import Pool
from .kernels.weights import Conv, Dense, Lateral
from .kernels.wires import Relay, Source
from .recording import Recorder

STATE = np.int32


class Cells:
    """Makes kernels; ``recorders`` hold what the spiking and readout nodes write.

    Args:
        description: The job's description.
        arrays: The job's arrays.
        folder: Where the recorders keep their files.
    """

    def __init__(self, description: dict[str, Any], arrays: Any, folder: Path) -> None:
        self.timesteps: int = description["timesteps"]
        self.rows: int = description["samples"] * self.timesteps
        self.recorders: dict[str, Recorder] = {}
        self._record: bool = description["record"]
        self._arrays = arrays
        self._folder = folder

    def make(self, node: dict[str, Any]) -> Kernel:
        """Return the kernel of a description."""
        kernel: Kernel = getattr(self, "_" + node["process"])(node)
        return kernel

    def array(self, node: dict[str, Any], key: str) -> Any:
        """Return an array of a node."""
        return self._arrays[f"{node['name']}/{key}"]

    def spiking_recorder(self, node: dict[str, Any], variables: list[str], *, graded: bool = False) -> Recorder:
        """Return the recorder of a spiking node with these state variables."""
        shape = tuple(node["shape"])
        # Counts need what a node emits: spikes, or the first variable of a graded one.
        kept = variables if self._record else variables[: int(graded)]
        arrays: dict[str, Any] = {f"state_{variable}": (shape, STATE) for variable in kept}
        if not graded:
            arrays["spikes"] = (shape, np.uint8)
        return self._recorder(node, saturations=((), np.int64), **arrays)

    def _source(self, node: dict[str, Any]) -> Kernel:
        return Source(self.array(node, "frames"), node["repeat"])

    def _relay(self, node: dict[str, Any]) -> Kernel:
        return Relay(
            input_shape=tuple(node["input_shape"]),
            shape=tuple(node["shape"]),
            depth=node["depth"],
            order=self.array(node, "order") if node["ordered"] else None,
            masked_every=self.timesteps if node["masked"] else 0,
            lag=node["lag"],
        )

    def _lateral(self, node: dict[str, Any]) -> Kernel:
        return Lateral(shape=tuple(node["shape"]), code=node["code"])

    def _pool(self, node: dict[str, Any]) -> Kernel:
        shapes = {key: tuple(node[key]) for key in ("input_shape", "shape")}
        return Pool(**shapes, window=node["window"], join=node["join"])

    def _integer_dense(self, node: dict[str, Any]) -> Kernel:
        return Dense(**self._weights(node))

    def _integer_conv(self, node: dict[str, Any]) -> Kernel:
        return Conv(**self._weights(node), window=node["window"], groups=node["groups"])

    _stock_dense = _integer_dense  # within a part of several nodes none is a process of Lava's own
    _stock_conv = _integer_conv

    def _weights(self, node: dict[str, Any]) -> dict[str, Any]:
        return {
            "weights": self.array(node, "weights").astype(node["dtype"]),
            "bias": self.array(node, "bias"),
            "input_shape": tuple(node["input_shape"]),
            "shape": tuple(node["shape"]),
            "immediate": node["immediate"],
        }

    def _lif(self, node: dict[str, Any]) -> Kernel:
        return Lif(
            shape=tuple(node["shape"]),
            theta=self.array(node, "theta"),
            bias=self.array(node, "bias"),
            rules=node["rules"],
            timesteps=self.timesteps,
            recorder=self.spiking_recorder(node, ["potential"]),
        )

    def _plugin(self, node: dict[str, Any]) -> Kernel:
        fields = {**node["scalars"], **{key: self.array(node, f"field/{key}") for key in node["arrays"]}}
        return Plugin(
            shape=tuple(node["shape"]),
            neurons=Implementation(node, fields, self._folder.with_name("implementations")),
            order=self.array(node, "order"),
            timesteps=self.timesteps,
            recorder=self.spiking_recorder(node, node["variables"], graded=node["graded"]),
        )

    def _readout(self, node: dict[str, Any]) -> Kernel:
        shape = tuple(node["shape"])
        recorder = self._recorder(node, output=(shape, np.int64))
        bias, shift = self.array(node, "bias"), node.get("shift", 0)
        return Readout(shape=shape, bias=bias, timesteps=self.timesteps, recorder=recorder, shift=shift)

    def _recorder(self, node: dict[str, Any], **arrays: Any) -> Recorder:
        recorder = Recorder(self._folder / node["name"], self.rows, node["lag"], **arrays)
        self.recorders[node["name"]] = recorder
        return recorder
