"""Files that are damaged, edited or hostile end in one clear NirError, or give the very program."""

import dataclasses
import json
import zlib
from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.nir_profile import PROFILE_VERSION, read_graph, read_program, write_program
from spikequant.nir_profile.fields import digest
from spikequant.program import Conv2d, Dense, Edge, Flatten, Input, Lateral, Lif, PoolOr, Program, Readout, chain


def program():
    rng = np.random.default_rng(7)
    nodes = (
        Input("x", (2, 5, 5), 1),
        Conv2d("conv", rng.integers(-8, 8, (3, 2, 2, 2)), None, 4),
        Lif("lif1", u_bits=6, theta=np.array([2, 3, 4])),
        PoolOr("pool"),
        Flatten("flat"),
        Dense("fc", rng.integers(-8, 8, (4, 12)), rng.integers(-5, 5, 4), 4),
        Lif("lif2", u_bits=6, theta=np.array(3), bias=np.array(1)),
        Readout("out"),
    )
    edges = tuple(Edge(a.name, b.name) for a, b in pairwise(nodes))
    return Program(nodes, edges, 4, provenance={"seed": 7})


def same(a, b):
    """Whether all that a program is, bar nothing, is equal."""

    def plain(p):
        return repr((p.timesteps, p.dt, p.edges, dict(p.provenance), [row(n) for n in p.nodes]))

    def row(n):
        values = [getattr(n, f.name) for f in dataclasses.fields(n)]
        return type(n), [(v.shape, v.tolist()) if isinstance(v, np.ndarray) else v for v in values]

    return plain(a) == plain(b)


@pytest.fixture
def path(tmp_path):
    write_program(program(), tmp_path / "net.nir")
    return tmp_path / "net.nir"


def replace(file, key, value):
    """Put another value under ``key``, with no shape or type kept."""
    del file[key]
    file[key] = value


def refresh(file, name):
    """Make the digests right again after an edit, as one who tampers on purpose would."""
    top = file["node/metadata/spikequant"]
    if name is not None:
        group = file[f"node/nodes/{name}/metadata/spikequant"]
        replace(group, "digest", digest(plain(group)))
        names = json.loads(top["order"][()])
        listed = json.loads(top["node_digests"][()])
        listed[names.index(name)] = group["digest"][()].decode()
        replace(top, "node_digests", json.dumps(listed))
    replace(top, "digest", digest(plain(top)))


def plain(group):
    return {k: v[()].decode() if isinstance(v[()], bytes) else v[()] for k, v in group.items()}


def edit_array(file, key, change):
    array = file[key][()]
    change(array)
    replace(file, key, array)


def weight_plus_one(file):
    edit_array(file, "node/nodes/fc/weight", lambda w: w.flat.__setitem__(0, (w.flat[0] + 2) % 8))


def weight_fraction(file):
    edit_array(file, "node/nodes/fc/weight", lambda w: w.flat.__setitem__(0, 0.5))


def weight_nan(file):
    edit_array(file, "node/nodes/fc/weight", lambda w: w.flat.__setitem__(0, np.nan))


def theta_in_graph(file):
    edit_array(file, "node/nodes/lif2/v_threshold", lambda v: v.__iadd__(1))


def eps_in_graph(file):
    edit_array(file, "node/nodes/lif2/v_threshold", lambda v: v.__isub__(0.25))


def theta_in_metadata(file):
    edit_array(file, "node/nodes/lif2/metadata/spikequant/theta", lambda v: v.__iadd__(1))
    refresh(file, "lif2")


def bits(file):
    replace(file, "node/nodes/fc/metadata/spikequant/bits", 3)
    refresh(file, "fc")


def u_bits(file):
    replace(file, "node/nodes/lif2/metadata/spikequant/u_bits", 7)


def u_bits_below(file):
    replace(file, "node/nodes/lif2/metadata/spikequant/u_bits", 1)
    refresh(file, "lif2")


