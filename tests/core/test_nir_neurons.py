"""Neuron constants in float32, metadata values, and neurons of plugins."""

import json
import re
from dataclasses import dataclass

import nir
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.nir_profile import acted_counts, beyond_nir, read_program, write_program
from spikequant.nir_profile.fields import Fields, digest, pack
from spikequant.nir_profile.neurons import exact_tau, leak_is_exact, thresholds
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Leak, Lif, SpikingNode, chain


def test_threshold_is_below_theta_by_less_than_one_step_of_the_lattice():
    theta = np.concatenate([np.arange(-300, 300), 2 ** np.arange(8, 24), -(2 ** np.arange(8, 23))])
    found = thresholds("lif", theta).astype(np.float64)
    assert np.array_equal(np.ceil(found), theta)
    assert (found < theta).all()
    assert set((theta - found)[np.abs(theta) < 8]) == {2.0**-20}
    assert set((theta - found)[(np.abs(theta) >= 8) & (np.abs(theta) <= 128)]) == {2.0**-16}


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 1.0, 0.3])
@pytest.mark.parametrize("rate", [0.5, 0.25, 2.0**-8, 1.0])
def test_tau_gives_a_power_of_two_back_in_float32(dt, rate):
    assert np.float32(dt) / exact_tau(rate, dt) == np.float32(rate)


def test_leak_that_float32_cannot_give_back_is_listed_beyond_nir():
    assert [s for s in range(1, 9) if not leak_is_exact(1 - 2.0**-s, 1e-4)] == [5]
    for shift, rules in ((4, ["saturation"]), (5, ["saturation", "leak_precision"])):
        program = chain([Input("x", (2,), 1), Lif("lif", leak=Leak.by_shift(shift))], 2)
        assert [item.rule for item in beyond_nir(program)] == rules


def test_values_come_back_with_rank_and_type():
    values = {
        "layer": np.array(5),
        "channel": np.array([1, -2]),
        "neuron": np.arange(6).reshape(1, 2, 3),
        "real": np.array([0.5]),
        "text": "a",
        "flag": True,
        "count": 3,
        "size": 0.25,
        "none": None,
    }
    fields = Fields("node 'a'", pack("node 'a'", values))
    for name in ("layer", "channel", "neuron"):
        assert np.array_equal(fields.integers(name), values[name])
        assert fields.integers(name).shape == values[name].shape
    assert fields.optional_integers("none") is None
    assert fields.floats("real").tolist() == [0.5]
    assert (fields.text("text"), fields.flag("flag"), fields.integer("count"), fields.number("size")) == (
        *("a", True, 3, 0.25),
    )


@pytest.mark.parametrize(
    "value", [[1], np.array([]), np.array(["a"]), float("inf"), "a\0b", 1 << 63, np.array([np.nan])]
)
def test_value_that_metadata_would_lose_is_refused(value):
    with pytest.raises(NirError, match=r"^node 'a': key is .*, which NIR metadata cannot keep; it must .*$"):
        pack("node 'a'", {"key": value})


@pytest.mark.parametrize("change", [{"a": 2}, {"a": True}, {"a": 1.0}, {"a": "1"}, {"a": np.array([1])}, {"b": 1}, {}])
def test_digest_tells_values_types_and_names_apart(change):
    assert digest({"a": 1}) != digest(change)


@dataclass(frozen=True, eq=False)
class Counter(SpikingNode):
    """Fires once ``goal`` inputs have arrived: a stranger's neuron."""

    goal: int = 3
    kind = "counter"

    @property
    def potential_limits(self):
        return 0, self.goal

    def step(self, x, u):
        h = u + x
        fires = h >= self.goal
        return fires.astype(np.int64), np.where(fires, 0, h), np.zeros_like(h)

    def operations(self, x_bits):
        return ()


class CounterMapping:
    """The stranger's mapping to IF."""

    def to_nir(self, node, shape, dt):
        r = np.full(shape, 1 / dt, np.float32)
        return nir.IF(r=r, v_threshold=np.full(shape, node.goal - 0.5, np.float32))

    def fields(self, node):
        return {"u_bits": node.u_bits, "goal": node.goal}

    def from_nir(self, name, nir_node, fields):
        return Counter(name, u_bits=fields.integer("u_bits"), goal=fields.integer("goal"))


