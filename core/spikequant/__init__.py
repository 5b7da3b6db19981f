"""spikequant: quantize spiking neural networks and prove that hardware runs what was trained."""

from spikequant import damaged_metadata  # noqa: F401 - first: torch reads all entry points when imported
from spikequant.backend import Availability, Backend, Executable
from spikequant.dataset import Dataset, RemoteFile, Split
from spikequant.event_frames import EventFrames
from spikequant.exporter import Exporter
from spikequant.float_trace import FloatTrace
from spikequant.formats import QFormat
from spikequant.hookspecs import hookimpl
from spikequant.importer import Finding, Imported, ImportedModel, ImportedProgram, Importer, InspectedNode, Inspection
from spikequant.learner import Learner, LearnerState, Progress
from spikequant.lif_neuron import LifNeuron
from spikequant.model import InputCoding, Model, Observation, Recording, SpikingModel, States
from spikequant.network import Network
from spikequant.neuron import Neuron, SteppedNeuron, Variable
from spikequant.quantity import Quantity
from spikequant.quantizer import Quantizer
from spikequant.selector import Candidate, Selection, Selector

__all__ = [
    "Availability",
    "Backend",
    "Candidate",
    "Dataset",
    "EventFrames",
    "Executable",
    "Exporter",
    "Finding",
    "FloatTrace",
    "Imported",
    "ImportedModel",
    "ImportedProgram",
    "Importer",
    "InputCoding",
    "InspectedNode",
    "Inspection",
    "Learner",
    "LearnerState",
    "LifNeuron",
    "Model",
    "Network",
    "Neuron",
    "Observation",
    "Progress",
    "QFormat",
    "Quantity",
    "Quantizer",
    "Recording",
    "RemoteFile",
    "Selection",
    "Selector",
    "SpikingModel",
    "Split",
    "States",
    "SteppedNeuron",
    "Variable",
    "hookimpl",
]
__version__ = "0.1.0"
