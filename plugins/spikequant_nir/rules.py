"""The rules of a float simulation that a ``.nir`` file leaves open."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from spikequant.errors import UsageError

CHOICES: dict[str, tuple[object, ...]] = {
    "reset": ("zero", "subtract", "to-value"),
    "reset_delay": (0, 1),
    "fire": (">", ">="),
    "current": ("new", "old"),
    "integrate": ("euler", "exponential"),
    "if_gain": ("auto", "step", "dt"),
    "decode": ("sum",),
}


@dataclass(frozen=True)
class Rules:
    """How NIR's continuous-time nodes are stepped.

    Attributes:
        dt: Seconds of one timestep.
        reset: What a spike does to the potential: ``to-value`` sets it to the node's ``v_reset`` (NIR's own
            rule), ``zero`` to 0, ``subtract`` takes the threshold off, once per spike.
        reset_delay: 1: the reset of a spike acts in the next step, as in snnTorch.
        fire: Whether a potential at the threshold spikes; NIR says ``>``.
        most_spikes: More than 1: floor(v / threshold) spikes in a step, at most so many, as in Sinabs.
        v_min: Potentials are kept at or above it; ``None`` is no bound.
        current: Whether a CubaLIF's potential takes the current of this step (``new``) or of the one before.
        integrate: The factor of a leak: ``euler`` 1 - dt/tau, ``exponential`` exp(-dt/tau); an input's is 1 - a.
        if_gain: Of IF and I: ``step`` v += r x, ``dt`` v += r dt x; ``auto`` is ``step`` unless r dt is 1
            within 1 %, then both mean a gain of 1.
        decode: How a class is read: ``sum`` is the largest output summed over time.

    Raises:
        UsageError: A value is none of these; the message names the option.

    >>> Rules(dt=0.0)
    Traceback (most recent call last):
        ...
    spikequant.errors.UsageError: option 'dt' is 0.0; it must be a positive number of seconds, such as 0.0001
    """

    dt: float = 1e-4
    reset: Literal["zero", "subtract", "to-value"] = "to-value"
    reset_delay: int = 0
    fire: Literal[">", ">="] = ">"
    most_spikes: int = 1
    v_min: float | None = None
    current: Literal["new", "old"] = "new"
    integrate: Literal["euler", "exponential"] = "euler"
    if_gain: Literal["auto", "step", "dt"] = "auto"
    decode: Literal["sum"] = "sum"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or value not in choices:
                known = ", ".join(str(choice) for choice in choices)
                raise UsageError(f"option '{name}' is {value!r}; it must be one of {known}")
        if not _is_number(self.dt) or not 1e-30 < self.dt < 1e30:
            raise UsageError(f"option 'dt' is {self.dt!r}; it must be a positive number of seconds, such as 0.0001")
        if type(self.most_spikes) is not int or not 1 <= self.most_spikes <= 255:
            raise UsageError(f"option 'most_spikes' is {self.most_spikes!r}; it must be a whole number from 1 to 255")
        if self.v_min is not None and (not _is_number(self.v_min) or self.v_min > 0):
            raise UsageError(
                f"option 'v_min' is {self.v_min!r}; it must be a number of at most 0, where potentials start"
            )

    def options(self) -> dict[str, Any]:
        """Return the rules as options of a recipe; what is ``None`` is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
