"""The Diehl-Cook node in a NIR file: both halves, the way back, and damage."""

import dataclasses
import json
import re

import nir
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.formats import QFormat
from spikequant.nir_profile import acted_counts, beyond_nir, build_graph, program_of, read_program, write_program
from spikequant.nir_profile.fields import DIGEST, digest
from spikequant.nir_profile.profile import KEY
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Lif, chain
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.nir_mapping import DiehlCookMapping
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance

KINDS = {DiehlCook.kind: DiehlCookMapping()}
NODES = {
    "plain": DiehlCook("exc", vth=np.array([-832, -800, -900]), x_frac_bits=6),
    "shared": DiehlCook("exc", vth=np.array(-832), rounding=Rounding.TR),
    "fine": DiehlCook("exc", vth=np.array([-832, -801, -900]), vth_frac_bits=9, fmt=QFormat(11, 2)),
    "coarse": DiehlCook("exc", vth=np.array([-52, 0, 7]), vth_frac_bits=0, fmt=QFormat(9, 7)),
    "rules": DiehlCook(
        "exc",
        vth=np.array([-832, -800, -900]),
        rounding=Rounding.SR,
        overflow=Overflow.WRAP,
        seed=-5,
        one_spike=False,
        refractory=0,
        decay=123,
        decay_shift=8,
        reset=-60,
        rest=-61,
    ),
    "conductance": DiehlCook(
        "exc", vth=np.array([-832, -800, -900]), synapse=Conductance(QFormat(5, 3, False), 77, 1, 6, 119, 12)
    ),
}


def program(node):
    fc = Dense("fc", np.array([[3, -1], [4, 1], [0, 7]]) << node.x_frac_bits, bits=16)
    return chain([Input("input", (2,), bits=1, coding="per_step"), fc, node], 20, dt=1e-3)


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", NODES)
def test_a_program_comes_back_from_a_file_field_by_field(name, tmp_path):
    node = NODES[name]
    write_program(program(node), tmp_path / "model.nir", kinds=KINDS)
    read = read_program(tmp_path / "model.nir", kinds=KINDS)
    found = read.by_name["exc"]
    assert isinstance(found, DiehlCook)
    for field in dataclasses.fields(node):
        assert plain(getattr(found, field.name)) == plain(getattr(node, field.name)), field.name
    x = (np.random.default_rng(1).random((20, 4, 2)) < 0.5).astype(np.int64)
    expected, trace = run_oracle(program(node), x), run_oracle(read, x)
    assert np.array_equal(trace.spikes["exc"], expected.spikes["exc"])
    assert expected.spikes["exc"].any()
    for key, series in expected.potentials.items():
        assert np.array_equal(trace.potentials[key], series)


def test_the_graph_alone_is_a_lif_in_codes_of_the_potential():
    """Factor 0.75, one unit of x a quarter code: r such that one step adds x / 4."""
    node = DiehlCook("exc", vth=np.array([-832, -800, -900]), decay=3 << 14, x_frac_bits=6)
    lif = build_graph(program(node), kinds=KINDS).nodes["exc"]
    assert isinstance(lif, nir.LIF)
    assert lif.tau.tolist() == [np.float32(4e-3)] * 3
    assert lif.r.tolist() == [1.0] * 3
    assert lif.v_leak.tolist() == lif.v_reset.tolist() == [-65 * 16] * 3
    assert lif.v_threshold.tolist() == [-832.5, -800.5, -900.5]


def test_thresholds_on_a_finer_grid_lie_half_a_step_of_that_grid_lower():
    node = DiehlCook("exc", vth=np.array((1 << 23) - 1), vth_frac_bits=14, fmt=QFormat(11, 4))
    (value, *_) = build_graph(program(node), kinds=KINDS).nodes["exc"].v_threshold
    assert value == ((1 << 23) - 1.5) / 1024


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("plain", ["refractory", "one_spike", "rounding"]),
        ("rules", ["rounding"]),
        ("conductance", ["refractory", "one_spike", "rounding", "conductance"]),
    ],
)
def test_the_graph_lists_what_plain_nir_loses(name, rules):
    metadata = build_graph(program(NODES[name]), kinds=KINDS).metadata[KEY]
    found = {row["rule"]: (row["nodes"], row["acted"]) for row in json.loads(metadata["beyond_nir"])}
    overflow = "wrap" if name == "rules" else "saturation"
    assert found == dict.fromkeys(
        ["kind:diehl_cook", overflow, *(f"diehl_cook:{rule}" for rule in rules)], (["exc"], None)
    )
    assert metadata["profile"] == 3


