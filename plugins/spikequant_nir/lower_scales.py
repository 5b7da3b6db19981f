"""The sizes of codes: what one unit of every value of the program is worth, and the integers of all weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from spikequant import QFormat, Quantizer
from spikequant.errors import UsageError
from spikequant.gradients import rounded
from spikequant_nir.dynamics import GRADED_KINDS, NEURON_KINDS, Cell
from spikequant_nir.folding import Folding
from spikequant_nir.graph import WEIGHT_KINDS, Graph
from spikequant_nir.lower_codes import Codes, Shared
from spikequant_nir.lower_grids import StateFormats, StateGrid, state_grid

WIDEST = 32
LEAST_CODE = 8
"""A value that passes into a sum of weights has at least this code, so that rounding changes it by 6 % at most."""


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
        self._sums: dict[tuple[str, bool], Shared] = {}

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
        keys = self.folding.sums.get(name, ())
        below = self._shared(name, keys[0]).finer if keys else 0
        size = float(self.entering(name))
        return state_grid(name, self.cells[name], self.formats, size, fixed=fixed, below=below)

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
        """Return the size that all parts of ``target``'s sum share; see :class:`Shared`."""
        return self._shared(target, key).lsb

    def _shared(self, target: str, key: str) -> Shared:
        known = target, target == key
        if known not in self._sums:
            keys = self.folding.sums.get(target) or (key,)
            self._sums[known] = self._share(list(keys if key in keys else (key,)))
        return self._sums[known]

    def _share(self, keys: list[str]) -> Shared:
        exact = [key for key in keys if self._is_exact(key, keys)]
        coded = [key for key in keys if key not in exact]
        if not coded:
            return Shared(torch.stack([self.input_lsb(key) for key in exact]).min())
        fixed = self.quantizer[keys[0]].fixed_scale
        if fixed is not None:
            sizes = [_power(self.input_lsb(key)) * fixed for key in coded]
            sizes += [_power(self.input_lsb(key)) * (1 if self._is_one(key) else fixed) for key in exact]
            return Shared(torch.stack(sizes).min())
        clips = {}
        for key in coded:
            part = self.folding.parts[key]
            own = part.factor.abs().max()
            clip = own if part.node is None else self.log_clips[key].detach().double().cpu().exp()
            clips[key] = clip * self.input_lsb(key) / self.quantizer[key].code_range[1]
        coarsest = max(coded, key=lambda key: float(clips[key]))
        step, size = clips[coarsest], self.input_lsb(coarsest)
        halvings = {key: max(0, math.floor(math.log2(float(size / self.input_lsb(key))))) for key in coded}
        least = [self.input_lsb(key) * self.folding.parts[key].factor.abs().max() / LEAST_CODE for key in exact]
        finer = max([*halvings.values(), *(math.ceil(math.log2(float(step / one))) for one in least if float(one) > 0)])
        return Shared(step * 2.0**-finer, {key: step * 2.0 ** -halvings[key] for key in coded}, finer)

    def _is_exact(self, key: str, keys: list[str]) -> bool:
        """Return whether a part is a diagonal whose codes no format bounds: it adds to weights, or only passes on."""
        parts = self.folding.parts
        return parts[key].node is None and (self._is_one(key) or any(parts[k].node is not None for k in keys))

    def _is_one(self, key: str) -> bool:
        return bool((self.folding.parts[key].factor == 1).all())

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
        shared, size = self._shared(part.target, key), self.input_lsb(key)
        lsb, signed = shared.lsb, not (isinstance(quantizer.fmt, QFormat) and not quantizer.fmt.signed)
        if self._is_exact(key, list(self.folding.sums.get(part.target, ()))):
            codes = rounded((part.factor.double() * size / lsb).float())
            over, bits, signed = 0, max(int(codes.abs().max()).bit_length() + 1, 2), True
        else:
            weight = self.scaled(key)
            if quantizer.fixed_scale is None:
                own = shared.steps[key]
                scale = (own / size).to(weight.device, weight.dtype)
            else:
                own, scale = _power(size) * quantizer.fixed_scale, weight.new_tensor(quantizer.fixed_scale)
            finer = round(math.log2(float(own / lsb)))
            codes = quantizer.codes_with_gradient(weight, scale) * 2.0**finer
            over, bits = quantizer.overflows(weight, scale), quantizer.bits - (not signed) + finer
        if bits > WIDEST:
            raise UsageError(
                f"node '{part.name}': codes take {bits} bits, as what it adds to has units that much smaller;"
                f" at most {WIDEST} are possible, so give w or V fewer bits"
            )
        return Codes(codes, self._bias(key, lsb), lsb, float(lsb / size), bits, signed, over)

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
