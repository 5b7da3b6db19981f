"""What several commands share: consoles, the --json option, models, samples, backends."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from numpy.typing import NDArray
from rich.console import Console

from spikequant.backend import Backend, Executable
from spikequant.data_folders import data_folders
from spikequant.dataset import Split
from spikequant.errors import UsageError
from spikequant.event_frames import EventFrames
from spikequant.nir_profile import read_program
from spikequant.program import Program
from spikequant.program_inputs import data_options, program_inputs
from spikequant.registry import node_kinds, registry
from spikequant.runs.build import make_dataset
from spikequant.trace import Trace

Function = TypeVar("Function", bound=Callable[..., Any])

WIDTH = None if sys.stdout.isatty() else 160
messages = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)
results = Console(soft_wrap=True, width=WIDTH)
plain = Console(soft_wrap=True, width=WIDTH, markup=False, emoji=False, highlight=False)
"""Prints words as they are: a path may hold brackets and colons, which ``results`` takes for markup."""

MOST_INPUTS = 1 << 24
"""Input values per batch: 128 MiB of int64."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data sets lie; else SPIKEQUANT_DATA, else the user cache.",
)


def sample_options(function: Function) -> Function:
    """Add the options that choose samples."""
    options = (
        click.option("--data", "data", help="Data set; default: the one the model was trained on."),
        click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True),
        click.option("--samples", type=click.IntRange(1), help="Use only the first N samples."),
        data_dir_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def backend_options(function: Function) -> Function:
    """Add the options that choose and configure a backend."""
    function = click.option(
        "--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the backend; repeatable."
    )(function)
    return click.option("--backend", default="torch", show_default=True, help="Where to run.")(function)


def emit(data: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(data, indent=2))


def load_program(path: Path) -> Program:
    """Return the program of a ``.nir`` file."""
    return read_program(path, kinds=node_kinds())


def load_samples(program: Program, data: str | None, split: str, samples: int | None, data_dir: Path | None) -> Split:
    """Return the samples to run, from the model's own data set by default.

    Raises:
        UsageError: The model does not say what it was trained on, or the samples do not fit its input.
    """
    own = program.provenance.get("data")
    name = data or own
    if not name:
        raise UsageError(
            "the model does not name its data set; give one with --data ('run' also takes arrays, with --input)"
        )
    options = data_options(program.provenance) if name == own else {}
    dataset = make_dataset(str(name), options=options, timesteps=program.timesteps)
    node = program.input
    fits = dataset.shape == node.shape or (
        (node.coding == "per_step" or len(node.shape) == 1) and math.prod(dataset.shape) == math.prod(node.shape)
    )
    if not fits:
        raise UsageError(f"data set '{name}' has samples of shape {dataset.shape}; the model takes {node.shape}")
    if dataset.frames and node.coding == "direct":
        raise UsageError(
            f"data set '{name}' has frames, one per timestep; input '{node.name}' takes one array (direct)"
        )
    return dataset.load("test" if split == "test" else "train", data_folders(data_dir)).head(samples)


def make_backend(name: str, options: tuple[str, ...]) -> Backend:
    """Return the backend under ``name`` with options given as KEY=VALUE."""
    return cast("Backend", registry().make("backend", name, parse_options(options)))


def parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    """Return what was given as ``--option KEY=VALUE``, numbers and booleans understood."""
    given: dict[str, Any] = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"--option {text!r} is not of the form KEY=VALUE")
        try:
            given[key] = json.loads(value)
        except ValueError:
            given[key] = value
    return given


def batch_size(program: Program, wanted: int) -> int:
    """Return how many samples to run at once: ``wanted``, fewer where each is many frames of spikes."""
    node = program.input
    frames = program.timesteps if node.coding == "per_step" else 1
    return max(1, min(wanted, MOST_INPUTS // (frames * math.prod(node.shape))))


def run_batches(
    executable: Executable,
    program: Program,
    x: NDArray[Any] | EventFrames,
    *,
    record: bool,
    batch: int,
    advance: Callable[[int], None],
) -> Iterator[Trace]:
    """Run samples batch by batch, as spikes where the program takes spikes, and yield each trace."""
    size = batch_size(program, batch)
    for start in range(0, len(x), size):
        chosen: NDArray[Any] = x[start : start + size]
        yield executable.run(program_inputs(program, chosen), record=record)
        advance(len(chosen))