def node_exchanged(file):
    """The metadata of a node is right in itself, but not the one that the graph was written with."""
    replace(file, "node/nodes/lif2/metadata/spikequant/u_bits", 7)
    group = file["node/nodes/lif2/metadata/spikequant"]
    replace(group, "digest", digest(plain(group)))


def tau(file):
    edit_array(file, "node/nodes/lif1/tau", lambda v: v.__imul__(2))


def bias(file):
    edit_array(file, "node/nodes/fc/bias", lambda v: v.__iadd__(1))


def conv_bias(file):
    edit_array(file, "node/nodes/conv/bias", lambda v: v.__iadd__(1))


def leak_potential(file):
    edit_array(file, "node/nodes/lif2/v_leak", lambda v: v.__imul__(0))


def stride(file):
    replace(file, "node/nodes/conv/stride", np.array([2, 1]))


def end_dim(file):
    replace(file, "node/nodes/flat/end_dim", np.iinfo(np.int64).max)


def timesteps(file):
    replace(file, "node/metadata/spikequant/timesteps", 5)


def dt(file):
    replace(file, "node/metadata/spikequant/dt", 1e-3)
    refresh(file, None)


def edge_lost(file):
    replace(file, "node/edges", file["node/edges"][()][1:])


def edge_moved(file):
    rows = file["node/edges"][()]
    rows[-1, 0] = b"fc"
    replace(file, "node/edges", rows)


def node_lost(file):
    del file["node/nodes/out"]


def helper_lost(file):
    del file["node/nodes/pool__or"]


def node_extra(file):
    file.copy("node/nodes/out", "node/nodes/more")


def node_replaced(file):
    del file["node/nodes/flat"]
    file.copy("node/nodes/out", "node/nodes/flat")


def class_changed(file):
    file.move("node/nodes/flat", "old")
    file.copy("node/nodes/out", "node/nodes/flat")
    del file["node/nodes/flat/metadata"]
    file.move("old/metadata", "node/nodes/flat/metadata")


def metadata_lost(file):
    del file["node/nodes/fc/metadata"]


def key_lost(file):
    del file["node/nodes/fc/metadata/spikequant/codes_sha256"]


def key_extra(file):
    file["node/nodes/fc/metadata/spikequant/colour"] = "red"
    refresh(file, "fc")


def key_type(file):
    replace(file, "node/nodes/lif2/metadata/spikequant/order", 5)


def order_word(file):
    replace(file, "node/nodes/lif2/metadata/spikequant/order", "leak_first")
    refresh(file, "lif2")


def kind_word(file):
    replace(file, "node/nodes/lif2/metadata/spikequant/kind", "acme")


def newer(file):
    replace(file, "node/metadata/spikequant/profile", PROFILE_VERSION + 1)


def oldest(file):
    replace(file, "node/metadata/spikequant/profile", 0)


def float_model(file):
    del file["node/metadata"]


def beyond_words(file):
    replace(file, "node/metadata/spikequant/beyond_nir", "[]")
    refresh(file, None)


def named_above(file):
    names = json.loads(file["node/metadata/spikequant/order"][()])
    replace(file, "node/metadata/spikequant/order", json.dumps(["../x;y", *names[1:]]))
    refresh(file, None)


AGAIN = "the halves of the file disagree, so write it again from the program"
DAMAGED = "the file was damaged or edited, so write it again from the program"
EDITED = f"the metadata is not what was written \\(its digest differs\\); {DAMAGED}"

