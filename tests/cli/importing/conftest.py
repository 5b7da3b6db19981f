"""A stranger's importer, installed for a test: floats in a .toy archive, or whole weights in a .whole one."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from spikequant.registry import registry

ACME = '''
"""Reads one layer of neurons without a leak: weights in an archive of numpy."""

import numpy as np
import torch

from spikequant import (
    FloatTrace, Finding, ImportedModel, ImportedProgram, Importer, InspectedNode, Inspection, Learner, Network,
    SpikingModel, hookimpl,
)
from spikequant.errors import UsageError
from spikequant.network import DenseLayer, FlattenLayer, ReadoutLayer
from spikequant.program import Dense, Input, Readout, chain


class Still(Learner):
    name = "acme-still"

    def start(self, model, *, epochs, seed):
        return torch.optim.SGD(model.parameters(), lr=0.0)

    def epoch(self, model, data, state, number, *, epochs, seed, progress=lambda done, total: None):
        return {"loss": 0.0}


class ToyNetwork(Network):
    name = "acme-toy"

    def __init__(self, *, hidden=8, reset="zero", source=""):
        self.hidden = hidden

    def layers(self, shape, classes):
        return (FlattenLayer(), DenseLayer(self.hidden), ReadoutLayer(classes))


class Toy(ImportedModel):
    dt, network, neuron, quantizer, learner = 0.001, "acme-toy", "mint-lif", "mint", "acme-still"
    neuron_options, quantizer_options = {"bits": 8}, {"bits": 8}

    def __init__(self, arrays, source, findings):
        self.arrays, self.findings = arrays, findings
        self.input_shapes = {"in": (1, 8, 8)}
        self.output_shapes = {"out": (10,)}
        self.network_options = {"hidden": len(arrays["first"]), "source": source}

    @property
    def parameters(self):
        model = SpikingModel(
            ToyNetwork(hidden=len(self.arrays["first"])).layers((1, 8, 8), 10), self._neuron, self._coding(), 2
        )
        state = model.state_dict()
        names = [name for name in state if name.endswith("weight")]
        for name, key in zip(names, ("first", "second"), strict=True):
            state[name] = torch.from_numpy(self.arrays[key])
        return state

    def _neuron(self):
        from spikequant.registry import registry
        return registry().make("neuron", "mint-lif", {})

    def _coding(self):
        from spikequant import InputCoding
        return InputCoding((1, 8, 8), 5, 16)

    def run(self, inputs, *, record=True):
        x = inputs["in"].astype(np.float32)
        v, spikes, potentials, outputs = 0.0, [], [], []
        for now in x.reshape(*x.shape[:2], -1):
            v = v + now @ self.arrays["first"].T
            s = v > 1
            v = np.where(s, 0, v)
            spikes.append(s), potentials.append(v), outputs.append(s @ self.arrays["second"].T)
        kept = (np.stack(spikes).astype(np.uint8), np.stack(potentials).astype(np.float32)) if record else ()
        named = [{"hidden": array} for array in kept] or [{}, {}]
        return FloatTrace(*named, {"out": np.stack(outputs).astype(np.float32)})


class ToyImporter(Importer):
    name = "acme"
    summary = "two layers of weights in a .toy archive"
    suffixes = (".toy", ".whole")

    def __init__(self, *, dt: float | None = None, reset: str | None = None, gain: float = 1.0, repair: bool = False):
        self.dt, self.reset, self.gain, self.repair = dt, reset, gain, repair

    def inspect(self, path):
        arrays = self._arrays(path)
        nodes = tuple(
            InspectedNode(name, "Linear", a.shape[:1], {"weight": f"{a.dtype} {a.shape}"}, {"gain": str(self.gain)})
            for name, a in arrays.items()
        )
        finding = Finding("ambiguous", "first", "[/red] which way to reset is not said")
        return Inspection("toy 1", nodes, (("first", "second"),), {"in": (1, 8, 8)}, {"out": None}, (finding,))

    def read(self, path):
        arrays = self._arrays(path)
        if path.suffix == ".whole":
            nodes = [Input("in", arrays["first"].shape[1:], bits=1, coding="per_step"), Dense("fc", arrays["first"])]
            return ImportedProgram(chain([*nodes, Readout("out")], 3))
        findings = []
        if self.dt is None:
            findings.append(Finding("assumed", "", "dt is not said; 0.001 s is taken, give another with --dt"))
        if self.repair:
            findings.append(Finding("repaired", "first", "nothing to mend"))
        return Toy({name: (a * self.gain).astype(np.float32) for name, a in arrays.items()}, path.name, tuple(findings))

    def _arrays(self, path):
        if path.read_bytes()[:3] == b"bug":
            return {}["nothing"]
        if path.read_bytes()[:2] != b"PK":
            raise UsageError(f"{path}: it is no archive; write it again")
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}


@hookimpl
def spikequant_importers():
    return [ToyImporter]


@hookimpl
def spikequant_networks():
    return [ToyNetwork]


@hookimpl
def spikequant_learners():
    return [Still]
'''

RIVAL = """
from spikequant import Importer, hookimpl

class Rival(Importer):
    name = "rival"
    suffixes = (".TOY",)
    def claims(self, path):
        return path.suffix == ".toy"
    def inspect(self, path):
        return "nothing"
    def read(self, path):
        return None

class Raising(Importer):
    name = "raising"
    suffixes = ()
    def claims(self, path):
        raise RuntimeError("no")
    def inspect(self, path): ...
    def read(self, path): ...

@hookimpl
def spikequant_importers():
    return [Rival, Raising]
"""


@pytest.fixture
def install(tmp_path_factory, monkeypatch):
    """Return a function that installs a plugin from its source; all are forgotten afterwards."""
    folder = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(folder)
    names = []

    def installed(name, source):
        names.append(f"{name}_module")
        (folder / f"{name}_module.py").write_text(source, encoding="utf-8")
        info = folder / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[spikequant]\n{name} = {name}_module\n", encoding="utf-8")
        registry.cache_clear()

    yield installed
    registry.cache_clear()
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def acme(install):
    """The importer is there."""
    install("acme", ACME)


@pytest.fixture
def rival(install):
    """Another importer that takes the same files, and one that fails when it is asked."""
    install("rival", RIVAL)


def write_archive(path, **arrays):
    """Write an ``.npz`` under any suffix."""
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    return path


@pytest.fixture
def toy(acme, tmp_path):
    """A model in floats: 8x8 pixels, 12 neurons, 10 classes."""
    random = np.random.default_rng(5)
    first, second = random.normal(0, 0.3, (12, 64)), random.normal(0, 0.3, (10, 12))
    return write_archive(tmp_path / "net.toy", first=first, second=second)


@pytest.fixture
def whole(acme, tmp_path):
    """A program: two inputs over time, one weighted sum."""
    return write_archive(tmp_path / "net.whole", first=np.array([[2, -3]]))
