"""The quantizer keeps its contract in every format, rounding and overflow; its hooks offer it."""

import spikequant_qif
from spikequant.testing import quantizer_checks
from spikequant_qif.quantizer import Qif

OPTIONS = [
    {"format": text, "rounding": rounding, "overflow": overflow}
    for text in ("Q1.6", "Q0.0", "Q0.3", "Q4.0", "Q7.16", "UQ0.1", "UQ0.8", "UQ2.3")
    for rounding in ("TR", "RN", "SR")
    for overflow in ("saturate", "wrap")
]


@quantizer_checks(*(Qif(**options) for options in OPTIONS))
def test_contract(quantizer, check):
    check(quantizer)


def test_hooks_offer_the_class_and_the_recipe():
    assert spikequant_qif.spikequant_quantizers() == [Qif]
    assert list(spikequant_qif.spikequant_recipes()) == ["digits-qif"]
