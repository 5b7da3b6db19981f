"""Recordings of event cameras, cochleas and fingertips as data sets of frames."""

from spikequant import Dataset, hookimpl
from spikequant_events.braille import Braille, Braille27
from spikequant_events.cifar10_dvs import Cifar10Dvs
from spikequant_events.dvs_gesture import DvsGesture
from spikequant_events.nmnist import NMnist
from spikequant_events.nmnist_small import NMnistSmall
from spikequant_events.shd import Shd


@hookimpl
def spikequant_datasets() -> list[type[Dataset]]:
    """Offer the event data sets."""
    return [NMnistSmall, NMnist, DvsGesture, Cifar10Dvs, Shd, Braille, Braille27]
