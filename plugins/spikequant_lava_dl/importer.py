"""The importer ``lava-dl``: integer networks that lava-dl exported with ``export_hdf5``."""

from __future__ import annotations

import re
from pathlib import Path

from spikequant.errors import UsageError
from spikequant.importer import Finding, ImportedProgram, Importer, Inspection
from spikequant.program import Shape
from spikequant_lava_dl.inspecting import findings_of, inspection
from spikequant_lava_dl.layers import STEPS, LavaDlFile, read_file
from spikequant_lava_dl.network import ENCODES, Encode, Rules, program_of
from spikequant_lava_dl.neurons import Fire

SHAPE = re.compile(r"[1-9][0-9]{0,6}(x[1-9][0-9]{0,6}){0,2}")
FIRES: tuple[Fire, ...] = (">=", ">")
TIMESTEPS = 32


class LavaDlImporter(Importer):
    """Reads lava-dl's HDF5 files of integer networks: they become an integer program as they are.

    Args:
        timesteps: Of one inference; the file's ``simulation/tSample`` by default, else 32.
        encode: What the program takes. ``none``: spikes for every timestep. ``integrate``: 8-bit pixels, shown at every
            timestep to neurons that do v += pixel, fire where v > 255, and are then 0. ``layer``: what drives the
            neurons of the file's input layer, in integers: weight * x + bias.
        input_shape: Such as ``1x28x28``: where the file says it flat, or not at all.
        fire: ``>=`` or ``>``: overrules the rule of the neurons' type, ``>=`` of CUBA and ``>`` of LOIHI.
    """

    name = "lava-dl"
    summary = "integer networks of lava-dl: HDF5 files of dense, conv and pool layers with CUBA or LOIHI neurons"
    suffixes = (".net",)

    def __init__(
        self,
        *,
        timesteps: int | None = None,
        encode: Encode = "none",
        input_shape: str = "",
        fire: Fire | None = None,
    ) -> None:
        if timesteps is not None and (isinstance(timesteps, bool) or not 1 <= timesteps <= STEPS):
            raise UsageError(f"importer 'lava-dl': timesteps is {timesteps}; it must be from 1 to {STEPS}")
        if encode not in ENCODES:
            raise UsageError(f"importer 'lava-dl': encode is '{encode}'; it must be one of {', '.join(ENCODES)}")
        if fire is not None and fire not in FIRES:
            raise UsageError(f"importer 'lava-dl': fire is '{fire}'; it must be one of {', '.join(FIRES)}")
        self.timesteps, self.encode, self.fire = timesteps, encode, fire
        self.input_shape = _shape(input_shape)

    def inspect(self, path: Path) -> Inspection:
        """Return the layers with their parameters, also of networks that do not run here."""
        file = read_file(path)
        return inspection(file, findings_of(file, self._rules(file), assumed=self._assumes(file)))

    def read(self, path: Path) -> ImportedProgram:
        """Return the network as an integer program."""
        file = read_file(path)
        rules = self._rules(file)
        findings: tuple[Finding, ...] = findings_of(file, rules, assumed=self._assumes(file))
        return ImportedProgram(program_of(file, rules), findings)

    def _assumes(self, file: LavaDlFile) -> bool:
        return self.timesteps is None and file.timesteps is None

    def _rules(self, file: LavaDlFile) -> Rules:
        timesteps = self.timesteps or file.timesteps or TIMESTEPS
        return Rules(timesteps, self.encode, self.input_shape, self.fire)


def _shape(text: str) -> Shape | None:
    if not text:
        return None
    if not SHAPE.fullmatch(text):
        raise UsageError(f"importer 'lava-dl': input_shape is '{text}'; it must be sizes such as 784 or 1x28x28")
    return tuple(int(size) for size in text.split("x"))
