"""Networks of other tools, read from ``.nir`` files: as a float model that is calibrated, quantized and verified."""

from spikequant import hookimpl
from spikequant.importer import Importer
from spikequant_nir.importer import NirImporter


@hookimpl
def spikequant_importers() -> list[type[Importer]]:
    """Offer the importer."""
    return [NirImporter]
