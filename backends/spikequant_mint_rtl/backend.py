"""The backend ``mint_rtl``: programs on the MINT accelerator's RTL, simulated by Verilator."""

from __future__ import annotations

from pathlib import Path

from spikequant.backend import Availability, Backend, Executable
from spikequant.errors import UsageError
from spikequant.program import Add, Conv2d, Dense, Flatten, Input, Lif, Node, PoolOr, PoolSum, Program, Readout
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.builder import built_cores
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.limits import Limits
from spikequant_mint_rtl.toolchain import tools_here
from spikequant_mint_rtl.wiring import layers_of

LANES = ("mint", "uq")
DRIVERS = ("verilator", "pyverilator")


class MintRtlBackend(Backend):
    """Run programs on 128 processing elements without a multiplier, cycle by cycle.

    Source: MINT, Algorithm 1 and its SpinalFlow-like array; see docs/accelerator.md.

    Args:
        zero_skip: Skip inputs without a spike (default). ``False`` spends one cycle per input, for comparison.
        lanes: ``mint``: lanes without a multiplier; vanilla UQ's ``scaled_lif`` runs on the baseline's lanes.
            ``uq``: all layers run on the baseline's lanes, with the same spikes, to compare energy and area.
        driver: ``verilator``: whole runs in C. ``pyverilator``: every cycle from Python, slowly, so that all of
            them can be watched; see :mod:`spikequant_mint_rtl.inspection`.
        weight_bytes, spike_bytes, scratchpad_bytes: Sizes of the memories; see :class:`Buffers`.
        cache: Folder of built simulators; default: the user's cache directory.

    Raises:
        UsageError: ``lanes`` or ``driver`` is no such word, or a memory has no such size.
    """

    name = "mint_rtl"
    summary = "the MINT accelerator in SystemVerilog, simulated by Verilator"
    supports = (Input, Dense, Conv2d, PoolOr, PoolSum, Add, Flatten, Lif, ScaledLif, Readout)

    def __init__(
        self,
        *,
        zero_skip: bool = True,
        lanes: str = "mint",
        driver: str = "verilator",
        weight_bytes: int = Buffers.weight_bytes,
        spike_bytes: int = Buffers.spike_bytes,
        scratchpad_bytes: int = Buffers.scratchpad_bytes,
        cache: Path | None = None,
    ) -> None:
        if lanes not in LANES:
            raise UsageError(f"backend 'mint_rtl': lanes is {lanes!r}; it must be one of {', '.join(LANES)}")
        if driver not in DRIVERS:
            raise UsageError(f"backend 'mint_rtl': driver is {driver!r}; it must be one of {', '.join(DRIVERS)}")
        self.driver = driver
        self.zero_skip, self.uq, self.cache = zero_skip, lanes == "uq", cache
        self.buffers = Buffers(weight_bytes, spike_bytes, scratchpad_bytes)

    def refusal(self, program: Program, node: Node) -> str | None:
        """Say which limit of the core ``node`` exceeds, if any."""
        return Limits(self.buffers, self.uq).refusal(program, node)

    def availability(self) -> Availability:
        """Say whether Verilator and g++ are here."""
        return tools_here()

    def build(self, program: Program) -> Executable:
        """Build the cores that the program's widths need (once per machine) and load them.

        Raises:
            BackendError: Verilator, g++ or the chosen driver is missing, or failed.
        """
        configs = core_configs(program, layers_of(program), self.buffers, uq=self.uq)
        distinct = list(dict.fromkeys(configs.values()))
        if self.driver == "pyverilator":
            from spikequant_mint_rtl.inspection.build import inspected_cores
            from spikequant_mint_rtl.inspection.executable import InspectedExecutable

            libraries = dict(zip(distinct, inspected_cores(distinct, self.cache), strict=True))
            return InspectedExecutable(program, configs, libraries, self.buffers, zero_skip=self.zero_skip)
        libraries = dict(zip(distinct, built_cores(distinct, self.cache), strict=True))
        return MintRtlExecutable(program, configs, libraries, self.buffers, zero_skip=self.zero_skip)
