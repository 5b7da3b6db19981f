"""The importer ``nir``: networks that other tools wrote as ``.nir`` files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from spikequant.errors import NirError
from spikequant.importer import Importer, Inspection
from spikequant_nir.assumed import note_ambiguities, settled, too_short
from spikequant_nir.findings import Notes, shown
from spikequant_nir.graph import Graph
from spikequant_nir.imported import NirImported
from spikequant_nir.inspecting import inspection
from spikequant_nir.read import NirFile, read_file
from spikequant_nir.rules import Rules


class NirImporter(Importer):
    """Reads NIR graphs of float models. An option that is ``None`` was not said; its default is then a finding.

    Args:
        dt: Seconds of one timestep.
        reset: ``to-value`` (NIR's rule), ``zero`` or ``subtract``.
        reset_delay: 1: the reset of a spike acts in the next step.
        fire: ``>`` (NIR's rule) or ``>=``.
        most_spikes: More than 1: floor(v / threshold) spikes in a step, at most so many.
        v_min: Potentials are kept at or above it.
        current: ``new`` or ``old``: which current a potential takes.
        integrate: ``euler`` or ``exponential``.
        if_gain: ``auto``, ``step`` or ``dt``: of IF and I.
        repair: Mend faults of the file that can be mended safely.
    """

    name = "nir"
    summary = "networks in floats that other tools wrote in the Neuromorphic Intermediate Representation"
    suffixes = (".nir",)

    def __init__(
        self,
        *,
        dt: float | None = None,
        reset: str | None = None,
        reset_delay: int | None = None,
        fire: str | None = None,
        most_spikes: int | None = None,
        v_min: float | None = None,
        current: str | None = None,
        integrate: str | None = None,
        if_gain: str | None = None,
        repair: bool = False,
    ) -> None:
        given: dict[str, Any] = {
            "dt": dt,
            "reset": reset,
            "reset_delay": reset_delay,
            "fire": fire,
            "most_spikes": most_spikes,
            "v_min": v_min,
            "current": current,
            "integrate": integrate,
            "if_gain": if_gain,
        }
        self.said = {name: value for name, value in given.items() if value is not None}
        self.repair = repair
        Rules(**self.said)

    def inspect(self, path: Path) -> Inspection:
        """Return the graph with shapes, parameters, ranges, and what is assumed or ambiguous."""
        notes = Notes(self.repair)
        file, rules = self._read(path, notes)
        if (short := too_short(file.graph, rules)) is not None:
            notes.add("ambiguous", short[0], f"{_short_text(short[1], rules)}; it does not run so")
        return inspection(file.graph, file.version, notes.findings())

    def read(self, path: Path) -> NirImported:
        """Return the network in floats."""
        notes = Notes(self.repair)
        file, rules = self._read(path, notes)
        if (short := too_short(file.graph, rules)) is not None:
            raise NirError(
                f"{path}: node '{short[0]}': {_short_text(short[1], rules)}; give a shorter --dt, or"
                " --option integrate=exponential"
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return NirImported(file.graph, rules, notes.findings(), source=shown(path.name), sha256=digest)

    def graph(self, path: Path) -> Graph:
        """Return the network's graph alone, without rules; raises as :meth:`inspect`."""
        return read_file(path, Notes(self.repair)).graph

    def _read(self, path: Path, notes: Notes) -> tuple[NirFile, Rules]:
        file = read_file(path, notes)
        rules = settled(file.graph, self.said, file.metadata, notes)
        note_ambiguities(file.graph, rules, notes)
        return file, rules


def _short_text(tau: float, rules: Rules) -> str:
    return f"a time constant is {tau:g} s and a step {rules.dt:g} s, so that Euler's factor 1 - dt/tau is negative"
