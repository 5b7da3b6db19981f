"""The MINT accelerator in SystemVerilog as a backend: ``mint_rtl``, simulated by Verilator."""

from __future__ import annotations

from spikequant import Backend, hookimpl
from spikequant_mint_rtl.backend import MintRtlBackend


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the simulated accelerator."""
    return [MintRtlBackend]
