r"""The second half of a residual block: a convolution and a shortcut that are added as whole numbers.

Both branches must count in one unit per channel, else the sum would need a multiplier.

- A 1x1 shortcut is more taps of the same convolution: one tensor of weights, one clip, one BatchNorm after the
  sum, so that codes, sign of gamma and unit are shared by construction.
- An identity shortcut adds each spike as ``round(1 / lsb_c)``, the spike's real size 1 in the unit of channel c.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant.gradients import rounded
from spikequant.model.weighted_layer import BELOW_ONE, BIAS_LIMIT, WeightedLayer

KERNEL = 3
LARGEST_SKIP = float(1 << 20)
"""Largest code of an identity shortcut: the room that sums, biases and potentials leave in float32. A channel whose
unit would be smaller has its gain raised to 2**-20 a unit: it hardly looks at its convolution."""
WIDE_SKIP = float(1 << 31)
"""The same in float64 layers whose scale is fixed, where the unit can be fine and the gain large."""


class ProjectedLayer(WeightedLayer):
    r"""A 3x3 convolution plus a 1x1 convolution of the block's input, as one set of weights.

    ``weight`` is ``(out, 9 * inner + outer)``: the taps of the 3x3 kernel, then those of the 1x1 kernel.

    Args:
        inner: Channels of the 3x3 convolution's input.
        outer: Channels of the block's input.
        channels: Channels of the output.
        stride: Of the shortcut.
    """

    def __init__(self, inner: int, outer: int, channels: int, stride: int) -> None:
        taps = KERNEL * KERNEL * inner
        super().__init__((channels, taps + outer), x_scale=1.0, peak=1, batch_norm=True, bias=True, padding=KERNEL // 2)
        self.taps, self.skip_stride = taps, stride

    def kernels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Split weights or codes into those of the 3x3 and those of the 1x1 convolution."""
        main, skip = weight[:, : self.taps], weight[:, self.taps :]
        return main.reshape(len(weight), -1, KERNEL, KERNEL), skip.reshape(*skip.shape, 1, 1)

    def linear(self, x: Tensor, weight: Tensor, skipped: Tensor | None = None) -> Tensor:
        """Return the sum of both convolutions; both inputs are spikes."""
        if skipped is None:
            raise ValueError("a residual block's second convolution needs the block's input")
        main, skip = self.kernels(weight)
        return F.conv2d(x, main, padding=self.padding) + F.conv2d(skipped.to(x.dtype), skip, stride=self.skip_stride)


class IdentityLayer(WeightedLayer):
    """A 3x3 convolution with BatchNorm plus the spikes of the block's input.

    Args:
        channels: Of input, output and shortcut.
    """

    def __init__(self, channels: int) -> None:
        shape = (channels, channels, KERNEL, KERNEL)
        super().__init__(shape, x_scale=1.0, peak=1, batch_norm=True, bias=True, padding=KERNEL // 2)

    def forward(self, x: Tensor, skipped: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the output and its unit, see :meth:`WeightedLayer.forward`."""
        if skipped is None:
            raise ValueError("a residual block's second convolution needs the block's input")
        y, lsb = super().forward(x)
        if self.quantizer is None:
            return y + skipped, lsb
        return torch.addcmul(y, skipped.to(y.dtype), skip_codes(lsb).reshape(1, -1, 1, 1)), lsb

    def least_unit(self, limit: float) -> float:
        """Return the size of a unit at which a spike reaches the largest code."""
        return 1.0 / ((LARGEST_SKIP if limit <= BIAS_LIMIT else WIDE_SKIP) * BELOW_ONE)


def skip_codes(lsb: Tensor) -> Tensor:
    """Return what one spike adds to each channel, whole and at least 1; straight-through gradient.

    >>> skip_codes(torch.tensor([0.3, 0.4, 9.0]))
    tensor([3., 3., 1.])
    """
    return rounded(1.0 / lsb).clamp_min(1.0)
