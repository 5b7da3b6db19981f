"""Spiking nodes with several state variables: their run, trace, comparison, memory and NIR file."""

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import nir
import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.memory import program_memory
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, Operation, Readout, SpikingNode, chain
from spikequant.testing.strangers import Riser, Toggle
from spikequant.trace import Trace, joined
from spikequant.verify import Difference, compare

DRIVE = [0, 1, 5, 0, -20]


def program(node=None, drive=DRIVE):
    source = Input("input", (1,), bits=8, signed=True, coding="per_step")
    return chain([source, node or Riser("cell", u_bits=4)], timesteps=len(drive))


def run(drive=DRIVE):
    return run_oracle(program(drive=drive), np.array(drive).reshape(-1, 1, 1))


def test_the_state_starts_where_the_node_says_and_the_timestep_counts():
    """U, threshold = 3, 1 at first; H = 3, 2+1-1 = 2, 0+5, 2+0-1 = 1, 1-20 (clamped to -8)."""
    trace = run()
    assert trace.spikes["cell"].ravel().tolist() == [1, 1, 1, 0, 0]
    assert trace.potentials["cell"].ravel().tolist() == [2, 0, 2, 1, -8]
    assert trace.potentials["cell.threshold"].ravel().tolist() == [2, 3, 4, 4, 4]
    assert trace.counts.nodes["cell"].saturations == 1


def test_every_variable_is_written_and_read(tmp_path):
    trace = run()
    trace.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as archive:
        types = {key: str(archive[key].dtype) for key in archive.files if key != "counts"}
    assert types == {"spikes/cell": "uint8", "potential/cell": "int32", "potential/cell.threshold": "int32"}
    again = Trace.load(tmp_path / "run.npz")
    assert compare(trace, again).identical
    assert str(compare(trace, again)) == "identical (5 spikes, 10 states and 0 outputs compared)"


def test_traces_of_batches_are_joined_with_every_variable():
    x = np.array([[3, -1, 9, 4], [0, 2, 2, 8]]).reshape(2, 4, 1)
    net = program(drive=[0, 0])
    parts = [run_oracle(net, x[:, :1]), run_oracle(net, x[:, 1:])]
    assert compare(run_oracle(net, x), joined(parts)).identical


def edited(trace, name, index):
    arrays = {key: array.copy() for key, array in trace.potentials.items()}
    arrays[name][index] += 1
    return replace(trace, potentials=arrays)


def test_the_first_difference_names_the_variable():
    trace = run()
    verdict = compare(trace, edited(trace, "cell.threshold", (3, 0, 0)))
    assert verdict.differences == 1
    assert verdict.first == Difference("cell", "threshold", 3, 0, (0,), 4, 5)
    assert str(verdict.first) == "node 'cell', timestep 3, sample 0, element (0,): threshold expected 4, got 5"


def test_the_potential_comes_before_further_variables_of_its_node():
    trace = run()
    both = edited(edited(trace, "cell.threshold", (2, 0, 0)), "cell", (2, 0, 0))
    assert compare(trace, both).first.what == "potential"
    assert compare(trace, edited(both, "cell.threshold", (1, 0, 0))).first.what == "threshold"


def test_the_order_of_nodes_holds_for_their_variables():
    nodes = [
        Input("input", (2,), bits=1),
        Riser("first", u_bits=4),
        Dense("fc", np.ones((2, 2), int)),
        Riser("last", u_bits=6),
    ]
    net = chain(nodes, 3)
    trace = run_oracle(net, np.array([[1, 0]]))
    both = edited(edited(trace, "last.threshold", (1, 0, 0)), "first.threshold", (1, 0, 1))
    order = [node.name for node in net.order]
    assert compare(trace, both, order).first.node == "first"
    assert compare(trace, both, order[::-1]).first.node == "last"


def test_memory_counts_every_variable():
    nodes = [Input("x", (3,), 1), Riser("cell", u_bits=4), Dense("fc", np.ones((2, 3), int)), Readout("out")]
    net = chain(nodes, 2)
    once = {node.name: node for node in program_memory(net, batch=5).nodes}["cell"]
    assert (once.potentials, once.state_bits) == (3 * 5 * 2, 3 * 5 * (4 + 3))
    assert once.fp32_bits == 32 * 30
    each = {node.name: node for node in program_memory(net, batch=5, accounting="per_timestep").nodes}["cell"]
    assert each.state_bits == 2 * once.state_bits


