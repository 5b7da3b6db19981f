"""Build Lava's processes from a job's description and connect them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

from .cells import Cells
from .processes.part import Part
from .processes.watch import Watch
from .recording import Recorder

GRADED_BITS = 24
MEMORYLESS = 4095
"""As du: nothing is kept; as dv: 1/4096 of v, which is 0 after a spike and is 0 where nothing arrived."""


class Network:
    """The processes of one job; ``recorders`` hold what the spiking and readout nodes wrote.

    ``first`` is a process to start all from, ``rows`` the number of timesteps of all samples.
    """

    def __init__(self, description: dict[str, Any], arrays: Any, folder: Path) -> None:
        self._cells = Cells(description, arrays, folder)
        self.rows = self._cells.rows
        self.recorders: dict[str, Recorder] = self._cells.recorders
        nodes = {node["name"]: node for node in description["processes"]}
        parts = [[nodes[name] for name in names] for names in description["parts"]]
        self._home = {node["name"]: index for index, part in enumerate(parts) for node in part}
        self._nodes = nodes
        self._outlets: dict[str, Any] = {}
        self._inlets: list[tuple[str, Any]] = []
        made = [self._made(part) for part in parts]
        self.first: Any = next(made[self._home[name]] for name in nodes if nodes[name]["process"] == "source")
        for source, inlet in self._inlets:
            outlet = self._outlets[source]
            (outlet if outlet.shape == inlet.shape else outlet.reshape(inlet.shape)).connect(inlet)

    def _made(self, part: list[dict[str, Any]]) -> Any:
        """Return the process of a part: Lava's own where a node stands alone and may be one, else ours."""
        if len(part) == 1 and hasattr(self, "_" + part[0]["process"]):
            (node,) = part
            process, inlet, outlet = getattr(self, "_" + node["process"])(node)
            self._inlets += [(source, inlet) for source in node["sources"]]
            self._outlets[node["name"]] = outlet
            return process
        return self._part(part)

    def _part(self, part: list[dict[str, Any]]) -> Any:
        here = self._home[part[0]["name"]]
        cells = [(node["name"], self._cells.make(node), tuple(node["sources"])) for node in part]
        abroad = dict.fromkeys(s for node in part for s in node["sources"] if self._home[s] != here)
        wanted = {s for node in self._nodes.values() if self._home[node["name"]] != here for s in node["sources"]}
        process = Part(
            cells=cells,
            inlets={source: tuple(self._nodes[source]["shape"]) for source in abroad},
            outlets={name: kernel.shape for name, kernel, _ in cells if name in wanted},
            name=f"part-{here}",
        )
        self._inlets += [(source, getattr(process, port)) for source, port in process.inlet_of.items()]
        self._outlets.update({name: getattr(process, port) for name, port in process.outlet_of.items()})
        return process

    def _stock_dense(self, node: dict[str, Any]) -> Any:
        # Mixed signs cost the lowest of 8 + 1 bits: twice the code, halved again after the sum, loses nothing.
        process = Dense(
            weights=2 * self._cells.array(node, "weights").astype(np.int32),
            weight_exp=node.get("weight_exp", -1),
            sign_mode=SignMode.MIXED,
            num_message_bits=GRADED_BITS if node["graded"] else 0,
            name=node["name"],
        )
        return process, process.s_in, process.a_out

    def _stock_conv(self, node: dict[str, Any]) -> Any:
        # Lava convolves (flips the kernel) and wants weights as (out, kw, kh, in / groups).
        weights = self._cells.array(node, "weights").transpose(2, 0, 1, 3)[:, ::-1, ::-1, :]
        process = Conv(
            weight=np.ascontiguousarray(weights, dtype=np.int32),
            input_shape=tuple(node["input_shape"]),
            groups=node["groups"],
            num_message_bits=GRADED_BITS if node["graded"] else 0,
            name=node["name"],
            **{key: tuple(pair) for key, pair in node["window"].items()},
        )
        return process, process.s_in, process.a_out

    def _stock_conv_or(self, node: dict[str, Any]) -> Any:
        """A Conv of ones and a LIF without memory, which spikes where the sum is more than 0."""
        process, inlet, sums = self._stock_conv(node)
        lif = LIFReset(shape=sums.shape, du=MEMORYLESS, dv=MEMORYLESS, vth=0, name=f"{node['name']}-or")
        sums.connect(lif.a_in)
        return process, inlet, lif.s_out

    def _stock_lif(self, node: dict[str, Any]) -> Any:
        """Stock LIF that forgets at every sample's start, and a process of ours that looks on."""
        shape = tuple(node["shape"])
        recorder = self._cells.spiking_recorder(node, node["variables"])
        process = LIFReset(
            shape=shape,
            **{key: node[key] for key in ("du", "dv", "vth")},
            bias_mant=self._cells.array(node, "mantissa"),
            bias_exp=self._cells.array(node, "exponent"),
            reset_interval=self._cells.timesteps,
            reset_offset=(node["lag"] + 1) % self._cells.timesteps,
            name=node["name"],
        )
        watched = {"potential": process.v, "current": process.u}
        kept = {
            name: watched[name] for name in node["variables"] if name == "potential" or f"state_{name}" in recorder.keys
        }
        watch = Watch(shape=shape, variables=list(kept), recorder=recorder, name=f"{node['name']}-watch")
        process.s_out.connect(watch.s_in)
        for name, var in kept.items():
            getattr(watch, f"ref_{name}").connect_var(var)
        return process, process.a_in, process.s_out