def counting():
    return chain([Input("x", (2,), 1), Dense("fc", np.eye(2, dtype=int)), Counter("c", u_bits=4, goal=7)], 3)


def test_neuron_of_a_plugin_travels_with_its_mapping(tmp_path):
    kinds = {"counter": CounterMapping()}
    write_program(counting(), tmp_path / "net.nir", kinds=kinds)
    node = read_program(tmp_path / "net.nir", kinds).by_name["c"]
    assert (type(node), node.goal, node.u_bits) == (Counter, 7, 4)
    graph = nir.read(tmp_path / "net.nir")
    assert '"kind:counter"' in graph.metadata["spikequant"]["beyond_nir"]
    graph.nodes["c"].v_threshold[0] = 5
    nir.write(tmp_path / "net.nir", graph)
    with pytest.raises(
        NirError, match=r"^.*net.nir: node 'c': v_threshold is \[5.0, 6.5\], and its metadata makes it .*$"
    ):
        read_program(tmp_path / "net.nir", kinds)


class TellingMapping(CounterMapping):
    """The same, and it says what the plain graph loses."""

    rules = ("saturation", "goal_only")

    def beyond_nir(self, node):
        return self.rules


def test_a_mapping_lists_rules_of_its_own_beyond_nir(tmp_path):
    """Under the profile's name where it is the profile's rule, else after the kind, so that no two plugins clash."""
    kinds = {"counter": TellingMapping()}
    found = [(item.rule, item.nodes) for item in beyond_nir(counting(), kinds=kinds)]
    assert found == [(rule, ("c",)) for rule in ("kind:counter", "saturation", "counter:goal_only")]
    counts = run_oracle(counting(), np.ones((2, 2), int)).counts
    assert acted_counts(counting(), counts, kinds) == {"saturation": 0}
    write_program(counting(), tmp_path / "net.nir", {"counter:goal_only": 4}, kinds=kinds)
    assert read_program(tmp_path / "net.nir", kinds).by_name["c"].goal == 7
    packed = nir.read(tmp_path / "net.nir").metadata["spikequant"]
    assert packed["profile"] == 3
    assert json.loads(packed["beyond_nir"])[2] == {"rule": "counter:goal_only", "nodes": ["c"], "acted": 4}
    write_program(counting(), tmp_path / "net.nir", kinds=kinds)
    with pytest.raises(NirError, match=r"^.*: graph: 'beyond_nir' in the metadata is .*, and it must be .*$"):
        read_program(tmp_path / "net.nir", {"counter": CounterMapping()})


def test_a_mapping_that_lists_nothing_writes_what_older_readers_know(tmp_path):
    write_program(counting(), tmp_path / "net.nir", kinds={"counter": CounterMapping()})
    assert nir.read(tmp_path / "net.nir").metadata["spikequant"]["profile"] == 1


@pytest.mark.parametrize("name", ["", "two words", "a:b", "x" * 65])
def test_a_rule_of_a_mapping_must_have_a_plain_name(name):
    mapping = TellingMapping()
    mapping.rules = (name,)
    text = f"node 'c' (counter): its mapping names a rule {name!r} beyond NIR; a name is made of letters, digits and"
    with pytest.raises(NirError, match=rf"^{re.escape(text)} '_', at most 64$"):
        beyond_nir(counting(), kinds={"counter": mapping})


def test_neuron_of_a_plugin_without_mapping_is_refused_by_name(tmp_path):
    text = (
        r"node 'c' \(Counter, kind 'counter'\): the NIR profile has no mapping for this neuron; pass its plugin's one"
        r" as kinds=\{'counter': mapping\}"
    )
    with pytest.raises(NirError, match=f"^{text}$"):
        write_program(counting(), tmp_path / "net.nir")
    assert list(tmp_path.iterdir()) == []


def test_subclass_of_lif_is_not_taken_for_a_lif(tmp_path):
    class Leaky(Lif):
        """Does something else under the same kind."""

    program = chain([Input("x", (2,), 1), Leaky("n")], 1)
    with pytest.raises(NirError, match=r"^node 'n' \(Leaky, kind 'lif'\): the NIR profile has no mapping .*$"):
        write_program(program, tmp_path / "net.nir")
