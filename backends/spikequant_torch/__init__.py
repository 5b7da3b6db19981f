"""Integer programs in torch: batched, exact, on any device that torch runs on."""

from __future__ import annotations

from spikequant import Backend, hookimpl


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the torch backend."""
    from spikequant_torch.backend import TorchBackend

    return [TorchBackend]