def test_the_overflows_of_a_run_are_counted_with_those_of_other_neurons():
    nodes = [Input("input", (2,), bits=1, coding="per_step"), Dense("fc", np.array([[0, 300], [0, 0]]), bits=16)]
    cell = DiehlCook("exc", vth=np.array(0), fmt=QFormat(7, 0), x_frac_bits=0)
    last = [Dense("out", np.array([[300, 300]]), bits=16), Lif("lif", u_bits=4, theta=np.array(999))]
    whole = chain([*nodes, cell, *last], 3, dt=1e-3)
    counts = run_oracle(whole, np.ones((3, 1, 2), np.int64)).counts
    seen = {name: counts.nodes[name].saturations for name in ("exc", "lif")}
    assert acted_counts(whole, counts, KINDS) == {"saturation": sum(seen.values())}
    assert acted_counts(whole, counts) == {"saturation": seen["lif"]}
    assert {item.rule: item.nodes for item in beyond_nir(whole, kinds=KINDS)}["saturation"] == ("exc", "lif")
    assert all(seen.values())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"decay": 65536}, "its potential does not decay, and NIR's LIF needs a finite time constant; set decay below"),
        (
            {"vth": np.array((1 << 25) + 1), "vth_frac_bits": 15},
            "threshold 33554433 with 15 fraction bits is not exact",
        ),
    ],
)
def test_what_nir_cannot_hold_is_refused(fields, message):
    node = DiehlCook("exc", **({"vth": np.array(-832)} | fields))
    with pytest.raises(NirError, match=rf"^node 'exc' \(diehl_cook\): {re.escape(message)}.*$"):
        build_graph(program(node), kinds=KINDS)


def resealed(graph, **changes):
    """Change fields of the neuron and make all digests good again."""
    packed = graph.nodes["exc"].metadata[KEY]
    for key, value in changes.items():
        packed.pop(key) if value is None else packed.update({key: value})
    packed[DIGEST] = digest(packed)
    whole = graph.metadata[KEY]
    digests = json.loads(whole["node_digests"])
    digests[-1] = packed[DIGEST]
    whole["node_digests"] = json.dumps(digests)
    whole[DIGEST] = digest(whole)
    return graph


@pytest.mark.parametrize("name", ["plain", "conductance"])
def test_resealing_alone_does_no_harm(name):
    assert program_of(resealed(build_graph(program(NODES[name]), kinds=KINDS)), KINDS)


@pytest.mark.parametrize("name", ["plain", "conductance"])
def test_every_field_is_needed(name):
    keys = [k for k in build_graph(program(NODES[name]), kinds=KINDS).nodes["exc"].metadata[KEY] if k != DIGEST]
    assert len(keys) > 15
    for key in keys:
        with pytest.raises(NirError, match=rf"'{key}"):
            program_of(resealed(build_graph(program(NODES[name]), kinds=KINDS), **{key: None}), KINDS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rest": -64}, "node 'exc': v_leak is .*; the halves of the file disagree.*"),
        ({"reset": -66}, "node 'exc': v_reset is .*; the halves of the file disagree.*"),
        ({"decay": 64000}, "node 'exc': (r|tau) is .*; the halves of the file disagree.*"),
        ({"x_frac_bits": 7}, "node 'exc': r is .*; the halves of the file disagree.*"),
        ({"vth_frac_bits": 5}, "node 'exc': the thresholds of the graph are not vth .*"),
        ({"vth": np.array([-832, -800, -901])}, "node 'exc': the thresholds of the graph are not vth .*"),
        ({"vth": np.array([-832.0, -800.0, -900.0])}, "node 'exc': 'vth' in the metadata is .* an array of integers"),
        ({"vth": np.array([-832, -800])}, "node 'exc': the thresholds of the graph are not vth .*"),
        ({"beyond_nir": "nothing"}, "node 'exc': 'beyond_nir' in the metadata is 'nothing', and it must be None; .*"),
        ({"rounding": "up"}, "node 'exc': 'rounding' in the metadata is 'up'; it must be one of TR, RN, SR"),
        ({"overflow": 1}, "node 'exc': 'overflow' in the metadata is '1'; it must be text"),
        ({"one_spike": 1}, "node 'exc': 'one_spike' in the metadata is '1'; it must be true or false"),
        ({"synapse": "both"}, "node 'exc': 'synapse' in the metadata is 'both'; .* current, conductance"),
        ({"synapse": "conductance"}, "node 'exc': the metadata lacks 'g_int_bits'; .*"),
        ({"v_int_bits": 60}, "node 'exc': its metadata makes no neuron .*; write the file again"),
        ({"v_int_bits": 3}, "node 'exc': its metadata makes no neuron .*rest is -65.*; write the file again"),
        ({"refractory": -1}, "node 'exc': its metadata makes no neuron .*; write the file again"),
        ({"g_decay": 5}, "node 'exc': 'digest' in the metadata is .*, and it must be .*"),
    ],
)
def test_damaged_metadata_is_refused(changes, message):
    graph = resealed(build_graph(program(NODES["plain"]), kinds=KINDS), **changes)
    with pytest.raises(NirError, match=rf"^{message}$"):
        program_of(graph, KINDS)


def test_a_threshold_edited_in_the_graph_is_refused():
    graph = build_graph(program(NODES["plain"]), kinds=KINDS)
    graph.nodes["exc"].v_threshold[1] += 1
    with pytest.raises(NirError, match=r"^node 'exc': the thresholds of the graph are not vth of the metadata; .*$"):
        program_of(graph, KINDS)


def test_another_nir_node_in_its_place_is_refused():
    graph = build_graph(program(NODES["plain"]), kinds=KINDS)
    other = nir.Threshold(threshold=np.ones(3, np.float32))
    other.metadata = graph.nodes["exc"].metadata
    graph.nodes["exc"] = other
    with pytest.raises(NirError, match=r"^node 'exc': it is a Threshold, and a diehl_cook must be a LIF$"):
        program_of(graph, KINDS)
