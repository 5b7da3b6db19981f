"""The backend keeps the contract, by the kit that a third party's backend passes too."""

import pytest

from spikequant.testing import backend_checks
from spikequant_lava.backend import LavaBackend


@pytest.mark.parametrize("check", backend_checks.checks, ids=lambda check: check.__name__)
def test_contract(check, lava_python):
    check(LavaBackend())
