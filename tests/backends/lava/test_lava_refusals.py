"""What Lava cannot run is refused at compile time, by name; what is missing says how to get it."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from spikequant.errors import BackendError, RefusedError
from spikequant.program import Edge, Input, Lif, Node, PoolSum, Program, chain
from spikequant_lava.backend import LavaBackend

KNOWN = "(lava runs add, concat, conv2d, dense, flatten, input, lateral, lif, pool_or, pool_sum, readout, spiking)"


def refused(program):
    with pytest.raises(RefusedError) as caught:
        LavaBackend().compile(program)
    return str(caught.value)


@dataclass(frozen=True, eq=False)
class Mirror(Node):
    """A third party's operator, which no executor of ours knows."""

    kind: ClassVar[str] = "mirror"


def test_an_unknown_operator_is_refused():
    program = chain([Input("x", (1, 4, 4), 1), Mirror("swap")], timesteps=1)
    assert refused(program) == (
        f"backend 'lava' refuses the program: node 'swap': kind mirror is not supported {KNOWN}"
    )


class Overlapping(PoolSum):
    """A third party's pooling that inherits and does otherwise."""


def test_a_subclass_of_a_pool_is_refused():
    program = chain([Input("x", (1, 4, 4), 1), Overlapping("pool")], timesteps=1)
    assert refused(program) == (
        "backend 'lava' refuses the program: node 'pool': Overlapping redefines pool_sum, and Lava would run the plain"
        " pool_sum"
    )


def test_a_part_that_nothing_joins_to_the_input_is_refused():
    """Lava would never run it: it finds processes along their connections."""
    nodes = (Input("x", (2,)), Input("y", (2,)), Lif("a"), Lif("b"))
    why = (
        "no path of edges, whatever their direction, joins it to the input 'x'; Lava runs one connected graph, so make"
        " two programs"
    )
    assert refused(Program(nodes, (Edge("x", "a"), Edge("y", "b")), timesteps=1)) == (
        f"backend 'lava' refuses the program: node 'y': {why}; node 'b': {why}"
    )


class Louder(Lif):
    """A third party's neuron that inherits from lif and steps otherwise."""


def test_a_subclass_of_a_known_node_is_refused():
    program = chain([Input("x", (2,)), Louder("lif")], timesteps=1)
    assert refused(program) == (
        "backend 'lava' refuses the program: node 'lif': Louder redefines lif, and Lava would run the plain lif"
    )


def test_without_an_environment_the_backend_names_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEQUANT_LAVA_HOME", str(tmp_path))
    program = chain([Input("x", (2,)), Lif("lif")], timesteps=1)
    wanted = f"backend 'lava' is not ready: no Lava environment in {tmp_path}; run 'spikequant lava setup'"
    with pytest.raises(BackendError, match=f"^{re.escape(wanted)}$"):
        LavaBackend().compile(program)


def test_with_an_environment_the_backend_is_ready_and_runs(lava_python):
    state = LavaBackend().availability()
    assert state.ready
    assert state.detail.startswith("lava-nc 0.10.0 on Python 3.")
    with LavaBackend().compile(chain([Input("x", (2,)), Lif("lif", theta=np.array(2))], timesteps=1)) as executable:
        assert executable.run(np.array([[1, 2]])).spikes["lif"].tolist() == [[[0, 1]]]
