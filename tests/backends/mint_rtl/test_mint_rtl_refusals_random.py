"""Random programs are refused with a reason, or run as the oracle does; a fault is blamed on the node that has it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Input, Leak, Lif, Program, Reset
from spikequant.testing import random_program
from spikequant.testing.limits import Limits
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from random_layers import random_network

TINY = {"weight_bytes": 8192, "spike_bytes": 2048, "scratchpad_bytes": 64}
BACKENDS = {
    "zero skip": MintRtlBackend(),
    "dense": MintRtlBackend(zero_skip=False),
    "tiny": MintRtlBackend(**TINY),
    "baseline": MintRtlBackend(lanes="uq"),
}
NEAR = Limits(
    kinds=("dense", "conv2d", "pool_or", "pool_sum", "add", "flatten", "lif", "readout"),
    recurrent=False,
    input_bits=(1, 2, 8),
    signed=False,
    code_bits=(8, 7, 5),
    u_bits=8,
    leaks=("shift", "none"),
    roundings=("floor", "toward_zero"),
    resets=("zero", "subtract"),
    overflows=("symmetric",),
    per_neuron=False,
)
NEAR_SEEDS = range(600)
needs_tools = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)


def near(seed):
    """Return a random program of what the core may run, all potentials 8 bits wide so that few cores are built."""
    program = random_program(seed, NEAR)
    nodes = tuple(replace(node, u_bits=8) if isinstance(node, Lif) else node for node in program.nodes)
    return Program(nodes, program.edges, program.timesteps)


def values_of(program, rng, batch=2):
    """Return random values for every input."""
    given = {}
    for node in program.inputs:
        lead = (batch,) if node.coding == "direct" else (program.timesteps, batch)
        given[node.name] = rng.integers(0, 1 << node.bits, (*lead, *node.shape))
    return given


def test_any_program_is_refused_or_can_be_planned():
    """Programs of the whole semantics: a reason for each refused node, or layers, cores and plans without an error."""
    accepted = 0
    for seed in range(400):
        for limits in (Limits(), NEAR):
            program = random_program(seed, limits)
            for backend in BACKENDS.values():
                reasons = backend.refusals(program)
                assert set(reasons) <= set(program.by_name)
                assert all(reason.strip() == reason and reason for reason in reasons.values())
                if not reasons:
                    accepted += 1
                    configs = core_configs(program, layers_of(program), backend.buffers, uq=backend.uq)
                    MintRtlExecutable(program, configs, {}, backend.buffers, zero_skip=True).close()
    assert accepted > 150


@needs_tools
@pytest.mark.parametrize("words", BACKENDS)
def test_accepted_programs_run_as_the_oracle_does(words):
    backend, ran = BACKENDS[words], 0
    for seed in NEAR_SEEDS:
        program = near(seed)
        if backend.refusals(program) or ran == 20:
            continue
        given = values_of(program, np.random.default_rng(seed))
        with backend.compile(program) as executable:
            verdict = compare(run_oracle(program, given), executable.run(given), [node.name for node in program.order])
        assert verdict.identical, f"seed {seed}: {verdict}\n{program}"
        ran += 1
    assert ran >= 12


FAULTS = {
    Lif: {
        "u_bits": {"u_bits": 17},
        "leak": {"leak": Leak("multiply", 4, 15)},
        "overflow": {"overflow": "wrap"},
        "theta": {"theta": np.array(1 << 40)},
        "reset": {"reset": Reset("value", 3)},
    },
    Dense: {"bits": {"bits": 12}, "bias": {"bias": 1 << 40}},
    Conv2d: {"bits": {"bits": 12}, "bias": {"bias": 1 << 40}},
    Input: {"signed": {"signed": True}},
}


@pytest.mark.parametrize("seed", range(40))
def test_a_fault_is_blamed_on_the_node_that_has_it(seed):
    """One node of a program that runs is made impossible, then another too: they and no others are refused."""
    rng = np.random.default_rng(seed)
    program = random_network(rng, (2, 4, 8)[seed % 3])
    backend = BACKENDS["zero skip"]
    assert backend.refusals(program) == {}
    able = [node for node in program.nodes if type(node) in FAULTS and getattr(node, "groups", 1) == 1]
    broken = rng.choice(len(able), min(2, len(able)), replace=False)
    names = set()
    for index in broken:
        node = able[index]
        field = rng.choice(sorted(FAULTS[type(node)]))
        wrong = dict(FAULTS[type(node)][field])
        if field == "bias":
            wrong["bias"] = np.full(node.codes.shape[0], wrong["bias"])
        nodes = tuple(replace(other, **wrong) if other.name == node.name else other for other in program.nodes)
        program = Program(nodes, program.edges, program.timesteps)
        names.add(node.name)
        assert set(backend.refusals(program)) == names, field