CASES = [
    (weight_plus_one, rf"node 'fc': weight differs from .* \(codes_sha256\); {AGAIN}"),
    (weight_fraction, r"node 'fc': weight is not integer-valued; a quantized file holds integer codes"),
    (weight_nan, r"node 'fc': weight is not integer-valued; a quantized file holds integer codes"),
    (theta_in_graph, rf"node 'lif2': theta from v_threshold is 4, 4, 4, 4, and the metadata says 3; {AGAIN}"),
    (eps_in_graph, rf"node 'lif2': v_threshold is \[2.7.*\], and its metadata makes it \[2.9.*; {AGAIN}"),
    (theta_in_metadata, rf"node 'lif2': theta from v_threshold is 3, 3, 3, 3, and the metadata says 4; {AGAIN}"),
    (bits, r"node 'fc': weight holds codes -8..7, and the metadata says bits = 3"),
    (u_bits, rf"node 'lif2': {EDITED}"),
    (u_bits_below, r"node 'lif2' \(lif\): u_bits is 1; it must be between 2 and 32"),
    (node_exchanged, r"node 'lif2': its metadata is not what this graph was written with; write the file again"),
    (tau, rf"node 'lif1': tau is an array of shape \(3, 4, 4\) .*; {AGAIN}"),
    (bias, rf"node 'fc': bias is \[.*\], and its metadata makes it \[.*\]; {AGAIN}"),
    (conv_bias, rf"node 'conv': bias is \[1.0, 1.0, 1.0\], and its metadata makes it \[0.0, 0.0, 0.0\]; {AGAIN}"),
    (leak_potential, rf"node 'lif2': v_leak is \[0.0, 0.0, 0.0, 0.0\], and its metadata makes it \[2.0, .*; {AGAIN}"),
    (stride, rf"node 'conv': stride is \[2, 1\], and its metadata makes it \(1, 1\); {AGAIN}"),
    (end_dim, r"(it cannot be read as NIR .*|node 'flat': end_dim is .*)"),
    (timesteps, rf"graph: {EDITED}"),
    (dt, rf"node 'lif1': tau is .*; {AGAIN}"),
    (edge_lost, r"graph: the edges do not match the metadata: the graph lacks pool -> pool__or"),
    (edge_moved, r"graph: the edges do not match the metadata: the graph lacks lif2 -> out"),
    (node_lost, r"node 'out': the metadata needs it, and the graph lacks it"),
    (helper_lost, r"node 'pool__or': the metadata needs it, and the graph lacks it"),
    (node_extra, r"node 'more': the graph has it, and the metadata does not know it"),
    (node_replaced, r"node 'flat': its metadata is not what this graph was written with; write the file again"),
    (class_changed, r"node 'flat': it is a Output, and a flatten must be a Flatten"),
    (metadata_lost, r"node 'fc': it has no metadata of the quantization profile; write the file again"),
    (key_lost, r"node 'fc': the metadata lacks 'codes_sha256'; write the file again from the program"),
    (key_extra, r"node 'fc': 'colour' in the metadata is 'red', and it must be None; write the file again .*"),
    (key_type, r"node 'lif2': 'order' in the metadata is '5'; it must be text"),
    (order_word, r"node 'lif2' \(lif\): order is 'leak_first'; it must be one of leak_on_read, leak_on_store"),
    (kind_word, r"node 'lif2': its kind is 'acme', for which no mapping was given; install its plugin, or pass .*"),
    (
        newer,
        rf"the file has quantization profile {PROFILE_VERSION + 1}, and this spikequant reads up to {PROFILE_VERSION};"
        " upgrade spikequant",
    ),
    (oldest, r"the file says quantization profile 0; versions start at 1"),
    (
        float_model,
        r"it has no quantization profile, so it is a float model; make a run of it .*",
    ),
    (beyond_words, r"graph: 'beyond_nir' in the metadata is '\[\]', and it must be .*; write the file again .*"),
    (named_above, r"node name '../x;y' is not usable; names are letters, digits and '_', at most 64, .*"),
]


@pytest.mark.parametrize(("edit", "text"), CASES, ids=[edit.__name__ for edit, _ in CASES])
def test_file_whose_halves_disagree_is_refused_naming_node_and_field(edit, text, path):
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(NirError, match=f"^.*/net.nir: {text}$"):
        read_program(path)


def test_unedited_file_is_the_program(path):
    assert same(read_program(path), program())
    with h5py.File(path, "r+") as file:
        refresh(file, "lif2")
    assert same(read_program(path), program())


def one_weight(file):
    edit_array(file, "node/nodes/join/weight", lambda w: w.__setitem__((0, 2), -3))


