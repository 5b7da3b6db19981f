"""Where the networks of lava-dl's authors lie, and small ones of our own."""

import os
from pathlib import Path

import h5py
import numpy as np

DATA = Path(os.environ.get("SPIKEQUANT_DATA", Path(__file__).parents[4] / "shared" / "data"))
MODELS = DATA / "models"
NETWORKS = MODELS / "lava_dl"

CUBA = {"type": b"CUBA", "iDecay": 4096, "vDecay": 2048, "vThMant": 1, "refDelay": 1, "gradedSpike": False}


def write(path, *layers, **simulation):
    """Write layers as lava-dl does: a field for each key, groups for dicts."""
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(layers):
            for key, value in layer.items():
                if isinstance(value, dict):
                    for name, item in value.items():
                        file[f"layer/{index}/{key}/{name}"] = item
                elif key == "type":
                    file[f"layer/{index}/type"] = np.array([value.encode()], "S10")
                else:
                    file[f"layer/{index}/{key}"] = value
        for key, value in simulation.items():
            file[f"simulation/{key}"] = value
    return path


def dense(weight, neuron=None, **fields):
    weight = np.array(weight, np.float32)
    features = {"shape": [len(weight)], "inFeatures": weight.shape[1], "outFeatures": len(weight)}
    return {"type": "dense", **features, "weight": weight, "neuron": {**CUBA, **(neuron or {})}, **fields}


def conv(weight, shape, neuron=None, **fields):
    weight = np.array(weight, np.float32)
    channels = {"outChannels": len(weight), "inChannels": weight.shape[1], "kernelSize": list(weight.shape[2:])}
    window = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    given = {"weight": weight[..., None], "neuron": {**CUBA, **(neuron or {})}}
    return {"type": "conv", "shape": list(shape), **channels, **window, **given, **fields}
