"""``spikequant memory``: what a model needs, and the papers' own figures."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from spikequant.cli.common import emit, json_option, load_program, plain
from spikequant.memory import Accounting, program_memory


@click.command("memory")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Samples in flight.")
@click.option(
    "--accounting",
    type=click.Choice(["once", "per_timestep"]),
    default="once",
    show_default=True,
    help="Count each potential once per sample, or once per timestep as the MINT paper does.",
)
@json_option
def command(model: Path, batch: int, accounting: str, as_json: bool) -> None:
    """Print the memory of MODEL: weights, state, constants and accumulators apart, beside FP32."""
    memory = program_memory(load_program(model), batch, cast("Accounting", accounting))
    if as_json:
        emit(memory.to_json())
        return
    plain.print(str(memory))
