"""The neuron plugin ``cuba``: the formats and rules that integer versions of imported networks take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from spikequant import Neuron, Quantizer, Variable
from spikequant.errors import PluginError, UsageError
from spikequant.formats import FloatFormat, Format, IntFormat, QFormat, parse_format
from spikequant.nir_profile import NodeMapping
from spikequant.program.nodes import OverflowRule
from spikequant.rounding import Rounding
from spikequant_cuba.checks import INT64, MOST_DECAY_BITS
from spikequant_cuba.grid import Rule
from spikequant_cuba.nir_mapping import NODE_MAPPINGS

LeakWord = Literal["multiply", "shift"]
WIDEST = 24
"""Bits of a potential or current that has no format of its own."""
RULES: Mapping[str, Rule] = {"TR": "floor", "RN": "nearest", "SR": "stochastic", "TZ": "toward_zero"}


class CubaNeuron(Neuron):
    """Leaky integrate-and-fire neurons with a synaptic current or without, for networks made elsewhere.

    The network says which neuron a layer has; this plugin says with which numbers it is computed.

    Args:
        V: Format of the potential, such as ``Q3.8`` or ``INT16``; ``FP32``: it stays in floats, for comparison; empty:
            24 bits on the lattice of the layer's sums, with fraction bits more where a leak acts.
        I: Format of the synaptic current, likewise.
        rounding: Of decays and of moves between grids: ``TR`` (floor), ``RN`` (half up), ``SR`` (stochastic) or
            ``TZ`` (toward zero).
        seed: Of ``SR``.
        overflow: ``saturate``, ``symmetric`` or ``wrap``.
        decay_bits: A decay is a whole number of ``2**-decay_bits``, 0 to 24.
        leak: ``multiply``: decays as they are; ``shift``: each rounded to the nearest power of two, on a log scale.

    >>> CubaNeuron(V="Q3.8", rounding="TZ").rule
    'toward_zero'
    """

    name: ClassVar[str] = "cuba"
    summary: ClassVar[str] = (
        "LIF and integrators of imported networks, with or without a synaptic current; Qi.f or INTn"
    )
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable("V", "variable"),
        Variable("I", "variable"),
        Variable("Vth", "constant"),
    )

    def __init__(
        self,
        *,
        V: str = "",
        I: str = "",  # noqa: E741 - the papers' letter
        rounding: str = "RN",
        seed: int = 0,
        overflow: OverflowRule = "saturate",
        decay_bits: int = 12,
        leak: LeakWord = "multiply",
    ) -> None:
        self.V, self.I = self._format("V", V), self._format("I", I)
        super().__init__(self.V.width if isinstance(self.V, (QFormat, IntFormat)) else WIDEST)
        self._one_of("rounding", rounding, tuple(RULES))
        self._one_of("overflow", overflow, get_args(OverflowRule))
        self._one_of("leak", leak, get_args(LeakWord))
        self._between("decay_bits", decay_bits, 0, MOST_DECAY_BITS)
        self._between("seed", seed, *INT64)
        self.rule: Rule = RULES[rounding]
        self.seed, self.overflow, self.decay_bits, self.leak = seed, overflow, decay_bits, leak

    @classmethod
    def node_mappings(cls) -> Mapping[str, NodeMapping]:
        """Return how the four kinds travel in NIR."""
        return NODE_MAPPINGS

    @classmethod
    def options_beside(cls, quantizer: Quantizer) -> Mapping[str, Any]:
        """Return nothing: widths come from formats of its own."""
        return {}

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the options that give ``V`` or ``I`` a signed ``Qi.f``, ``INTn``, or ``FP32``: it stays in floats."""
        signed = isinstance(fmt, (IntFormat, FloatFormat)) or (isinstance(fmt, QFormat) and fmt.signed)
        if name not in ("V", "I") or not signed:
            raise PluginError(
                f"neuron '{cls.name}' cannot give '{name}' the format {fmt}; it takes a signed Qi.f, INTn or FP32 for"
                " V and I"
            )
        return {name: str(fmt), "rounding": str(rounding)}

    def _format(self, variable: str, text: str) -> QFormat | IntFormat | FloatFormat | None:
        if text == "":
            return None
        try:
            fmt = parse_format(text)
        except UsageError as error:
            raise ValueError(f"neuron '{self.name}': {variable}: {error}") from error
        if isinstance(fmt, FloatFormat):
            return fmt
        if not isinstance(fmt, IntFormat) and not (isinstance(fmt, QFormat) and fmt.signed):
            raise ValueError(
                f"neuron '{self.name}': {variable} is {text}; it must be a signed Qi.f, INTn or FP32, or empty"
            )
        if not 2 <= fmt.width <= 32:
            raise ValueError(f"neuron '{self.name}': {variable} is {text}, {fmt.width} bits; it must be 2 to 32")
        return fmt

    def _one_of(self, option: str, value: object, allowed: tuple[str, ...]) -> None:
        if value not in allowed:
            raise ValueError(f"neuron '{self.name}': {option} is {value!r}; it must be one of {', '.join(allowed)}")

    def _between(self, option: str, value: object, low: int, high: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"neuron '{self.name}': {option} is {value!r}; it must be an integer from {low} to {high}")
