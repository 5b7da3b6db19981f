"""Adamax, one update per timestep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spikequant_decolle.operations import Operations


class Adamax:
    r"""Running maxima (and means) of gradients, for some parameters.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad u \leftarrow \max(\beta_2 u, |g| + \epsilon), \quad
        w \leftarrow w - \frac{\eta}{1 - \beta_1^n} \frac{m}{u}

    Source: Kingma and Ba 2015, Section 7.1; :math:`\epsilon` as in torch.

    Args:
        parameters: By name; changed in place by :meth:`update`.
        betas: :math:`\beta_1, \beta_2`; without :math:`\beta_1` there are no means to keep.
    """

    def __init__(self, parameters: Mapping[str, Tensor], betas: Sequence[float]) -> None:
        self.betas = float(betas[0]), float(betas[1])
        self.maxima = {name: torch.zeros_like(value) for name, value in parameters.items()}
        self.means = {name: torch.zeros_like(value) for name, value in parameters.items()} if self.betas[0] else {}
        self.updates = dict.fromkeys(parameters, 0)

    def update(self, name: str, parameter: Tensor, gradient: Tensor, lr: float, operations: Operations) -> None:
        """Change ``parameter`` in place."""
        first, second = self.betas
        self.updates[name] += 1
        step, rate = gradient, lr
        if first:
            step = self.means[name].mul_(first).add_(gradient, alpha=1.0 - first)
            rate = lr / (1.0 - first ** self.updates[name])
        self.maxima[name] = _laid_out_as(self.maxima[name], parameter)
        operations.adamax_(parameter, self.maxima[name], _laid_out_as(gradient, parameter), step, rate, second)

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all that it keeps."""
        return {
            "maxima": {name: value.clone() for name, value in self.maxima.items()},
            "means": {name: value.clone() for name, value in self.means.items()},
            "updates": dict(self.updates),
        }

    def load_state_dict(self, state_dict: Any, /) -> None:
        """Take back what :meth:`state_dict` returned.

        Raises:
            KeyError: It is of another optimizer or network.
            ValueError: A shape differs.
        """
        for name in self.updates:
            self.updates[name] = int(state_dict["updates"][name])
            for mine, given in ((self.maxima, state_dict["maxima"]), (self.means, state_dict["means"])):
                if name in mine and mine[name].shape != given[name].shape:
                    raise ValueError(f"'{name}' has the shape {tuple(given[name].shape)}")
                if name in mine:
                    mine[name].copy_(given[name])


def _laid_out_as(value: Tensor, like: Tensor) -> Tensor:
    """Return ``value`` with the order in memory of ``like``."""
    if value.stride() == like.stride():
        return value
    return torch.empty_like(like, dtype=value.dtype).copy_(value)
