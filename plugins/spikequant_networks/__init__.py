"""The bundled architectures: ``mlp``, ``cnn`` and ``vgg9``."""

from spikequant import Network, hookimpl
from spikequant_networks.cnn import Cnn
from spikequant_networks.mlp import Mlp
from spikequant_networks.vgg9 import Vgg9


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the bundled architectures."""
    return [Mlp, Cnn, Vgg9]
