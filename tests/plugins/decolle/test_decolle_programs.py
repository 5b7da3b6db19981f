"""Small random DECOLLE programs: the torch backend gives the oracle's integers, NIR files bring them back."""

from itertools import count

import numpy as np
import pytest

from spikequant import QFormat
from spikequant.nir_profile import beyond_nir, read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, PoolOr, Readout, chain
from spikequant.rounding import Overflow, Rounding
from spikequant.testing import node_checks
from spikequant.verify import compare
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.nir_mapping import NODE_MAPPINGS
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner
from spikequant_torch.backend import TorchBackend

CLASSES = 3
SEEDS = range(16)


NARROW, WIDE = (2, 8), (24, 27)


def fmt(rng, fractions):
    return QFormat(int(rng.integers(1, 3)), int(rng.integers(*fractions)))


def layer(rng, k, weights, channels, shared, fractions):
    """Traces, weights and neurons of layer ``k``, with thresholds that some neurons reach."""
    p_fmt, v_fmt = fmt(rng, fractions), fmt(rng, fractions)
    normalised, shift = bool(rng.random() < 0.5), 6
    alpha, beta, gamma = (int(code) for code in rng.integers(20, 63, 3))
    gains = [(1 << shift) - code if normalised else 1 << shift for code in (alpha, beta, gamma)]
    own = {**shared, "seed": shared["seed"] + k - 1}
    trace = DecolleTrace(
        f"trace{k}",
        p_fmt=p_fmt,
        q_fmt=fmt(rng, fractions),
        alpha=alpha,
        alpha_shift=shift,
        p_gain=gains[0],
        beta=beta,
        beta_shift=shift,
        q_gain=gains[1],
        **own,
    )
    cell = DecolleNeurons(
        f"lif{k}",
        v_fmt=v_fmt,
        r_fmt=fmt(rng, fractions),
        gamma=gamma,
        gamma_shift=shift,
        r_gain=gains[2],
        rho=64,
        rho_shift=6,
        x_frac_bits=5 + p_fmt.frac_bits,
        vth=rng.integers(-1, (1 << v_fmt.frac_bits) // 2 + 1, [(), (channels,)][rng.integers(2)]),
        **own,
    )
    return [trace, weights, cell]


def program(seed, fractions=NARROW):
    """Convolutions with OR-pooling, then dense layers, as the plugin lowers them."""
    rng = np.random.default_rng(seed)
    shared = {
        "rounding": list(Rounding)[seed % 3],
        "overflow": list(Overflow)[seed // 3 % 2],
        "seed": int(rng.integers(-5, 5)),
    }
    channels, side, names = 2, 8, count(1)
    nodes = [Input("input", (channels, side, side), bits=int(rng.integers(1, 5)), coding="per_step")]
    for _ in range(rng.integers(0, 3)):
        k, features = next(names), int(rng.integers(2, 5))
        conv = Conv2d(f"conv{k}", rng.integers(-32, 32, (features, channels, 3, 3)), bits=6, padding=(1, 1))
        nodes += layer(rng, k, conv, features, shared, fractions)
        channels = features
        if rng.random() < 0.7:
            nodes.append(PoolOr(f"pool{k}"))
            side //= 2
    size = channels * side * side
    nodes.append(Flatten("flatten"))
    for _ in range(rng.integers(1, 3)):
        k, features = next(names), int(rng.integers(3, 9))
        nodes += layer(
            rng, k, Dense(f"fc{k}", rng.integers(-32, 32, (features, size)), bits=6), features, shared, fractions
        )
        size = features
    nodes.append(Dense("score", rng.integers(-127, 128, (CLASSES, size))))
    if seed % 2:
        nodes += [Winner("winner", start=2), Dense("votes", np.eye(CLASSES, dtype=int), bits=1, signed=False)]
    return chain([*nodes, Readout("readout")], int(rng.integers(4, 9)), dt=1e-3)


def inputs(net, seed, batch=5):
    """Counts that are mostly zero, as events are."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, net.input.limits[1] + 1, (net.timesteps, batch, *net.input.shape))
    return np.where(rng.random(x.shape) < 0.3, x, 0)


def assert_same(net, expected, got):
    verdict = compare(expected, got, [node.name for node in net.order])
    assert verdict.identical, verdict
    assert list(got.spikes) == [node.name for node in net.spiking if not node.graded]
    for name, counts in expected.counts.nodes.items():
        assert got.counts.nodes[name] == counts, name


@pytest.mark.parametrize("seed", SEEDS)
def test_torch_gives_the_oracle_s_integers_and_counts(seed):
    net = program(seed)
    x = inputs(net, seed)
    expected = run_oracle(net, x)
    for backend in (TorchBackend(), TorchBackend(batch=2)):
        with backend.compile(net) as executable:
            assert_same(net, expected, executable.run(x))
            unrecorded = executable.run(x, record=False)
        assert unrecorded.counts.nodes == expected.counts.nodes
        assert not unrecorded.spikes
        assert not unrecorded.potentials


@pytest.mark.parametrize("seed", [0, 1, 2, 5])
def test_formats_too_wide_for_float32_stay_exact(seed):
    net = program(seed, WIDE)
    traces = [net.ranges[node.name][1] for node in net.spiking if node.graded]
    assert min(traces) >= (1 << 25) - 1
    x = inputs(net, seed)
    with TorchBackend().compile(net) as executable:
        assert_same(net, run_oracle(net, x), executable.run(x))


def test_the_random_programs_are_alive():
    """They spike, saturate, wrap, and their neurons are silent now and then."""
    nets = [program(seed) for seed in SEEDS]
    counts = [run_oracle(net, inputs(net, seed)).counts.nodes for seed, net in enumerate(nets)]
    cells = [node for found in counts for node in found.values() if node.kind == "decolle"]
    rates = [node.fires / node.steps for node in cells]
    assert max(rates) > 0.5
    assert sum(0.02 < rate < 0.98 for rate in rates) > len(rates) / 2
    full = {seed for seed, found in enumerate(counts) if any(node.saturations for node in found.values())}
    assert {nets[seed].by_name["lif1"].overflow for seed in full} == set(Overflow)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_nir_file_brings_the_program_back(seed, tmp_path):
    net = program(seed)
    write_program(net, tmp_path / "net.nir", kinds=NODE_MAPPINGS)
    again = read_program(tmp_path / "net.nir", kinds=NODE_MAPPINGS)
    assert [(node.name, node.kind) for node in again.order] == [(node.name, node.kind) for node in net.order]
    assert again.edges == net.edges
    x = inputs(net, seed)
    expected, got = run_oracle(net, x), run_oracle(again, x)
    assert_same(net, expected, got)
    rules = [item.rule for item in beyond_nir(net, kinds=NODE_MAPPINGS)]
    assert rules == [item.rule for item in beyond_nir(again, kinds=NODE_MAPPINGS)]
    assert {"kind:decolle_trace", "decolle_trace:rounding", "kind:decolle", "decolle:refractory"} < set(rules)


@node_checks(*(program(seed) for seed in range(6)))
def test_contract(program, check):
    check(program)
