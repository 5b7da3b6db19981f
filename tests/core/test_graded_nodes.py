"""Graded nodes put out what they store: ranges, run, trace, counts, memory traffic, comparison and NIR file."""

import re
from dataclasses import replace

import nir
import numpy as np
import pytest

from spikequant.errors import ProgramError
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Add, Dense, Edge, Input, Lif, PoolOr, Program, Readout, chain
from spikequant.testing.strangers import Gauge
from spikequant.trace import Trace
from spikequant.verify import compare

DRIVE = [3, 0, 9, -30, 0, 1]


def program(*after, bits=4):
    source = Input("input", (1,), bits=8, signed=True, coding="per_step")
    return chain([source, Gauge("cell", u_bits=bits), *after], timesteps=len(DRIVE))


def run(*after):
    return run_oracle(program(*after), np.array(DRIVE).reshape(-1, 1, 1))


def test_what_it_stores_goes_on_to_the_next_node():
    """U = 3, 3 >> 1 = 1, 9 + 0 (clamped to 7), 3 - 30 (to -8), -4, 1 - 2."""
    trace = run(Dense("twice", np.array([[2]]), bits=4), Readout("sum"))
    assert trace.potentials["cell"].ravel().tolist() == [3, 1, 7, -8, -4, -1]
    assert trace.potentials["cell.peak"].ravel().tolist() == [3, 3, 7, 7, 7, 7]
    assert trace.outputs["sum"].ravel().tolist() == [6, 8, 22, 6, -2, -4]
    assert trace.counts.nodes["cell"].saturations == 2


def test_it_feeds_spiking_neurons():
    trace = run(Lif("lif", u_bits=8, theta=np.array(4)))
    assert trace.potentials["lif"].ravel().tolist() == [3, 2, 0, -8, -8, -5]
    assert list(trace.spikes) == ["lif"]


def test_a_delayed_edge_carries_its_value_and_zero_at_first():
    nodes = (Input("input", (1,), bits=4, coding="per_step"), Add("sum"), Gauge("cell", u_bits=6))
    edges = (Edge("input", "sum"), Edge("cell", "sum", delayed=True), Edge("sum", "cell"))
    trace = run_oracle(Program(nodes, edges, timesteps=4), np.array([8, 0, 1, 0]).reshape(-1, 1, 1))
    assert trace.potentials["cell"].ravel().tolist() == [8, 12, 19, 28]


def test_the_trace_holds_no_spikes_of_it(tmp_path):
    run().save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as archive:
        types = {key: str(archive[key].dtype) for key in archive.files if key != "counts"}
    assert types == {"potential/cell": "int32", "potential/cell.peak": "int32"}
    again = Trace.load(tmp_path / "run.npz")
    assert str(compare(run(), again)) == "identical (0 spikes, 12 states and 0 outputs compared)"


def test_a_difference_is_named():
    trace = run()
    potentials = {name: array.copy() for name, array in trace.potentials.items()}
    potentials["cell"][3, 0, 0] = 5
    verdict = compare(trace, replace(trace, potentials=potentials))
    assert str(verdict.first) == "node 'cell', timestep 3, sample 0, element (0,): potential expected -8, got 5"


def test_its_range_is_that_of_its_potential():
    net = program(Dense("twice", np.array([[2, -1]]).T, bits=4), Readout("sum"))
    assert net.ranges["cell"] == (-8, 7)
    assert net.ranges["twice"] == (-16, 14)
    assert net.acc_bits("cell") == 4


def test_fires_are_values_other_than_zero_and_traffic_is_as_wide_as_the_values():
    trace = run(Dense("twice", np.array([[2]]), bits=4), Readout("sum"))
    cell, dense = trace.counts.nodes["cell"], trace.counts.nodes["twice"]
    assert (cell.steps, cell.fires) == (6, 6)
    assert {t.what: t.bits for t in cell.traffic} == {"spikes": 6 * 4}
    assert (dense.inputs, dense.active) == (6, 6)
    assert {t.what: t.bits for t in dense.traffic} == {"weights": 9 * 4, "inputs": 6 * 4}
    silent = run_oracle(program(), np.zeros((len(DRIVE), 1, 1), int)).counts
    assert silent.nodes["cell"].fires == silent.fires == 0


def test_or_pooling_of_values_is_refused():
    source = Input("input", (1, 2, 2), bits=4)
    with pytest.raises(
        ProgramError, match=r"^node 'pool': pool_or takes spikes in \{0, 1\}, and its input ranges -8\.\."
    ):
        chain([source, Gauge("cell", u_bits=4), PoolOr("pool")], 2)


def test_graded_is_true_or_false():
    class Odd(Gauge):
        graded = 1

    message = "node 'cell' (gauge): graded is 1; it must be True or False"
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        chain([Input("input", (1,)), Odd("cell")], 2)


class GaugeMapping:
    """As a leaky integrator in NIR, which puts out its potential too."""

    def to_nir(self, node, shape, dt):
        full = np.full(shape, 1, np.float32)
        return nir.LI(tau=full * 2 * dt, r=full * 2, v_leak=full * 0)

    def fields(self, node):
        return {"u_bits": node.u_bits}

    def from_nir(self, name, nir_node, fields):
        return Gauge(name, u_bits=fields.integer("u_bits"))


def test_a_graded_node_survives_a_nir_file(tmp_path):
    kinds = {"gauge": GaugeMapping()}
    net = program(Dense("twice", np.array([[2]]), bits=4), Readout("sum"))
    write_program(net, tmp_path / "net.nir", kinds=kinds)
    again = read_program(tmp_path / "net.nir", kinds=kinds)
    assert again.by_name["cell"].graded
    x = np.array(DRIVE).reshape(-1, 1, 1)
    assert compare(run_oracle(net, x), run_oracle(again, x)).identical
