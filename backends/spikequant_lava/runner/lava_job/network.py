"""Build Lava's processes from a job's description and connect them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode

from .processes.lif import IntegerLif
from .processes.readout import IntegerReadout
from .processes.source import FrameSource
from .processes.weighted import IntegerConv, IntegerDense
from .recording import Recorder

GRADED_BITS = 24


class Network:
    """The processes of one job; ``recorders`` hold what the spiking and readout nodes wrote."""

    def __init__(self, description: dict[str, Any], arrays: Any, folder: Path) -> None:
        self.timesteps: int = description["timesteps"]
        self.rows: int = description["samples"] * self.timesteps
        self.recorders: dict[str, Recorder] = {}
        self.first: Any = None
        self._arrays = arrays
        self._folder = folder
        outputs: dict[str, Any] = {}
        for node in description["nodes"]:
            process, inlet, outlet = getattr(self, "_" + node["process"])(node)
            if inlet is None:
                self.first = self.first or process
            else:
                source = outputs[node["source"]]
                (source if source.shape == inlet.shape else source.reshape(inlet.shape)).connect(inlet)
            outputs[node["name"]] = outlet

    def _array(self, node: dict[str, Any], key: str) -> Any:
        return self._arrays[f"{node['name']}/{key}"]

    def _source(self, node: dict[str, Any]) -> Any:
        process = FrameSource(frames=self._array(node, "frames"), repeat=node["repeat"], name=node["name"])
        return process, None, process.s_out

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
        process = IntegerDense(weights=weights, bias=self._array(node, "bias"), name=node["name"])
        return process, process.s_in, process.a_out

    def _integer_conv(self, node: dict[str, Any]) -> Any:
        process = IntegerConv(
            weights=self._array(node, "weights").astype(node["dtype"]),
            bias=self._array(node, "bias"),
            input_shape=tuple(node["input_shape"]),
            output_shape=tuple(node["shape"]),
            window=node["window"],
            groups=node["groups"],
            name=node["name"],
        )
        return process, process.s_in, process.a_out

    def _lif(self, node: dict[str, Any]) -> Any:
        shape = tuple(node["shape"])
        recorder = self._recorder(
            node, spikes=(shape, np.uint8), potential=(shape, np.int32), saturations=((), np.int64)
        )
        process = IntegerLif(
            shape=shape,
            theta=self._array(node, "theta"),
            bias=self._array(node, "bias"),
            rules=node["rules"],
            timesteps=self.timesteps,
            recorder=recorder,
            name=node["name"],
        )
        return process, process.a_in, process.s_out

    def _readout(self, node: dict[str, Any]) -> Any:
        shape = tuple(node["shape"])
        recorder = self._recorder(node, output=(shape, np.int64))
        bias = self._array(node, "bias")
        process = IntegerReadout(shape=shape, bias=bias, timesteps=self.timesteps, recorder=recorder, name=node["name"])
        return process, process.a_in, process.s_out

    def _recorder(self, node: dict[str, Any], **arrays: Any) -> Recorder:
        recorder = Recorder(self._folder / node["name"], self.rows, node["delay"], **arrays)
        self.recorders[node["name"]] = recorder
        return recorder
