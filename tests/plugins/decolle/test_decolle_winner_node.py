"""The winner of a timestep: the largest input, the lowest index on a tie, and nothing before its start."""

import re

import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Readout, chain
from spikequant.testing import node_checks
from spikequant_decolle.winner_node import Winner


def program(start=0, steps=5, shape=(3,), *after):
    source = Input("input", shape, bits=6, signed=True, coding="per_step")
    return chain([source, Winner("winner", start=start), *after], steps)


VOTES = (Dense("votes", np.eye(3, dtype=np.int64), bits=1, signed=False), Readout("readout"))
SCORES = np.array([[5, 1, 1], [-3, -2, -2], [0, 0, 0], [4, 4, 9], [1, 2, 2]])[:, None]


def test_one_spike_at_the_largest_and_the_lowest_index_on_a_tie():
    found = run_oracle(program(), SCORES)
    assert found.spikes["winner"][:, 0].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert not found.potentials["winner"].any()
    assert found.counts.nodes["winner"].fires == 5


def test_nothing_wins_before_the_start():
    found = run_oracle(program(3), SCORES)
    assert found.spikes["winner"][:, 0].tolist() == [[0, 0, 0]] * 3 + [[0, 0, 1], [0, 1, 0]]


def test_a_readout_after_it_gives_the_class_that_wins_most_timesteps():
    """Class 2 has the largest sum, class 0 and class 1 win twice each; the lowest index wins the tie."""
    found = run_oracle(program(0, 5, (3,), *VOTES), SCORES)
    assert found.outputs["readout"][-1, 0].tolist() == [2, 2, 1]
    assert found.predictions().tolist() == [0]
    assert SCORES.sum(axis=(0, 1)).argmax() == 2
    assert run_oracle(program(3, 5, (3,), *VOTES), SCORES).predictions().tolist() == [1]


def test_every_sample_has_its_own_winner_over_all_axes():
    x = np.zeros((1, 2, 2, 2, 2), int)
    x[0, 0, 1, 0, 1], x[0, 1, 0, 1, 0] = 3, 1
    spikes = run_oracle(program(0, 1, (2, 2, 2)), x).spikes["winner"][0]
    assert np.argwhere(spikes).tolist() == [[0, 1, 0, 1], [1, 0, 1, 0]]


def test_an_empty_batch_has_no_winner():
    node = Winner("winner")
    spikes, state, over = node.advance(np.zeros((0, 3), np.int64), node.initial(0, (3,)), 0)
    assert spikes.shape == state[0].shape == over.shape == (0, 3)


def test_it_costs_one_compare_and_keeps_nothing():
    assert [(o.name, o.bits, o.count) for o in Winner("winner").operations(9)] == [("compare", 9, 1)]
    assert Winner("winner").state_limits == ((0, 0),)
    assert Winner("winner").u_bits == 2


@node_checks(program(), program(3, shape=(2, 3, 3)))
def test_contract(program, check):
    check(program)


@pytest.mark.parametrize("start", [-1, 2.0, True, 1 << 31])
def test_a_start_that_is_no_timestep_is_refused(start):
    message = f"node 'winner' (winner): start is {start!r}; it must be an integer from 0 to 2147483647"
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        Winner("winner", start=start)
