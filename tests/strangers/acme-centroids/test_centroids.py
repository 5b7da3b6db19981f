from spikequant_centroids import Centroids, Pull

from spikequant.testing import learner_checks_on
from spikequant_qif.quantizer import Qif


def models(coding, classes):
    yield "floats", Centroids().model(None, coding, classes, 2, seed=0)
    quantized = Centroids().model(None, coding, classes, 2, seed=0)
    quantized.quantize(lambda: Qif("Q1.6"))
    yield "integers", quantized


@learner_checks_on(models)(Pull())
def test_contract(learner, check):
    check(learner)
