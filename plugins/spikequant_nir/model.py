"""An imported network as a model: in floats by its rules, in integers by formats, and as a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikequant import InputCoding, Model, Observation, Quantity, Quantizer, Recording, States
from spikequant.errors import UsageError
from spikequant.formats import FP32
from spikequant.model.model import Precision
from spikequant.program import Program
from spikequant_cuba import CubaNeuron
from spikequant_nir.clips import ClipRule, clip_of
from spikequant_nir.dynamics import CUBA_KINDS, GRADED_KINDS, NEURON_KINDS, Cell
from spikequant_nir.engine import Runner
from spikequant_nir.engine_float import Arrays, cells, float_runner
from spikequant_nir.engine_watch import Keeper, Observer
from spikequant_nir.engine_whole import Trained, whole_runner
from spikequant_nir.folding import Folding, fold
from spikequant_nir.graph import SPIKING_KINDS, Graph
from spikequant_nir.lower import READOUT, Lowered, Lowering
from spikequant_nir.lower_scales import Scales
from spikequant_nir.mixed import mixed_arrays, mixed_grids
from spikequant_nir.node_arrays import NodeArrays, constants_on_cpu, folded_weights, spread_codes
from spikequant_nir.quantities import nir_quantities
from spikequant_nir.rules import Rules
from spikequant_nir.state_formats import check_formats, formats_of

MOST_VALUES = 1 << 22
"""Values of a network's largest layer, over all timesteps, in one forward: 16 MiB of floats."""


