"""The four kinds in a .nir file: exactly the program back, a graph that other tools run, damage refused."""

import sys
from pathlib import Path

import nir
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cuba_programs import Draw, dense_program, drive, image_program

from spikequant.errors import NirError
from spikequant.nir_profile import beyond_nir, read_program, write_program
from spikequant.nir_profile.fields import digest
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, chain, integers
from spikequant.verify import compare
from spikequant_cuba import CubaLi, CubaLif, FixedLi, FixedLif
from spikequant_cuba.nir_mapping import NODE_MAPPINGS

LOIHI = {"decay_bits": 12, "rounding": "toward_zero", "input_shift": 6, "u_bits": 24}


def loihi(name="lif", theta=80, **fields):
    given = {"i_bits": 24, "decay": integers(3968), "i_decay": integers(3072), "theta": integers(theta << 6)}
    return CubaLif(name, **{**LOIHI, **given, **fields})


def around(cell, size=3):
    codes = np.arange(-size, size).reshape(size, 2)
    return chain([Input("input", (2,), bits=1, coding="per_step"), Dense("fc", codes), cell], timesteps=5)


@pytest.mark.parametrize("seed", range(24))
def test_a_program_comes_back_with_the_same_integers(seed, tmp_path):
    program = (dense_program if seed % 2 else image_program)(Draw(seed))
    write_program(program, tmp_path / "net.nir", kinds=NODE_MAPPINGS)
    again = read_program(tmp_path / "net.nir", kinds=NODE_MAPPINGS)
    for node in program.spiking:
        fields = NODE_MAPPINGS[node.kind].fields
        left, right = fields(node), fields(again.by_name[node.name])
        assert left.keys() == right.keys()
        for key, value in left.items():
            assert np.array_equal(value, right[key]), (node.name, key)
            assert np.shape(value) == np.shape(right[key]), (node.name, key)
    inputs = drive(program, seed)
    assert compare(run_oracle(program, inputs), run_oracle(again, inputs), [n.name for n in program.order]).identical


def test_the_graph_alone_holds_the_neuron_in_lattice_units(tmp_path):
    """Loihi's neuron: i keeps 3072/4096 and takes 64 x, v keeps 3968/4096 and takes i."""
    write_program(around(loihi()), tmp_path / "net.nir", kinds=NODE_MAPPINGS)
    cell = nir.read(tmp_path / "net.nir").nodes["lif"]
    dt = np.float32(1e-4)
    assert isinstance(cell, nir.CubaLIF)
    assert np.allclose(dt / cell.tau_syn, 0.25, rtol=0)
    assert np.allclose(dt / cell.tau_mem, 1 / 32, rtol=0)
    assert np.allclose(dt / cell.tau_syn * cell.w_in, 64, rtol=1e-7)  # a product of float32
    assert np.allclose(dt / cell.tau_mem * cell.r, 1, rtol=1e-7)
    assert ((cell.v_threshold < 5120) & (cell.v_threshold > 5119.99)).all()


def test_what_neither_leaks_nor_has_a_bias_is_an_integrator(tmp_path):
    one = integers(1)
    for kind, cls in ((FixedLif, nir.IF), (FixedLi, nir.I)):
        write_program(
            around(kind("n", decay=one, decay_bits=0, input_shift=2)), tmp_path / "net.nir", kinds=NODE_MAPPINGS
        )
        cell = nir.read(tmp_path / "net.nir").nodes["n"]
        assert isinstance(cell, cls)
        assert np.allclose(cell.r * np.float32(1e-4), 4, rtol=1e-7)  # a product of float32


def test_what_plain_nir_loses_is_listed():
    found = {item.rule for item in beyond_nir(around(loihi()), kinds=NODE_MAPPINGS)}
    assert found == {"kind:cuba_lif", "saturation", "leak_rounding"}
    odd = loihi(
        reset="subtract", reset_delay=1, most_spikes=3, order="potential_first", v_min=integers(-1), overflow="wrap"
    )
    found = {item.rule for item in beyond_nir(around(odd), kinds=NODE_MAPPINGS)}
    own = ("late_reset", "many_spikes", "minimum", "old_current")
    assert found == {"kind:cuba_lif", "wrap", "leak_rounding", "soft_reset", *(f"cuba_lif:{rule}" for rule in own)}
    whole = CubaLi("n", u_bits=8, i_bits=8, decay=integers(1), i_decay=integers(1), decay_bits=1)
    assert "cuba_li:no_leak" not in {item.rule for item in beyond_nir(around(whole), kinds=NODE_MAPPINGS)}
    idle = CubaLi("n", u_bits=8, i_bits=8, decay=integers(2), i_decay=integers(1), decay_bits=1)
    assert "cuba_li:no_leak" in {item.rule for item in beyond_nir(around(idle), kinds=NODE_MAPPINGS)}


def test_a_graph_that_says_something_else_is_refused(tmp_path):
    path = tmp_path / "net.nir"
    write_program(around(loihi()), path, kinds=NODE_MAPPINGS)
    graph = nir.read(path, type_check=False)
    graph.nodes["lif"].tau_mem = graph.nodes["lif"].tau_mem * 2
    nir.write(path, graph)
    with pytest.raises(NirError, match="lif"):
        read_program(path, kinds=NODE_MAPPINGS)


@pytest.mark.parametrize(
    ("field", "value"), [("rounding", "up"), ("most_spikes", 0), ("decay", np.array([5000])), ("u_bits", 99)]
)
def test_metadata_out_of_its_domain_is_refused(field, value, tmp_path):
    path = tmp_path / "net.nir"
    write_program(around(loihi()), path, kinds=NODE_MAPPINGS)
    graph = nir.read(path, type_check=False)
    packed = graph.nodes["lif"].metadata["spikequant"]
    packed[field] = value
    packed["digest"] = digest(packed)
    nir.write(path, graph)
    with pytest.raises(NirError):
        read_program(path, kinds=NODE_MAPPINGS)
