"""Random networks of all that the accelerator runs, cut in many ways, equal the oracle.

``SPIKEQUANT_RTL_NETWORKS`` sets how many; ``make nightly`` runs thousands of layers.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from random_layers import random_network, random_values

TINY = {"weight_bytes": 8192, "spike_bytes": 2048, "scratchpad_bytes": 64}
BACKENDS = {
    "zero skip": MintRtlBackend(),
    "dense": MintRtlBackend(zero_skip=False),
    "tiny memories": MintRtlBackend(**TINY),
}
NETWORKS = int(os.environ.get("SPIKEQUANT_RTL_NETWORKS", "36"))
KINDS = {True: ("lif", "scaled_lif"), False: ("lif",)}

pytestmark = pytest.mark.skipif(
    not BACKENDS["dense"].availability().ready, reason=f"mint_rtl: {BACKENDS['dense'].availability().detail}"
)


def case(seed):
    """Return a network and inputs for it; widths take turns, every fifth may scale its inputs."""
    rng = np.random.default_rng(seed)
    program = random_network(rng, (2, 4, 8)[seed % 3], kinds=KINDS[seed % 5 == 4])
    return program, random_values(rng, program, 3)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_network(seed):
    program, inputs = case(seed)
    expected = run_oracle(program, inputs)
    for words, backend in BACKENDS.items():
        if words == "tiny memories" and backend.refusals(program):
            continue
        with backend.compile(program) as executable:
            verdict = compare(expected, executable.run(inputs), [node.name for node in program.order])
        assert verdict.identical, f"{words}: {verdict}\n{program}"


@pytest.mark.parametrize("seed", range(2, NETWORKS, 9))
def test_baseline_lanes_compute_the_same_spikes(seed):
    """Programs that the baseline can run too: leak on read, floor, reset to zero."""
    from dataclasses import replace

    from spikequant.program import Leak, Lif, Program, Reset

    program, inputs = case(seed)
    nodes = tuple(
        replace(node, order="leak_on_read", reset=Reset(), leak=Leak.by_shift(node.leak.shift))
        if isinstance(node, Lif)
        else node
        for node in program.nodes
    )
    program = Program(nodes, program.edges, program.timesteps)
    expected = run_oracle(program, inputs)
    with MintRtlBackend(lanes="uq").compile(program) as executable:
        got = executable.run(inputs)
    assert compare(expected, got, [node.name for node in program.order]).identical
    multiplied = [op for node in got.counts.nodes.values() for op in node.operations if op.name == "multiply"]
    assert sum(op.count for op in multiplied) == sum(got.counts.nodes[node.name].steps for node in program.spiking)


def test_networks_meet_every_way_of_cutting():
    """The random networks, at the sizes of memory used here, need passes, blocks, groups and chunks of samples."""
    plans = []
    for seed in range(NETWORKS):
        program, _ = case(seed)
        for backend in BACKENDS.values():
            if not backend.refusals(program):
                plans += [plan_layer(layer, backend.buffers, layer.weight_bits, 24) for layer in layers_of(program)]
    assert any(len(plan.passes) > 1 for plan in plans)
    assert any(len(plan.blocks) > 1 for plan in plans)
    assert any(len(plan.groups) > 1 for plan in plans)
    assert any(plan.samples_at_once > 1 for plan in plans)
    assert any(len(one.kernel_x) < 2 and one.kernel_x.start > 0 for plan in plans for one in plan.passes) or any(
        one.kernel_y.start > 0 for plan in plans for one in plan.passes
    )
    assert any(one.words.start > 0 for plan in plans for one in plan.passes)
    assert any(one.hold and one.load for plan in plans for one in plan.passes)