class NirModel(Model):
    """An imported network.

    Args:
        graph: The network, with its values.
        rules: Of its float simulation.
        neuron: Formats and rules of the states.
        coding: What it is fed; of several inputs, each alike.
        timesteps: Of one inference.
        output: The Output that decides the class; the first by default.
        clip: Where the clips of quantizers start that have one.
    """

    def __init__(
        self,
        graph: Graph,
        rules: Rules,
        neuron: CubaNeuron,
        coding: InputCoding,
        timesteps: int,
        *,
        output: str = "",
        clip: ClipRule = "quantizer",
    ) -> None:
        super().__init__()
        self.graph, self.rules, self.neuron = graph, rules, neuron
        self.coding, self.timesteps, self.dt = coding, timesteps, rules.dt
        self.output = output or graph.outputs[0].name
        self.clip: ClipRule = clip
        self.formats = formats_of(neuron)
        self._quantizer: Callable[[], Quantizer] | None = None
        self.nodes = nn.ModuleDict({f"node_{node.name}": NodeArrays(node) for node in graph.nodes if node.arrays})
        self.clips = nn.ParameterDict(
            {
                f"clip_{node.name}": nn.Parameter(torch.zeros(()), requires_grad=False)
                for node in graph.nodes
                if "weight" in node.arrays
            }
        )

    @property
    def arrays(self) -> dict[str, dict[str, Tensor]]:
        """The present values of every node, by field name."""
        found: dict[str, dict[str, Tensor]] = {node.name: {} for node in self.graph.nodes}
        for key, module in self.nodes.items():
            if isinstance(module, NodeArrays):
                found[key.removeprefix("node_")] = module.tensors()
        return found

    @property
    def cells(self) -> dict[str, Cell]:
        """The dynamics of its neurons."""
        return cells(self.graph, self.rules, {name: constants_on_cpu(arrays) for name, arrays in self.arrays.items()})

    @property
    def folding(self) -> Folding:
        """Where the neurons' gains go."""
        return fold(self.graph, self.cells, self.arrays)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Weights, potentials and currents, and constants that all neurons share."""
        return nir_quantities(self.graph, self.cells)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the present formats lose, in sentences: decays that became others, weights beyond their format."""
        if self._quantizer is None or not self._is_whole:
            return ()
        beyond = self.overflows.get("w", 0)
        cut = (
            f"{beyond:,} of the weights and biases lie beyond {self._quantizer().fmt}; 'spikequant calibrate' says how"
            " many integer bits they need"
        )
        return (*self._lowered()[0].notes, *((cut,) if beyond else ()))

    def quantize(self, quantizer: Callable[[], Quantizer], *, ends: Precision = "integer") -> None:
        """Use the weights' format of the quantizer and the states' of the neuron from now on.

        Raises:
            UsageError: The formats do not go together, the rules have no integer form, or ``ends`` is ``float``.
        """
        if ends == "float":
            raise UsageError(
                "training.ends is 'float'; an imported network has formats for w, V and I, so set it to 'integer' and"
                " give FP32 to what is to stay in floats"
            )
        check_formats(self.graph, self.rules, quantizer(), self.formats)
        self._quantizer, self.precision = quantizer, "integer"
        if quantizer().fmt == FP32:
            return
        scales = self._scales(self.folding)
        with torch.no_grad():
            for name, log_clip in self.clips.items():
                weight = scales.scaled(name.removeprefix("clip_"))
                log_clip.fill_(math.log(clip_of(weight, quantizer(), self.clip)))

    @property
    def overflows(self) -> Mapping[str, int]:
        """How many weights lie beyond their format."""
        if self._quantizer is None or self._quantizer().fmt == FP32:
            return {}
        scales = self._scales(self.folding)
        return {"w": sum(scales.codes(key).overflows for key in scales.folding.parts)}

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(batch, classes)``: spikes summed over time, or the mean of what else is put out.

        Args:
            x: As :meth:`predict` takes it.
        """
        if not self._is_whole:
            found = self._float_runner().run(self._inputs(x, 1.0 / self.coding.peak), self.timesteps)
            out, lsb = found[self.output], 1.0
        else:
            lowered, scales = self._lowered()
            trained = {
                name: Trained(spread_codes(scales.codes(key).weight, lowered, name), scales.codes(key).bias)
                for key, name in lowered.parts.items()
            }
            program = self._program(lowered)
            runner = whole_runner(program, self.device, trained, smooth=True)
            out = runner.run(self._whole_inputs(x, lowered), self.timesteps)[READOUT]
            lsb = float(scales.entering(self.output))
        total = out.flatten(2).sum(0) * lsb
        counts = all(self.graph.by_name[e.source].kind in SPIKING_KINDS for e in self.graph.sources_of(self.output))
        return (total if counts else total / self.timesteps).float()

    @torch.no_grad()
    def predict(self, x: Tensor) -> NDArray[np.int64]:
        """Return the class of each sample ``(batch, timesteps, *shape)``; the lowest index wins a tie.

        Raises:
            UsageError: The network has several inputs, or samples have another shape.
        """
        whole = self._lowered() if self._is_whole else None
        program = None if whole is None else self._program(whole[0])
        runner = self._float_runner() if program is None else whole_runner(program, self.device)
        found = []
        for part in self._batches(x):
            if whole is None:
                out = runner.run(self._inputs(part, 1.0 / self.coding.peak), self.timesteps)[self.output]
            else:
                out = runner.run(self._whole_inputs(part, whole[0]), self.timesteps)[READOUT]
            found.append(out.double().flatten(2).sum(0).argmax(-1).cpu().numpy())
        classes: NDArray[np.int64] = np.concatenate(found)
        return classes

    @torch.no_grad()
    def record(self, x: Tensor) -> Recording:
        """Run in the integer domain and return every spike, state and readout value."""
        self._require_integers("record()")
        lowered, _ = self._lowered()
        program = self._program(lowered)
        keeper = self._keeper({node.name: node.name for node in program.spiking}, lowered)
        outputs = whole_runner(program, self.device).run(self._whole_inputs(x, lowered), self.timesteps, keeper)
        read = {name: out.double().flatten(2).cumsum(0).long() for name, out in outputs.items()}
        return Recording(
            {name: torch.stack(parts).long() for name, parts in keeper.spikes.items()},
            {name: torch.stack(parts).long() for name, parts in keeper.states.items()},
            read[READOUT],
            {name: value for name, value in read.items() if name != READOUT},
        )

    @torch.no_grad()
    def states(self, x: Tensor) -> States:
        """Run in the present precision and return every spike and potential, in real units."""
        found: dict[str, Tensor] = {}
        if not self._is_whole:
            keeper = self._keeper({name: name for name in self.cells}, None)
            self._float_runner().run(self._inputs(x, 1.0 / self.coding.peak), self.timesteps, keeper)
            found = {name: torch.stack(parts) for name, parts in keeper.states.items()}
        else:
            lowered, scales = self._lowered()
            program = self._program(lowered)
            back = {lowered.places[name]: name for name in self.cells}
            keeper = self._keeper(back, None)
            whole_runner(program, self.device).run(self._whole_inputs(x, lowered), self.timesteps, keeper)
            for name, parts in keeper.states.items():
                layer = name.removesuffix(".current") if name not in self.graph.by_name else name
                grid, size = scales.grid(layer), float(scales.entering(layer))
                fraction = grid.v_frac if layer == name else grid.i_frac
                found[name] = torch.stack(parts).double() * (size * 2.0**-fraction)
        shapes = {name: node.shape for name, node in self.graph.by_name.items()}

        def shaped(name: str, value: Tensor) -> Tensor:
            layer = name if name in shapes else name.removesuffix(".current")
            return value.reshape(*value.shape[:2], *shapes[layer])

        thresholds = {name: cell.threshold for name, cell in self.cells.items() if cell.threshold is not None}
        return States(
            {name: shaped(name, torch.stack(parts)) for name, parts in keeper.spikes.items()},
            {name: shaped(name, value) for name, value in found.items()},
            thresholds,
        )

    @torch.no_grad()
    def observe(self, x: Tensor) -> Observation:
        """Run in floats and return ranges of the quantities, firing rates and a raster.

        Weights are seen as their format will have them: with the neurons' gains taken in.
        """
        observer = Observer(self._of(GRADED_KINDS), self._of(CUBA_KINDS), max(1, self.timesteps // 32))
        runner = self._float_runner()
        for part in self._batches(x):
            runner.run(self._inputs(part, 1.0 / self.coding.peak), self.timesteps, observer)
            observer.next_batch(len(part))
        return observer.observation(folded_weights(self.folding, self.arrays))

    def lower(self, *, dt: float | None = None, provenance: Mapping[str, Any] | None = None) -> Program:
        """Return the integer program."""
        self._require_integers("lower()")
        lowered, _ = self._lowered()
        told = {"notes": "; ".join(lowered.notes)} if lowered.notes else {}
        return lowered.program(self.timesteps, self.dt if dt is None else dt, {**(provenance or {}), **told})

    @property
    def _is_whole(self) -> bool:
        """Whether everything is integers at present."""
        floats = (self.formats.V, self.formats.I if self.graph.state_kinds & CUBA_KINDS else None)
        return self._quantizer is not None and self._quantizer().fmt != FP32 and FP32 not in floats

    def _require_integers(self, what: str) -> None:
        if self.precision == "float":
            raise UsageError(f"{what} needs integers, and the model computes in floats; quantize() it first")
        if not self._is_whole:
            raise UsageError(
                f"{what} needs integers, and w, V or I is FP32; give w a format by its quantizer, and V and I by"
                " neuron.V and neuron.I, or all by `spikequant quantize --format`"
            )

    def _scales(self, folding: Folding) -> Scales:
        make = self._quantizer
        if make is None:
            raise UsageError("the model computes in floats; quantize() it first")
        return Scales(
            self.graph,
            folding,
            self.arrays,
            {key: make() for key in folding.parts},
            {name.removeprefix("clip_"): value for name, value in self.clips.items()},
            self.cells,
            self.formats,
            self.coding.peak,
        )

    def _lowered(self) -> tuple[Lowered, Scales]:
        scales = self._scales(self.folding)
        return Lowering(self.graph, scales, self.coding, self.rules, self.output).lowered(), scales

    def _program(self, lowered: Lowered) -> Program:
        return lowered.program(self.timesteps, self.dt, {})

    def _float_runner(self) -> Runner:
        """Return the network in floats; where some formats are FP32, with the others' values in place."""
        if self._quantizer is None:
            return float_runner(self.graph, self.rules, self.arrays, self.device)
        arrays: Arrays = self.arrays
        if self._quantizer().fmt != FP32:
            arrays = mixed_arrays(self._scales(self.folding), self.arrays)
        grids = mixed_grids(self.graph, self.formats)
        return float_runner(self.graph, self.rules, arrays, self.device, grids)

    def _of(self, kinds: frozenset[str]) -> frozenset[str]:
        return frozenset(node.name for node in self.graph.nodes if node.kind in kinds)

    def _keeper(self, names: Mapping[str, str], lowered: Lowered | None) -> Keeper:
        def named(kinds: frozenset[str]) -> frozenset[str]:
            layers = self._of(kinds)
            return layers if lowered is None else frozenset(lowered.places[name] for name in layers)

        return Keeper(names, named(GRADED_KINDS & NEURON_KINDS), named(CUBA_KINDS))

    def _batches(self, x: Tensor) -> Iterator[Tensor]:
        """Yield as many samples as run together."""
        largest = max(math.prod(node.shape) for node in self.graph.nodes)
        size = max(MOST_VALUES // (largest * self.timesteps), 1)
        for start in range(0, len(x), size):
            yield x[start : start + size]

    def _inputs(self, x: Tensor, unit: float) -> dict[str, Tensor]:
        """Return samples as the graph takes them: ``(steps, batch, *shape)``, in real units."""
        if len(self.graph.inputs) != 1:
            names = ", ".join(node.name for node in self.graph.inputs)
            raise UsageError(
                f"the network has {len(self.graph.inputs)} inputs ({names}), and a data set feeds one; run it with"
                " 'spikequant run FILE --input NAME=FILE' for each"
            )
        node = self.graph.inputs[0]
        steps = x.unsqueeze(0) if self.coding.frame_s is None else x.transpose(0, 1)
        wanted = 1 if self.coding.frame_s is None else self.timesteps
        if steps.shape[0] != wanted or math.prod(steps.shape[2:]) != math.prod(node.shape):
            raise UsageError(
                f"samples have the shape {tuple(x.shape[1:])}; the network takes {wanted} x {node.shape}: give the data"
                " set as many timesteps, or choose one of that shape"
            )
        value = steps.reshape(*steps.shape[:2], *node.shape).float()
        return {node.name: value if unit == 1.0 else value * unit}

    def _whole_inputs(self, x: Tensor, lowered: Lowered) -> dict[str, Tensor]:
        """Return samples as the program takes them: whole numbers."""
        (value,) = self._inputs(x, 1.0).values()
        entry = lowered.nodes[0]
        return {entry.name: value.reshape(*value.shape[:2], *lowered.shapes[entry.name])}
