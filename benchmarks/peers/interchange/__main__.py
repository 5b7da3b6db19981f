"""Runs in a peer's environment: ``python interchange run|make TOOL FOLDER``.

``run`` reads FOLDER/jobs.json, a list of ``{"name", "file", "data", "layers"}``; it imports each file with the
tool's own importer, steps through ``x`` of the data and writes NAME.gotN.npz with the spikes of every layer found,
several times.
``make`` builds the tool's networks, exports each with the tool's own exporter as NAME.nir and writes NAME.npz with
inputs and spikes. Both write FOLDER/results.json: for each name an empty text or why it failed.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

TRIES, VARIES = 5, "varies from run to run"
"""How often each file is imported and run, and the answer where that does not always end alike."""


def main() -> None:
    """Do what the command line asks for."""
    what, tool, place = sys.argv[1:]
    warnings.simplefilter("ignore")
    module, folder = importlib.import_module(f"{tool}_tool"), Path(place)
    results = _run(module, folder) if what == "run" else _make(module, folder)
    (folder / "results.json").write_text(json.dumps(results, indent=1))


def _run(module: Any, folder: Path) -> dict[str, str]:
    results = {}
    for job in json.loads((folder / "jobs.json").read_text()):
        with np.load(folder / job["data"]) as data:
            x = data["x"].astype(np.float32)
        answers = [_tried(partial(_once, module, folder, job, x, f"{job['name']}.got{k}.npz")) for k in range(TRIES)]
        contents = {_digest(folder / f"{job['name']}.got{k}.npz") for k in range(TRIES)}
        results[job["name"]] = answers[0] if len(set(answers)) == len(contents) == 1 else VARIES
    return results


def _once(module: Any, folder: Path, job: dict[str, Any], x: np.ndarray, file: str) -> None:
    spikes, batched = module.run(str(folder / job["file"]), x, job["layers"], own=job.get("own", False))
    np.savez(folder / file, batched=batched, **spikes)


def _digest(path: Path) -> bytes:
    """Return what a file holds, or nothing; numpy writes no times into it."""
    return path.read_bytes() if path.is_file() else b""


def _make(module: Any, folder: Path) -> dict[str, str]:
    results = {}
    for name, build in module.NETWORKS.items():

        def make(name: str = name, build: Callable[[Path], dict[str, np.ndarray]] = build) -> None:
            made = build(folder / f"{name}.nir")
            np.savez_compressed(folder / f"{name}.npz", **{key: value.astype(np.uint8) for key, value in made.items()})

        results[name] = _tried(make)
    return results


def _tried(action: Callable[[], None]) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            action()
    except Exception as error:  # whatever a tool raises is its answer
        traceback.print_exc()
        first = str(error).strip().splitlines()[:1]
        return f"{type(error).__name__}: {first[0] if first else ''}"
    return ""


if __name__ == "__main__":
    main()
