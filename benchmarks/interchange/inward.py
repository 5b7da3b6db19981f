"""In: networks that other tools wrote, run here; their spikes against those of the tool itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interchange.networks import RULES, Rules
from benchmarks.interchange.peers import Tool, job
from spikequant.errors import SpikequantError
from spikequant.importer import ImportedModel
from spikequant.registry import registry

Cell = dict[str, Any]


def inward(tool: Tool, folder: Path) -> dict[str, Cell]:
    """Return for each network of the tool its rules, what came out here, and what the tool makes of its own file."""
    made = job(tool, "make", folder)
    expected = {name: _spikes(folder / f"{name}.npz") for name, failed in made.items() if not failed}
    jobs = [
        {"name": name, "file": f"{name}.nir", "data": f"{name}.npz", "layers": list(spikes)[-1:], "own": True}
        for name, spikes in expected.items()
    ]
    own = job(tool, "run", folder, jobs)
    cells: dict[str, Cell] = {}
    for name, (title, rules) in RULES[tool.key].items():
        cells[name] = {"title": title, "rules": dict(rules)}
        if made[name]:
            cells[name]["not written"] = made[name]
            continue
        cells[name]["here"] = run_here(folder / f"{name}.nir", folder / f"{name}.npz", rules)
        got = folder / f"{name}.got0.npz"
        cells[name]["there"] = {"refused": own[name]} if own[name] else _own(got, expected[name])
    return cells


def run_here(file: Path, data: Path, rules: Rules) -> Cell:
    """Return how many spikes of each layer differ when our importer reads the file with these rules."""
    expected = _spikes(data)
    with np.load(data) as archive:
        x = archive["x"].astype(np.float32)
    try:
        model = registry().make("importer", "nir", dict(rules)).read(file)  # type: ignore[attr-defined]
        assert isinstance(model, ImportedModel)
        trace = model.run(dict.fromkeys(model.input_shapes, x))
    except SpikequantError as error:
        return {"refused": str(error)}
    layers = dict(zip(expected, trace.spikes.values(), strict=True))
    differ = {name: int((layers[name] != spikes).sum()) for name, spikes in expected.items()}
    last = list(expected)[-1]
    return {"differ": differ[last], "of": expected[last].size, "layers": differ}


def _own(path: Path, expected: Mapping[str, np.ndarray]) -> Cell:
    last = list(expected)[-1]
    with np.load(path) as archive:
        got = archive["(returned)"]
    if got.shape != expected[last].shape:
        return {"shape": list(got.shape[2:]), "for": list(expected[last].shape[2:])}
    return {"differ": int((got != expected[last]).sum()), "of": expected[last].size}


def _spikes(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files if name != "x"}
