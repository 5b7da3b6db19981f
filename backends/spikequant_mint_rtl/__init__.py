"""The MINT accelerator in SystemVerilog: as a backend, ``mint_rtl``, simulated by Verilator, and its area."""

from __future__ import annotations

from spikequant import Backend, hookimpl


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the simulated accelerator."""
    from spikequant_mint_rtl.backend import MintRtlBackend

    return [MintRtlBackend]
