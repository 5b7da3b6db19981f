"""Networks of other tools, read from ``.nir`` files: as a float model that is calibrated, quantized and verified."""

from spikequant import Learner, Network, hookimpl
from spikequant.importer import Importer
from spikequant_nir.importer import NirImporter
from spikequant_nir.learner import Frozen
from spikequant_nir.network import NirNetwork


@hookimpl
def spikequant_importers() -> list[type[Importer]]:
    """Offer the importer."""
    return [NirImporter]


@hookimpl
def spikequant_networks() -> list[type[Network]]:
    """Offer the network."""
    return [NirNetwork]


@hookimpl
def spikequant_learners() -> list[type[Learner]]:
    """Offer the learner that changes nothing."""
    return [Frozen]
