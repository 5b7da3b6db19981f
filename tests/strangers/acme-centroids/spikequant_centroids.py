"""A network that is no chain of layers: one template per class, moved towards its samples, no gradient."""

import numpy as np
import torch

from spikequant import Learner, Model, Network, Observation, QFormat, Quantity, Recording, hookimpl
from spikequant.errors import UsageError
from spikequant.model import NeuronFactory
from spikequant.program import Dense, Flatten, Input, Readout, chain


class Templates(Model):
    """The class whose template fits best; the same at each timestep, so that nothing ever spikes."""

    def __init__(self, coding, classes, timesteps):
        super().__init__()
        self.coding, self.timesteps = coding, timesteps
        self.register_buffer("w", torch.zeros(classes, int(np.prod(coding.shape)), dtype=torch.float64))
        self.quantizer = None

    @property
    def quantities(self):
        return (Quantity("w", "variable", self.w.numel(), "quantizer", None, (0.0, 1.0), "templates"),)

    def quantize(self, quantizer, *, ends="integer"):
        self.quantizer = quantizer()
        if not isinstance(self.quantizer.fmt, QFormat):
            raise UsageError(f"network 'centroids' takes Qi.f, not {self.quantizer.fmt}; set quantizer.name to 'qif'")
        self.precision = "integer"

    def _codes(self):
        if self.quantizer is None:
            raise UsageError("the templates are floats; quantize() them first")
        step = torch.tensor(self.quantizer.fmt.step)
        return self.quantizer.quantize(self.w.float(), step).to(torch.float64)

    def _acc(self, x):
        weights = self.w if self.precision == "float" else self._codes()
        return x.double().flatten(1) @ weights.T

    def predict(self, x):
        return self._acc(x).argmax(dim=1).cpu().numpy()

    def observe(self, x):
        return Observation({"w": (float(self.w.min()), float(self.w.max()))}, {"w": self.w.numpy().ravel()})

    def record(self, x):
        acc = self._codes() @ x.double().flatten(1).T
        sums = acc.T.long()[None] * torch.arange(1, self.timesteps + 1)[:, None, None]
        return Recording({}, {}, sums)

    def lower(self, *, dt=None, provenance=None):
        nodes = [
            Input("input", self.coding.shape, bits=self.coding.bits),
            Flatten("flat"),
            Dense("fc", self._codes().long().numpy(), bits=self.quantizer.bits),
            Readout("readout"),
        ]
        return chain(nodes, timesteps=self.timesteps, dt=dt or self.dt, provenance=provenance or {})


class Centroids(Network):
    """Templates; it has no neurons, and takes whatever neuron the recipe names."""

    name = "centroids"

    def model(self, neuron: NeuronFactory, coding, classes, timesteps, *, seed):
        return Templates(coding, classes, timesteps)


class Pull(Learner):
    """Moves each template towards the samples of its class, in an order of seed and epoch.

    Args:
        rate: How far.
    """

    name = "pull"
    network = Centroids

    def __init__(self, rate: float = 0.2):
        self.rate = rate

    def start(self, model, *, epochs, seed):
        return Count()

    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        moved = 0.0
        for index in np.random.default_rng([seed, number]).permutation(len(data)):
            target = torch.tensor(data.x[index].ravel() / model.coding.peak)
            target /= target.norm()
            change = self.rate * (target - model.w[int(data.y[index])])
            model.w[int(data.y[index])] += change
            moved += float(change.abs().sum())
        state.shown += len(data)
        progress(len(data), len(data))
        return {"moved": moved, "shown": state.shown}


class Count:
    """Samples shown in all: kept between epochs only to see that it is."""

    shown = 0

    def state_dict(self):
        return {"shown": self.shown}

    def load_state_dict(self, state_dict):
        self.shown = state_dict["shown"]


@hookimpl
def spikequant_networks():
    return [Centroids]


@hookimpl
def spikequant_learners():
    return [Pull]
