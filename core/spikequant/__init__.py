"""spikequant: quantize spiking neural networks and prove that hardware runs what was trained."""

from spikequant.backend import Availability, Backend, Executable
from spikequant.dataset import Dataset, RemoteFile, Split
from spikequant.hookspecs import hookimpl
from spikequant.quantizer import Quantizer

__all__ = ["Availability", "Backend", "Dataset", "Executable", "Quantizer", "RemoteFile", "Split", "hookimpl"]
__version__ = "0.1.0"
