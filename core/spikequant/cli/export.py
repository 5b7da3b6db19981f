"""``spikequant export``: write a trained run as a ``.nir`` with its quantization profile."""

from __future__ import annotations

from pathlib import Path

import click

from spikequant.cli.common import data_dir_option, emit, json_option, plain
from spikequant.runs import RunFolder
from spikequant.runs.export import export_run


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write; default: RUN/model.nir.")
@click.option("--samples", type=click.IntRange(1), help="Training samples to check on; default: 256, fewer if large.")
@data_dir_option
@json_option
def command(run: Path, out: Path | None, samples: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Write the quantized model of the run folder RUN as a .nir file.

    The integers are checked against the trained model on calibration samples first; if any spike or
    state differs, nothing is written.
    """
    path = out or run / "model.nir"
    export = export_run(RunFolder(run), path, samples=samples, data_dir=data_dir)
    if as_json:
        verdict = export.verdict
        emit(
            {
                "file": str(path),
                "samples": export.samples,
                "identical": verdict.identical,
                "spikes": verdict.spikes,
                "states": verdict.states,
                "beyond_nir": {item.rule: item.acted for item in export.beyond},
                "overflows": dict(export.overflows),
            }
        )
        return
    plain.print(str(export.program))
    plain.print(f"trained model against oracle on {export.samples} calibration samples: {export.verdict}")
    for name, count in export.overflows.items():
        plain.print(f"overflow: {count:,} values of {name} lie beyond the range of their format")
    for item in export.beyond:
        if item.acted is not None:
            plain.print(f"beyond plain NIR: {item.rule} acted {item.acted:,} times on the calibration samples")
    uncounted = [item.rule for item in export.beyond if item.acted is None]
    if uncounted:
        plain.print(f"beyond plain NIR, not counted: {', '.join(uncounted)}")
    plain.print(f"written: {path}")
