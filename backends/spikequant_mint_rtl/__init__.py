"""The MINT accelerator in SystemVerilog: as a backend, ``mint_rtl``, simulated by Verilator, and its netlists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikequant import Backend, Exporter, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the simulated accelerator."""
    from spikequant_mint_rtl.backend import MintRtlBackend

    return [MintRtlBackend]


@hookimpl
def spikequant_exporters() -> list[type[Exporter]]:
    """Offer the accelerator as a folder that runs without us."""
    from spikequant_mint_rtl.emission.exporter import MintRtlExporter

    return [MintRtlExporter]


@hookimpl
def spikequant_commands() -> list[click.Command]:
    """Offer ``spikequant wave``, ``spikequant area`` and ``spikequant activity``."""
    from spikequant_mint_rtl.activity.command import activity
    from spikequant_mint_rtl.area.command import area
    from spikequant_mint_rtl.inspection.command import wave

    return [wave, area, activity]
