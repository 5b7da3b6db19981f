"""Which rules make a network of another tool run here as it does there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Rules = Mapping[str, Any]

SNN_SUBTRACT = {"dt": 1e-4, "reset": "subtract", "reset_delay": 1}
SNN_ZERO = {"dt": 1e-4, "reset": "zero", "reset_delay": 0}
SNN_LATE_ZERO = {"dt": 1e-4, "reset": "zero", "reset_delay": 1}
NORSE = {"dt": 1e-6, "reset": "zero"}
JELLY = {"dt": 1e-4, "reset": "to-value", "fire": ">="}
SINABS = {"reset": "subtract", "fire": ">=", "most_spikes": 255}
SINABS_LIF = {"dt": 1.0, "integrate": "exponential"} | SINABS

RULES: Mapping[str, Mapping[str, tuple[str, Rules]]] = {
    "snntorch": {
        "leaky_subtract": ("Leaky, subtract", SNN_SUBTRACT),
        "leaky_subtract_now": ("Leaky, subtract, reset_delay=False", SNN_SUBTRACT | {"reset_delay": 0}),
        "leaky_zero": ("Leaky, zero", SNN_ZERO),
        "leaky_zero_now": ("Leaky, zero, reset_delay=False", SNN_ZERO),
        "synaptic_subtract": ("Synaptic, subtract", SNN_SUBTRACT),
        "synaptic_zero": ("Synaptic, zero", SNN_LATE_ZERO),
        "synaptic_zero_now": ("Synaptic, zero, reset_delay=False", SNN_ZERO),
        "recurrent_leaky_subtract": ("RLeaky, subtract", SNN_SUBTRACT),
        "recurrent_leaky_zero": ("RLeaky, zero", SNN_LATE_ZERO),
        "recurrent_leaky_zero_now": ("RLeaky, zero, reset_delay=False", SNN_ZERO),
        "recurrent_synaptic_subtract": ("RSynaptic, subtract", SNN_SUBTRACT),
        "recurrent_synaptic_zero": ("RSynaptic, zero", SNN_LATE_ZERO),
        "conv_average_pool": ("Conv2d, AvgPool2d, Flatten, Leaky, subtract", SNN_SUBTRACT),
    },
    "norse": {
        "lif_box": ("LIFBoxCell, dt 1 ms", NORSE),
        "lif_cell": ("LIFCell, dt 1 ms", NORSE),
        "iaf": ("IAFCell", NORSE),
        "conv_lif_box": ("Conv2d, LIFBoxCell", NORSE),
        "flatten": ("Conv2d, LIFBoxCell, Flatten", NORSE),
    },
    "spikingjelly": {
        "lif": ("LIFNode, v_reset=0", JELLY),
        "lif_without_decay_input": ("LIFNode, decay_input=False", JELLY),
        "lif_reset_to_value": ("LIFNode, v_reset=-0.2", JELLY),
        "lif_soft_reset": ("LIFNode, v_reset=None", JELLY),
        "parametric_lif": ("ParametricLIFNode", JELLY),
        "if": ("IFNode", JELLY),
        "cuba_lif": ("CUBALIFNode", JELLY),
        "conv_average_pool": ("Conv2d, LIFNode, AvgPool2d, Flatten, IFNode", JELLY),
    },
    "sinabs": {
        "iaf": ("IAF", SINABS),
        "iaf_with_floor": ("IAF, min_v_mem=-1", SINABS | {"v_min": -1.0}),
        "iaf_single_spike_zero": ("IAF, SingleSpike, MembraneReset", {"reset": "zero", "fire": ">="}),
        "lif": ("LIF, tau_mem 4 steps", SINABS_LIF),
        "lif_norm_input_off": ("LIF, norm_input=False", SINABS_LIF),
        "conv_sum_pool": ("Conv2d, IAF, SumPool2d", SINABS | {"v_min": -1.0}),
        "flatten": ("Conv2d, IAF, Flatten", SINABS | {"v_min": -1.0}),
    },
}
"""For each tool its networks (benchmarks/peers/interchange): a title, and options of our importer."""
