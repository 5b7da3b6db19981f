"""The sizes of codes: what one unit of every value of the program is worth, and the integers of all weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spikequant import QFormat, Quantizer
from spikequant.errors import UsageError
from spikequant.gradients import rounded
from spikequant_nir.dynamics import GRADED_KINDS, NEURON_KINDS, Cell
from spikequant_nir.folding import Folding, Part
from spikequant_nir.graph import WEIGHT_KINDS, Graph
from spikequant_nir.lower_grids import StateFormats, StateGrid, state_grid

WIDEST = 32


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers of one part.

    Attributes:
        weight: Whole numbers in NIR's layout, or of a diagonal one for each channel; they carry gradients.
        bias: Whole numbers per output channel, in units of ``lsb``; or none.
        lsb: Real size of one unit of the sums, float64.
        unit: Real size of one code.
        bits: Width of a code.
        signed: Whether codes are two's complement.
        overflows: How many weights lie beyond the largest or the smallest code.
    """

    weight: Tensor
    bias: Tensor | None
    lsb: Tensor
    unit: float
    bits: int
    signed: bool
    overflows: int


class Scales:
    """Sizes and codes of a network with its present weights; each is made once.

    Args:
        graph: The network.
        folding: Where its factors went.
        arrays: Its values.
        quantizer: Of each part.
        log_clips: Logarithm of each part's clip, for quantizers that do not fix the size of a code.
        cells: Dynamics of its neurons.
        formats: Of the neurons' states.
        peak: Input value that counts as 1.
    """

    def __init__(  # noqa: PLR0917 - what a quantized network is
        self,
        graph: Graph,
        folding: Folding,
        arrays: Mapping[str, Mapping[str, Tensor]],
        quantizer: Mapping[str, Quantizer],
        log_clips: Mapping[str, Tensor],
        cells: Mapping[str, Cell],
        formats: StateFormats,
        peak: int,
    ) -> None:
        self.graph, self.folding, self.arrays, self.quantizer = graph, folding, arrays, quantizer
        self.log_clips, self.cells, self.formats, self.peak = log_clips, cells, formats, peak
        self._lsbs: dict[str, Tensor] = {}
        self._codes: dict[str, Codes] = {}

    def lsb(self, name: str) -> Tensor:
        """Return the real size of one unit of what a node of the graph puts out, float64.

        Raises:
            UsageError: Values of different sizes meet in a way that integers cannot add.
        """
        if name not in self._lsbs:
            self._lsbs[name] = self._lsb(name)
        return self._lsbs[name]

    def _lsb(self, name: str) -> Tensor:  # noqa: PLR0911 - one for each kind
        node = self.graph.by_name[name]
        if node.kind == "Input":
            return _number(1.0 / self.peak)
        if node.kind in NEURON_KINDS and node.kind not in GRADED_KINDS:
            return _number(1.0)
        if node.kind in WEIGHT_KINDS:
            return self.sum_lsb(self.folding.parts[name].target, name)
        lsb = self.entering(name)
        if node.kind in NEURON_KINDS:
            return lsb * 2.0 ** -self.grid(name).v_frac
        if name in self.folding.absorbed:
            return lsb
        if node.kind == "AvgPool2d":
            return lsb / float(math.prod(node.settings["kernel_size"]))
        if node.kind == "Scale":
            return self.arrays[name]["scale"].detach().double().cpu() * lsb
        return lsb

    def grid(self, name: str) -> StateGrid:
        """Return the grids of a layer of neurons.

        Raises:
            UsageError: A format does not go with the weights'.
        """
        fixed = any(quantizer.fixed_scale is not None for quantizer in self.quantizer.values())
        fraction = -round(math.log2(float(self.entering(name)))) if fixed else None
        return state_grid(name, self.cells[name], self.formats, fraction)

    def entering(self, name: str) -> Tensor:
        """Return the real size of one unit of what enters a node: of the sum of its edges."""
        edges = self.graph.sources_of(name)
        keys = self.folding.sums.get(name, ())
        if keys:
            return self.sum_lsb(name, keys[0])
        edge = edges[0]
        if edge.delayed and self.graph.by_name[edge.source].kind in GRADED_KINDS:
            raise UsageError(
                f"edge {edge.source} -> {edge.target} carries the potential of the step before, whose unit depends on"
                " itself; recurrence is lowered from neurons that spike"
            )
        return self.lsb(edge.source)

    def input_lsb(self, key: str) -> Tensor:
        """Return the real size of one unit of what a part multiplies."""
        part = self.folding.parts[key]
        if part.edge is not None:
            return self.lsb(part.edge.source)
        return self.entering(key)

    def sum_lsb(self, target: str, key: str) -> Tensor:
        """Return the size that all parts of ``target``'s sum share.

        Of ``Qi.f`` the finest of theirs; of a quantizer with a clip the coarsest, so that no clip shrinks.
        """
        known = f"+{target}>{key if target == key else ''}"
        if known not in self._lsbs:
            keys = self.folding.sums.get(target) or (key,)
            keys = keys if key in keys else (key,)
            self._lsbs[known] = self._shared(list(keys))
        return self._lsbs[known]

    def _shared(self, keys: list[str]) -> Tensor:
        fixed = self.quantizer[keys[0]].fixed_scale
        if fixed is not None:
            return torch.stack([_power(self.input_lsb(key)) for key in keys]).min() * fixed
        weights = [key for key in keys if self.folding.parts[key].node is not None]
        sizes = []
        for key in weights or keys:
            own = self.folding.parts[key].factor.abs().max()
            clip = self.log_clips[key].detach().double().cpu().exp() if weights else own
            sizes.append(clip * self.input_lsb(key) / self.quantizer[key].code_range[1])
        return torch.stack(sizes).max()

    def real(self, key: str) -> Tensor:
        """Return a part's real weights, all factors taken in; of a diagonal one for each channel or one for all."""
        part = self.folding.parts[key]
        if part.node is None:
            return part.factor.float()
        weight = self.arrays[key]["weight"]
        factor = part.factor.to(weight.device)
        return (weight.double() * _rows(factor, weight.dim())).float() if not bool((factor == 1).all()) else weight

    def scaled(self, key: str) -> Tensor:
        """Return a part's real weights as its quantizer takes them.

        ``Qi.f`` has steps of a power of two, so that an input's unit of another size, such as that of an average of
        nine, leaves the rest of it to the weights.
        """
        if self.quantizer[key].fixed_scale is None:
            return self.real(key)
        size = self.input_lsb(key)
        rest = float(size / _power(size))
        return self.real(key) if rest == 1.0 else self.real(key) * rest

    def codes(self, key: str) -> Codes:
        """Return a part's integers."""
        if key not in self._codes:
            self._codes[key] = self._integers(key)
        return self._codes[key]

    def _integers(self, key: str) -> Codes:
        part, quantizer = self.folding.parts[key], self.quantizer[key]
        lsb = self.sum_lsb(part.target, key)
        weight, size = self.scaled(key), self.input_lsb(key)
        signed = not (isinstance(quantizer.fmt, QFormat) and not quantizer.fmt.signed)
        if part.node is None and self._joins_weights(part):
            codes = rounded((weight.double() * size / lsb).to(weight.dtype))
            over, bits, signed = 0, max(int(codes.abs().max()).bit_length() + 1, 2), True
        elif quantizer.fixed_scale is not None:
            scale = weight.new_tensor(quantizer.fixed_scale)
            codes = quantizer.codes_with_gradient(weight, scale)
            over, finer = (
                quantizer.overflows(weight, scale),
                round(math.log2(float(_power(size) * quantizer.fixed_scale / lsb))),
            )
            codes, bits = codes * 2.0**finer, quantizer.bits - (not signed) + finer
        elif part.node is None and self._joins_weights(part):
            codes = rounded((weight.double() * size / lsb).to(weight.dtype))
            over, bits = 0, max(int(codes.abs().max()).bit_length() + 1, 2)
        else:
            scale = (lsb / size).to(weight.device, weight.dtype)
            codes, over, bits = (
                quantizer.codes_with_gradient(weight, scale),
                quantizer.overflows(weight, scale),
                quantizer.bits,
            )
        if bits > WIDEST:
            raise UsageError(
                f"node '{part.name}': codes take {bits} bits, as what it adds to has units that much smaller;"
                f" at most {WIDEST} are possible, so give w fewer bits"
            )
        return Codes(codes, self._bias(key, lsb), lsb, float(lsb / size), bits, signed, over)

    def _joins_weights(self, part: Part) -> bool:
        keys = self.folding.sums.get(part.target, ())
        return any(self.folding.parts[key].node is not None for key in keys)

    def _bias(self, key: str, lsb: Tensor) -> Tensor | None:
        part = self.folding.parts[key]
        bias = None if part.node is None else self.arrays[key].get("bias")
        if bias is None:
            return None
        return rounded(bias.double() * part.factor.to(bias.device) / lsb.detach().to(bias.device))


def _rows(factor: Tensor, axes: int) -> Tensor:
    return factor if factor.dim() == 0 else factor.reshape(-1, *[1] * (axes - 1))


def _power(size: Tensor) -> Tensor:
    """Return the largest power of two that is at most ``size``."""
    return torch.exp2(torch.floor(torch.log2(size.detach())))


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
