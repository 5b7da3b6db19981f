"""A program written as NIR and read again is the same program, and its graph half is plain NIR."""

import dataclasses

import nir
import numpy as np
import pytest

from spikequant.errors import NirError
from spikequant.nir_profile import acted_counts, beyond_nir, read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Reset,
    chain,
)


def same(a, b):
    """Whether two programs agree in every field of every node, arrays by rank, type and value."""
    if [type(n) for n in a.nodes] != [type(n) for n in b.nodes] or a.edges != b.edges:
        return False
    if (a.timesteps, a.dt, dict(a.provenance)) != (b.timesteps, b.dt, dict(b.provenance)):
        return False
    return all(same_value(x, y) for m, n in zip(a.nodes, b.nodes, strict=True) for x, y in fields_of(m, n))


def fields_of(m, n):
    return [(getattr(m, f.name), getattr(n, f.name)) for f in dataclasses.fields(m)]


def same_value(x, y):
    if isinstance(x, np.ndarray):
        return isinstance(y, np.ndarray) and x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x, y)
    return type(x) is type(y) and x == y


def codes(rng, shape, bits):
    top = 1 << (bits - 1)
    return rng.integers(-top, top, shape)


def random_lif(rng, name, shape):
    per = [(), (shape[0],), shape][rng.integers(3)]
    shift = int(rng.integers(0, 5))
    rounding = rng.choice(["floor", "toward_zero", "nearest"]).item()
    leak = [Leak(), Leak.by_shift(shift, rounding), Leak("multiply", shift, int(rng.integers(0, 1 << shift)), rounding)]
    leak = leak[rng.integers(3)]
    reset = [Reset(), Reset("subtract"), Reset("value", int(rng.integers(-9, 9)))][rng.integers(3)]
    return Lif(
        name,
        u_bits=int(rng.integers(3, 17)),
        theta=np.asarray(rng.integers(1, [9, 100, 5000][rng.integers(3)], per)),
        leak=leak,
        order=rng.choice(["leak_on_read", "leak_on_store"]).item(),
        reset=reset,
        overflow=rng.choice(["symmetric", "saturate", "wrap"]).item(),
        bias=np.asarray(rng.integers(-20, 20, per)) if leak.factor != 1 and rng.random() < 0.5 else None,
        lsb=np.asarray(rng.random([(), (shape[0],)][rng.integers(2)])),
    )


def random_dense(rng, name, out, features):
    bits = int(rng.integers(2, 9))
    bias = rng.integers(-30, 30, out) if rng.random() < 0.5 else None
    return Dense(
        name, codes(rng, (out, features), bits), bias, bits, np.asarray(rng.random([(), out][rng.integers(2)]))
    )


def random_flat(rng):
    """Input, recurrent hidden layer (dense on delayed spikes, added to the forward one), readout or none."""
    n, h, c = (int(v) for v in rng.integers(1, 9, 3))
    nodes = [
        Input("x", (n,), int(rng.integers(1, 9)), bool(rng.integers(2)), rng.choice(["direct", "per_step"]).item()),
        random_dense(rng, "fc1", h, n),
        random_dense(rng, "back", h, h),
        Add("sum"),
        random_lif(rng, "lif1", (h,)),
        random_dense(rng, "fc2", c, h),
    ]
    edges = [Edge("x", "fc1"), Edge("lif1", "back", True), Edge("back", "sum"), Edge("fc1", "sum")]
    edges += [Edge("sum", "lif1"), Edge("lif1", "fc2")]
    last = Readout("out") if rng.random() < 0.5 else random_lif(rng, "lif2", (c,))
    nodes, edges = [*nodes, last], [*edges, Edge("fc2", last.name)]
    rng.shuffle(nodes)
    return Program(tuple(nodes), tuple(edges), int(rng.integers(1, 5)), 1e-3, {"seed": 3, "from": ["a", 1.5]})


