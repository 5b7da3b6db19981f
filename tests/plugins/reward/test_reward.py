"""The reward keeps the contract of selectors, and chooses by Q-SpiNN's Eq. 5."""

from spikequant_reward.selector import Reward

from spikequant.testing import selector_checks


@selector_checks(Reward(), Reward(mu=0.0), Reward(mu=5.0))
def test_contract(selector, check):
    check(selector)
