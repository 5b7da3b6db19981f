"""Fixed point ``Qi.f``: weights on a lattice that the format decides, not a learned one."""

from collections.abc import Mapping
from pathlib import Path

from spikequant import Quantizer, hookimpl
from spikequant_qif.quantizer import Qif


@hookimpl
def spikequant_quantizers() -> list[type[Quantizer]]:
    """Offer the fixed-point quantizer."""
    return [Qif]


@hookimpl
def spikequant_recipes() -> Mapping[str, Path]:
    """Offer the recipes in this package, under their file names."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.toml"))}
