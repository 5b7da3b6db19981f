"""``spikequant area``: the accelerator's area, MINT beside vanilla UQ and beside the paper's figure."""

from __future__ import annotations

import json
from pathlib import Path

import click

from spikequant.cli.common import emit, json_option, messages, plain
from spikequant.files import check_writable, write_text
from spikequant_mint_rtl.area.designs import PARTS
from spikequant_mint_rtl.area.study import HEADROOM, area_study
from spikequant_mint_rtl.area.tables import report_text
from spikequant_mint_rtl.area.technology import read_technology

WIDTHS = ("8", "4", "2")


class Chosen(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Some words of a list, with commas between them, each once."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.name = "LIST"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the words; raises ``click.BadParameter`` where one is not in the list."""
        if isinstance(value, tuple):
            return value
        given = [word.strip() for word in str(value).split(",")]
        for word in given:
            if word not in self.words:
                self.fail(f"{word!r} is not one of {', '.join(self.words)}", param, ctx)
        return tuple(dict.fromkeys(given))


@click.command("area")
@click.option(
    "--bits", type=Chosen(WIDTHS), default=",".join(WIDTHS), show_default=True, help="Widths of weights; U as wide."
)
@click.option(
    "--parts",
    type=Chosen((*PARTS, "steps")),
    default=",".join(PARTS),
    show_default=True,
    help="What to synthesize; steps: from the paper's element to ours, change by change.",
)
@click.option(
    "--liberty", type=click.Path(path_type=Path), help="Liberty library (.lib, .lib.gz): um^2 instead of transistors."
)
@click.option(
    "--node", type=click.FloatRange(1, 1000), metavar="NM", help="The library's feature size, to scale memories to it."
)
@click.option(
    "--headroom",
    type=click.IntRange(1, 24),
    default=HEADROOM,
    show_default=True,
    help="Accumulator bits beyond the weight's; 13 adds 2^13 inputs without loss.",
)
@click.option("--save", type=click.Path(path_type=Path), help="Write everything (JSON) to a file.")
@json_option
def area(
    *,
    bits: tuple[str, ...],
    parts: tuple[str, ...],
    liberty: Path | None,
    node: float | None,
    headroom: int,
    save: Path | None,
    as_json: bool,
) -> None:
    """Synthesize the accelerator as MINT and as vanilla UQ and print the areas under their assumptions.

    Each part is given as logic alone and with its memories. Nothing but pyosys is needed: areas are then
    estimated in transistors. What was synthesized before is not synthesized again.
    """
    if save is not None:
        check_writable(save, "--save")
    technology = read_technology(liberty, node)
    with messages.status("synthesize") as shown:
        report = area_study(
            [int(word) for word in bits],
            parts,
            technology,
            headroom=headroom,
            advance=lambda done, total: shown.update(f"synthesize: {done} of {total} circuits"),
        )
    if save is not None:
        write_text(save, json.dumps(report.to_json(), indent=2) + "\n", "--save")
    if as_json:
        emit(report.to_json())
        return
    plain.print(report_text(report))
    if save is not None:
        plain.print(f"\nwritten: {save}")
