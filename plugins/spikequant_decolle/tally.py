"""Loss and accuracy of each layer over an epoch, kept on the device until its end."""

from __future__ import annotations

import torch
from torch import Tensor

from spikequant_decolle.model import DecolleModel


class Tally:
    """Counts votes of every layer's readout as the network itself would, while the weights still change.

    Args:
        model: For its layers and how it reads them.
        device: Where the counts are.
    """

    def __init__(self, model: DecolleModel, device: torch.device) -> None:
        self._layers, self._reading, self._device = len(model.layers), model.reading, device
        self._loss = torch.zeros(self._layers, device=device)
        self._right = torch.zeros(self._layers, dtype=torch.int64, device=device)
        self._steps = 0

    def begin(self, batch: int) -> None:
        """Forget the votes of the batch before."""
        self._votes = torch.zeros((self._layers, batch, self._reading.classes), device=self._device)
        self._samples = torch.arange(batch, device=self._device)

    def counts(self, t: int) -> bool:
        """Return whether timestep ``t`` has a say in the class."""
        return t >= self._reading.burn_in or self._reading.decode == "sum"

    def vote(self, layer: int, y: Tensor) -> None:
        """Take the readout ``(batch, classes)`` of a layer at one timestep."""
        if self._reading.decode == "mode":
            self._votes[layer, self._samples, y.argmax(1)] += 1
        else:
            self._votes[layer] += y

    def learned(self, layer: int, loss: Tensor) -> None:
        """Take the loss of a layer at one timestep."""
        self._loss[layer] += loss
        self._steps += layer == 0

    def end(self, labels: Tensor) -> None:
        """Count the samples that were right."""
        self._right += (self._votes.argmax(2) == labels).sum(1)

    def metrics(self, samples: int) -> dict[str, float]:
        """Return the last layer's accuracy, the sum of losses, and both for every layer.

        Args:
            samples: Shown in the epoch.
        """
        loss = (self._loss / self._steps).tolist()
        right = (self._right / samples).tolist()
        each = {f"loss_{k + 1}": value for k, value in enumerate(loss)}
        each |= {f"train_accuracy_{k + 1}": value for k, value in enumerate(right)}
        return {"loss": sum(loss), "train_accuracy": right[-1], **each}
