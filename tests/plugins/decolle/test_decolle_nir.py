"""DECOLLE's nodes in a NIR file: both halves, the way back, and damage."""

import dataclasses
import json
import re

import nir
import numpy as np
import pytest

from spikequant import QFormat
from spikequant.errors import NirError
from spikequant.nir_profile import acted_counts, beyond_nir, build_graph, program_of, read_program, write_program
from spikequant.nir_profile.fields import DIGEST, digest
from spikequant.nir_profile.profile import KEY
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Readout, chain
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.nir_mapping import NODE_MAPPINGS
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner

DT = 1e-3
TRACES = {
    "plain": {},
    "whole gains": {"p_gain": 64, "q_gain": 64},
    "any gain": {"p_gain": 1, "q_gain": 0},
    "finer Q": {"p_fmt": QFormat(3, 2), "q_fmt": QFormat(1, 9, signed=False)},
    "rules": {"rounding": Rounding.SR, "overflow": Overflow.WRAP, "seed": -(1 << 63), "alpha": 0, "beta_shift": 24},
}
CELLS = {
    "plain": {},
    "per channel": {"vth": np.array([3, -4, 0])},
    "coarser x": {"x_frac_bits": 1, "v_fmt": QFormat(3, 7), "vth": np.array([5, 700, -3])},
    "rules": {"rounding": Rounding.TR, "overflow": Overflow.WRAP, "seed": 7, "rho": 0, "r_fmt": QFormat(2, 3, False)},
}


def trace(**fields):
    given = {
        "p_fmt": QFormat(2, 6),
        "q_fmt": QFormat(2, 5),
        "alpha": 48,
        "alpha_shift": 6,
        "p_gain": 16,
        "beta": 32,
        "beta_shift": 6,
        "q_gain": 32,
    }
    return DecolleTrace("trace1", **(given | fields))


def cell(**fields):
    given = {
        "v_fmt": QFormat(3, 4),
        "r_fmt": QFormat(2, 4),
        "gamma": 40,
        "gamma_shift": 6,
        "r_gain": 24,
        "rho": 64,
        "rho_shift": 6,
        "x_frac_bits": 9,
        "vth": np.array(5),
    }
    return DecolleNeurons("lif1", **(given | fields))


def program(first=None, second=None, start=2):
    fc = Dense("fc1", np.array([[3, -1], [4, 1], [0, 7]]), bits=4)
    score = Dense("score", np.array([[9, 1, 5], [2, 7, -3]]))
    votes = Dense("votes", np.eye(2, dtype=np.int64), bits=1, signed=False)
    last = [score, Winner("winner", start=start), votes, Readout("readout")]
    source = Input("input", (2,), bits=2, coding="per_step")
    return chain([source, first or trace(), fc, second or cell(), *last], 20, dt=DT)


def graph_of(*nodes):
    return build_graph(program(*nodes), kinds=NODE_MAPPINGS)


def counts(seed=1):
    return np.random.default_rng(seed).integers(0, 4, (20, 4, 2))


