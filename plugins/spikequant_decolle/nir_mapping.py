"""How the nodes of DECOLLE travel in a NIR file, by kind."""

from __future__ import annotations

from collections.abc import Mapping

from spikequant.nir_profile import NodeMapping
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.nir_neurons import NeuronsMapping
from spikequant_decolle.nir_trace import TraceMapping
from spikequant_decolle.nir_winner import WinnerMapping
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner

NODE_MAPPINGS: Mapping[str, NodeMapping] = {
    DecolleTrace.kind: TraceMapping(),
    DecolleNeurons.kind: NeuronsMapping(),
    Winner.kind: WinnerMapping(),
}
