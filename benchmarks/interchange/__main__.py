"""Run every round trip and say what changed; with ``--write`` record it and write the tables of docs/interchange.md."""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.interchange.inward import inward
from benchmarks.interchange.outward import outward
from benchmarks.interchange.peers import TOOLS
from benchmarks.interchange.table import PAGE, RECORDED, ROOT, load, page

FILES = ROOT / "tests" / "plugins" / "nir" / "peers"
THEN = (2026, 1, 1, 0, 0, 0)
"""The time of every file in an archive, so that the same files give the same archive."""


def main() -> None:
    """Exit 1 when the results are not those recorded, unless they are written."""
    write = sys.argv[1:] == ["--write"]
    with tempfile.TemporaryDirectory() as scratch:
        results = _all(Path(scratch), keep=write)
    if write:
        RECORDED.write_text(json.dumps(results, indent=1, sort_keys=False) + "\n")
        PAGE.write_text(page(PAGE.read_text(), results))
        print(f"written: {RECORDED}, {PAGE} and {FILES}")
        return
    recorded = load()
    changed = [key for key in results if results[key] != recorded.get(key)]
    print("as recorded" if not changed else f"changed: {', '.join(changed)}; write it with --write")
    sys.exit(bool(changed))


def _all(folder: Path, *, keep: bool) -> dict[str, Any]:
    results: dict[str, Any] = {
        "tools": {tool.key: {"name": tool.name, "version": tool.version, "words": tool.words} for tool in TOOLS},
        "plain": {tool.key: outward(tool, folder / "plain" / tool.key, plain=True) for tool in TOOLS},
        "profile": {tool.key: outward(tool, folder / "profile" / tool.key, plain=False) for tool in TOOLS},
        "inward": {},
    }
    for tool in TOOLS:
        place = folder / "in" / tool.key
        results["inward"][tool.key] = inward(tool, place)
        if keep:
            _keep(place, list(results["inward"][tool.key]), FILES / f"{tool.key}.zip")
    return results


def _keep(folder: Path, names: list[str], archive: Path) -> None:
    """Store the files that a tool wrote, with its inputs and spikes, for the tests."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            for file in (folder / f"{name}.nir", folder / f"{name}.npz"):
                if file.is_file():
                    target.writestr(zipfile.ZipInfo(file.name, THEN), file.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