def plain(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("second", CELLS)
@pytest.mark.parametrize("first", TRACES)
def test_a_program_comes_back_from_a_file_field_by_field(first, second, tmp_path):
    net = program(trace(**TRACES[first]), cell(**CELLS[second]))
    write_program(net, tmp_path / "model.nir", kinds=NODE_MAPPINGS)
    read = read_program(tmp_path / "model.nir", kinds=NODE_MAPPINGS)
    for name in ("trace1", "lif1", "winner"):
        found, node = read.by_name[name], net.by_name[name]
        assert type(found) is type(node)
        for field in dataclasses.fields(node):
            assert plain(getattr(found, field.name)) == plain(getattr(node, field.name)), (name, field.name)
    expected, got = run_oracle(net, counts()), run_oracle(read, counts())
    for group in ("spikes", "potentials", "outputs"):
        for key, series in getattr(expected, group).items():
            assert np.array_equal(getattr(got, group)[key], series), key


def test_the_graph_alone_is_a_leaky_integrator_of_a_leaky_integrator_in_codes():
    """P keeps 3/4: tau is 4 dt; Q a half: 2 dt. One count is 32 codes of Q, one code of Q two of P."""
    node = graph_of().nodes["trace1"]
    assert isinstance(node, nir.CubaLI)
    assert node.tau_mem.tolist() == [np.float32(4 * DT)] * 2
    assert node.tau_syn.tolist() == [np.float32(2 * DT)] * 2
    assert node.r.tolist() == [2.0] * 2
    assert node.w_in.tolist() == [32.0] * 2
    assert node.v_leak.tolist() == [0.0] * 2


@pytest.mark.parametrize("name", ["plain", "whole gains", "any gain", "finer Q"])
def test_its_euler_steps_are_the_real_filter(name):
    """alpha P + kP Q and beta Q + kQ S in floats, P seeing the old Q; the graph computes it in codes."""
    node = trace(**TRACES[name])
    made, s = graph_of(node).nodes["trace1"], counts()[:, 0]
    unit = [2.0**fmt.frac_bits for fmt in (node.p_fmt, node.q_fmt)]
    factors = (node.alpha / 64, node.p_gain / 64, node.beta / 64, node.q_gain / 64)
    p, q, v, i = np.zeros((4, 2))
    for x in s:
        p, q = factors[0] * p + factors[1] * q, factors[2] * q + factors[3] * x
        syn, mem = (np.float64(DT) / np.asarray(tau, np.float64) for tau in (made.tau_syn, made.tau_mem))
        v, i = v + mem * (made.v_leak - v + made.r * i), i + syn * (made.w_in * x - i)
        assert np.allclose(v, p * unit[0], rtol=1e-5, atol=1e-9)
        assert np.allclose(i, q * unit[1], rtol=1e-5, atol=1e-9)
    assert name == "any gain" or p.min() > 0


def test_thresholds_lie_just_under_those_of_the_program_in_units_of_the_sum():
    """One code of V is 2**5 units of x; x is whole, so half a unit less is enough."""
    made = graph_of(trace(), cell(vth=np.array([3, -4, 0]))).nodes["lif1"]
    assert isinstance(made, nir.Threshold)
    assert made.threshold.tolist() == [3 * 32 - 0.5, -4 * 32 - 0.5, -0.5]


def test_thresholds_finer_than_the_sum_lie_half_a_code_lower():
    made = graph_of(trace(), cell(**CELLS["coarser x"])).nodes["lif1"]
    assert made.threshold.tolist() == [4.5 / 64, 699.5 / 64, -3.5 / 64]


def test_a_threshold_beyond_float32_takes_the_number_next_below():
    """127 * 2**24 - 1/2 has 32 bits; the float32 below 127 * 2**24 lies 128 lower."""
    made = graph_of(trace(), cell(x_frac_bits=28, vth=np.array(127))).nodes["lif1"]
    assert made.threshold.tolist() == [127 * 2.0**24 - 128] * 3


def test_without_rounding_and_refractory_state_the_threshold_alone_gives_the_spikes():
    node = cell(rho=0, x_frac_bits=4, vth=np.array([3, -4, 0]), v_fmt=QFormat(8, 4))
    made = graph_of(trace(), node).nodes["lif1"]
    x = np.arange(-20, 20).repeat(3).reshape(-1, 3)
    spikes, *_ = node.advance(x, node.initial(40, (3,)), 0)
    assert np.array_equal(spikes, (x.astype(np.float32) > made.threshold).astype(int))
    assert beyond_of_kind(chain([Input("input", (3,)), node], 1), "decolle") == ["rounding"]


def test_the_winner_is_a_scale_of_one():
    made = graph_of().nodes["winner"]
    assert isinstance(made, nir.Scale)
    assert made.scale.tolist() == [1.0, 1.0]


def beyond_of_kind(net, kind):
    rules = [item.rule for item in beyond_nir(net, kinds=NODE_MAPPINGS)]
    return [rule.removeprefix(f"{kind}:") for rule in rules if rule.startswith(f"{kind}:")]


def test_the_graph_lists_what_plain_nir_loses():
    metadata = graph_of().metadata[KEY]
    found = {row["rule"]: (row["nodes"], row["acted"]) for row in json.loads(metadata["beyond_nir"])}
    assert found == {
        "multi_bit_input": (["input"], None),
        "kind:decolle_trace": (["trace1"], None),
        "decolle_trace:rounding": (["trace1"], None),
        "saturation": (["trace1", "lif1"], None),
        "kind:decolle": (["lif1"], None),
        "decolle:refractory": (["lif1"], None),
        "decolle:rounding": (["lif1"], None),
        "kind:winner": (["winner"], None),
        "winner:one_winner": (["winner"], None),
        "winner:burn_in": (["winner"], None),
        "readout_sum": (["readout"], None),
    }
    assert metadata["profile"] == 3


def test_rules_are_listed_where_they_hold():
    exact = trace(alpha_shift=0, alpha=0, p_gain=1, beta_shift=0, beta=0, q_gain=1, q_fmt=QFormat(2, 6))
    assert beyond_of_kind(program(exact), "decolle_trace") == []
    assert beyond_of_kind(program(start=0), "winner") == ["one_winner"]
    whole = cell(gamma_shift=0, gamma=1, r_gain=1, rho_shift=0, rho=1, x_frac_bits=4)
    assert beyond_of_kind(program(trace(), whole), "decolle") == ["refractory"]
    wraps = program(trace(overflow=Overflow.WRAP), cell(overflow=Overflow.WRAP))
    assert {i.rule: i.nodes for i in beyond_nir(wraps, kinds=NODE_MAPPINGS)}["wrap"] == ("trace1", "lif1")


def test_the_overflows_of_a_run_are_counted():
    net = program(trace(q_fmt=QFormat(0, 5)), cell(v_fmt=QFormat(0, 4), vth=np.array(9), x_frac_bits=6))
    seen = run_oracle(net, counts()).counts
    each = {name: seen.nodes[name].saturations for name in ("trace1", "lif1")}
    assert all(each.values())
    assert acted_counts(net, seen, NODE_MAPPINGS) == {"saturation": sum(each.values())}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"alpha": 64}, {}, "node 'trace1' (decolle_trace): alpha is 64 / 2**6, so nothing decays, and NIR's CubaLI"),
        ({"beta": 64}, {}, "node 'trace1' (decolle_trace): beta is 64 / 2**6, so nothing decays, and NIR's CubaLI"),
        (
            {},
            {"v_fmt": QFormat(27, 4), "vth": np.array((1 << 25) + 1)},
            "node 'lif1' (decolle): threshold 33554433 of V's format Q27.4 is not exact as a NIR threshold;",
        ),
    ],
)
def test_what_nir_cannot_hold_is_refused(first, second, message):
    with pytest.raises(NirError, match=rf"^{re.escape(message)} .*$"):
        graph_of(trace(**first), cell(**second))


