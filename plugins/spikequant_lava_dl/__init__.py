"""Integer networks of lava-dl, read from its HDF5 ``.net`` files: as integer programs that run and are verified."""

from spikequant import hookimpl
from spikequant.importer import Importer
from spikequant_lava_dl.importer import LavaDlImporter


@hookimpl
def spikequant_importers() -> list[type[Importer]]:
    """Offer the importer."""
    return [LavaDlImporter]
