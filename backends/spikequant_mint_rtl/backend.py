"""The backend ``mint_rtl``: programs on the MINT accelerator's RTL, simulated by Verilator."""

from __future__ import annotations

from pathlib import Path

from spikequant.backend import Availability, Backend, Executable
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Node, Program, Readout
from spikequant_mint_rtl.builder import built_cores
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.layer import layers_of
from spikequant_mint_rtl.limits import refusal
from spikequant_mint_rtl.registers import core_configs
from spikequant_mint_rtl.toolchain import tools_here


class MintRtlBackend(Backend):
    """Run programs on 128 processing elements without a multiplier, cycle by cycle.

    Source: MINT, Algorithm 1 and its SpinalFlow-like array; see docs/accelerator.md.

    Args:
        zero_skip: Skip inputs without a spike (default). ``False`` spends one cycle per input, for comparison.
        cache: Folder of built simulators; default: the user's cache directory.
    """

    name = "mint_rtl"
    summary = "the MINT accelerator in SystemVerilog, simulated by Verilator"
    supports = (Input, Dense, Conv2d, Flatten, Lif, Readout)

    def __init__(self, *, zero_skip: bool = True, cache: Path | None = None) -> None:
        self.zero_skip = zero_skip
        self.cache = cache

    def refusal(self, program: Program, node: Node) -> str | None:
        """Say which limit of the core ``node`` exceeds, if any."""
        return refusal(program, node)

    def availability(self) -> Availability:
        """Say whether Verilator and g++ are here."""
        return tools_here()

    def build(self, program: Program) -> Executable:
        """Build the cores that the program's widths need (once per machine) and load them.

        Raises:
            BackendError: Verilator or g++ is missing, or failed.
        """
        configs = core_configs(program, layers_of(program))
        distinct = list(dict.fromkeys(configs.values()))
        libraries = dict(zip(distinct, built_cores(distinct, self.cache), strict=True))
        return MintRtlExecutable(program, configs, libraries, zero_skip=self.zero_skip)
