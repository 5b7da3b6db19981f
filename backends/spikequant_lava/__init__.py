"""Programs on Intel's Lava: the real lava-nc 0.10.0, in an interpreter of its own, equal to the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikequant import Backend, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def spikequant_backends() -> list[type[Backend]]:
    """Offer the backend ``lava``."""
    from spikequant_lava.backend import LavaBackend

    return [LavaBackend]


@hookimpl
def spikequant_commands() -> list[click.Command]:
    """Offer ``spikequant lava``."""
    from spikequant_lava.commands import lava

    return [lava]
