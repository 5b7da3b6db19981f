"""MINT's quantizers and neurons keep their contracts, whatever their options."""

import pytest

import spikequant_mint
from spikequant.testing import neuron_checks, quantizer_checks
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint, VanillaUq
from spikequant_mint.uq_lif import UqLif


@quantizer_checks(Mint(bits=2), Mint(bits=4, init="max"), Mint(bits=8, init="paper"), Mint(bits=16), VanillaUq(bits=8))
def test_quantizer_contract(quantizer, check):
    check(quantizer)


@neuron_checks(
    MintLif(bits=2),
    MintLif(bits=8, strict=False),
    MintLif(bits=4, leak_shift=0),
    MintLif(bits=6, leak_shift=3, leak_rounding="toward_zero"),
    MintLif(bits=8, leak_rounding="nearest", v_th=0.7),
    MintLif(bits=8, order="leak_on_store", reset="subtract"),
    MintLif(bits=16, reset="subtract", strict=False, v_th=2.0),
    MintLif(bits=16, leak_shift=15, leak_rounding="nearest", order="leak_on_store"),
    UqLif(bits=2),
    UqLif(bits=8, leak_shift=3),
    UqLif(bits=4, strict=False, v_th=0.5),
)
def test_neuron_contract(neuron, check):
    check(neuron)


def test_hooks_offer_the_classes():
    assert spikequant_mint.spikequant_quantizers() == [Mint, VanillaUq]
    assert spikequant_mint.spikequant_neurons() == [MintLif, UqLif]


@pytest.mark.parametrize("neuron", [MintLif, UqLif])
def test_the_potential_changes_and_the_threshold_does_not(neuron):
    assert [(v.name, v.role) for v in neuron.variables] == [("u", "variable"), ("theta", "constant")]
