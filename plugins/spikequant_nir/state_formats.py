"""What the neuron plugin says about states, checked against the weights' quantizer and the network's rules."""

from __future__ import annotations

from spikequant import QFormat, Quantizer
from spikequant.errors import UsageError
from spikequant.formats import FP32, IntFormat
from spikequant_cuba import CubaNeuron
from spikequant_nir.dynamics import CUBA_KINDS, GRADED_KINDS
from spikequant_nir.graph import Graph
from spikequant_nir.lower_grids import StateFormats
from spikequant_nir.rules import Rules


def formats_of(neuron: CubaNeuron) -> StateFormats:
    """Return a neuron's formats and rules."""
    return StateFormats(neuron.V, neuron.I, neuron.rule, neuron.seed, neuron.overflow, neuron.decay_bits, neuron.leak)


def check_formats(graph: Graph, rules: Rules, quantizer: Quantizer, formats: StateFormats) -> None:
    """Raise unless the formats of weights and states go together; values are not looked at.

    Raises:
        UsageError: They do not; the message says what would.
    """
    if quantizer.fmt == FP32:
        for name, fmt in (("V", formats.V), ("I", formats.I)):
            if isinstance(fmt, IntFormat):
                raise UsageError(
                    f"{name} is {fmt}, on the lattice of the weights' codes, and w is FP32; give {name} as Qi.f or FP32"
                )
        return
    if quantizer.fixed_scale is None:
        for name, fmt in (("V", formats.V), ("I", formats.I)):
            if isinstance(fmt, QFormat):
                raise UsageError(
                    f"{name} is {fmt}, and quantizer '{quantizer.name}' gives the weights {quantizer.fmt} of a size"
                    f" that is no power of two; give {name} as INTn, on the lattice of the layer's sums, or set"
                    " quantizer.name to 'qif' and w to a Qi.f"
                )
    if formats.leak == "shift":
        _check_shift(graph, rules)


def _check_shift(graph: Graph, rules: Rules) -> None:
    odd = next((node for node in graph.nodes if node.kind in CUBA_KINDS | GRADED_KINDS), None)
    if odd is not None:
        raise UsageError(
            f"node '{odd.name}' is a {odd.kind}, and neuron.leak is 'shift', which makes nodes 'lif' (one potential,"
            " spikes); set neuron.leak to 'multiply'"
        )
    for met, what in (
        (rules.most_spikes > 1, f"most_spikes is {rules.most_spikes}"),
        (rules.reset_delay == 1, "reset_delay is 1"),
        (rules.v_min is not None, f"v_min is {rules.v_min}"),
    ):
        if met and graph.state_kinds:
            raise UsageError(
                f"{what}, and neuron.leak is 'shift', which makes nodes 'lif' that know no such rule; import the"
                " network without it, or set neuron.leak to 'multiply'"
            )
