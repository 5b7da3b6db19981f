"""Weights, the size of their codes and BatchNorm, in floats and folded exactly into integers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spikequant.errors import UsageError
from spikequant.formats import FP32
from spikequant.gradients import rounded, scale_gradient
from spikequant.quantizer import Quantizer

EPSILON = 1e-5
LEAST_GAIN = 1e-4
EXACT_FLOAT32 = float(1 << 21)
BIAS_LIMIT = float(1 << 22)
"""Sums below 2**21, biases below 2**22 and potentials below 2**20 add up to less than 2**23: exact in float32,
and below the largest float32 threshold; an identity shortcut's codes, up to 2**20, still fit. Wider sums or
potentials take float64."""
WIDE_BIAS_LIMIT = float(1 << 46)
"""Where biases stop in float64 layers whose scale is fixed: their unit can be far smaller than their bias."""
BELOW_ONE = 1.0 - 2.0**-22


@dataclass(frozen=True)
class Folded:
    """A layer's integers: what the program's node holds.

    Attributes:
        codes: Whole numbers shaped like the weight, the sign of BatchNorm's gain taken in.
        bias: Whole numbers per output channel, in units of ``lsb``.
        lsb: Real size of one unit of the output, per output channel.
        overflows: How many weights lie beyond the largest or the smallest code.
    """

    codes: Tensor
    bias: Tensor
    lsb: Tensor
    overflows: int


class WeightedLayer(nn.Module):
    r"""A dense or convolutional layer that computes in floats or in whole numbers.

    BatchNorm folds without a multiplier: with ``gain = gamma / sigma``, weights take the sign of gamma before
    they are quantized (so that no code is ever negated, and the codes need not be symmetric), one unit of the
    output is ``lsb_c = lsb * |gain_c|``, and ``bias_c = round((beta_c - mean_c * gain_c) / lsb_c)``. The gain
    counts as 1e-4 at least, and as more where the bias would leave 22 bits: a channel that hardly looks at its
    input keeps its constant.

    The size of one code is learned as a clip, the real value of the largest code, unless the quantizer's format
    fixes it.

    Args:
        weight_shape: ``(out, in)`` or ``(out, in, kernel, kernel)``.
        x_scale: Real size of one unit of the input: 1 for spikes, ``1 / peak`` for pixels.
        peak: Largest input value, for the exactness bound.
        batch_norm: Normalise over batch, time and space.
        bias: Have a bias (without BatchNorm).
        stride, padding: Of the convolution.
    """

    def __init__(
        self,
        weight_shape: tuple[int, ...],
        *,
        x_scale: float,
        peak: int,
        batch_norm: bool,
        bias: bool,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(weight_shape))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(3))
        out = weight_shape[0]
        self.x_scale, self.peak, self.batch_norm = x_scale, peak, batch_norm
        self.stride, self.padding = stride, padding
        self.beta = nn.Parameter(torch.zeros(out)) if bias or batch_norm else None
        self.gamma = nn.Parameter(torch.ones(out)) if batch_norm else None
        self.log_clip = nn.Parameter(torch.zeros(()))
        self.momentum = 0.1
        self.quantizer: Quantizer | None = None
        self.mean: Tensor
        self.var: Tensor
        if batch_norm:
            self.register_buffer("mean", torch.zeros(out))
            self.register_buffer("var", torch.ones(out))

    def quantize_with(self, quantizer: Quantizer, *, keep_clip: bool = False) -> None:
        """Compute in whole numbers from now on; a learnable clip starts where the quantizer says.

        A quantizer to ``FP32`` leaves the layer in floats.
        """
        if quantizer.fmt == FP32:
            self.quantizer = None
            return
        self.quantizer = quantizer
        learnable = quantizer.fixed_scale is None
        self.log_clip.requires_grad_(learnable)
        if learnable and not keep_clip:
            with torch.no_grad():
                self.log_clip.fill_(math.log(quantizer.initial_clip(self.weight)))

    def linear(self, x: Tensor, weight: Tensor, skipped: Tensor | None = None) -> Tensor:
        """Apply ``weight`` to ``x``, without bias; ``skipped`` is for layers with a shortcut."""
        if self.weight.dim() == 2:
            return F.linear(x, weight)
        return F.conv2d(x, weight, stride=self.stride, padding=self.padding)

    def forward(self, x: Tensor, skipped: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the output and the real size of its unit, per channel (1 in floats).

        Args:
            x: Whole numbers as floats, ``(batch, *shape)``.
            skipped: What a shortcut brings, for the layers of ``residual.py``.
        """
        return self._real(x, skipped) if self.quantizer is None else self._whole(x, self.quantizer, skipped)

    @torch.no_grad()
    def folded(self) -> Folded:
        """Return the integers at inference: codes, bias, lsb from the running statistics."""
        if self.quantizer is None:
            raise RuntimeError("the layer computes in floats; call quantize_with() first")
        weight, scale = self._signed_weight(), self._scale(self.quantizer)
        codes = self.quantizer.codes_with_gradient(weight, scale)
        dtype = self._dtype(codes)
        limit = self._bias_limit(dtype)
        bias, lsb = self._fold(scale * self.x_scale, *self._running(), limit)
        most = float(bias.abs().max())
        if most >= limit:
            raise UsageError(f"a bias reaches {most:.0f} codes; it must stay below {limit:.0f}, so use fewer bits")
        return Folded(codes, bias, lsb.to(dtype), self.overflows())

    @property
    @torch.no_grad()
    def unit(self) -> Tensor:
        """Real size, at inference, of one unit of the output if one unit of the weights is 1, per channel."""
        one = self.weight.new_tensor(self.x_scale)
        return self._fold(one, *self._running(), float("inf"))[1]

    @torch.no_grad()
    def overflows(self) -> int:
        """Return how many weights lie beyond the largest or the smallest code; 0 in floats."""
        if self.quantizer is None:
            return 0
        return self.quantizer.overflows(self._signed_weight(), self._scale(self.quantizer))

    def _codes(self, quantizer: Quantizer) -> tuple[Tensor, Tensor]:
        scale = self._scale(quantizer)
        return quantizer.codes_with_gradient(self._signed_weight(), scale), scale * self.x_scale

    def _scale(self, quantizer: Quantizer) -> Tensor:
        """Return the real size of one code."""
        if quantizer.fixed_scale is not None:
            return self.weight.new_tensor(quantizer.fixed_scale)
        factor = quantizer.clip_gradient_scale(self.weight.numel())
        return torch.exp(scale_gradient(self.log_clip, factor)) / quantizer.code_range[1]

    def _signed_weight(self) -> Tensor:
        """Return the weight with the sign of its channel's gamma."""
        if self.gamma is None:
            return self.weight
        return self.weight * self._sign().reshape((-1,) + (1,) * (self.weight.dim() - 1))

    def _sign(self) -> Tensor:
        """Return -1 for each channel with a negative gamma, else 1."""
        if self.gamma is None:
            return self.weight.new_ones(self.weight.shape[0])
        return torch.where(self.gamma.detach() < 0, -1.0, 1.0)

    def _whole(self, x: Tensor, quantizer: Quantizer, skipped: Tensor | None) -> tuple[Tensor, Tensor]:
        codes, lsb = self._codes(quantizer)
        dtype = self._dtype(codes)
        acc = self.linear(x.to(dtype), codes.to(dtype), skipped)
        mean, var = self._running()
        if self.batch_norm and self.training:
            var_acc, mean_acc = torch.var_mean(acc, dim=self._others(acc), correction=0)
            mean, var = mean_acc * self._sign() * lsb, var_acc * lsb.square()
            self._track(mean, var)
        bias, lsb = self._fold(lsb, mean, var, self._bias_limit(dtype))
        return acc + bias.reshape((1, -1) + (1,) * (acc.dim() - 2)), lsb.to(dtype)

    def _dtype(self, codes: Tensor) -> torch.dtype:
        """Return float32 while the worst-case sum stays below 2**21, else float64, here and in the neuron."""
        bound = float(codes.detach().abs().flatten(1).sum(1).max()) * self.peak
        return codes.dtype if bound < EXACT_FLOAT32 else torch.float64

    def _bias_limit(self, dtype: torch.dtype) -> float:
        fixed = self.quantizer is not None and self.quantizer.fixed_scale is not None
        return WIDE_BIAS_LIMIT if fixed and dtype == torch.float64 else BIAS_LIMIT

    def least_unit(self, limit: float) -> float:
        """Return the real size that a unit of the output has at least, biases staying below ``limit`` units."""
        return 0.0

    def _fold(self, lsb: Tensor, mean: Tensor, var: Tensor, limit: float) -> tuple[Tensor, Tensor]:
        """Return integer bias and lsb per channel; ``mean`` is that of the weights before they took gamma's sign."""
        if self.gamma is None or self.beta is None:
            each = lsb.expand(self.weight.shape[0])
            bias = torch.zeros_like(each) if self.beta is None else self._bias(self.beta / each, limit)
            return bias, each
        gain = self.gamma * torch.rsqrt(var + EPSILON)
        offset = self.beta - mean * gain
        least = offset.detach().abs() / (limit * BELOW_ONE)
        each = torch.maximum(lsb * gain.abs().clamp_min(LEAST_GAIN), least).clamp_min(self.least_unit(limit))
        return self._bias(offset / each, limit), each

    @staticmethod
    def _bias(ratio: Tensor, limit: float) -> Tensor:
        return rounded(ratio.clamp(-limit, limit))

    def _real(self, x: Tensor, skipped: Tensor | None) -> tuple[Tensor, Tensor]:
        y = self.linear(x * self.x_scale, self.weight, skipped)
        one = torch.ones(self.weight.shape[0], dtype=y.dtype, device=y.device)
        view = (1, -1) + (1,) * (y.dim() - 2)
        if self.gamma is not None and self.beta is not None:
            mean, var = self._running()
            if self.training:
                var, mean = torch.var_mean(y, dim=self._others(y), correction=0)
                self._track(mean, var)
            gain = self.gamma * torch.rsqrt(var + EPSILON)
            return y * gain.reshape(view) + (self.beta - mean * gain).reshape(view), one
        return (y if self.beta is None else y + self.beta.reshape(view)), one

    def _running(self) -> tuple[Tensor, Tensor]:
        if self.batch_norm:
            return self.mean, self.var
        return self.weight.new_zeros(()), self.weight.new_ones(())

    @staticmethod
    def _others(y: Tensor) -> list[int]:
        return [0, *range(2, y.dim())]

    @torch.no_grad()
    def _track(self, mean: Tensor, var: Tensor) -> None:
        self.mean.lerp_(mean.detach().to(self.mean.dtype), self.momentum)
        self.var.lerp_(var.detach().to(self.var.dtype), self.momentum)
