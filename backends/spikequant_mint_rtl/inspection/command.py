"""``spikequant wave``: the waveform of chosen layers, timesteps and lanes of one sample."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from spikequant.cli.common import data_dir_option, emit, json_option, load_program, load_samples, messages, plain
from spikequant.errors import UsageError
from spikequant.files import check_writable, reason, replacing
from spikequant.program import IntArray, integers
from spikequant.program_inputs import program_inputs
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.inspection.executable import InspectedExecutable
from spikequant_mint_rtl.inspection.selection import Selection, idle_lanes, select
from spikequant_mint_rtl.inspection.wave import Recorder


@click.command("wave")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write (.vcd).")
@click.option("--layers", help="Names of lif or readout nodes, with commas between; default: all.")
@click.option("--steps", help="Timesteps, as 0:2 (0 and 1) or 0,3; default: all.")
@click.option("--lanes", default="0:4", show_default=True, help="Processing elements, in the same form.")
@click.option("--sample", type=click.IntRange(0), default=0, show_default=True, help="Which sample, from 0.")
@click.option("--dense", is_flag=True, help="Spend a cycle on every input, spike or not.")
@click.option("--data", help="Data set; default: the one the model was trained on.")
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True)
@data_dir_option
@json_option
def wave(
    *,
    model: Path,
    out: Path,
    layers: str | None,
    steps: str | None,
    lanes: str,
    sample: int,
    dense: bool,
    data: str | None,
    split: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Run one sample of MODEL on the simulated accelerator and write a waveform (VCD) for GTKWave."""
    check_writable(out, "--out")
    program = load_program(model)
    chosen = load_samples(program, data, split, sample + 1, data_dir)
    if sample >= len(chosen):
        raise UsageError(f"--sample {sample}: the split '{split}' has {len(chosen)} samples, 0..{len(chosen) - 1}")
    backend = MintRtlBackend(zero_skip=not dense, driver="pyverilator")
    with backend.compile(program) as compiled:
        executable = cast("InspectedExecutable", compiled)
        selection = select(executable.layer_names, program.timesteps, layers, steps, lanes)
        for sentence in idle_lanes(selection, executable.outputs):
            messages.print(f"note: {sentence}")
        if messages.is_terminal:
            executable.on_progress = messages.print
        recorded = write_wave(executable, program_inputs(program, integers(chosen.x[sample:])), selection, out)
    if as_json:
        emit(
            {
                "file": str(out),
                "layers": list(selection.layers),
                "steps": list(selection.steps),
                "lanes": list(selection.lanes),
                "cycles": recorded,
            }
        )
        return
    plain.print(f"{out}: {recorded:,} cycles of {', '.join(selection.layers)}")


def write_wave(executable: InspectedExecutable, inputs: IntArray, selection: Selection, out: Path) -> int:
    """Run ``inputs`` and write what is selected to ``out``, whole or not at all; returns the cycles written.

    Raises:
        UsageError: ``out`` cannot be written.
    """
    comment = (
        f"layers {','.join(selection.layers)}; steps {','.join(map(str, selection.steps))}; one cycle is 10 ns;"
        " values are those after the clock's edge"
    )
    try:
        with replacing(out) as partial, partial.open("w", encoding="ascii") as file:
            recorder = Recorder(file, selection, executable.cores, comment)
            for core in executable.cores:
                core.watch = recorder
            executable.run(inputs, record=False)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be written: {reason(error)}; give another file") from error
    return recorder.recorded
