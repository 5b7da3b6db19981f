"""Weights that are never negative need no sign bit: 0 .. 2**bits - 1, in files, memory, counts and every executor."""

import dataclasses
import re

import h5py
import nir
import numpy as np
import pytest

from spikequant.energy.baselines import ann_counterpart
from spikequant.errors import NirError, ProgramError
from spikequant.memory import program_memory
from spikequant.nir_profile import metadata, read_program, write_program
from spikequant.nir_profile.fields import digest
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lateral, Lif, Operation, Readout, Weighted, chain
from spikequant.testing import plain, random_inputs, random_program
from spikequant.verify import compare

CODES = np.array([[63, 0, 1], [5, 32, 62]])


def program(codes=CODES, **fields):
    fields = {"bits": 6, "signed": False} | fields
    return chain([Input("x", (3,), bits=1), Dense("fc", codes, **fields), Lif("lif", theta=np.array(60))], timesteps=2)


def test_it_is_a_signed_layers_number_of_another_width():
    """What a layer computes is the same; only where its codes must lie, and what they cost, is not."""
    x = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]])
    unsigned, signed = run_oracle(program(), x), run_oracle(program(bits=7, signed=True), x)
    assert compare(unsigned, signed).identical
    assert unsigned.spikes["lif"].any()


def test_a_code_takes_its_bits_and_no_sign():
    unsigned, signed = program_memory(program()), program_memory(program(bits=7, signed=True))
    assert (unsigned.weights_bits, signed.weights_bits) == (6 * 6, 6 * 7)
    assert unsigned.accumulators_bits == signed.accumulators_bits


def test_counts_read_unsigned_codes_of_their_width():
    """Two spikes into two outputs read four codes; sums of 64 and 67 take 8 bits with their sign, 99 too."""
    counts = run_oracle(program(), np.array([[1, 0, 1]])).counts.nodes["fc"]
    assert counts.operations == (Operation("accumulate", 8, 8),)
    assert {t.what: t.bits for t in counts.traffic} == {"weights": 2 * 4 * 6, "inputs": 2 * 3}


def test_the_ann_of_the_same_shape_multiplies_at_its_width():
    multiply, accumulate = ann_counterpart(program()).counts.nodes["fc"].operations
    assert (multiply, accumulate) == (Operation("multiply", 6, 6), Operation("accumulate", 6 + 6 + 2, 6))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"codes": -CODES}, "codes is -63..0; it must be within 6 bits (unsigned, 0..63)"),
        ({"codes": CODES + 1}, "codes is 1..64; it must be within 6 bits (unsigned, 0..63)"),
        ({"signed": True}, "codes is 0..63; it must be within 6 bits (two's complement)"),
        ({"signed": 0}, "signed is 0; it must be True or False"),
        ({"codes": CODES % 3, "bits": 1}, "codes is 0..2; it must be within 1 bits (unsigned, 0..1)"),
    ],
)
def test_codes_beyond_their_bits_are_refused(fields, why):
    with pytest.raises(ProgramError, match=rf"^node 'fc' \(dense\): {re.escape(why)}$"):
        program(**fields)


def test_the_widest_codes_are_those_of_32_bits():
    assert program(np.full((1, 3), (1 << 32) - 1), bits=32).ranges["fc"] == (0, 3 * ((1 << 32) - 1))


@pytest.mark.parametrize("bits", [6, 12])
def test_it_survives_the_file(bits, tmp_path):
    nodes = [Input("x", (2, 3, 3), 2), Conv2d("conv", np.full((2, 2, 2, 2), (1 << bits) - 1), bits=bits, signed=False)]
    nodes += [Lif("lif", theta=np.array(99)), Flatten("flat"), Dense("fc", np.ones((2, 8), int), bits=1, signed=False)]
    written = chain([*nodes, Readout("out")], 2)
    write_program(written, tmp_path / "net.nir")
    again = read_program(tmp_path / "net.nir")
    for node, read in zip(written.nodes, again.nodes, strict=True):
        for field in dataclasses.fields(node):
            assert np.array_equal(getattr(node, field.name), getattr(read, field.name)), field.name
    assert [again.by_name[name].signed for name in ("conv", "fc")] == [False, False]
    inputs = random_inputs(written, 3, seed=1)
    assert compare(run_oracle(written, inputs), run_oracle(again, inputs)).identical


def test_an_older_reader_refuses_the_file_by_its_version(tmp_path, monkeypatch):
    write_program(program(), tmp_path / "net.nir")
    monkeypatch.setattr(metadata, "PROFILE_VERSION", 2)
    with pytest.raises(
        NirError, match=r"^.*: the file has quantization profile 3, and this spikequant reads up to 2; "
    ):
        read_program(tmp_path / "net.nir")


@pytest.mark.parametrize(("extra", "version"), [((), 1), ((Lateral("join", 1),), 2)])
def test_signed_codes_are_written_as_before_and_read_without_the_key(extra, version, tmp_path):
    signed = chain([Input("x", (3,), 1), Dense("fc", CODES), *extra, Lif("lif")], 2)
    write_program(signed, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    assert graph.metadata["spikequant"]["profile"] == version
    assert "signed" not in graph.nodes["fc"].metadata["spikequant"]
    assert read_program(tmp_path / "net.nir").by_name["fc"].signed is True


def edited(path, key, value):
    """Change the metadata of ``fc`` and renew its digest, as who edits on purpose would."""
    with h5py.File(path, "r+") as file:
        group = file["node/nodes/fc/metadata/spikequant"]
        del group[key]
        if value is not None:
            group[key] = value
    packed = nir.read(path).nodes["fc"].metadata["spikequant"]
    with h5py.File(path, "r+") as file:
        file["node/nodes/fc/metadata/spikequant/digest"][()] = digest(packed)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("signed", None, "node 'fc': weight holds codes 0..63, and the metadata says bits = 6"),
        ("signed", True, "node 'fc': weight holds codes 0..63, and the metadata says bits = 6"),
        ("bits", 5, "node 'fc': weight holds codes 0..63, and the metadata says bits = 5, unsigned"),
        ("bits", 0, "node 'fc': weight holds codes 0..63, and the metadata says bits = 0, unsigned"),
        ("bits", 7, "node 'fc': its metadata is not what this graph was written with; write the file again"),
        ("signed", 0, "node 'fc': 'signed' in the metadata is '0'; it must be true or false"),
    ],
)
def test_a_file_that_says_otherwise_is_refused(key, value, why, tmp_path):
    write_program(program(), tmp_path / "net.nir")
    edited(tmp_path / "net.nir", key, value)
    with pytest.raises(NirError, match=rf"^.*/net\.nir: {re.escape(why)}$"):
        read_program(tmp_path / "net.nir")


def test_random_programs_have_both_kinds_and_simple_ones_signed_weights_only():
    found = [node for seed in range(100) for node in random_program(seed).nodes if isinstance(node, Weighted)]
    unsigned = [node for node in found if not node.signed]
    assert len(found) / 4 > len(unsigned) > 20
    assert {type(node) for node in unsigned} == {Dense, Conv2d}
    assert any(node.codes.max() >= 1 << (node.bits - 1) for node in unsigned)
    simple = [node for seed in range(50) for node in random_program(seed, plain()).nodes if isinstance(node, Weighted)]
    assert all(node.signed for node in simple)
