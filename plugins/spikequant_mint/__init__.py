"""MINT (multiplier-less integer quantization) and its baseline, vanilla uniform quantization."""

from collections.abc import Mapping
from pathlib import Path

from spikequant import Neuron, Quantizer, hookimpl
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint, VanillaUq
from spikequant_mint.uq_lif import UqLif


@hookimpl
def spikequant_quantizers() -> list[type[Quantizer]]:
    """Offer MINT and vanilla UQ."""
    return [Mint, VanillaUq]


@hookimpl
def spikequant_neurons() -> list[type[Neuron]]:
    """Offer MINT's neuron and the baseline's."""
    return [MintLif, UqLif]


@hookimpl
def spikequant_recipes() -> Mapping[str, Path]:
    """Offer the recipes in this package, under their file names."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.toml"))}
