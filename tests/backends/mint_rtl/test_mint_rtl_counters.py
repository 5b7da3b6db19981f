"""Every counter of the RTL equals its closed form, pass by pass, on random networks cut in many ways."""

import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spikequant.inputs import input_values
from spikequant.oracle import run_oracle
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import built_cores
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.simulator import COUNTERS, Simulator
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from counter_forms import order_of_work, pass_counters, source_map
from random_layers import random_network, random_values

BACKENDS = {
    "zero skip": MintRtlBackend(),
    "dense": MintRtlBackend(zero_skip=False),
    "tiny memories": MintRtlBackend(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64),
}
SEEDS = range(14)
KINDS = {True: ("lif", "scaled_lif"), False: ("lif",)}

pytestmark = pytest.mark.skipif(
    not BACKENDS["dense"].availability().ready, reason=f"mint_rtl: {BACKENDS['dense'].availability().detail}"
)


class Recorder(Simulator):
    """A core whose counters are kept, pass by pass."""

    def __init__(self, library):
        super().__init__(library)
        self.passes = []

    def counters(self):
        counted = super().counters()
        self.passes.append((self.running, counted))
        return counted


class Recorded(MintRtlExecutable):
    simulator = Recorder

    def passes(self, name):
        (core,) = {core for core in self._cores.values() if any(run.layer == name for run, _ in core.passes)}
        return [(run, counted) for run, counted in core.passes if run.layer == name]


@cache
def case(seed):
    """Return a network, inputs and the oracle's trace; every fifth may scale its inputs."""
    rng = np.random.default_rng(seed)
    program = random_network(rng, (2, 4, 8)[seed % 3], kinds=KINDS[seed % 5 == 4])
    inputs = random_values(rng, program, 3)
    return program, inputs, run_oracle(program, inputs)


CASES = [(words, seed) for words in BACKENDS for seed in SEEDS if not BACKENDS[words].refusals(case(seed)[0])]


@cache
def recorded(words, seed):
    """Run a case; return its trace, the cores, and under each layer's name the counters of each pass."""
    backend, (program, inputs, _) = BACKENDS[words], case(seed)
    layers = layers_of(program)
    configs = core_configs(program, layers, backend.buffers)
    distinct = list(dict.fromkeys(configs.values()))
    libraries = dict(zip(distinct, built_cores(distinct), strict=True))
    with Recorded(program, configs, libraries, backend.buffers, zero_skip=backend.zero_skip) as executable:
        trace = executable.run(inputs)
        return trace, configs, {layer.name: executable.passes(layer.name) for layer in layers}


def test_most_networks_fit_tiny_memories_too():
    assert sum(words == "tiny memories" for words, _ in CASES) >= 12


@pytest.mark.parametrize(("words", "seed"), CASES)
def test_every_counter_of_every_pass_equals_its_closed_form(words, seed):
    backend, (program, inputs, oracle) = BACKENDS[words], case(seed)
    trace, configs, passes = recorded(words, seed)
    values = input_values(program, inputs)
    batch = next(iter(values.values())).shape[1]
    cycles = 0
    for layer in layers_of(program):
        config, total = configs[layer.name], Counter()
        plan = plan_layer(layer, backend.buffers, config.weight_bits, config.acc_bits)
        seen = {
            part.source.name: source_map(program, part.source, values, oracle.spikes)
            for part in layer.parts
            if part.source is not None
        }
        fires = None if layer.readout else oracle.spikes[layer.name].reshape(-1, batch, *layer.out_shape)
        planned = list(order_of_work(layer, plan, batch))
        assert len(passes[layer.name]) == len(planned)
        for work, (running, counted) in zip(planned, passes[layer.name], strict=True):
            tiles, samples, block, number = work
            place = (running.number, running.tile, running.origin, running.sample)
            assert place == (number, tiles.start, (block.y, block.x), samples.start)
            expected = pass_counters(program, layer, plan, work, seen, fires, backend.zero_skip)
            got = {name: value for name, value in counted.items() if name != "saturations" and value}
            assert got == {name: value for name, value in expected.items() if value}, f"{layer.name}, {work}"
            assert counted["saturations"] == 0 or not plan.passes[number].store
            total.update(counted)
        closed = oracle.counts.nodes[layer.name]
        got = trace.counts.nodes[layer.name]
        assert (got.steps, got.fires, got.saturations) == (total["steps"], total["fires"], total["saturations"])
        assert (got.steps, got.fires, got.saturations) == (closed.steps, closed.fires, closed.saturations)
        cycles += total["cycles"]
    assert trace.counts.cycles == cycles


def test_the_networks_make_every_counter_count():
    """No counter is compared as zero everywhere."""
    total = Counter()
    for case in CASES:
        for passes in recorded(*case)[2].values():
            for _, counted in passes:
                total.update(counted)
    assert set(+total) == set(COUNTERS)