def random_image(rng):
    """Convolution (grouped, strided, oblong), lif, both poolings, flatten, dense, readout."""
    groups = int(rng.integers(1, 3))
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    c, o = 2, 2 * int(rng.integers(1, 3))
    bits = int(rng.integers(2, 9))
    conv = Conv2d(
        "conv",
        codes(rng, (o, c // groups, *kernel), bits),
        rng.integers(-9, 9, o) if rng.random() < 0.5 else None,
        bits,
        rng.random(o),
        stride=tuple(int(s) for s in rng.integers(1, 3, 2)),
        padding=tuple(int(s) for s in rng.integers(0, 3, 2)),
        dilation=tuple(int(s) for s in rng.integers(1, 3, 2)),
        groups=groups,
    )
    first = chain([Input("x", (c, 9, 10)), conv], 1).shapes["conv"]
    nodes = [Input("x", (c, 9, 10)), conv, random_lif(rng, "lif", first)]
    nodes += [PoolOr("por", (2, 1), (2, 1), (1, 0)), PoolSum("psum", (1, 2), (1, 1)), Flatten("flat")]
    features = chain(nodes, 1).shapes["flat"][0]
    return chain([*nodes, random_dense(rng, "fc", 3, features), Readout("out")], int(rng.integers(1, 4)))


def inputs_for(rng, program):
    node = program.input
    lead = (3,) if node.coding == "direct" else (program.timesteps, 3)
    return rng.integers(node.limits[0], node.limits[1] + 1, (*lead, *node.shape))


@pytest.mark.parametrize("make", [random_flat, random_image])
@pytest.mark.parametrize("seed", range(40))
def test_program_survives_the_file_and_runs_identically(make, seed, tmp_path):
    rng = np.random.default_rng(seed)
    program = make(rng)
    write_program(program, tmp_path / "net.nir")
    again = read_program(tmp_path / "net.nir")
    assert same(program, again)
    x = inputs_for(rng, program)
    a, b = run_oracle(program, x), run_oracle(again, x)
    for group in ("spikes", "potentials", "outputs"):
        for name, array in getattr(a, group).items():
            assert np.array_equal(array, getattr(b, group)[name]), name
    assert a.counts == b.counts


@pytest.mark.parametrize("seed", range(10))
def test_plain_nir_reads_the_file_with_its_own_type_check(seed, tmp_path):
    program = random_flat(np.random.default_rng(seed))
    write_program(program, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    assert set(graph.nodes) >= {node.name for node in program.nodes}
    fc1 = program.by_name["fc1"]
    assert graph.nodes["fc1"].weight.dtype == np.float32
    assert np.array_equal(graph.nodes["fc1"].weight, fc1.codes)


@pytest.mark.parametrize("seed", range(10))
def test_plain_nir_reads_grouped_and_oblong_convolutions_without_type_check(seed, tmp_path):
    program = random_image(np.random.default_rng(seed))
    write_program(program, tmp_path / "net.nir")
    conv = nir.read(tmp_path / "net.nir", type_check=False).nodes["conv"]
    assert conv.groups == program.by_name["conv"].groups
    assert tuple(conv.stride) == program.by_name["conv"].stride


def mint_chain(**fields):
    lif = Lif("lif", **({"theta": np.array(5), "u_bits": 16} | fields))
    return chain([Input("x", (2,), 1), Dense("fc", np.array([[1, -2], [3, 4]])), lif], 4)


def test_lif_is_written_in_lattice_units_with_the_threshold_below_theta(tmp_path):
    write_program(mint_chain(), tmp_path / "net.nir")
    lif = nir.read(tmp_path / "net.nir").nodes["lif"]
    assert type(lif) is nir.LIF
    assert lif.v_threshold.tolist() == [5 - 2**-20] * 2
    assert lif.r.tolist() == [2, 2]
    assert lif.tau.tolist() == [float(np.float32(2e-4))] * 2
    assert (np.float32(1e-4) / lif.tau).tolist() == [0.5, 0.5]
    assert lif.v_leak.tolist() == lif.v_reset.tolist() == [0, 0]


def test_lif_without_leak_is_an_integrate_and_fire(tmp_path):
    write_program(mint_chain(leak=Leak(), reset=Reset("value", -3)), tmp_path / "net.nir")
    node = nir.read(tmp_path / "net.nir").nodes["lif"]
    assert type(node) is nir.IF
    assert node.r.tolist() == [float(np.float32(1e4))] * 2
    assert node.v_reset.tolist() == [-3, -3]


def test_bias_of_a_lif_is_the_leak_potential(tmp_path):
    write_program(mint_chain(bias=np.array([3, -1])), tmp_path / "net.nir")
    assert nir.read(tmp_path / "net.nir").nodes["lif"].v_leak.tolist() == [6, -2]


def test_readout_is_the_output_node_and_a_program_without_one_gets_an_output(tmp_path):
    net = chain([Input("x", (2,), 1), Dense("fc", np.eye(2, dtype=int)), Readout("out")], 4)
    write_program(net, tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    assert graph.edges == [("x", "fc"), ("fc", "out")]
    assert type(graph.nodes["out"]) is nir.Output
    write_program(mint_chain(), tmp_path / "b.nir")
    assert nir.read(tmp_path / "b.nir").edges == [("x", "fc"), ("fc", "lif"), ("lif", "lif__output")]


def test_pool_or_is_a_sum_and_a_threshold(tmp_path):
    nodes = [Input("x", (1, 4, 4), 1), PoolOr("p"), Flatten("f"), Readout("out")]
    write_program(chain(nodes, 1), tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    assert ("p", "p__or") in graph.edges
    assert ("p__or", "f") in graph.edges
    assert np.array_equal(graph.nodes["p__or"].threshold, np.full((1, 2, 2), 0.5))


def test_same_program_gives_the_same_bytes(tmp_path):
    for name in ("a.nir", "b.nir"):
        write_program(mint_chain(), tmp_path / name)
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()


def test_names_that_hdf5_or_nir_use_themselves_are_plain_names(tmp_path):
    names = ["node", "metadata", "type", "nodes", "edges"]
    weight = np.eye(2, dtype=int)
    nodes = [Input(names[0], (2,)), *(Dense(name, weight) for name in names[1:]), Readout("version")]
    write_program(chain(nodes, 2), tmp_path / "net.nir")
    assert same(chain(nodes, 2), read_program(tmp_path / "net.nir"))


def test_rules_beyond_nir_are_listed_with_how_often_they_acted(tmp_path):
    program = mint_chain(reset=Reset("subtract"), leak=Leak.by_shift(1, "toward_zero"))
    trace = run_oracle(program, np.ones((1, 2), int))
    acted = acted_counts(program, trace.counts)
    assert acted == {"saturation": 0, "soft_reset": int(trace.spikes["lif"].sum())}
    assert acted["soft_reset"] > 0
    found = {item.rule: (item.nodes, item.acted) for item in beyond_nir(program, acted)}
    assert found == {
        "saturation": (("lif",), 0),
        "soft_reset": (("lif",), acted["soft_reset"]),
        "leak_rounding": (("lif",), None),
    }
    write_program(program, tmp_path / "net.nir", acted)
    assert same(program, read_program(tmp_path / "net.nir"))
    assert '"acted": 0' in nir.read(tmp_path / "net.nir").metadata["spikequant"]["beyond_nir"]


def test_rules_beyond_nir_cover_input_recurrence_readout_and_long_runs():
    program = chain([Input("x", (2,), 8), Dense("fc", np.eye(2, dtype=int)), Lif("lif"), Readout("out")], 18)
    assert [item.rule for item in beyond_nir(program)] == [
        "multi_bit_input",
        "saturation",
        "leak_precision",
        "readout_sum",
    ]
    wrapping = mint_chain(overflow="wrap", leak=Leak())
    assert [item.rule for item in beyond_nir(wrapping)] == ["wrap"]
    recurrent = random_flat(np.random.default_rng(0))
    assert ("back",) in [item.nodes for item in beyond_nir(recurrent) if item.rule == "delayed_edges"]


REFUSED = {
    "concat": (
        Program(
            (Input("a", (2,)), Input("b", (2,)), Concat("c"), Readout("out")),
            (Edge("a", "c"), Edge("b", "c"), Edge("c", "out")),
            1,
        ),
        r"node 'c' \(concat\): NIR has no node that concatenates; split the layer after it into one per branch and add"
        r" them",
    ),
    "codes": (
        chain([Input("x", (1,)), Dense("fc", np.array([[1 << 24]]), bits=32), Readout("out")], 1),
        r"node 'fc' \(dense\): codes reach 16777216, and float32 is exact only below 2\*\*24; use fewer weight bits",
    ),
    "bias": (
        chain([Input("x", (1,)), Dense("fc", np.array([[1]]), np.array([-(1 << 24)])), Readout("out")], 1),
        r"node 'fc' \(dense\): bias reach 16777216, and float32 is exact only below 2\*\*24; use fewer weight bits",
    ),
    "theta": (
        mint_chain(theta=np.array([1, (1 << 23) + 1])),
        r"node 'lif': theta 8388609 is not exact as a NIR threshold; float32 needs it within \+-2\*\*23, so use fewer"
        r" weight bits",
    ),
    "lif bias": (
        mint_chain(bias=np.array(1 << 23)),
        r"node 'lif' \(lif\): bias 8.38861e\+06, 8.38861e\+06 is not exact in float32; use fewer weight bits",
    ),
    "if bias": (
        mint_chain(bias=np.array(1), leak=Leak()),
        r"node 'lif' \(lif\): a bias without a leak has no place in NIR's IF; put the bias into the layer before",
    ),
    "reset": (
        mint_chain(reset=Reset("value", 1 << 24)),
        r"node 'lif' \(lif\): reset.value is 16777216; float32 needs it within \+-2\*\*24",
    ),
    "name": (
        chain([Input("x", (1, 2, 2), 1), PoolOr("p"), PoolOr("p__or", (1, 1), (1, 1)), Readout("out")], 1),
        r"node 'p__or': the profile needs this name beside 'p'; give the node another name",
    ),
    "twice": (
        Program((Input("x", (2,)), Add("a"), Readout("out")), (Edge("x", "a"), Edge("x", "a"), Edge("a", "out")), 1),
        r"edge x -> a: it appears twice, and NIR keeps an edge once; double the weights instead",
    ),
    "after readout": (
        chain([Input("x", (2,)), Readout("r"), Readout("out")], 1),
        r"edge r -> out: a readout is NIR's Output, which nothing can follow; end the program at the readout",
    ),
    "dt": (
        dataclasses.replace(mint_chain(), dt=0.0),
        r"dt is 0.0 s; NIR's time constants need a positive one that fits float32",
    ),
    "provenance": (
        dataclasses.replace(mint_chain(), provenance={"a": {1, 2}}),
        r"graph: provenance is not plain data \(Object of type set is not JSON serializable\); use text, numbers, lists"
        r" and mappings",
    ),
    "lsb": (
        mint_chain(lsb=np.array(np.nan)),
        r"node 'lif': lsb is a float64 array of shape \(\), which NIR metadata cannot keep; it must hold at least one"
        r" number, and only finite ones",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_nir_cannot_hold_is_refused_by_name_and_nothing_is_written(case, tmp_path):
    program, text = REFUSED[case]
    with pytest.raises(NirError, match=f"^{text}$"):
        write_program(program, tmp_path / "net.nir")
    assert list(tmp_path.iterdir()) == []


def test_largest_threshold_is_exact(tmp_path):
    program = mint_chain(theta=np.array([1 << 23, -(1 << 23) + 1]), u_bits=32)
    write_program(program, tmp_path / "net.nir")
    assert same(program, read_program(tmp_path / "net.nir"))


def test_count_of_a_rule_that_the_program_lacks_is_refused(tmp_path):
    with pytest.raises(
        NirError,
        match=r"^beyond_counts says that 'wrap' acted 3 times; the program's rules beyond NIR are saturation, and"
        r" counts start at 0$",
    ):
        write_program(mint_chain(), tmp_path / "net.nir", {"wrap": 3})


def test_full_disk_leaves_the_old_file_and_no_other(tmp_path):
    resource = pytest.importorskip("resource", reason="this system has no limit on file sizes")
    target = tmp_path / "net.nir"
    write_program(mint_chain(), target)
    old = target.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) // 2, limits[1]))
    try:
        with pytest.raises(NirError, match=r"^.*/net.nir: it cannot be written \(.*File too large\); check the .*$"):
            write_program(mint_chain(), target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == old
    assert list(tmp_path.iterdir()) == [target]


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "net.nir"
    write_program(mint_chain(), target)
    old = target.read_bytes()
    with pytest.raises(NirError, match=r"^node 'c'"):
        write_program(REFUSED["concat"][0], target)
    assert target.read_bytes() == old
    with pytest.raises(NirError, match=r"cannot be written \(.*\); check the folder and the free space$"):
        write_program(mint_chain(), tmp_path / "none" / "net.nir")
    with pytest.raises(NirError, match=r"cannot be written"):
        write_program(mint_chain(), target / "net.nir")
    assert list(tmp_path.iterdir()) == [target]
