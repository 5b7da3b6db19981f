"""The trainable network: weights and neurons in torch, whole numbers forward, lowered to a program."""

from spikequant.model.lower import lower
from spikequant.model.spiking_model import InputCoding, Recording, SpikingModel, as_input
from spikequant.model.weighted_layer import WeightedLayer

__all__ = ["InputCoding", "Recording", "SpikingModel", "WeightedLayer", "as_input", "lower"]
