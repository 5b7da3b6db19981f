"""The DECOLLE neuron as a plugin: its constants, and the formats of its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from spikequant import Neuron, QFormat, Quantizer, Variable
from spikequant.errors import PluginError, UsageError
from spikequant.formats import FloatFormat, Format, parse_format
from spikequant.nir_profile import NodeMapping
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.nir_mapping import NODE_MAPPINGS
from spikequant_decolle.parameters import Constants, Formats

FLOAT_BITS = 32
VARIABLES = ("P", "Q", "R", "V")


class DecolleNeuron(Neuron):
    """Current-based neurons with a refractory state and no reset, after two traces of their inputs.

    Source: Kaiser, Mostafa and Neftci 2020; Q-SpiNN, Eq. 2.

    Args:
        P: Format of the membrane trace, such as ``Q1.8``, or ``FP32``.
        Q: Format of the synaptic trace.
        R: Format of the refractory state.
        V: Format of the potential and its thresholds.
        rounding: Of all four: ``TR``, ``RN`` or ``SR``.
        overflow: ``saturate`` or ``wrap``.
        alpha: Decay of P per timestep.
        beta: Decay of Q.
        gamma: Decay of R.
        rho: What R takes from the potential.
        normalised: What enters a trace is multiplied by one minus its decay; else by 1 (Q-SpiNN's Eq. 2).
    """

    name: ClassVar[str] = "decolle"
    summary: ClassVar[str] = "traces P and Q of the inputs, refractory state R, no reset; for networks decolle-*"
    variables: ClassVar[tuple[Variable, ...]] = (
        *(Variable(name, "variable") for name in VARIABLES),
        *(Variable(name, "constant") for name in ("alpha", "beta", "gamma", "rho")),
    )

    def __init__(
        self,
        *,
        P: str = "FP32",
        Q: str = "FP32",
        R: str = "FP32",
        V: str = "FP32",
        rounding: Rounding = Rounding.RN,
        overflow: Overflow = Overflow.SATURATE,
        alpha: float = 0.97,
        beta: float = 0.92,
        gamma: float = 0.65,
        rho: float = 1.0,
        normalised: bool = True,
    ) -> None:
        p, q, r, v = (self._format(*given) for given in (("P", P), ("Q", Q), ("R", R), ("V", V)))
        super().__init__(FLOAT_BITS if v is None else v.width)
        self.formats = Formats(None, p, q, r, v, Rounding(rounding), Overflow(overflow))
        try:
            self.constants = Constants(alpha, beta, gamma, rho, normalised)
        except UsageError as error:
            raise ValueError(f"neuron '{self.name}': {error}") from error

    @classmethod
    def node_mappings(cls) -> Mapping[str, NodeMapping]:
        """Return how the traces, the neurons and the vote of a timestep travel in NIR."""
        return NODE_MAPPINGS

    @classmethod
    def options_beside(cls, quantizer: Quantizer) -> Mapping[str, Any]:
        """Return nothing: widths come from formats of its own."""
        return {}

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the options that give ``P``, ``Q``, ``R`` or ``V`` a ``Qi.f`` or ``FP32``."""
        if name not in VARIABLES or not isinstance(fmt, (QFormat, FloatFormat)):
            raise PluginError(
                f"neuron '{cls.name}' cannot give '{name}' the format {fmt}; it takes Qi.f or FP32 for"
                f" {', '.join(VARIABLES)}"
            )
        return {name: str(fmt), "rounding": str(rounding)}

    def _format(self, variable: str, text: str) -> QFormat | None:
        try:
            fmt = parse_format(text)
        except UsageError as error:
            raise ValueError(f"neuron '{self.name}': {variable}: {error}") from error
        if isinstance(fmt, FloatFormat):
            return None
        if not isinstance(fmt, QFormat):
            raise ValueError(f"neuron '{self.name}': {variable} is {text}; it must be Qi.f, UQi.f or FP32")
        if not 2 <= fmt.width <= FLOAT_BITS - (not fmt.signed):
            raise ValueError(
                f"neuron '{self.name}': {variable} is {text}, {fmt.width} bits; it must be 2 to {FLOAT_BITS}"
            )
        return fmt
