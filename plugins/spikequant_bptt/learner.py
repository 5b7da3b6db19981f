"""Backpropagation through time with surrogate gradients, Adam and a cosine schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from spikequant import Learner, LearnerState, Model, Progress, Split
from spikequant.errors import UsageError
from spikequant.model import as_input


class Bptt(Learner):
    """Minimise the cross-entropy of the readout's mean over timesteps.

    Args:
        lr: Peak learning rate; it falls to zero as a cosine over all epochs of a phase.
        batch_size: Samples per update.
        weight_decay: Decoupled decay of the weights (AdamW).
        shift: Largest random shift of training images in pixels, each direction; 0 for none.
    """

    name: ClassVar[str] = "bptt"
    summary: ClassVar[str] = "surrogate-gradient backpropagation through time (AdamW, cosine)"

    def __init__(self, lr: float = 1e-3, batch_size: int = 128, weight_decay: float = 0.0, shift: int = 0) -> None:
        if lr <= 0 or batch_size < 1 or weight_decay < 0 or shift < 0:
            raise ValueError(
                f"learner 'bptt': lr {lr} and batch_size {batch_size} must be positive,"
                f" weight_decay {weight_decay} and shift {shift} not negative"
            )
        if not (math.isfinite(lr) and math.isfinite(weight_decay)):
            raise ValueError(f"learner 'bptt': lr {lr} and weight_decay {weight_decay} must be finite")
        self.lr, self.batch_size, self.weight_decay, self.shift = lr, batch_size, weight_decay, shift

    def start(self, model: Model, *, epochs: int, seed: int) -> torch.optim.Optimizer:
        """Return AdamW; only weight matrices and kernels decay."""
        _trainable(model)
        decay = [p for p in model.parameters() if p.dim() > 1]
        rest = [p for p in model.parameters() if p.dim() <= 1]
        groups = [{"params": decay, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.lr, fused=True)

    def epoch(
        self,
        model: Model,
        data: Split,
        state: LearnerState,
        number: int,
        *,
        epochs: int,
        seed: int,
        progress: Progress = lambda done, total: None,
    ) -> Mapping[str, float]:
        """Train one pass over ``data`` in an order keyed by seed and epoch."""
        _trainable(model)
        if not isinstance(state, torch.optim.Optimizer):
            raise TypeError(f"learner 'bptt' was given a {type(state).__name__} as state; it needs its optimizer")
        device = next(model.parameters()).device
        model.train()
        random = np.random.default_rng([seed, number])
        order = random.permutation(len(data))
        batches = math.ceil(len(data) / self.batch_size)
        total, right = 0.0, 0
        for index in range(batches):
            self._schedule(state, (number + index / batches) / epochs)
            chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
            x = as_input(data.x[chosen], device)
            if self.shift:
                x = _shifted(x, random.integers(-self.shift, self.shift + 1, size=2))
            y = torch.from_numpy(data.y[chosen]).to(device)
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            state.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            state.step()
            total += float(loss.detach()) * len(chosen)
            right += int((logits.detach().argmax(1) == y).sum())
            progress(index + 1, batches)
        return {"loss": total / len(data), "train_accuracy": right / len(data)}

    def _schedule(self, optimizer: torch.optim.Optimizer, done: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.lr * 0.5 * (1.0 + math.cos(math.pi * done))


def _trainable(model: Model) -> Model:
    """Return ``model`` if it offers a differentiable ``forward(x)``, which returns logits ``(batch, classes)``."""
    if type(model).forward is nn.Module.forward:
        raise UsageError(
            f"learner 'bptt' trains models with a differentiable forward(), and was given a {type(model).__name__};"
            " choose another network, or the learner of this one"
        )
    return model


def _shifted(x: torch.Tensor, by: np.ndarray[tuple[int], np.dtype[np.int64]]) -> torch.Tensor:
    """Shift images by whole pixels, zeros coming in; one shift for the whole batch."""
    dy, dx = int(by[0]), int(by[1])
    height, width = x.shape[-2:]
    padded = F.pad(x, (max(dx, 0), max(-dx, 0), max(dy, 0), max(-dy, 0)))
    top, left = max(-dy, 0), max(-dx, 0)
    return padded[..., top : top + height, left : left + width]
