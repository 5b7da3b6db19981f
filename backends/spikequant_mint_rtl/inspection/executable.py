"""A compiled program whose cores are driven through PyVerilator."""

from __future__ import annotations

from typing import cast

from spikequant.backend import Inputs
from spikequant.trace import Trace
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.inspection.driver import InspectedSimulator


class InspectedExecutable(MintRtlExecutable):
    """The executable of ``driver=pyverilator``; whoever watches a core sees each of its cycles."""

    simulator = InspectedSimulator

    @property
    def cores(self) -> tuple[InspectedSimulator, ...]:
        """The simulated cores, one for each set of widths."""
        return tuple(cast("InspectedSimulator", core) for core in self._cores.values())

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers under the names of their neurons' nodes, in the order in which they run."""
        return tuple(layer.name for layer in self._layers)

    @property
    def outputs(self) -> dict[str, int]:
        """Outputs (channels) of each layer under its name; lane i computes outputs i, 128 + i and so on."""
        return {layer.name: layer.out_shape[0] for layer in self._layers}

    def run(self, inputs: Inputs, *, record: bool = True) -> Trace:
        """Run one batch; see :meth:`spikequant.backend.Executable.run`."""
        for core in self.cores:
            core.on_progress = self.on_progress
        return super().run(inputs, record=record)
