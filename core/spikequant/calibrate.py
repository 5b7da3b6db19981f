"""Calibrate a trained float model: the range of every quantity on training samples, and what format it needs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikequant.event_frames import EventFrames
from spikequant.format_choice import format_of_constant, int_bits_for
from spikequant.model import Model, Observation, as_input, at_once
from spikequant.quantity import Quantity
from spikequant.report.results import Calibration, Histogram, Raster, SeenQuantity, read_calibration
from spikequant.runs import RunFolder, load_data, load_model
from spikequant.runs.exact_torch import exact_torch

SAMPLES = 100
AT_ONCE = 25
"""Samples of one forward: every potential of every timestep is in memory."""
BINS = 60
CALIBRATION = "calibration.json"


def calibrate(folder: RunFolder, *, samples: int = SAMPLES, data_dir: Path | None = None) -> Calibration:
    """Run the float model of ``folder`` on training samples and keep what was seen in the run folder.

    Source: Q-SpiNN, Section III-B, Table I and Fig. 8.

    Args:
        folder: A complete run.
        samples: The first so many training samples.
        data_dir: Where data sets lie.

    Raises:
        RunError: The run is not complete, or the result cannot be written.
    """
    recipe, model = folder.recipe(), load_model(folder, precision="float")
    train, _ = load_data(recipe, data_dir)
    x = train.head(samples).x
    seen = _observed(model, x)
    seconds = model.timesteps * model.dt
    rates = np.concatenate([rate / seconds for rate in seen.rates.values()] or [np.zeros(0)])
    calibration = Calibration(
        len(x),
        tuple(_row(quantity, seen) for quantity in model.quantities),
        {name: _histogram(values) for name, values in seen.values.items()},
        tuple(float(rate) for rate in rates),
        _raster(seen),
    )
    folder.write(CALIBRATION, json.dumps(asdict(calibration)) + "\n")
    return calibration


def calibrated(folder: RunFolder, *, data_dir: Path | None = None) -> Calibration:
    """Return the calibration in ``folder``; one is made if there is none.

    Raises:
        RunError: The run is not complete, or a file is damaged or cannot be written.
    """
    return read_calibration(folder.path) or calibrate(folder, data_dir=data_dir)


def _observed(model: Model, x: NDArray[np.integer[Any]] | EventFrames) -> Observation:
    """Run a few samples at a time: ranges and mean rates of all, values and raster of the first."""
    size = at_once(x, AT_ONCE)
    with exact_torch(1):
        parts = [
            (model.observe(as_input(x[start : start + size], model.device)), min(size, len(x) - start))
            for start in range(0, len(x), size)
        ]
    first = parts[0][0]
    ends = {name: list(zip(*(part.ranges[name] for part, _ in parts), strict=True)) for name in first.ranges}
    return replace(
        first,
        ranges={name: (min(lows), max(highs)) for name, (lows, highs) in ends.items()},
        rates={
            name: np.average([part.rates[name] for part, _ in parts], axis=0, weights=[count for _, count in parts])
            for name in first.rates
        },
    )


def _row(quantity: Quantity, seen: Observation) -> SeenQuantity:
    known = {"name": quantity.name, "role": quantity.role, "count": quantity.count}
    if quantity.value is not None:
        fmt = format_of_constant(quantity.value)
        return SeenQuantity(
            **known,  # type: ignore[arg-type]
            value=quantity.value,
            int_bits=fmt.int_bits,
            format=str(fmt),
            description=quantity.description,
        )
    low, high = seen.ranges[quantity.name]
    least, most = quantity.allowed or (low, high)
    bits = int_bits_for(min(low, least), max(high, most))
    return SeenQuantity(
        **known,  # type: ignore[arg-type]
        low=low,
        high=high,
        int_bits=bits,
        format=f"Q{bits}.f",
        description=quantity.description,
    )


def _histogram(values: NDArray[np.floating[Any]]) -> Histogram:
    counts, edges = np.histogram(values, bins=BINS)
    return Histogram(tuple(map(float, edges)), tuple(map(float, counts)))


def _raster(seen: Observation) -> Raster | None:
    if not seen.raster:
        return None
    spikes = np.concatenate(list(seen.raster.values()), axis=1)
    steps, neurons = np.nonzero(spikes)
    return Raster(tuple(map(int, neurons)), tuple(map(int, steps)), len(spikes))
