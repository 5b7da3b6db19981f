"""The Diehl-Cook neuron as a plugin: its constants, and the formats of its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from spikequant import Neuron, QFormat, Quantizer, Variable
from spikequant.errors import PluginError, UsageError
from spikequant.formats import FloatFormat, Format, parse_format
from spikequant.nir_profile import NodeMapping
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.engine.parameters import Synapse
from spikequant_stdp.nir_mapping import DiehlCookMapping
from spikequant_stdp.node import DiehlCook

FLOAT_BITS = 32
VARIABLES = ("V", "Vth", "g")


class DiehlCookNeuron(Neuron):
    """Leaky integrate-and-fire toward a resting potential, threshold ``v_th + theta`` growing with each spike.

    Source: Diehl and Cook 2015; the constants are those that Q-SpiNN's Table I implies.

    Args:
        V: Format of the potential, such as ``Q11.6``, or ``FP32``.
        Vth: Format of the threshold.
        g: Format of the conductance, where the synapse has one.
        rounding: Of all three: ``TR``, ``RN`` or ``SR``.
        overflow: ``saturate`` or ``wrap``.
        rest: Resting potential in mV, a whole number as the next two.
        reset: Potential after a spike.
        v_th: Threshold before any adaptation.
        theta_plus: What a spike adds to the threshold, in mV.
        tau_theta_ms: Time constant of theta.
        tau_ms: Time constant of the potential.
        refractory: Timesteps without input after a spike.
        synapse: ``current`` or ``conductance``.
        tau_g_ms: Time constant of the conductance.
    """

    name: ClassVar[str] = "diehl-cook"
    summary: ClassVar[str] = "adaptive threshold, refractory period, one spike per step; for network diehl-cook"
    variables: ClassVar[tuple[Variable, ...]] = (
        Variable("V", "variable"),
        Variable("Vth", "variable"),
        Variable("g", "variable"),
        Variable("Vreset", "constant"),
        Variable("theta", "constant"),
    )

    def __init__(
        self,
        *,
        V: str = "FP32",
        Vth: str = "FP32",
        g: str = "FP32",
        rounding: Rounding = Rounding.RN,
        overflow: Overflow = Overflow.SATURATE,
        rest: int = -65,
        reset: int = -65,
        v_th: int = -52,
        theta_plus: float = 0.05,
        tau_theta_ms: float = 1e7,
        tau_ms: float = 100.0,
        refractory: int = 5,
        synapse: Synapse = "current",
        tau_g_ms: float = 1.0,
    ) -> None:
        self.V, self.Vth, self.g = (self._format(*given) for given in (("V", V), ("Vth", Vth), ("g", g)))
        super().__init__(FLOAT_BITS if self.V is None else self.V.width)
        self.rounding, self.overflow = Rounding(rounding), Overflow(overflow)
        self.rest, self.reset, self.v_th = rest, reset, v_th
        self.theta_plus, self.tau_theta_ms, self.tau_ms = theta_plus, tau_theta_ms, tau_ms
        self.refractory, self.synapse, self.tau_g_ms = refractory, synapse, tau_g_ms

    @classmethod
    def node_mappings(cls) -> Mapping[str, NodeMapping]:
        """Return how ``diehl_cook`` travels in NIR."""
        return {DiehlCook.kind: DiehlCookMapping()}

    @classmethod
    def options_beside(cls, quantizer: Quantizer) -> Mapping[str, Any]:
        """Return nothing: widths come from formats of its own."""
        return {}

    @classmethod
    def format_options(cls, name: str, fmt: Format, rounding: Rounding) -> dict[str, Any]:
        """Return the options that give ``V``, ``Vth`` or ``g`` a ``Qi.f`` or ``FP32``."""
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
        if isinstance(fmt, QFormat) and fmt.width > FLOAT_BITS:
            raise ValueError(f"neuron '{self.name}': {variable} is {text}, {fmt.width} bits; {FLOAT_BITS} is the most")
        if isinstance(fmt, QFormat):
            return fmt
        raise ValueError(f"neuron '{self.name}': {variable} is {text}; it must be Qi.f, UQi.f or FP32")
