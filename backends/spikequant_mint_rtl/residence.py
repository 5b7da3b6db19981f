"""Which weights and constants a core holds: what fits is loaded once and stays for the run."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant_mint_rtl.buffers import CONSTANT_ROWS, LANES, WORD
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.layer import Layer, Shortcut, Taps
from spikequant_mint_rtl.packing import by_tile, pack_weights
from spikequant_mint_rtl.schedule import Pass
from spikequant_mint_rtl.simulator import Memory, Simulator


@dataclass(frozen=True)
class Place:
    """First weight row, and first row of constants, of a group of tiles."""

    row: int
    tile: int


class Residence:
    """Fills a core's weight memory from the bottom; when something does not fit, starts anew.

    Args:
        core: The simulated core.
        config: Its parameters.
    """

    def __init__(self, core: Simulator, config: CoreConfig) -> None:
        self._core, self._config = core, config
        self.loaded_rows = 0
        self.clear()

    def clear(self) -> None:
        """Forget what the core holds."""
        self._places: dict[tuple[str, int, Pass], Place] = {}
        self._next = Place(0, 0)

    def place(self, layer: Layer, tiles: range, one: Pass) -> Place:
        """Return where the weights and constants of a pass are, loading them when they are not in the core."""
        key = (layer.name, tiles.start, one)
        if key not in self._places:
            part = layer.parts[one.part]
            rows = len(tiles) * one.rows(part) if isinstance(part, Taps) else 0
            if self._next.row + rows > self._config.weight_rows or self._next.tile + len(tiles) > CONSTANT_ROWS:
                self.clear()
            self._load(layer, tiles, one, self._next)
            self._places[key] = self._next
            self._next = Place(self._next.row + rows, self._next.tile + len(tiles))
            self.loaded_rows += rows
        return self._places[key]

    def _load(self, layer: Layer, tiles: range, one: Pass, place: Place) -> None:
        core, part = self._core, layer.parts[one.part]
        outputs, chosen = slice(tiles.start * LANES, tiles.stop * LANES), slice(tiles.start, tiles.stop)
        added = layer.constants["bias"]
        if isinstance(part, Shortcut):
            added = part.codes
        else:
            first, last = one.first_channel, one.first_channel + one.channels(part.stored[0])
            codes = part.codes[outputs, first:last, one.kernel_y.start : one.kernel_y.stop]
            packed = pack_weights(codes[..., one.kernel_x.start : one.kernel_x.stop], self._config.weight_bits)
            core.write(Memory.WEIGHT, place.row * (LANES * self._config.weight_bits // WORD), packed)
        core.write(Memory.THETA, place.tile * LANES, layer.theta_rows(self._config.theta_bits)[chosen])
        core.write(Memory.BIAS, place.tile * LANES, by_tile(added)[chosen])
        if self._config.uq:
            core.write(Memory.SCALE, place.tile * LANES, by_tile(layer.constants["scale"], 1)[chosen])
