"""``spikequant fetch``: download a data set with checksum, resume and progress."""

from __future__ import annotations

from pathlib import Path

import click

from spikequant.cli.common import data_dir_option, emit, json_option, plain
from spikequant.cli.progress import bar
from spikequant.data_folders import data_folders
from spikequant.dataset import RemoteFile
from spikequant.errors import DataError
from spikequant.fetch import fetch
from spikequant.runs.build import make_dataset


@click.command("fetch")
@click.argument("name")
@data_dir_option
@json_option
def command(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Download the data set NAME into the data folder; a broken download is continued."""
    dataset = make_dataset(name)
    if not dataset.files and dataset.source:
        raise DataError(f"data set '{name}' has no address to fetch it from; get it from {dataset.source}")
    seen: dict[str, int] = {}
    with bar(f"fetch {name}", sum(file.size for file in dataset.files)) as advance:

        def report(file: RemoteFile, on_disk: int) -> None:
            advance(on_disk - seen.get(file.name, 0))
            seen[file.name] = on_disk

        paths = fetch(dataset, data_folders(data_dir)[0], report)
    if as_json:
        emit({"data": name, "files": [str(path) for path in paths]})
        return
    if not paths:
        plain.print(f"{name} is embedded in a package; nothing to download")
    for path in paths:
        plain.print(str(path))
