"""spikequant: quantize spiking neural networks and prove that hardware runs what was trained."""

from spikequant import damaged_metadata  # noqa: F401 - first: torch reads all entry points when imported
from spikequant.backend import Availability, Backend, Executable
from spikequant.dataset import Dataset, RemoteFile, Split
from spikequant.hookspecs import hookimpl
from spikequant.learner import Learner, LearnerState, Progress
from spikequant.lif_neuron import LifNeuron
from spikequant.model import SpikingModel
from spikequant.network import Network
from spikequant.neuron import Neuron, Variable
from spikequant.quantizer import Quantizer
from spikequant.selector import Candidate, Selection, Selector

__all__ = [
    "Availability",
    "Backend",
    "Candidate",
    "Dataset",
    "Executable",
    "Learner",
    "LearnerState",
    "LifNeuron",
    "Network",
    "Neuron",
    "Progress",
    "Quantizer",
    "RemoteFile",
    "Selection",
    "Selector",
    "SpikingModel",
    "Split",
    "Variable",
    "hookimpl",
]
__version__ = "0.1.0"
