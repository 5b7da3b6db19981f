"""Selection by Q-SpiNN's reward."""

from spikequant import Selector, hookimpl
from spikequant_reward.selector import Reward


@hookimpl
def spikequant_selectors() -> list[type[Selector]]:
    """Offer the reward."""
    return [Reward]
