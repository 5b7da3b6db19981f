"""The reference backend keeps the contract and is the oracle under its own name."""

import numpy as np

from spikequant.oracle import run_oracle
from spikequant.testing import backend_checks, random_inputs, random_program
from spikequant.verify import compare
from spikequant_reference.backend import ReferenceBackend


@backend_checks(ReferenceBackend())
def test_contract(backend, check):
    check(backend)


def test_hook_offers_the_class():
    import spikequant_reference

    assert spikequant_reference.spikequant_backends() == [ReferenceBackend]


def test_run_is_the_oracles_with_counts_under_its_own_name():
    program = random_program(1)
    inputs = random_inputs(program, 3, seed=1)
    expected, got = run_oracle(program, inputs), ReferenceBackend().compile(program).run(inputs)
    assert compare(expected, got).identical
    assert (expected.counts.backend, got.counts.backend) == ("oracle", "reference")
    assert got.counts.nodes == expected.counts.nodes
    assert all(np.array_equal(got.spikes[name], expected.spikes[name]) for name in expected.spikes)
