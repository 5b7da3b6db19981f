"""The exporter ``mint-rtl``: checks the program on the simulated accelerator, then writes the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spikequant import Exporter
from spikequant.errors import BackendError
from spikequant.inputs import input_values
from spikequant.oracle import run_oracle
from spikequant.program import Program
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.emission.folder import Emission, write_folder
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.wiring import layers_of


class MintRtlExporter(Exporter):
    """Write RTL, parameters, memory images, expected trace and test benches.

    Every expected value is the oracle's; the simulated accelerator has to give the same before anything is written.

    Args:
        zero_skip, lanes, weight_bytes, spike_bytes, scratchpad_bytes, cache: As :class:`MintRtlBackend` takes them.
    """

    name = "mint-rtl"
    summary = "the MINT accelerator's RTL with memory images, expected trace and test benches"

    def __init__(
        self,
        *,
        zero_skip: bool = True,
        lanes: str = "mint",
        weight_bytes: int = Buffers.weight_bytes,
        spike_bytes: int = Buffers.spike_bytes,
        scratchpad_bytes: int = Buffers.scratchpad_bytes,
        cache: Path | None = None,
    ) -> None:
        self._backend = MintRtlBackend(
            zero_skip=zero_skip,
            lanes=lanes,
            weight_bytes=weight_bytes,
            spike_bytes=spike_bytes,
            scratchpad_bytes=scratchpad_bytes,
            cache=cache,
        )

    def export(self, program: Program, inputs: NDArray[Any], folder: Path) -> Sequence[str]:
        """Write the folder; see :meth:`spikequant.Exporter.export`.

        Raises:
            RefusedError: The accelerator cannot run a node.
            BackendError: A tool is missing or failed, or the simulated accelerator and the oracle differ.
        """
        backend = self._backend
        with backend.compile(program) as executable:
            expected, got = run_oracle(program, inputs), executable.run(inputs)
        verdict = compare(expected, got, [node.name for node in program.order])
        if not verdict.identical:
            raise BackendError(f"the simulated accelerator differs from the oracle: {verdict}; please report it")
        layers = layers_of(program)
        configs = core_configs(program, layers, backend.buffers, uq=backend.uq)
        plans = {
            layer.name: plan_layer(
                layer, backend.buffers, configs[layer.name].weight_bits, configs[layer.name].acc_bits
            )
            for layer in layers
        }
        values = input_values(program, inputs)
        cycles = got.counts.cycles
        emission = Emission(program, layers, plans, configs, values, expected, backend.zero_skip, cycles)
        write_folder(emission, folder)
        samples = "1 sample" if emission.samples == 1 else f"{emission.samples} samples"
        return [
            f"simulated accelerator against oracle on {samples}: {verdict}",
            f"{len(layers)} layers on {len(emission.cores)} {'core' if len(emission.cores) == 1 else 'cores'}",
            "to compare again, with Verilator and g++ alone: make run",
        ]