def on_the_diagonal(file):
    edit_array(file, "node/nodes/join/weight", lambda w: w.__setitem__((1, 1), -5))


def weight_is_nan(file):
    edit_array(file, "node/nodes/join/weight", lambda w: w.__setitem__((1, 0), np.nan))


def not_square(file):
    replace(file, "node/nodes/join/weight", np.zeros((3, 4), np.float32))


def other_size(file):
    replace(file, "node/nodes/join/weight", np.float32(-5 * (1 - np.eye(4))))


def other_code(file):
    replace(file, "node/nodes/join/metadata/spikequant/code", -6)
    refresh(file, "join")


def code_of_digits(file):
    replace(file, "node/nodes/join/metadata/spikequant/code", "-5")


def code_beyond_float32(file):
    replace(file, "node/nodes/join/metadata/spikequant/code", 1 << 60)


def no_code(file):
    del file["node/nodes/join/metadata/spikequant/code"]


def as_a_dense(file):
    replace(file, "node/nodes/join/metadata/spikequant/kind", "dense")


def biased(file):
    replace(file, "node/nodes/join/type", "Affine")
    file["node/nodes/join/bias"] = np.zeros(3, np.float32)


def older_profile(file):
    replace(file, "node/metadata/spikequant/profile", 1)
    refresh(file, None)


MAKES = rf"and the metadata's code -5 makes it (-5|0); {AGAIN}"
LATERAL_CASES = [
    (one_weight, rf"node 'join': weight\[0, 2\] is -3, {MAKES}"),
    (on_the_diagonal, rf"node 'join': weight\[1, 1\] is -5, {MAKES}"),
    (weight_is_nan, rf"node 'join': weight\[1, 0\] is nan, {MAKES}"),
    (
        not_square,
        r"node 'join': weight is of type float32 and shape \(3, 4\), and a lateral's is a square matrix of numbers,"
        r" of at most 8192 rows",
    ),
    (
        other_size,
        rf"node 'join': weight is an array of shape \(4, 4\) .* makes it an array of shape \(3, 3\) .*{AGAIN}",
    ),
    (other_code, rf"node 'join': weight\[0, 1\] is -5, and the metadata's code -6 makes it -6; {AGAIN}"),
    (code_of_digits, r"node 'join': 'code' in the metadata is '-5'; it must be an integer"),
    (code_beyond_float32, r"node 'join': 'code' in the metadata is 1152921504606846976; it must lie within .*"),
    (no_code, r"node 'join': the metadata lacks 'code'; write the file again from the program"),
    (as_a_dense, r"node 'join': the metadata lacks 'bits'; write the file again from the program"),
    (biased, r"node 'join': it is a Affine, and a lateral must be a Linear"),
    (older_profile, r"graph: 'digest' in the metadata is '\w+', and it must be '\w+'; write the file again .*"),
]


@pytest.mark.parametrize(("edit", "text"), LATERAL_CASES, ids=[edit.__name__ for edit, _ in LATERAL_CASES])
def test_a_lateral_whose_matrix_is_not_that_of_its_code_is_refused(edit, text, tmp_path):
    nodes = [Input("x", (3,), 1), Lateral("join", -5), Lif("lif"), Readout("out")]
    path = tmp_path / "net.nir"
    write_program(chain(nodes, 2), path)
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(NirError, match=f"^.*/net.nir: {text}$"):
        read_program(path)


def unknown_class(file):
    replace(file, "node/nodes/fc/type", "Transformer")


def unknown_field(file):
    file["node/nodes/fc/scale"] = 3


def missing_field(file):
    del file["node/nodes/lif1/tau"]


def no_type(file):
    del file["node/nodes/fc/type"]


def no_nodes(file):
    replace(file, "node/nodes", 3)


def hostile_name(file):
    file.copy("node/nodes/fc", "node/nodes/a;rm")


def dotted_name(file):
    file.copy("node/nodes/fc", "node/nodes/../x;y")


def long_name(file):
    file.copy("node/nodes/fc", "node/nodes/" + "a" * 129)


