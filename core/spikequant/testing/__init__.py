"""The conformance kit: what a plugin's own test suite imports to prove that it keeps its contract.

>>> from spikequant.testing import backend_checks
>>> [check.__name__ for check in backend_checks.checks][:2]
['check_described', 'check_equals_oracle']
"""

from spikequant.testing.backend import backend_checks
from spikequant.testing.kit import Contract
from spikequant.testing.learner import learner_checks, learner_checks_on
from spikequant.testing.limits import Limits, plain
from spikequant.testing.neuron import neuron_checks
from spikequant.testing.node import node_checks
from spikequant.testing.programs import accepted_programs, programs, random_inputs, random_program
from spikequant.testing.quantizer import quantizer_checks
from spikequant.testing.selector import selector_checks

__all__ = [
    "Contract",
    "Limits",
    "accepted_programs",
    "backend_checks",
    "learner_checks",
    "learner_checks_on",
    "neuron_checks",
    "node_checks",
    "plain",
    "programs",
    "quantizer_checks",
    "random_inputs",
    "random_program",
    "selector_checks",
]
