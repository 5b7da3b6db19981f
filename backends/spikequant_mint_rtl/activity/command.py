"""``spikequant activity``: energy of the processing elements at gate level, as a cross-check of energy by tables."""

from __future__ import annotations

import json
from pathlib import Path

import click

from spikequant.cli.common import emit, json_option, messages, plain
from spikequant.errors import UsageError
from spikequant.files import check_writable, write_text
from spikequant_mint_rtl.activity.load import Load
from spikequant_mint_rtl.activity.study import activity_study
from spikequant_mint_rtl.activity.text import report_text
from spikequant_mint_rtl.area.command import WIDTHS, Chosen
from spikequant_mint_rtl.area.technology import read_technology

OBTAINABLE = (
    "activity needs the energies of a cell library; give --liberty FILE. Within reach are osu018 (Debian package"
    " qflow-tech-osu018) and IHP's open sg13g2"
)


@click.command("activity")
@click.option("--liberty", type=click.Path(path_type=Path), help="Liberty library (.lib, .lib.gz) with energies.")
@click.option(
    "--bits",
    type=Chosen(WIDTHS),
    default=",".join(WIDTHS),
    show_default=True,
    help="Widths of weights; MINT's U as wide.",
)
@click.option(
    "--rate", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Spikes per input and timestep."
)
@click.option("--inputs", type=click.IntRange(1, 8192), default=288, show_default=True, help="Inputs of a neuron.")
@click.option("--timesteps", type=click.IntRange(1, 1000), default=4, show_default=True, help="LIF steps of a neuron.")
@click.option("--neurons", type=click.IntRange(1, 128), default=8, show_default=True, help="Processing elements.")
@click.option("--zero-skip", is_flag=True, help="Spend no cycle on an input without a spike.")
@click.option(
    "--slew",
    type=click.FloatRange(0, 1000),
    metavar="NS",
    default=0.05,
    show_default=True,
    help="Input transition time at which the library's tables are read.",
)
@click.option("--clock", type=click.FloatRange(0.001, 1e5), metavar="MHZ", default=400.0, help="Clock; default 400.")
@click.option("--save", type=click.Path(path_type=Path), help="Write everything (JSON) to a file.")
@json_option
def activity(
    *,
    liberty: Path | None,
    bits: tuple[str, ...],
    rate: float,
    inputs: int,
    timesteps: int,
    neurons: int,
    zero_skip: bool,
    slew: float,
    clock: float,
    save: Path | None,
    as_json: bool,
) -> None:
    """Run MINT's and the baseline's processing element as netlists of a library's cells and print their energy.

    Random spikes and weights are run; every transition of every net is counted and billed with the library's figures.
    Beside it stands what the energy tables say for the same work.
    """
    if liberty is None:
        raise UsageError(OBTAINABLE)
    if save is not None:
        check_writable(save, "--save")
    technology = read_technology(liberty)
    with messages.status("synthesize") as shown:
        report = activity_study(
            technology,
            [int(word) for word in bits],
            Load(rate, inputs, timesteps, neurons, zero_skip, clock, slew),
            advance=lambda done, total: shown.update(f"netlists: {done} of {total}"),
        )
    if save is not None:
        write_text(save, json.dumps(report.to_json(), indent=2) + "\n", "--save")
    if as_json:
        emit(report.to_json())
        return
    plain.print(report_text(report))
    if save is not None:
        plain.print(f"\nwritten: {save}")
