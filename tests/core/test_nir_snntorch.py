"""snnTorch, given the file alone, computes the oracle's spikes wherever no saturation acted before."""

import numpy as np
import pytest
import torch

from spikequant.nir_profile import PlainForm, read_graph, write_plain, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Lif, PoolSum, Program, Readout, chain

pytest.importorskip("snntorch", reason="snntorch is not installed")
import_nir = pytest.importorskip("snntorch.import_nir", reason="nirtorch, which snntorch imports, is not installed")


def dense_net(rng, u_bits, timesteps):
    sizes = [int(n) for n in rng.integers(4, 24, 4)]
    nodes = [Input("x", (sizes[0],), 1, coding="per_step")]
    for i in (1, 2):
        bias = rng.integers(-3, 4, sizes[i]) if rng.random() < 0.5 else None
        nodes.append(Dense(f"fc{i}", rng.integers(-7, 8, (sizes[i], sizes[i - 1])), bias, 4))
        nodes.append(Lif(f"lif{i}", u_bits=u_bits, theta=np.array(int(rng.integers(1, 20)))))
    nodes += [Dense("fc3", rng.integers(-7, 8, (sizes[3], sizes[2])), bits=4), Readout("out")]
    return chain(nodes, timesteps)


def run_snntorch(program, x, path):
    """Spikes ``(timesteps, batch, *shape)`` of every spiking node, and the summed output, from the file alone."""
    write_program(program, path)
    net = import_nir.import_from_nir(read_graph(path, type_check=True))
    spikes = {node.name: [] for node in program.spiking}
    for name, seen in spikes.items():
        net.get_submodule(name).register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out.numpy()))
    with torch.no_grad():
        outputs = [net(torch.from_numpy(step).float())[0].numpy() for step in x]
    return {name: np.stack(seen) for name, seen in spikes.items()}, np.cumsum(outputs, axis=0)


@pytest.mark.parametrize("seed", range(25))
def test_snntorch_fires_as_the_oracle_where_no_saturation_acts(seed, tmp_path):
    rng = np.random.default_rng(seed)
    program = dense_net(rng, 16, int(rng.integers(2, 13)))
    x = rng.integers(0, 2, (program.timesteps, 40, *program.input.shape))
    trace = run_oracle(program, x)
    assert trace.counts.saturations == 0
    spikes, output = run_snntorch(program, x, tmp_path / "net.nir")
    compared = 0
    for name, expected in trace.spikes.items():
        assert np.array_equal(spikes[name], expected), name
        compared += expected[0].size
    assert compared >= 320
    assert trace.counts.fires > 0
    assert np.array_equal(output, trace.outputs["out"])


def test_thresholds_that_are_met_exactly_occur_and_fire(tmp_path):
    """The comparison above would miss nothing: with v_threshold = theta these neurons would stay silent."""
    program = chain(
        [Input("x", (2,), 1, coding="per_step"), Dense("fc", np.array([[3, 2]])), Lif("lif", theta=np.array(5))], 2
    )
    x = np.array([[[1, 1]], [[1, 0]]])
    spikes, _ = run_snntorch(program, x, tmp_path / "net.nir")
    assert spikes["lif"].reshape(-1).tolist() == run_oracle(program, x).spikes["lif"].reshape(-1).tolist() == [1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_neurons_fire_as_the_oracle_until_saturation_acts_on_them(seed, tmp_path):
    rng = np.random.default_rng(seed)
    program = dense_net(rng, 4, 8)
    x = rng.integers(0, 2, (program.timesteps, 40, *program.input.shape))
    trace = run_oracle(program, x)
    assert trace.counts.nodes["lif1"].saturations > 0
    spikes, _ = run_snntorch(program, x, tmp_path / "net.nir")
    before = ~clipped_before(program, trace.spikes["lif1"], x)
    assert 0 < before.sum() < before.size
    assert np.array_equal(spikes["lif1"][before], trace.spikes["lif1"][before])
    assert not np.array_equal(spikes["lif1"], trace.spikes["lif1"])


def convolutional(rng):
    codes = rng.integers(-7, 8, (3, 2, 3, 3)), rng.integers(-7, 8, (5, 12))
    nodes = [
        Input("x", (2, 4, 4), 1, coding="per_step"),
        Conv2d("conv", codes[0], bits=4, padding=(1, 1)),
        Lif("lif1", u_bits=16, theta=np.array(6), bias=np.array([1, -1, 2])),
        PoolSum("pool"),
        Flatten("flat"),
        Dense("fc", codes[1], bits=4),
        Lif("lif2", u_bits=16, theta=np.array(6)),
    ]
    return chain(nodes, 9)


def recurrent(rng):
    nodes = (
        Input("x", (8,), 1, coding="per_step"),
        Dense("fc1", rng.integers(-7, 8, (6, 8)), bits=4),
        Dense("back", rng.integers(-7, 8, (6, 6)), rng.integers(-3, 4, 6), bits=4),
        Add("sum"),
        Lif("lif1", u_bits=16, theta=np.array(6)),
        Dense("fc2", rng.integers(-7, 8, (5, 6)), bits=4),
        Dense("skip", rng.integers(-7, 8, (5, 8)), bits=4),
        Add("both"),
        Lif("lif2", u_bits=16, theta=np.array(6)),
    )
    pairs = (
        *(("x", "fc1"), ("fc1", "sum"), ("back", "sum"), ("sum", "lif1"), ("lif1", "fc2"), ("x", "skip")),
        *(("fc2", "both"), ("skip", "both"), ("both", "lif2")),
    )
    return Program(nodes, (*(Edge(*pair) for pair in pairs), Edge("lif1", "back", delayed=True)), 12)


@pytest.mark.parametrize("make", [convolutional, recurrent])
def test_a_plain_file_runs_where_the_profile_s_nodes_are_not_known(make, tmp_path):
    rng = np.random.default_rng(1)
    program = make(rng)
    x = rng.integers(0, 2, (program.timesteps, 10, *program.input.shape))
    trace = run_oracle(program, x)
    assert trace.counts.saturations == 0
    write_program(program, tmp_path / "profile.nir")
    profile = read_graph(tmp_path / "profile.nir", type_check=True)
    with pytest.raises((AssertionError, ValueError)):
        import_nir.import_from_nir(profile)
    write_plain(program, tmp_path / "plain.nir", PlainForm(unit_gain=True))
    net, state, spikes = import_nir.import_from_nir(read_graph(tmp_path / "plain.nir", type_check=True)), None, []
    with torch.no_grad():
        for step in x:
            out, state = net(torch.from_numpy(step).float(), state)
            spikes.append(out.numpy())
    assert trace.spikes["lif2"].sum() > 20
    assert np.array_equal(np.stack(spikes), trace.spikes["lif2"])


def clipped_before(program, spikes, x):
    """Where a saturation has acted on a neuron at an earlier timestep, from running ``lif1`` step by step."""
    fc, lif = program.by_name["fc1"], program.by_name["lif1"]
    u = np.zeros(spikes[0].shape, np.int64)
    hit, hits = np.zeros(u.shape, bool), []
    for step in x:
        hits.append(hit)
        _, u, overflow = lif.step(step @ fc.codes.T + (0 if fc.bias is None else fc.bias), u)
        hit = hit | (overflow != 0)
    return np.stack(hits)
