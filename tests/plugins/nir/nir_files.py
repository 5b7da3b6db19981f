"""Files as other tools write them, and where the real ones lie."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import h5py
import nir
import numpy as np

from spikequant_nir.findings import Notes
from spikequant_nir.read import read_file

DATA = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[4] / "shared" / "data") / "nir"
NEEDS_DATA = f"needs the .nir files of other tools in {DATA}; set SPIKEQUANT_DATA"
VALID = sorted((DATA / "valid").glob("*.nir"))
REJECTED = sorted((DATA / "rejected").glob("*.nir"))


def full(value, *shape, dtype=np.float64):
    return np.full(shape, value, dtype=dtype)


def linear(outputs, inputs, seed=0):
    weight = np.random.default_rng(seed).normal(0, 1, (outputs, inputs)).astype(np.float32)
    return nir.Linear(weight)


def affine(outputs, inputs, seed=0):
    rng = np.random.default_rng(seed)
    return nir.Affine(rng.normal(0, 1, (outputs, inputs)).astype(np.float32), rng.normal(0, 1, outputs).astype("f4"))


def conv2d(outputs, inputs, kernel=(3, 3), *, shape=None, stride=1, padding=0, dilation=1, groups=1, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 1, (outputs, inputs // groups, *kernel)).astype(np.float32)
    bias = rng.normal(0, 1, outputs).astype(np.float32)
    return nir.Conv2d(shape, weight, stride, padding, dilation, groups, bias)


def lif(*shape, tau=2e-3, r=1.0, threshold=1.0):
    return nir.LIF(full(tau, *shape), full(r, *shape), full(0.0, *shape), full(threshold, *shape), full(0.0, *shape))


def cubalif(*shape):
    constants = (full(1e-3, *shape), full(2e-3, *shape), full(1.0, *shape), full(0.0, *shape), full(1.0, *shape))
    return nir.CubaLIF(*constants, full(0.0, *shape), full(1.0, *shape))


def if_(*shape, threshold=1.0):
    return nir.IF(full(1.0, *shape), full(threshold, *shape), full(0.0, *shape))


def source(*shape):
    return nir.Input(np.array(shape))


def sink(*shape):
    return nir.Output(np.array(shape))


def line(*nodes):
    """Return a graph of nodes in a row, named a, b, c, ..."""
    names = [chr(ord("a") + index) for index in range(len(nodes))]
    return graph(dict(zip(names, nodes, strict=True)), list(itertools.pairwise(names)))


def graph(nodes, edges):
    return nir.NIRGraph(nodes, edges, type_check=False)


def written(path, network, *edits):
    """Write a network and change the file as ``edits`` say, each a function of the open file."""
    nir.write(path, network)
    if edits:
        with h5py.File(path, "r+") as file:
            for edit in edits:
                edit(file)
    return path


def without(*names):
    def edit(file):
        for name in names:
            del file[name]

    return edit


def having(**values):
    """Replace data sets; ``a__b`` stands for node/nodes/a/b."""

    def edit(file):
        for key, value in values.items():
            name = "node/nodes/" + key.replace("__", "/")
            if name in file:
                del file[name]
            file[name] = value

    return edit


def read(path, repair=False):
    """Return the graph and its findings as texts."""
    notes = Notes(repair)
    graph = read_file(path, notes).graph
    return graph, [str(finding) for finding in notes.findings()]


def edges_of(graph, delayed=False):
    return {(edge.source, edge.target) for edge in graph.edges if edge.delayed is delayed}
