"""Synthesize one circuit and return its own area: modules within it that are billed apart stay black boxes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikequant.build_cache import build_cache, content_key, make_once
from spikequant.errors import BackendError
from spikequant_mint_rtl.area.technology import LIBRARY, RESET_FLOP, Technology
from spikequant_mint_rtl.area.yosys import run_yosys, yosys_version

PACKAGE = Path(__file__).parent
RTL = PACKAGE.parent / "rtl"
_NEEDED = "give a library with an inverter, a buffer, gates and a flip-flop with asynchronous reset"


@dataclass(frozen=True)
class Circuit:
    """A module with values for its parameters.

    Attributes:
        top: Name of the module.
        parameters: Names and values.
        apart: Modules within it that are not counted.
    """

    top: str
    parameters: tuple[tuple[str, int], ...]
    apart: tuple[str, ...] = ()


def sources() -> list[Path]:
    """Return every SystemVerilog file that a circuit may be made of, the package first."""
    found = [*sorted(RTL.rglob("*.sv")), *sorted(PACKAGE.glob("*.sv"))]
    return sorted(found, key=lambda path: path.name != "mint_pkg.sv")


def circuit_area(circuit: Circuit, technology: Technology, cache: Path | None = None) -> float:
    """Return a circuit's area in the technology's unit, without the modules that are billed apart.

    Args:
        circuit: What to synthesize.
        technology: What to map it to.
        cache: Where results are kept; default the user's cache.

    Raises:
        BackendError: pyosys is missing, synthesis failed, or the library lacks a cell that is needed.
    """
    return _area(synthesized(circuit, technology, "area", f"tee -q -o out.json {technology.count}", cache), technology)


def synthesized(
    circuit: Circuit, technology: Technology, kind: str, last: str, cache: Path | None = None
) -> dict[str, Any]:
    """Synthesize a circuit and return the JSON that the script's last command writes to ``out.json``.

    The result is kept by the content of the sources and of the library, and is made once.

    Args:
        circuit: What to synthesize.
        technology: What to map it to.
        kind: What ``last`` writes, in a word: the beginning of the kept file's name.
        last: A Yosys command.
        cache: Where results are kept; default the user's cache.

    Raises:
        BackendError: pyosys is missing, or synthesis failed.
    """
    folder = build_cache("mint_rtl_area") if cache is None else cache
    files = [(path.name, path.read_bytes()) for path in sources()]
    script = "\n".join((_script(circuit, technology, len(files)), last, ""))
    parts = [script, technology.identity, yosys_version(), *(part for file in files for part in file)]
    target = folder / f"{kind}-{content_key(parts)}.json"

    def make(scratch: Path) -> Path:
        for index, (_, content) in enumerate(files):
            (scratch / f"{index}.sv").write_bytes(content)
        if technology.liberty is not None:
            (scratch / LIBRARY).write_bytes(technology.liberty)
        try:
            run_yosys(scratch, script)
        except BackendError as error:
            told = f"{circuit.top} in '{technology.name}': {error}"
            raise BackendError(told if technology.liberty is None else f"{told}; {_NEEDED}") from error
        return scratch / "out.json"

    if not target.exists():
        make_once(folder, target, make)
    read: dict[str, Any] = json.loads(target.read_text())
    return read


def _script(circuit: Circuit, technology: Technology, files: int) -> str:
    chosen = " ".join(f"-G {name}={value}" for name, value in circuit.parameters)
    apart = " ".join(f"--blackboxed-module {name}" for name in circuit.apart)
    read = f"read_slang --top {circuit.top} {chosen} {apart} {' '.join(f'{index}.sv' for index in range(files))}"
    return "\n".join((read, f"synth -flatten -noabc -top {circuit.top}", *technology.mapping))


def _area(stat: dict[str, Any], technology: Technology) -> float:
    """Return the design's area; raises where a gate was left without a cell of the technology."""
    design = stat["design"]
    cells: dict[str, int] = design["num_cells_by_type"]
    if technology.liberty is None:
        flops = sum(cells.get(f"$_DFF_PN{value}_", 0) for value in (0, 1))
        return float(str(design["estimated_num_transistors"]).rstrip("+")) + RESET_FLOP * flops
    left = sorted(name for name in cells if name.startswith("$"))
    if left:
        raise BackendError(f"library '{technology.name}' has no cell for {', '.join(left)}; {_NEEDED}")
    return float(design["area"])
