"""A plugin whose dependency is not installed."""

import jax_missing

from spikequant import hookimpl


@hookimpl
def spikequant_quantizers():
    """Never reached."""
    return [jax_missing.Quantizer]
