"""Loss and accuracy of each layer over an epoch, kept on the device until its end."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from spikequant_decolle.loss import smooth_l1
from spikequant_decolle.model import DecolleModel


class Tally:
    """Counts votes of every layer's readout as the network itself would, while the weights still change.

    Args:
        model: For its layers and how it reads them.
        device: Where the counts are.
    """

    def __init__(self, model: DecolleModel, device: torch.device) -> None:
        self._layers, self._reading = len(model.layers), model.reading
        self._loss = torch.zeros(self._layers, device=device)
        self._right = torch.zeros(self._layers, dtype=torch.int64, device=device)

    def begin(self) -> None:
        """Forget the readouts of the batch before."""
        self._readouts: list[list[Tensor]] = [[] for _ in range(self._layers)]

    def add(self, layer: int, y: Tensor) -> None:
        """Take the readout ``(batch, classes)`` of a layer at the next timestep."""
        self._readouts[layer].append(y)

    def end(self, labels: Tensor, target: Tensor) -> None:
        """Count the samples that were right, and the losses of the timesteps that were learned from.

        Args:
            labels: Of the batch.
            target: The same as one-hot.
        """
        burn_in = self._reading.burn_in
        for layer, readouts in enumerate(self._readouts):
            y = torch.stack(readouts)
            self._loss[layer] += smooth_l1(y[burn_in:], target) * len(labels)
            if self._reading.decode == "mode":
                y = F.one_hot(y[burn_in:].argmax(2), y.shape[2])
            self._right[layer] += (y.sum(0).argmax(1) == labels).sum()

    def metrics(self, samples: int) -> dict[str, float]:
        """Return the last layer's accuracy, the sum of losses, and both for every layer.

        Args:
            samples: Shown in the epoch.
        """
        loss = (self._loss / samples).tolist()
        right = (self._right / samples).tolist()
        each = {f"loss_{k + 1}": value for k, value in enumerate(loss)}
        each |= {f"train_accuracy_{k + 1}": value for k, value in enumerate(right)}
        return {"loss": sum(loss), "train_accuracy": right[-1], **each}
