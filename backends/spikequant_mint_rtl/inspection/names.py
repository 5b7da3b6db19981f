"""Short names of what one looks at in the core, and how each is read from the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spikequant.errors import UsageError
from spikequant_mint_rtl.buffers import LANES
from spikequant_mint_rtl.inspection.model import Model
from spikequant_mint_rtl.inspection.visible import readable_path
from spikequant_mint_rtl.simulator import COUNTERS

LANE_REGISTERS = {
    "acc": ("acc_q", True),
    "potential": ("potential_q", True),
    "fired": ("fired_q", False),
    "saturated": ("saturated_q", False),
}
LANE_ROWS = {"theta": ("theta", True), "bias": ("bias", True), "weight": ("weights", True)}
CONTROL = {
    **{name: f"u_ctrl__DOT__{name}_q" for name in ("state", "tile", "oy", "ox", "t")},
    **{f"beat_{name}": f"u_scan__DOT__beat_{name}_o" for name in ("valid", "spike", "double")},
    "scan_valid": "u_scan__DOT__valid_q",
    "scan_rest": "u_scan__DOT__rest_q",
}
PORTS = {"busy": "busy_o", "row_valid": "row_valid_o"}
TOP = "mint_core__DOT__"
COUNTER_BITS = 64
LANE_INDEX = re.compile(r"\bg_lane_(\d+)\.")
LANE = re.compile(r"u_array__DOT__g_lane_(\d+)__DOT__(?:\w+__DOT__)?u_pe__DOT__(\w+)$")


@dataclass(frozen=True)
class Field:
    """Where a value lies in the model.

    Attributes:
        signal: The model's name of the signal.
        width: Bits of the value.
        low: Its lowest bit in the signal.
        signed: Whether it is in two's complement.
    """

    signal: str
    width: int
    low: int = 0
    signed: bool = False

    def read(self, model: Model) -> int:
        """Return the value."""
        bits = self.reader(model)()
        return bits - (bits >> (self.width - 1) << self.width) if self.signed else bits

    def reader(self, model: Model) -> Callable[[], int]:
        """Return a function that reads the value's bits, as unsigned, with no more work than needed."""
        whole = model.width(self.signal)
        mask = (1 << self.width) - 1
        if whole <= 64:
            get: Callable[[], int] = model.getter(self.signal)
            return get if self.width == whole else lambda: get() >> self.low & mask
        first, shift = divmod(self.low, 32)
        words = [model.getter(self.signal, index) for index in range(first, (self.low + self.width - 1) // 32 + 1)]
        if len(words) == 1:
            (only,) = words
            return lambda: only() >> shift & mask
        return lambda: sum(word() << 32 * index for index, word in enumerate(words)) >> shift & mask

    def write(self, model: Model, value: int) -> None:
        """Set the value; it must fit."""
        low, high = (
            (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1) if self.signed else (0, (1 << self.width) - 1)
        )
        if not low <= value <= high:
            raise UsageError(f"{value} does not fit '{self.signal}': {self.width} bits hold {low}..{high}")
        mask = ((1 << self.width) - 1) << self.low
        model.write(self.signal, model.read(self.signal) & ~mask | (value << self.low) & mask)


class Names:
    """The names of one model's signals.

    Args:
        model: What :func:`~spikequant_mint_rtl.inspection.model.open_model` returned.
    """

    def __init__(self, model: Model) -> None:
        signals = dict((*model.inputs, *model.outputs, *model.internal_signals))
        self._lanes: dict[tuple[int, str], Field] = {}
        self._plain: dict[str, Field] = {}
        for name, width in signals.items():
            found = LANE.search(name)
            if found is not None:
                self._lanes[int(found[1]), found[2]] = Field(name, width)
            path = LANE_INDEX.sub(r"g_lane[\1].", readable_path(name)) if name.startswith(TOP) else name
            self._plain[path] = Field(name, width)
        self._widths = signals
        self._inputs = {name for name, _ in model.inputs}

    def known(self) -> list[str]:
        """Return the short names, then every signal's path in the RTL."""
        return [*LANE_REGISTERS, *LANE_ROWS, *CONTROL, *PORTS, *COUNTERS, *self._plain]

    @lru_cache(maxsize=4096)  # noqa: B019 - lives as long as the model
    def field(self, name: str, lane: int | None = None) -> Field:
        """Return where ``name`` lies, for names of a lane's value that of ``lane``.

        Raises:
            UsageError: There is no such name or lane, or a lane is missing or given in vain.
        """
        per_lane = name in LANE_REGISTERS or name in LANE_ROWS
        if per_lane and (lane is None or not 0 <= lane < LANES):
            given = "no lane" if lane is None else f"lane {lane}"
            raise UsageError(f"'{name}' is a value of each lane, and {given} was given; lanes are 0..{LANES - 1}")
        if not per_lane and lane is not None:
            raise UsageError(f"'{name}' is no value of a lane; leave the lane out")
        if lane is not None and name in LANE_REGISTERS:
            register, signed = LANE_REGISTERS[name]
            found = self._lanes[lane, register]
            return Field(found.signal, found.width, signed=signed)
        if lane is not None:
            row, signed = LANE_ROWS[name]
            width = self._widths[TOP + row] // LANES
            return Field(TOP + row, width, lane * width, signed)
        if name in COUNTERS:
            return Field(f"{TOP}u_regs__DOT__counter_q", COUNTER_BITS, COUNTERS.index(name) * COUNTER_BITS)
        signal = PORTS.get(name) or TOP + CONTROL.get(name, "")
        if signal in self._widths:
            return Field(signal, self._widths[signal])
        if name in self._plain:
            return self._plain[name]
        raise UsageError(f"there is no signal '{name}'; the short names are {', '.join(self.known()[: self._short])}")

    def writable(self, field: Field) -> bool:
        """Whether a value can be set: inputs and registers can."""
        return field.signal in self._inputs or field.signal.endswith("_q")

    @property
    def _short(self) -> int:
        return len(self.known()) - len(self._plain)


def state_names(rtl: Path) -> tuple[str, ...]:
    """Return the controller's states in the order of their codes, as its RTL declares them."""
    text = (rtl / "mint_ctrl.sv").read_text(encoding="utf-8")
    found = re.search(r"typedef enum logic \[\d+:0\] \{([^}]*)\} state_e;", text)
    if found is None:
        raise UsageError(f"{rtl / 'mint_ctrl.sv'} declares no state_e")
    return tuple(name.strip() for name in found[1].split(","))
