"""The bundled architectures: ``mlp``, ``cnn``, ``vgg9``, ``vgg16`` and ``resnet19``."""

from spikequant import Network, hookimpl
from spikequant_networks.cnn import Cnn
from spikequant_networks.mlp import Mlp
from spikequant_networks.resnet19 import ResNet19
from spikequant_networks.vgg9 import Vgg9
from spikequant_networks.vgg16 import Vgg16


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the bundled architectures."""
    return [Mlp, Cnn, Vgg9, Vgg16, ResNet19]
