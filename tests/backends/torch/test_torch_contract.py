"""The torch backend keeps the contract, whatever its batch."""

from spikequant.testing import backend_checks
from spikequant_torch.backend import TorchBackend


@backend_checks(TorchBackend(), TorchBackend(batch=1), TorchBackend(batch=2))
def test_contract(backend, check):
    check(backend)


def test_hook_offers_the_class():
    import spikequant_torch

    assert spikequant_torch.spikequant_backends() == [TorchBackend]
