"""Every counter of the RTL equals its closed form, pass by pass, on random networks cut in many ways."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from spikequant.inputs import input_values
from spikequant.program import Weighted
from spikequant_mint_rtl.schedule import plan_layer
from spikequant_mint_rtl.simulator import COUNTERS
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from counter_forms import order_of_work, pass_counters, source_map
from recorded_runs import BACKENDS, CASES, case, recorded

pytestmark = pytest.mark.skipif(
    not BACKENDS["dense"].availability().ready, reason=f"mint_rtl: {BACKENDS['dense'].availability().detail}"
)


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
    for words, seed in CASES:
        for passes in recorded(words, seed)[2].values():
            for _, counted in passes:
                total.update(counted)
    assert set(+total) == set(COUNTERS)


@pytest.mark.parametrize(("words", "seed"), CASES)
def test_accumulations_are_the_oracles(words, seed):
    """A layer whose sum is kept adds once what the oracle adds at every timestep; pools of sums are added in place."""
    program, _, oracle = case(seed)
    trace = recorded(words, seed)[0]
    for layer in layers_of(program):
        repeated = layer.timesteps if layer.still else 1
        for part in layer.parts:
            if not isinstance(part.node, Weighted) or getattr(part, "window", (1, 1)) != (1, 1):
                continue
            name = part.node.name
            ours = {
                op.bits: op.count * repeated for op in trace.counts.nodes[name].operations if op.name == "accumulate"
            }
            closed = {op.bits: op.count for op in oracle.counts.nodes[name].operations if op.name == "accumulate"}
            assert +Counter(ours) == +Counter(closed), name