def external_link(file):
    file["node/nodes/fc/more"] = h5py.ExternalLink("other.h5", "/secret")


def soft_link(file):
    file["node/nodes/fc/more"] = h5py.SoftLink("/node")


def own_parent(file):
    file["node/nodes/fc/more"] = file["node"]


def deep(file):
    file.create_group("node/nodes/fc/" + "/".join("a" * 70))


def object_data(file):
    file.create_dataset("node/nodes/fc/more", (2,), dtype=h5py.ref_dtype)


def elsewhere(file):
    file.create_dataset("node/nodes/fc/more", (2,), dtype="i4", external=[("other.bin", 0, 8)])


def bomb(file):
    file.create_dataset("node/nodes/fc/more", (1 << 30,), dtype="f4", chunks=(1 << 20,), compression="gzip")


def unstored(file):
    file.create_dataset("node/nodes/fc/more", (1 << 27,), dtype="f4", chunks=(1 << 20,), compression="gzip")


def hollow(file):
    file.create_dataset("node/nodes/fc/more", (1 << 40,), dtype="f4")


def text_bomb(file):
    """Two thousand references to one text of a mebibyte: a small file that unpacks to two gibibytes."""
    data = file["node/nodes/fc"].create_dataset("more", (2048,), dtype=h5py.string_dtype())
    data[:] = ""
    data[0] = "a" * (1 << 20)
    file.flush()
    with open(file.filename, "r+b") as raw:
        raw.seek(data.id.get_offset())
        reference = raw.read(16)
        raw.seek(data.id.get_offset())
        raw.write(reference * 2048)


def long_claim(file):
    """A reference that claims four gibibytes, for which HDF5 would make room before it looks."""
    data = file["node/nodes/fc"].create_dataset("more", (2,), dtype=h5py.string_dtype())
    data[:] = "abc"
    file.flush()
    with open(file.filename, "r+b") as raw:
        raw.seek(data.id.get_offset() + 16)
        raw.write((0xF0000000).to_bytes(4, "little"))


def long_packed_claim(file):
    data = file["node/nodes/fc"].create_dataset("more", (2,), dtype=h5py.string_dtype(), compression="gzip")
    data[:] = "abc"
    file.flush()
    content = bytearray(zlib.decompress(data.id.read_direct_chunk((0,))[1]))
    content[16:20] = (0xF0000000).to_bytes(4, "little")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(content)))


UNREADABLE = [
    (unknown_class, r"node 'fc' is a 'Transformer', which nir 1.* does not know; known are Affine, AvgPool2d, .*"),
    (unknown_field, r"node 'fc' \(Affine\) has a field 'scale', which NIR does not know"),
    (missing_field, r"node 'lif1' \(LIF\) lacks the field 'tau'; export it again"),
    (no_type, r"node 'fc' has no type, so this is no NIR graph; export the network again"),
    (no_nodes, r"graph 'graph' has no nodes or no edges; export the network again"),
    (hostile_name, r"node name 'a;rm' is not usable; names are letters, digits, '_', '-' and single dots, at most 128"),
    (dotted_name, r"node name '..' is not usable; names are letters, digits, '_', '-' and single dots, at most 128"),
    (long_name, r"node name 'a{80}' is not usable; .*"),
    (external_link, r"'/node/nodes/fc/more' is a link to elsewhere; a .nir file holds all its data"),
    (soft_link, r"'/node/nodes/fc/more' is a link to elsewhere; a .nir file holds all its data"),
    (own_parent, r"'/node/nodes/fc/more' is a group that also has another name; every group may have one"),
    (deep, r"'/node/nodes/fc(/a)+' is nested deeper than 64; no network is"),
    (object_data, r"'/node/nodes/fc/more' has type object; numbers, bools and text may be there"),
    (elsewhere, r"'/node/nodes/fc/more' holds no data of its own; a .nir file holds all its data"),
    (bomb, r"'/node/nodes/fc/more' brings the unpacked size over the limit of 1024 MiB; the file is damaged or no .*"),
    (text_bomb, r"'/node/nodes/fc/more' brings the unpacked size over the limit of 1024 MiB; the file is .*"),
    (long_claim, r"'/node/nodes/fc/more' claims a text of 4026531840 bytes, more than the file; it is damaged"),
    (long_packed_claim, r"'/node/nodes/fc/more' claims a text of 4026531840 bytes, more than the file; it is damaged"),
    (unstored, r"'/node/nodes/fc/more' claims 536870912 bytes, more than it can unpack to; it is damaged"),
    (hollow, r"'/node/nodes/fc/more' claims 4398046511104 bytes, more than the file; it is truncated or damaged"),
]


