"""An exploration as a table: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from spikequant.errors import UsageError
from spikequant.explore.result import Exploration
from spikequant.files import reason, replacing


def rows(exploration: Exploration) -> list[dict[str, Any]]:
    """Return one row per visited setting, in order; the format of each quantity is a column of its own."""
    return [
        {
            "scheme": evaluation.setting.approach,
            "rounding": evaluation.setting.rounding.value,
            "label": evaluation.setting.label(exploration.weights),
            **{f"format_{name}": str(fmt) for name, fmt in evaluation.setting.formats},
            "accuracy": evaluation.accuracy,
            "right": evaluation.right,
            "samples": evaluation.samples,
            "memory_bits": evaluation.memory_bits,
            "reference_bits": evaluation.reference_bits,
            "saving": evaluation.saving,
            "meets_target": exploration.meets(evaluation),
            "seconds": evaluation.seconds,
            "notes": json.dumps(dict(evaluation.notes), sort_keys=True),
        }
        for evaluation in exploration.visited
    ]


def write_csv(exploration: Exploration, path: Path) -> None:
    """Write :func:`rows`; whole or not at all.

    Raises:
        UsageError: The file cannot be written.
    """
    table = rows(exploration)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    try:
        with replacing(path) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"table {path} cannot be written: {reason(error)}; give another file") from error


def pyarrow_modules() -> tuple[Any, Any]:
    """Return ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("Parquet needs the package 'pyarrow'; pip install 'spikequant[parquet]'") from error


def write_parquet(exploration: Exploration, path: Path) -> None:
    """Write :func:`rows`; whole or not at all.

    Raises:
        UsageError: pyarrow is not installed, or the file cannot be written.
    """
    pyarrow, parquet = pyarrow_modules()
    try:
        with replacing(path) as partial:
            parquet.write_table(pyarrow.Table.from_pylist(rows(exploration)), partial)
    except OSError as error:
        raise UsageError(f"table {path} cannot be written: {reason(error)}; give another file") from error
