"""A setting: one combination of scheme, rounding and formats, to be evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from spikequant.formats import FP32, Format, QFormat, parse_format
from spikequant.rounding import Rounding


class Scheme(str, Enum):
    """``PTQ``: quantize the trained float model. ``ITQ``: train in the quantized form as well."""

    PTQ = "PTQ"
    ITQ = "ITQ"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Setting:
    """What Q-SpiNN calls a combination of quantization approaches.

    Attributes:
        scheme: When quantization happens.
        rounding: One for all quantities.
        formats: Format of each quantity, by name, in the order of the axes.
        scratch: For ITQ: train from the seed, not from the float model.

    >>> setting = Setting(Scheme.PTQ, Rounding.RN, (("w", QFormat(1, 6)), ("V", FP32)))
    >>> setting.key
    'PTQ RN V=FP32 w=Q1.6'
    >>> print(setting.label({"w"}))
    W(Q1.6)-N(FP32)
    """

    scheme: Scheme
    rounding: Rounding
    formats: tuple[tuple[str, Format], ...]
    scratch: bool = False

    @property
    def is_float(self) -> bool:
        """Whether nothing is quantized: such a setting is the float model, whatever its scheme and rounding."""
        return all(fmt == FP32 for _, fmt in self.formats)

    @cached_property
    def key(self) -> str:
        """Text that is equal exactly for settings with equal results."""
        formats = " ".join(f"{name}={fmt}" for name, fmt in sorted(self.formats))
        return formats if self.is_float else f"{self.approach} {self.rounding} {formats}"

    @property
    def approach(self) -> str:
        """The scheme, and for ITQ where it starts from."""
        return f"{self.scheme}{'-scratch' if self.scratch and self.scheme == Scheme.ITQ else ''}"

    def label(self, weights: Collection[str]) -> str:
        """Return the paper's short form: ``W(X)-N(Y)``, with ``Qi.f`` where integer bits differ.

        Source: Q-SpiNN, Section IV. Quantities with formats of their own are named one by one.

        Args:
            weights: Names of the quantities that are weights.
        """
        groups: dict[str, list[tuple[str, Format]]] = {"W": [], "N": []}
        for name, fmt in self.formats:
            groups["W" if name in weights else "N"].append((name, fmt))
        return "-".join(part for letter, members in groups.items() if members for part in _label(letter, members))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        formats = {name: str(fmt) for name, fmt in self.formats}
        how = {"scheme": self.scheme.value, "rounding": self.rounding.value, "scratch": self.scratch}
        return {**how, "formats": formats}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Setting:
        """Return what :meth:`to_json` was called on."""
        formats = tuple((name, parse_format(text)) for name, text in data["formats"].items())
        return cls(Scheme(data["scheme"]), Rounding(data["rounding"]), formats, bool(data["scratch"]))


def _label(letter: str, members: list[tuple[str, Format]]) -> list[str]:
    formats = {fmt for _, fmt in members}
    if len(formats) == 1:
        return [f"{letter}({members[0][1]})"]
    fractions = {(fmt.frac_bits, fmt.signed) for fmt in formats if isinstance(fmt, QFormat)}
    if len(fractions) == 1 and all(isinstance(fmt, QFormat) for fmt in formats):
        bits, signed = fractions.pop()
        return [f"{letter}({'' if signed else 'U'}Qi.{bits})"]
    return [f"{name}({fmt})" for name, fmt in members]
