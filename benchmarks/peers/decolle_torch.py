"""The straightforward DECOLLE training loop in torch, written from the paper's equations, autograd at every timestep.

Kaiser, Mostafa and Neftci 2020: traces of the inputs, ``nn.Conv2d`` or ``nn.Linear``, max-pooling of the potential,
a step with a surrogate gradient, a fixed random readout, SmoothL1, ``torch.optim.Adamax``. Nothing of spikequant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Plan:
    """One layer: a convolution with ``kernel``, or a fully connected layer with ``kernel = 0``."""

    features: int
    kernel: int = 0
    pool: int = 1


@dataclass(frozen=True)
class Decays:
    """Of the three traces."""

    alpha: float
    beta: float
    gamma: float


class FastSigmoid(torch.autograd.Function):
    """A step, with the derivative of a fast sigmoid of width ``WIDTH``."""

    WIDTH = 0.7

    @staticmethod
    def forward(ctx, u: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        return g / (1 + u.abs() / FastSigmoid.WIDTH) ** 2


class Layer(nn.Module):
    """Traces, weighted sums, refractory state, pooling, spikes and readout."""

    def __init__(self, plan: Plan, shape: tuple[int, ...], classes: int, decays: Decays) -> None:
        super().__init__()
        self.decays = decays
        if plan.kernel:
            self.base: nn.Module = nn.Conv2d(shape[0], plan.features, plan.kernel, padding=plan.kernel // 2)
            self.shape: tuple[int, ...] = (plan.features, shape[1] // plan.pool, shape[2] // plan.pool)
        else:
            self.base = nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape).numel(), plan.features))
            self.shape = (plan.features,)
        self.pool = nn.MaxPool2d(plan.pool) if plan.pool > 1 else nn.Identity()
        self.readout = nn.Linear(torch.Size(self.shape).numel(), classes, bias=False).requires_grad_(False)
        self.state: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes, and the readout."""
        a = self.decays
        if self.state is None:
            self.state = torch.zeros_like(s), torch.zeros_like(s), torch.zeros_like(self.base(s).detach())
        p, q, r = self.state
        p = a.alpha * p + (1 - a.alpha) * q
        q = a.beta * q + (1 - a.beta) * s
        u = self.base(p) - r
        spikes = (u.detach() >= 0).to(u.dtype)
        self.state = p, q, a.gamma * r + (1 - a.gamma) * spikes
        pooled = FastSigmoid.apply(self.pool(u))
        return pooled.detach(), self.readout(pooled.flatten(1))


class Network(nn.Module):
    """Layers, each with a loss of its own."""

    def __init__(self, plans: Sequence[Plan], shape: tuple[int, ...], classes: int, decays: Decays) -> None:
        super().__init__()
        layers = []
        for plan in plans:
            layers.append(Layer(plan, shape, classes, decays))
            shape = layers[-1].shape
        self.layers = nn.ModuleList(layers)
        self.classes = classes

    def optimizer(self, lr: float) -> torch.optim.Optimizer:
        """Return Adamax of what is trained."""
        return torch.optim.Adamax([p for p in self.parameters() if p.requires_grad], lr=lr, betas=(0.0, 0.95))

    def train_batch(self, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
        """Update at every timestep of ``x`` (timesteps, batch, *shape)."""
        target = F.one_hot(y, self.classes).float()
        for layer in self.layers:
            layer.state = None
        for s in x:
            loss = torch.zeros(())
            for layer in self.layers:
                s, readout = layer(s)  # noqa: PLW2901
                loss = loss + F.smooth_l1_loss(readout, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Return the classes of ``x`` (timesteps, batch, *shape): the mode of the last layer's best."""
        for layer in self.layers:
            layer.state = None
        votes = torch.zeros(x.shape[1], self.classes)
        for s in x:
            for layer in self.layers:
                s, readout = layer(s)  # noqa: PLW2901
            votes += F.one_hot(readout.argmax(1), self.classes)
        return votes.argmax(1)
