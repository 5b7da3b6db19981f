"""Exploration of schemes, precision levels and roundings: Q-SpiNN's Algorithm 1, and a repaired form of it."""

from spikequant.explore.axes import Axis, Level, make_axes, parse_group, parse_levels
from spikequant.explore.evaluation import Evaluation, Evaluator, memory_of
from spikequant.explore.explore import Explorer, Tidings
from spikequant.explore.plan import Plan, PlannedAxis, planned
from spikequant.explore.result import Exploration, read_exploration
from spikequant.explore.search import Search, Visit, walk
from spikequant.explore.setting import Scheme, Setting
from spikequant.explore.store import Store

__all__ = [
    "Axis",
    "Evaluation",
    "Evaluator",
    "Exploration",
    "Explorer",
    "Level",
    "Plan",
    "PlannedAxis",
    "Scheme",
    "Search",
    "Setting",
    "Store",
    "Tidings",
    "Visit",
    "make_axes",
    "memory_of",
    "parse_group",
    "parse_levels",
    "planned",
    "read_exploration",
    "walk",
]
