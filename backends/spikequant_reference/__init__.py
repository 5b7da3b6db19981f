"""The oracle as a backend of spikequant: slow, obvious, and always there."""

from __future__ import annotations

from spikequant import Backend, hookimpl


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the reference backend."""
    from spikequant_reference.backend import ReferenceBackend

    return [ReferenceBackend]
