"""Build Lava's processes from a job's description and connect them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode

from .implementation import Implementation
from .processes.lateral import IntegerLateral
from .processes.lif import IntegerLif
from .processes.plugin import PluginNeurons
from .processes.pool import IntegerPool
from .processes.readout import IntegerReadout
from .processes.relay import Relay
from .processes.source import FrameSource
from .processes.weighted import IntegerConv, IntegerDense
from .recording import Recorder

GRADED_BITS = 24
STATE = np.int32


class Network:
    """The processes of one job; ``recorders`` hold what the spiking and readout nodes wrote.

    ``first`` is a process to start all from, ``rows`` the number of timesteps of all samples.
    """

    def __init__(self, description: dict[str, Any], arrays: Any, folder: Path) -> None:
        self.timesteps: int = description["timesteps"]
        self.rows: int = description["samples"] * self.timesteps
        self.recorders: dict[str, Recorder] = {}
        self._record: bool = description["record"]
        self._arrays = arrays
        self._folder = folder
        nodes = description["processes"]
        made = {node["name"]: getattr(self, "_" + node["process"])(node) for node in nodes}
        self.first: Any = next(made[node["name"]][0] for node in nodes if node["process"] == "source")
        for node in nodes:
            _, inlet, _ = made[node["name"]]
            for source in node["sources"]:
                outlet = made[source][2]
                (outlet if outlet.shape == inlet.shape else outlet.reshape(inlet.shape)).connect(inlet)

    def _array(self, node: dict[str, Any], key: str) -> Any:
        return self._arrays[f"{node['name']}/{key}"]

    def _source(self, node: dict[str, Any]) -> Any:
        process = FrameSource(frames=self._array(node, "frames"), repeat=node["repeat"], name=node["name"])
        return process, None, process.s_out

    def _relay(self, node: dict[str, Any]) -> Any:
        process = Relay(
            input_shape=tuple(node["input_shape"]),
            shape=tuple(node["shape"]),
            depth=node["depth"],
            order=self._array(node, "order") if node["ordered"] else None,
            masked_every=self.timesteps if node["masked"] else 0,
            lag=node["lag"],
            name=node["name"],
        )
        return process, process.a_in, process.s_out

    def _lateral(self, node: dict[str, Any]) -> Any:
        process = IntegerLateral(shape=tuple(node["shape"]), code=node["code"], name=node["name"])
        return process, process.s_in, process.a_out

    def _pool(self, node: dict[str, Any]) -> Any:
        process = IntegerPool(
            input_shape=tuple(node["input_shape"]),
            output_shape=tuple(node["shape"]),
            window=node["window"],
            join=node["join"],
            name=node["name"],
        )
        return process, process.s_in, process.a_out

    def _stock_dense(self, node: dict[str, Any]) -> Any:
        # Mixed signs cost the lowest of 8 + 1 bits: twice the code, halved again after the sum, loses nothing.
        process = Dense(
            weights=2 * self._array(node, "weights").astype(np.int32),
            weight_exp=-1,
            sign_mode=SignMode.MIXED,
            num_message_bits=GRADED_BITS if node["graded"] else 0,
            name=node["name"],
        )
        return process, process.s_in, process.a_out

    def _stock_conv(self, node: dict[str, Any]) -> Any:
        # Lava convolves (flips the kernel) and wants weights as (out, kw, kh, in / groups).
        weights = self._array(node, "weights").transpose(2, 0, 1, 3)[:, ::-1, ::-1, :]
        process = Conv(
            weight=np.ascontiguousarray(weights, dtype=np.int32),
            input_shape=tuple(node["input_shape"]),
            groups=node["groups"],
            num_message_bits=GRADED_BITS if node["graded"] else 0,
            name=node["name"],
            **{key: tuple(pair) for key, pair in node["window"].items()},
        )
        return process, process.s_in, process.a_out

    def _integer_dense(self, node: dict[str, Any]) -> Any:
        weights = self._array(node, "weights").astype(node["dtype"])
        process = IntegerDense(
            weights=weights, bias=self._array(node, "bias"), immediate=node["immediate"], name=node["name"]
        )
        return process, process.s_in, process.a_out

    def _integer_conv(self, node: dict[str, Any]) -> Any:
        process = IntegerConv(
            weights=self._array(node, "weights").astype(node["dtype"]),
            bias=self._array(node, "bias"),
            input_shape=tuple(node["input_shape"]),
            output_shape=tuple(node["shape"]),
            window=node["window"],
            groups=node["groups"],
            immediate=node["immediate"],
            name=node["name"],
        )
        return process, process.s_in, process.a_out

    def _lif(self, node: dict[str, Any]) -> Any:
        process = IntegerLif(
            shape=tuple(node["shape"]),
            theta=self._array(node, "theta"),
            bias=self._array(node, "bias"),
            rules=node["rules"],
            timesteps=self.timesteps,
            recorder=self._spiking_recorder(node, ["potential"]),
            name=node["name"],
        )
        return process, process.a_in, process.s_out

    def _plugin(self, node: dict[str, Any]) -> Any:
        fields = {**node["scalars"], **{key: self._array(node, f"field/{key}") for key in node["arrays"]}}
        neurons = Implementation(node, fields, self._folder.with_name("implementations"))
        process = PluginNeurons(
            shape=tuple(node["shape"]),
            neurons=neurons,
            order=self._array(node, "order"),
            timesteps=self.timesteps,
            recorder=self._spiking_recorder(node, node["variables"], graded=node["graded"]),
            name=node["name"],
        )
        return process, process.a_in, process.s_out

    def _readout(self, node: dict[str, Any]) -> Any:
        shape = tuple(node["shape"])
        recorder = self._recorder(node, output=(shape, np.int64))
        bias = self._array(node, "bias")
        process = IntegerReadout(shape=shape, bias=bias, timesteps=self.timesteps, recorder=recorder, name=node["name"])
        return process, process.a_in, process.s_out

    def _spiking_recorder(self, node: dict[str, Any], variables: list[str], *, graded: bool = False) -> Recorder:
        shape = tuple(node["shape"])
        # Counts need what a node emits: spikes, or the first variable of a graded one.
        kept = variables if self._record else variables[: int(graded)]
        arrays: dict[str, Any] = {f"state_{variable}": (shape, STATE) for variable in kept}
        if not graded:
            arrays["spikes"] = (shape, np.uint8)
        return self._recorder(node, saturations=((), np.int64), **arrays)

    def _recorder(self, node: dict[str, Any], **arrays: Any) -> Recorder:
        recorder = Recorder(self._folder / node["name"], self.rows, node["lag"], **arrays)
        self.recorders[node["name"]] = recorder
        return recorder
