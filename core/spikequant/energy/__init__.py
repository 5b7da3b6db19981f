"""Energy from counts: tables, reports and sheets that carry their assumptions, and the baselines beside them."""

from spikequant.energy.baselines import EnergyComparison, ann_counterpart, energy_comparison, uq_counterpart
from spikequant.energy.report import EnergyReport, energy_of
from spikequant.energy.sheet import Sheet
from spikequant.energy.study import EnergyStudy, energy_study
from spikequant.energy.table import EnergyTable, built_in_tables, load_table

__all__ = [
    "EnergyComparison",
    "EnergyReport",
    "EnergyStudy",
    "EnergyTable",
    "Sheet",
    "ann_counterpart",
    "built_in_tables",
    "energy_comparison",
    "energy_of",
    "energy_study",
    "load_table",
    "uq_counterpart",
]
