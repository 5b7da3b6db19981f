"""``spikequant inspect``: what a file of another tool holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from spikequant.cli.common import emit, json_option, parse_options, plain
from spikequant.cli.import_options import import_options, importer_for, note_profile, taken
from spikequant.importer import Inspection
from spikequant.importing import inspect_file
from spikequant.program import Shape


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@import_options
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the importer; repeatable.")
@json_option
def command(*, file: Path, importer: str | None, options: tuple[str, ...], as_json: bool, **words: Any) -> None:
    """Show what FILE holds: nodes, shapes, parameters and their ranges, edges, and what is ambiguous.

    Nothing is run. FILE is of any format that an installed importer reads, see 'spikequant plugins'.
    """
    reader = importer_for(file, importer, taken(words, parse_options(options)))
    note_profile(file)
    seen = inspect_file(reader, file)
    if as_json:
        emit({"file": str(file), "importer": reader.name, **seen.to_json()})
        return
    plain.print(f"{file}: {seen.format}, read by importer '{reader.name}'")
    for word, ports in (("input", seen.inputs), ("output", seen.outputs)):
        for name, shape in ports.items():
            plain.print(f"{word} {name}: {_shape(shape)}")
    plain.print(_table(seen))
    for source, target in seen.edges:
        plain.print(f"{source} -> {target}")
    for finding in seen.findings:
        plain.print(str(finding))


def _table(seen: Inspection) -> Table:
    table = Table(title=f"{_many(len(seen.nodes), 'node')}, {_many(len(seen.edges), 'edge')}", title_justify="left")
    for column in ("node", "kind", "shape", "parameters", "settings"):
        table.add_column(column)
    for node in seen.nodes:
        table.add_row(node.name, node.kind, _shape(node.shape), _lines(node.parameters), _lines(node.settings))
    return table


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _lines(words: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {text}" for name, text in words.items())


def _shape(shape: Shape | None) -> str:
    return "?" if shape is None else f"({', '.join(map(str, shape))})"
