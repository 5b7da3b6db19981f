"""The torch backend: what it accepts, and how it builds."""

from __future__ import annotations

from typing import ClassVar

import torch

from spikequant.backend import Availability, Backend, Executable
from spikequant.errors import BackendError, UsageError
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    Lateral,
    Lif,
    Node,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    SpikingNode,
)
from spikequant_torch.device import check_device
from spikequant_torch.exact import FLOAT64, float_bound, float_dtype
from spikequant_torch.executable import TorchExecutable


class TorchBackend(Backend):
    """Runs programs in torch, many samples at a time, with the oracle's integers.

    Args:
        device: A torch device: ``cpu``, ``cuda``, ``cuda:1``.
        batch: Samples computed together; ``None`` picks what stays in the cache. Changes speed, no result.

    Raises:
        UsageError: ``device`` or ``batch`` is not one that can be used.
    """

    name: ClassVar[str] = "torch"
    summary: ClassVar[str] = "exact and batched in torch, on CPU or GPU"
    supports: ClassVar[tuple[type[Node], ...]] = (
        Input, Dense, Conv2d, Lateral, PoolOr, PoolSum, Add, Flatten, Concat, Lif, SpikingNode, Readout,
    )  # fmt: skip

    def __init__(self, device: str = "cpu", batch: int | None = None) -> None:
        if batch is not None and batch < 1:
            raise UsageError(f"backend 'torch': batch is {batch}; it must be at least 1, or none to choose by itself")
        try:
            self._device = torch.device(device)
        except RuntimeError as error:
            raise UsageError(f"backend 'torch': device is '{device}'; use 'cpu', 'cuda' or 'cuda:0'") from error
        self._batch = batch

    def availability(self) -> Availability:
        """Say whether the device computes, and exactly."""
        try:
            check_device(self._device)
        except BackendError as error:
            return Availability(False, str(error), "use device='cpu'")
        return Availability(True, f"torch {torch.__version__} on {self._device}")

    def refusal(self, program: Program, node: Node) -> str | None:
        """Refuse values that no number type of torch computes exactly."""
        if not isinstance(node, (Input, SpikingNode, Readout)):
            bound = float_bound(program, node)
            if float_dtype(bound) is None:
                return f"sums reach {bound}, and float64 is exact below {FLOAT64}; use fewer bits"
        return None

    def build(self, program: Program) -> Executable:
        """Put the program's constants on the device.

        Raises:
            BackendError: The device is not there, or does not compute exactly.
        """
        check_device(self._device)
        return TorchExecutable(program, self.name, self._device, self._batch)
