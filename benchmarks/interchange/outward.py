"""Out: programs of ours in the tools of others, their spikes against the oracle's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interchange.peers import Tool, job
from benchmarks.interchange.programs import PROGRAMS
from spikequant.errors import NirError
from spikequant.nir_profile import write_plain, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Program
from spikequant.registry import node_kinds

SAMPLES = 8
Cell = dict[str, Any]


def outward(tool: Tool, folder: Path, *, plain: bool) -> dict[str, Cell]:
    """Return for each program what the tool made of its file.

    Args:
        tool: Whose importer reads.
        folder: For files; it stays.
        plain: Write the plain form that suits the tool, else the file with the profile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    expected: dict[str, Mapping[str, np.ndarray]] = {}
    cells: dict[str, Cell] = {}
    jobs: list[Mapping[str, Any]] = []
    for place, (title, make) in enumerate(PROGRAMS.items()):
        program, key = make(), f"p{place}"
        x = _inputs(program, place)
        expected[title] = run_oracle(program, x.astype(np.int64)).spikes
        try:
            _write(program, folder / f"{key}.nir", tool, plain=plain)
        except NirError as error:
            cells[title] = {"refused here": str(error)}
            continue
        np.savez(folder / f"{key}.npz", x=x)
        layers = list(expected[title])
        jobs.append({"name": key, "file": f"{key}.nir", "data": f"{key}.npz", "layers": layers, "title": title})
    answers = job(tool, "run", folder, jobs)
    for entry in jobs:
        answer, title = answers[entry["name"]], entry["title"]
        cells[title] = (
            {"refused": answer} if answer else _compared(folder / f"{entry['name']}.got0.npz", expected[title])
        )
    return {title: cells[title] for title in PROGRAMS}


def _inputs(program: Program, seed: int) -> np.ndarray:
    shape = (program.timesteps, SAMPLES, *program.input.shape)
    return (np.random.default_rng(100 + seed).random(shape) < 0.4).astype(np.uint8)


def _write(program: Program, path: Path, tool: Tool, *, plain: bool) -> None:
    if plain:
        write_plain(program, path, tool.form, node_kinds())
    else:
        write_program(program, path, kinds=node_kinds())


def _compared(path: Path, expected: Mapping[str, np.ndarray]) -> Cell:
    """Return how many spikes differ in the last layer, in every layer that can be seen, and in what is returned."""
    with np.load(path) as got:
        found = {name: got[name] for name in expected if name in got}
        batched, returned = bool(got["batched"]), got["(returned)"]
    last = list(expected)[-1]
    if last not in found:
        found[last] = returned
    if found[last].shape != expected[last].shape:
        return {"shape": list(found[last].shape[2:]), "for": list(expected[last].shape[2:])}
    differ = {name: int((spikes != expected[name]).sum()) for name, spikes in found.items()}
    cell = {"differ": differ[last], "of": expected[last].size, "layers": differ, "batched": batched}
    return cell if np.array_equal(returned, found[last]) else cell | {"returned": False}
