"""Which weights a core holds: a network that fits is loaded once and stays for all runs."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant_mint_rtl.builder import CoreConfig
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.packing import pack_weights
from spikequant_mint_rtl.simulator import LANES, WORD, Memory, Simulator

MAX_TILES = 64


@dataclass(frozen=True)
class Place:
    """First weight row, and first row of thresholds and biases, of a group of tiles."""

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
        self._rows = 1 << config.weight_depth_log2
        self._places: dict[tuple[str, int], Place] = {}
        self._next = Place(0, 0)

    def largest_group(self, layer: Layer) -> int:
        """Number of the layer's tiles that fit at once into an empty core."""
        return min(MAX_TILES, self._rows // layer.tile_rows)

    def place(self, layer: Layer, tiles: range) -> Place:
        """Return where the tiles' constants are, loading them when they are not in the core."""
        key = (layer.neuron.name, tiles.start)
        if key not in self._places:
            rows = len(tiles) * layer.tile_rows
            if self._next.row + rows > self._rows or self._next.tile + len(tiles) > MAX_TILES:
                self._places.clear()
                self._next = Place(0, 0)
            self._load(layer, tiles, self._next)
            self._places[key] = self._next
            self._next = Place(self._next.row + rows, self._next.tile + len(tiles))
        return self._places[key]

    def _load(self, layer: Layer, tiles: range, place: Place) -> None:
        outputs = slice(tiles.start * LANES, tiles.stop * LANES)
        part = slice(tiles.start, tiles.stop)
        row_words = LANES * self._config.weight_bits // WORD
        weights = pack_weights(layer.codes[outputs], self._config.weight_bits)
        self._core.write(Memory.WEIGHT, place.row * row_words, weights)
        self._core.write(Memory.THETA, place.tile * LANES, layer.theta_rows(self._config.acc_bits)[part])
        self._core.write(Memory.BIAS, place.tile * LANES, layer.bias_rows()[part])
