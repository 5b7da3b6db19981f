"""Stepping through a program: the run is the backend's, and registers can be seen and changed on the way."""

import importlib.util

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, Readout, chain
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import RTL
from spikequant_mint_rtl.inspection import inspect
from spikequant_mint_rtl.inspection.names import state_names

READY = MintRtlBackend().availability().ready and importlib.util.find_spec("pyverilator") is not None
pytestmark = pytest.mark.skipif(not READY, reason="mint_rtl: verilator, g++ or pyverilator is missing")


def program():
    codes = np.array([[3, 4, 5], [-1, -2, -3]])
    return chain(
        [
            Input("x", (3,), bits=1),
            Dense("fc", codes),
            Lif("lif", theta=np.array(60)),
            Dense("f2", codes.T),
            Readout("o"),
        ],
        timesteps=2,
    )


INPUTS = np.array([[1, 0, 1]])


@pytest.fixture
def session():
    with inspect(program()) as opened:
        yield opened


def until_state(session, name):
    code = state_names(RTL).index(name)
    return session.run_until(lambda: session.peek("state") == code)


def test_sums_are_seen_as_they_grow(session):
    session.start(INPUTS)
    assert session.layer == "lif"
    seen = [session.peek("acc", lane=0)]
    while session.step() and state_names(RTL)[session.peek("state")] != "Lif":
        seen.append(session.peek("acc", lane=0))
    assert sorted(set(seen)) == [0, 3, 8]
    assert [session.peek("acc", lane=1), session.peek("theta", lane=0), session.peek("t")] == [-4, 60, 0]
    session.step()
    assert [session.peek("potential", lane=lane) for lane in (0, 1)] == [8, -4]


def test_stepped_to_the_end_the_trace_is_the_oracles(session):
    session.start(INPUTS)
    layers = {session.layer}
    while session.step():
        layers.add(session.layer)
    assert layers == {"lif", "o"} == set(session.layers)
    assert compare(run_oracle(program(), INPUTS), session.finish()).identical


def test_a_changed_potential_changes_what_fires(session):
    session.start(INPUTS)
    until_state(session, "Lif")
    session.step()
    session.poke("potential", 120, lane=0)
    trace = session.finish()
    assert run_oracle(program(), INPUTS).spikes["lif"].sum() == 0
    assert trace.spikes["lif"][:, 0].tolist() == [[0, 0], [1, 0]]


def test_a_second_run_and_many_steps_at_once(session):
    session.start(INPUTS)
    first = session.finish()
    session.start(INPUTS)
    assert session.step(10)
    assert session.core.cycle > 10
    assert not session.step(100_000)
    assert compare(first, session.finish()).identical


def test_a_session_can_be_left_in_the_middle():
    with inspect(program()) as opened:
        opened.start(INPUTS)
        opened.step(3)
    with pytest.raises(Exception, match=r"^the executable is closed"):
        opened.peek("state")


def test_an_interrupted_wait_can_be_left():
    """As after Ctrl-C: the run goes on towards something that never comes, and leaving the session ends it."""
    program = chain([Input("x", (500,), bits=1), Dense("fc", np.ones((9, 500), int)), Readout("o")], timesteps=50)
    with inspect(program) as opened:
        opened.start(np.ones((40, 500), int))
        opened._until = lambda: False
        opened._go.release()
    assert not opened.running


def test_wrong_use_is_named(session):
    with pytest.raises(UsageError, match=r"^there is no run to step through; begin one with start\(inputs\)$"):
        session.step()
    with pytest.raises(UsageError, match=r"^'acc' is a value of each lane, and no lane was given; lanes are 0\.\.127$"):
        session.peek("acc")
    with pytest.raises(
        UsageError, match=r"^'acc' is a value of each lane, and lane 128 was given; lanes are 0\.\.127$"
    ):
        session.peek("acc", lane=128)
    with pytest.raises(UsageError, match=r"^'state' is no value of a lane; leave the lane out$"):
        session.peek("state", lane=1)
    with pytest.raises(UsageError, match=r"^there is no signal 'uu'; the short names are acc, potential, "):
        session.peek("uu")
    with pytest.raises(UsageError, match=r"^'theta' can be seen only; registers \(paths that end in _q\) and inputs"):
        session.poke("theta", 1, lane=0)
    with pytest.raises(UsageError, match=r"^input "):
        session.start(np.zeros((1, 7), int))
    session.start(INPUTS)
    with pytest.raises(UsageError, match=r"^a run is under way; finish\(\) it first$"):
        session.start(INPUTS)


def test_every_signal_that_is_listed_can_be_read(session):
    lanes = {"acc", "potential", "fired", "saturated", "theta", "bias", "weight"}
    for name in session.signals():
        assert isinstance(session.peek(name, lane=5 if name in lanes else None), int)
    assert "u_array.g_lane[3].g_mint.u_pe.acc_q" in session.signals()
