from spikequant_pow2 import PowerOfTwo

from spikequant.testing import quantizer_checks


@quantizer_checks(PowerOfTwo(bits=4), PowerOfTwo(bits=8))
def test_contract(quantizer, check):
    check(quantizer)
