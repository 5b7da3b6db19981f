"""``python -m spikequant_mint_rtl.coverage [RANDOM PROGRAMS]``: exit code 1 below 95 % of any file's lines."""

from __future__ import annotations

import sys

import click

from spikequant.errors import SpikequantError
from spikequant_mint_rtl.builder import RTL
from spikequant_mint_rtl.coverage.points import by_file
from spikequant_mint_rtl.coverage.programs import all_cases
from spikequant_mint_rtl.coverage.report import measure, missed, table, too_low


@click.command("rtl-coverage")
@click.argument("count", type=click.IntRange(0), default=60)
def command(count: int) -> None:
    """Run COUNT random programs and the directed ones, and print line, branch and toggle coverage of the RTL."""
    try:
        files = by_file(measure(all_cases(count), say=lambda text: click.echo(text, err=True)))
    except SpikequantError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    for line in (*table(files), "", "never passed:", *(missed(files, RTL) or ["nothing"])):
        click.echo(line)
    low = too_low(files)
    for line in low:
        click.echo(f"error: {line}", err=True)
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    command(prog_name="python -m spikequant_mint_rtl.coverage")
