"""Selection by the Pareto front, by a bound on the accuracy lost, and by a bound on memory."""

from spikequant import Selector, hookimpl
from spikequant_selectors.max_drop import MaxDrop
from spikequant_selectors.max_memory import MaxMemory
from spikequant_selectors.pareto import Pareto


@hookimpl
def spikequant_selectors() -> list[type[Selector]]:
    """Offer the selectors that need no weighing of accuracy against memory."""
    return [Pareto, MaxDrop, MaxMemory]
