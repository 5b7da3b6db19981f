"""Export a trained run: lower it, check it against the training model, and write the ``.nir``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikequant.counts import Counts
from spikequant.errors import RunError
from spikequant.model import Model, as_input, at_once
from spikequant.nir_profile import BeyondNir, PlainForm, acted_counts, beyond_nir, write_plain, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Program, Weighted, integers
from spikequant.program_inputs import DATA_OPTIONS_KEY, program_inputs
from spikequant.registry import node_kinds
from spikequant.runs.build import load_data
from spikequant.runs.folder import RunFolder
from spikequant.runs.train import load_model
from spikequant.trace import Trace
from spikequant.verify import Verdict, compare

CALIBRATION_SAMPLES = 256
CALIBRATION_WORK = 1 << 32
"""Accumulates of the oracle that a default calibration may cost: seconds, not minutes."""


@dataclass(frozen=True)
class Export:
    """What an export did.

    Attributes:
        program: The program in the file.
        verdict: Training model against oracle on the calibration samples.
        beyond: The rules that plain NIR cannot say, and how often each acted on them, where that is counted.
        samples: Number of calibration samples.
        overflows: How many values of each quantity lie beyond its format, where the model can tell.
    """

    program: Program
    verdict: Verdict
    beyond: tuple[BeyondNir, ...]
    samples: int
    overflows: Mapping[str, int]


def export_run(
    folder: RunFolder,
    path: Path,
    *,
    samples: int | None = None,
    data_dir: Path | None = None,
    plain: PlainForm | None = None,
) -> Export:
    """Write the quantized model of ``folder`` to ``path``.

    Args:
        folder: A complete run.
        path: The ``.nir`` file.
        samples: Training samples to calibrate and check on; see :func:`calibration_samples`.
        data_dir: Where data sets lie.
        plain: Write a plain file of this form, without the profile, for the readers of others.

    Raises:
        RunError: The run is not complete, its ends are floats, or the integers differ from the trained model's.
    """
    recipe, result = folder.recipe(), folder.result()
    if recipe.training.ends == "float":
        raise RunError(f"the first and last layer of {folder.path} are floats (training.ends); train with integer ends")
    model = load_model(folder)
    provenance = {
        "data": recipe.data.name,
        "network": recipe.network.name,
        "quantizer": recipe.quantizer.name,
        "neuron": recipe.neuron.name,
        "seed": recipe.seed,
        **({DATA_OPTIONS_KEY: json.dumps(recipe.data.options)} if recipe.data.options else {}),
        **{f"accuracy_{name}": value for name, value in result["accuracy"].items() if value is not None},
    }
    program = model.lower(provenance=provenance)
    train_split, _ = load_data(recipe, data_dir)
    x = integers(train_split.x[: samples or at_once(train_split.x, calibration_samples(program))])
    expected = run_oracle(program, program_inputs(program, x))
    verdict = compare(expected, model_trace(model, x), [node.name for node in program.order])
    if not verdict.identical:
        raise RunError(f"the exported integers differ from the trained model: {verdict}; nothing was written")
    kinds = node_kinds()
    acted = acted_counts(program, expected.counts, kinds)
    if plain is None:
        write_program(program, path, acted, kinds=kinds)
    else:
        write_plain(program, path, plain, kinds)
    return Export(program, verdict, beyond_nir(program, acted, kinds), len(x), model.overflows)


def calibration_samples(program: Program) -> int:
    """Return how many samples to calibrate on: 256, fewer for a large program, 8 at least."""
    work = sum(
        program.timesteps * int(np.prod(program.shapes[node.name])) * int(np.prod(node.codes.shape[1:]))
        for node in program.nodes
        if isinstance(node, Weighted)
    )
    return max(8, min(CALIBRATION_SAMPLES, CALIBRATION_WORK // work))


def model_trace(model: Model, x: NDArray[np.integer]) -> Trace:
    """Return the trace of the training model itself, in evaluation mode, on ``x``."""
    recording = model.record(as_input(x, model.device))

    def arrays(values: dict[str, Tensor], dtype: torch.dtype) -> dict[str, NDArray[np.integer]]:
        return {name: value.to(dtype).cpu().numpy() for name, value in values.items()}

    return Trace(
        arrays(recording.spikes, torch.uint8),
        arrays(recording.potentials, torch.int32),
        {"readout": recording.output.cpu().numpy(), **{k: v.cpu().numpy() for k, v in recording.outputs.items()}},
        Counts("training model", len(x)),
    )