def resealed(graph, name, **changes):
    """Change fields of a node and make all digests good again."""
    packed = graph.nodes[name].metadata[KEY]
    for key, value in changes.items():
        packed.pop(key) if value is None else packed.update({key: value})
    packed[DIGEST] = digest(packed)
    whole = graph.metadata[KEY]
    digests = json.loads(whole["node_digests"])
    digests[json.loads(whole["order"]).index(name)] = packed[DIGEST]
    whole["node_digests"] = json.dumps(digests)
    whole[DIGEST] = digest(whole)
    return graph


@pytest.mark.parametrize("name", ["trace1", "lif1", "winner"])
def test_resealing_alone_does_no_harm(name):
    assert program_of(resealed(graph_of(), name), NODE_MAPPINGS)


@pytest.mark.parametrize(("name", "fields"), [("trace1", 16), ("lif1", 18), ("winner", 2)])
def test_every_field_is_needed(name, fields):
    keys = [key for key in graph_of().nodes[name].metadata[KEY] if key != DIGEST]
    assert len(keys) == fields
    for key in keys:
        with pytest.raises(NirError, match=rf"'{key}"):
            program_of(resealed(graph_of(), name, **{key: None}), NODE_MAPPINGS)


DISAGREE = "; the halves of the file disagree, so write it again from the program"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("trace1", {"alpha": 47}, rf"node 'trace1': (r|tau_mem) is .*{DISAGREE}"),
        ("trace1", {"beta": 31}, rf"node 'trace1': (tau_syn|w_in) is .*{DISAGREE}"),
        ("trace1", {"p_gain": 15}, rf"node 'trace1': r is .*{DISAGREE}"),
        ("trace1", {"q_gain": 33}, rf"node 'trace1': w_in is .*{DISAGREE}"),
        ("trace1", {"p_frac_bits": 5}, rf"node 'trace1': r is .*{DISAGREE}"),
        ("trace1", {"q_frac_bits": 4}, rf"node 'trace1': (r|w_in) is .*{DISAGREE}"),
        ("trace1", {"alpha": 65}, "node 'trace1': its metadata makes no trace .*; write the file again"),
        ("trace1", {"p_int_bits": 60}, "node 'trace1': its metadata makes no trace .*; write the file again"),
        ("trace1", {"rounding": "up"}, "node 'trace1': 'rounding' in the metadata is 'up'; .* one of TR, RN, SR"),
        ("trace1", {"graded": False}, "node 'trace1': '(graded|digest)' in the metadata is .*, and it must be .*"),
        ("lif1", {"vth": np.array([6])}, "node 'lif1': the thresholds of the graph are not vth .*"),
        ("lif1", {"vth": np.array([5, 5])}, "node 'lif1': .*vth.*"),
        ("lif1", {"x_frac_bits": 8}, "node 'lif1': the thresholds of the graph are not vth .*"),
        ("lif1", {"v_frac_bits": 5}, "node 'lif1': the thresholds of the graph are not vth .*"),
        ("lif1", {"v_int_bits": 0, "vth": np.array([99])}, "node 'lif1': its metadata makes no neuron .*"),
        ("lif1", {"gamma": -1}, "node 'lif1': its metadata makes no neuron .*; write the file again"),
        ("lif1", {"overflow": 1}, "node 'lif1': 'overflow' in the metadata is '1'; it must be text"),
        ("winner", {"start": -1}, "node 'winner': its metadata makes no winner .*; write the file again"),
        ("winner", {"start": 0}, "graph: '(beyond_nir|digest)' in the metadata is .*"),
        ("winner", {"kind": "loser"}, "node 'winner': its kind is 'loser', for which no mapping was given; .*"),
    ],
)
def test_damaged_metadata_is_refused(name, changes, message):
    with pytest.raises(NirError, match=rf"^{message}$"):
        program_of(resealed(graph_of(), name, **changes), NODE_MAPPINGS)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("trace1", "tau_mem", f"node 'trace1': tau_mem is .*{DISAGREE}"),
        ("trace1", "w_in", f"node 'trace1': w_in is .*{DISAGREE}"),
        ("trace1", "v_leak", f"node 'trace1': v_leak is .*{DISAGREE}"),
        ("lif1", "threshold", "node 'lif1': the thresholds of the graph are not vth of the metadata; .*"),
        ("winner", "scale", f"node 'winner': scale is .*{DISAGREE}"),
    ],
)
def test_a_number_edited_in_the_graph_is_refused(name, field, message):
    graph = graph_of()
    getattr(graph.nodes[name], field)[1] += 40
    with pytest.raises(NirError, match=rf"^{message}$"):
        program_of(graph, NODE_MAPPINGS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trace1", "node 'trace1': it is a Flatten, and a decolle_trace must be a CubaLI"),
        ("lif1", "node 'lif1': it is a Flatten, and a decolle must be a Threshold"),
        ("winner", "node 'winner': it is a Flatten, and a winner must be a Scale"),
    ],
)
def test_another_nir_node_in_its_place_is_refused(name, message):
    graph = graph_of()
    other = nir.Flatten({"input": np.array([2])})
    other.metadata = graph.nodes[name].metadata
    graph.nodes[name] = other
    with pytest.raises(NirError, match=f"^{message}$"):
        program_of(graph, NODE_MAPPINGS)