@pytest.mark.parametrize(("edit", "text"), UNREADABLE, ids=[edit.__name__ for edit, _ in UNREADABLE])
@pytest.mark.parametrize("read", [read_graph, read_program])
def test_file_that_is_no_sound_nir_is_refused_before_it_is_read(edit, text, read, path):
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(NirError, match=f"^.*/net.nir: {text}$"):
        read(path)


def test_heap_of_text_on_which_hdf5_would_loop_for_ever_is_refused(path):
    content = bytearray(path.read_bytes())
    heap = content.find(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(bytes(content))
    with pytest.raises(NirError, match=rf"^.*: its text is damaged \(heap at byte {heap}\); export the network again$"):
        read_program(path)


def test_missing_empty_and_foreign_files_are_named(tmp_path):
    for name, content in (("none.nir", None), ("empty.nir", b""), ("text.nir", b"hello" * 100)):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        text = "there is no such file" if content is None else "it is not an HDF5 file, and a .nir file is one; .*"
        with pytest.raises(NirError, match=f"^.*/{name}: {text}$"):
            read_program(file)
    with pytest.raises(NirError, match=r"^.*: it is a folder, not a file$"):
        read_program(tmp_path)
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["data"] = np.arange(3)
    with pytest.raises(NirError, match=r"^.*/other.nir: node 'graph' has no type, so this is no NIR graph; .*$"):
        read_program(tmp_path / "other.nir")
    nir.write(tmp_path / "one.nir", nir.Linear(np.ones((2, 2))))
    with pytest.raises(
        NirError, match=r"^.*/one.nir: it holds a single Linear and no graph; export the whole network$"
    ):
        read_program(tmp_path / "one.nir")


def test_float_model_with_names_of_other_tools_is_read_as_a_graph(tmp_path):
    nodes = {
        "0": nir.Input(np.array([2])),
        "lif1.w_rec": nir.Linear(np.ones((2, 2))),
        "out-1": nir.Output(np.array([2])),
    }
    graph = nir.NIRGraph(nodes, [("0", "lif1.w_rec"), ("lif1.w_rec", "out-1")])
    nir.write(tmp_path / "float.nir", graph)
    assert set(read_graph(tmp_path / "float.nir", type_check=True).nodes) == set(nodes)
    with pytest.raises(NirError, match=r"^.*/float.nir: it has no quantization profile, so it is a float model; .*$"):
        read_program(tmp_path / "float.nir")


def outcome(path, content):
    """The program in a damaged file, or None where a NirError naming the file says that there is none."""
    path.write_bytes(content)
    try:
        return read_program(path)
    except NirError as error:
        return None if str(error).startswith(f"{path}: ") else error


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for cut in np.random.default_rng(1).integers(0, len(content), 100):
        assert outcome(path, content[: int(cut)]) is None, int(cut)


@pytest.mark.parametrize("seed", range(4))
def test_every_flipped_byte_is_refused_or_harmless(seed, path):
    content, rng, refused = path.read_bytes(), np.random.default_rng(seed), 0
    for place in rng.choice(np.flatnonzero(np.frombuffer(content, np.uint8)), 50, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        found = outcome(path, bytes(damaged))
        refused += found is None
        assert not isinstance(found, NirError), found
        assert found is None or same(found, program()), int(place)
    assert refused > 10
