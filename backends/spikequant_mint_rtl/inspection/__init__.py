"""Inspection of the simulated core, signal by signal, through PyVerilator; see docs/inspection.md."""

from spikequant_mint_rtl.inspection.session import Inspection, inspect

__all__ = ["Inspection", "inspect"]
