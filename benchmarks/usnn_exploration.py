"""Exploration of the U-SNN: many candidates at once against one by one, and Q-SpiNN's whole PTQ grid.

Goals: 64 candidates (8 weights x 8 potentials and thresholds) at least 2.5 times faster together than alone, with
equal results; 2,187 candidates on 10,000 images in under 10 minutes, as ``spikequant explore`` does them.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.data import folder, images
from spikequant import QFormat
from spikequant.cli import main as spikequant
from spikequant.explore import read_exploration
from spikequant.explore.store import Store
from spikequant_stdp.engine import Formats, Parameters, State, engine

REPEATS, SHOWN = 5, 1000
TOGETHER, GRID_MINUTES, GRID = 2.5, 10.0, 2187


def run(*words: str) -> None:
    """Run the command line; the program ends if it fails."""
    try:
        spikequant(words)
    except SystemExit as end:
        if end.code:
            sys.exit(end.code)


def together() -> float:
    """Return how many times faster 64 candidates are at once, after training on some images."""
    x, p = images(3000).reshape(3000, -1), Parameters(inputs=784, neurons=400)
    ours = engine("auto")
    start = np.random.default_rng(0).random((p.inputs, p.neurons), dtype=np.float32) * np.float32(0.3)
    state = State(start, np.zeros(p.neurons, np.float32))
    ours.train(p, Formats(), state, x, draw=1)
    formats = [
        Formats(QFormat(1, w), QFormat(10, v), QFormat(7, v)) for w in range(14, -1, -2) for v in range(14, -1, -2)
    ]
    candidates = [(chosen, state) for chosen in formats]
    seconds: dict[str, list[float]] = {"together": [], "alone": []}
    for _ in range(REPEATS):
        begin = time.process_time()
        counts = ours.infer(p, candidates, x[:SHOWN])
        middle = time.process_time()
        alone = np.concatenate([ours.infer(p, [candidate], x[:SHOWN]) for candidate in candidates])
        seconds["together"].append(middle - begin)
        seconds["alone"].append(time.process_time() - middle)
        if not np.array_equal(counts, alone):
            sys.exit("results differ between together and alone")
    at_once, apart = (statistics.median(seconds[how]) / len(formats) / SHOWN * 1e6 for how in ("together", "alone"))
    print(f"engine {ours.name}, {len(formats)} candidates, equal results, per candidate and image:")
    print(f"{at_once:.1f} us together, {apart:.1f} us alone: {apart / at_once:.2f}x (goal {TOGETHER}x)")
    return apart / at_once


def grid() -> float:
    """Return the minutes of the whole grid, worker start included."""
    with tempfile.TemporaryDirectory() as place:
        usnn, jobs = Path(place) / "usnn", os.cpu_count() or 1
        run("train", "mnist-usnn", "--out", str(usnn), "--data-dir", str(folder()))
        begin = time.perf_counter()
        where = ("--data-dir", str(folder()), "--jobs", str(jobs))
        run("explore", str(usnn), "--name", "grid", "--target", "100", *where)
        minutes = (time.perf_counter() - begin) / 60
        found = read_exploration(Store.read(usnn / "explore" / "grid.sqlite"))
    if len(found.visited) != GRID:
        sys.exit(f"{len(found.visited)} settings were visited; the grid has {GRID}")
    print(f"{GRID:,} candidates on {found.baseline.samples:,} images, {jobs} jobs:", end=" ")
    print(f"{minutes:.1f} minutes (goal {GRID_MINUTES:.0f})")
    return minutes


def main() -> None:
    """Measure both and say whether the goals are met."""
    gain = together()
    sys.exit(grid() >= GRID_MINUTES or gain < TOGETHER)


if __name__ == "__main__":
    main()