def test_the_state_of_a_neuron_with_a_step_is_its_potential():
    node = Lif("lif", u_bits=4, theta=np.array(5))
    (start,) = node.initial(2, (3,))
    assert start.tolist() == [[0] * 3] * 2
    x, u = np.array([[3, 3, -9]]), np.array([[4, 2, -6]])
    spikes, (stored,), overflow = node.advance(x, (u,), t=9)
    for got, wanted in zip((spikes, stored, overflow), node.step(x, u), strict=True):
        assert np.array_equal(got, wanted)
    assert (node.state_names, node.state_bits, node.state_limits) == (("lif",), (4,), ((-7, 7),))


class RiserMapping:
    """As a threshold in NIR; every integer is in the fields."""

    def to_nir(self, node, shape, dt):
        return nir.Threshold(threshold=np.zeros(shape, np.float32))

    def fields(self, node):
        return {"u_bits": node.u_bits}

    def from_nir(self, name, nir_node, fields):
        return Riser(name, u_bits=fields.integer("u_bits"))


def test_a_node_with_several_variables_survives_a_nir_file(tmp_path):
    kinds = {"riser": RiserMapping()}
    write_program(program(), tmp_path / "net.nir", kinds=kinds)
    again = read_program(tmp_path / "net.nir", kinds=kinds)
    assert compare(run(), run_oracle(again, np.array(DRIVE).reshape(-1, 1, 1))).identical


@dataclass(frozen=True, eq=False)
class Bare(SpikingNode):
    """A neuron that nothing advances."""

    kind: ClassVar[str] = "bare"

    @property
    def potential_limits(self):
        return -1, 1

    def operations(self, x_bits):
        return (Operation("add", x_bits),)


@dataclass(frozen=True, eq=False)
class TwoWithStep(Toggle):
    variables: ClassVar[tuple[str, ...]] = ("potential", "other")


def variant(**fields):
    """A Riser whose properties are these values."""
    body = {key: property(lambda self, value=value: value) for key, value in fields.items() if key != "variables"}
    names = {"variables": fields["variables"]} if "variables" in fields else {}
    return type("Variant", (Riser,), body | names)("cell", u_bits=4)


BROKEN = [
    (
        Bare("cell"),
        "node 'cell' (bare): Bare has the state variables ('potential',); define step() or advance()",
    ),
    (
        TwoWithStep("cell"),
        "node 'cell' (toggle): TwoWithStep has the state variables ('potential', 'other'); define advance(), since"
        " step() knows the potential only",
    ),
    (
        variant(variables=("potential", "potential")),
        "node 'cell' (riser): variables is ('potential', 'potential'); it must be different words of letters, digits"
        " and '_', the potential first",
    ),
    (
        variant(variables=("potential", "a/b")),
        "node 'cell' (riser): variables is ('potential', 'a/b'); it must be different words of letters, digits and"
        " '_', the potential first",
    ),
    (
        variant(variables=()),
        "node 'cell' (riser): variables is (); it must be different words of letters, digits and '_', the potential"
        " first",
    ),
    (
        variant(state_bits=(4,)),
        "node 'cell' (riser): state_bits is (4,); it must be one for each of potential, threshold",
    ),
    (
        variant(state_limits=((-8, 7), (1, 7), (0, 0))),
        "node 'cell' (riser): state_limits is ((-8, 7), (1, 7), (0, 0)); it must be one for each of potential,"
        " threshold",
    ),
    (
        variant(state_bits=(4, 33)),
        "node 'cell' (riser): state_bits of threshold is 33; it must be between 1 and 32",
    ),
    (
        variant(state_limits=((-8, 7), (0, 8))),
        "node 'cell' (riser): state_limits of threshold is (0, 8); it must be within 3 bits and 32 bit integers",
    ),
    (
        variant(state_bits=(4, 32), state_limits=((-8, 7), (0, 1 << 31))),
        "node 'cell' (riser): state_limits of threshold is (0, 2147483648); it must be within 32 bits and 32 bit"
        " integers",
    ),
]


@pytest.mark.parametrize(("node", "message"), BROKEN, ids=[str(i) for i in range(len(BROKEN))])
def test_a_node_whose_state_makes_no_sense_is_refused_by_name(node, message):
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        program(node)


def test_a_missing_step_says_what_to_call():
    with pytest.raises(TypeError, match=r"^Riser has no step\(\) of its own; call advance\(\)$"):
        Riser("cell").step(np.zeros((1, 1), int), np.zeros((1, 1), int))
