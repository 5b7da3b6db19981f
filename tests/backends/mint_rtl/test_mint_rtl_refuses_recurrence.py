"""Lateral inhibition and delayed edges are refused by the node's name, before anything is built."""

import re

import numpy as np
import pytest

from spikequant.errors import RefusedError
from spikequant.program import Add, Dense, Edge, Input, Lateral, Lif, Program, chain
from spikequant_mint_rtl.backend import MintRtlBackend

KNOWN = "(mint_rtl runs add, conv2d, dense, flatten, input, lif, pool_or, pool_sum, readout, scaled_lif)"
DELAYED = "has a delayed (recurrent) edge, and the core runs a layer's timesteps one after the other"


def reasons(program):
    backend = MintRtlBackend()
    found = backend.refusals(program)
    listed = "; ".join(f"node '{name}': {reason}" for name, reason in found.items())
    with pytest.raises(RefusedError, match=f"^{re.escape(f'backend {backend.name!r} refuses the program: {listed}')}$"):
        backend.compile(program)
    return found


def test_a_lateral_is_refused():
    nodes = [
        Input("x", (3,), 1),
        Dense("fc", np.eye(3, dtype=int), bits=2),
        Lif("lif"),
        Lateral("join", -2),
        Lif("end"),
    ]
    assert reasons(chain(nodes, 3)) == {"join": f"kind lateral is not supported {KNOWN}"}


def test_delayed_lateral_inhibition_is_refused():
    nodes = (
        Input("x", (3,), 1),
        Dense("fc", np.eye(3, dtype=int), bits=2),
        Add("sum"),
        Lif("exc"),
        Lif("inh", u_bits=2),
        Lateral("join", -2),
    )
    edges = (*(Edge(*p) for p in (("x", "fc"), ("fc", "sum"), ("join", "sum"), ("sum", "exc"))),)
    edges += (Edge("exc", "inh", delayed=True), Edge("inh", "join", delayed=True))
    found = reasons(Program(nodes, edges, 3))
    assert set(found) == {"exc", "inh", "join"}
    assert found["exc"] == found["inh"] == DELAYED
    assert found["join"] == f"kind lateral is not supported {KNOWN}"
