"""The conformance kit: what a plugin's own test suite imports to prove that it keeps its contract.

>>> from spikequant.testing import backend_checks
>>> [check.__name__ for check in backend_checks.checks][:2]
['check_described', 'check_equals_oracle']
"""

from spikequant.testing.backend import backend_checks
from spikequant.testing.kit import Contract
from spikequant.testing.limits import Limits, plain
from spikequant.testing.programs import accepted_programs, programs, random_inputs, random_program

__all__ = [
    "Contract",
    "Limits",
    "accepted_programs",
    "backend_checks",
    "plain",
    "programs",
    "random_inputs",
    "random_program",
]
