"""Graphs of any shape over maps of one size equal the oracle: several inputs, sums of sums, sources read again."""

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Leak, Lif, Program, Readout, Reset
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend

BACKENDS = {
    "zero skip": MintRtlBackend(),
    "tiny memories": MintRtlBackend(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64),
}

pytestmark = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)


class Graph:
    """A program as it grows; ``sources`` are ``(name, channels, bits)`` that later layers may read."""

    def __init__(self, rng):
        self.rng, self.nodes, self.edges, self.sources = rng, [], [], []
        self.side = tuple(int(n) for n in rng.integers(1, 6, 2))

    def put(self, node, *sources):
        self.nodes.append(node)
        self.edges += [Edge(source, node.name) for source in sources]
        return node.name

    def name(self, kind):
        return f"{kind}{len(self.nodes)}"

    def bias(self, outputs):
        return self.rng.integers(-50, 50, outputs) if self.rng.random() < 0.4 else None

    def any_of(self, sources):
        return sources[self.rng.integers(len(sources))]

    def input(self):
        channels, bits = int(self.rng.choice([1, 2, 33])), int(self.rng.choice([1, 1, 2, 8]))
        node = Input(self.name("x"), (channels, *self.side), bits=bits, coding=self.rng.choice(["direct", "per_step"]))
        self.sources.append((self.put(node), channels, bits))

    def branch(self, outputs, depth=0):
        """Put a sum, a depthwise shortcut or a convolution."""
        rng, chance = self.rng, self.rng.random()
        spikes = [source for source in self.sources if source[1:] == (outputs, 1)]
        if depth < 2 and chance < 0.3:
            return self.sum(outputs, depth + 1)
        if spikes and outputs > 1 and chance < 0.5:
            codes = rng.integers(-100, 100, (outputs, 1, 1, 1))
            skip = Conv2d(self.name("d"), codes, self.bias(outputs), groups=outputs)
            return self.put(skip, self.any_of(spikes)[0])
        source, channels, _ = self.any_of(self.sources)
        kernel = tuple(int(k) for k in rng.choice([1, 3], 2))
        codes = rng.integers(-128, 128, (outputs, channels, *kernel))
        padding = tuple(k // 2 for k in kernel)
        return self.put(Conv2d(self.name("c"), codes, self.bias(outputs), padding=padding), source)

    def sum(self, outputs, depth):
        branches = [self.branch(outputs, depth) for _ in range(int(self.rng.integers(2, 4)))]
        spikes = [name for name, channels, _ in self.sources if channels == outputs and name.startswith("l")]
        if spikes and self.rng.random() < 0.5:
            branches.append(str(self.rng.choice(spikes)))
        self.rng.shuffle(branches)
        return self.put(Add(self.name("a")), *branches)

    def layer(self):
        rng, outputs = self.rng, int(self.rng.choice([1, 2, 33, 130]))
        summed = self.branch(outputs)
        if rng.random() < 0.2:
            self.put(Readout(self.name("o")), summed)
            return
        leak = Leak.by_shift(int(rng.integers(4)), rng.choice(["floor", "toward_zero"]))
        node = Lif(
            self.name("l"),
            u_bits=8,
            theta=rng.integers(-100, 500, outputs),
            leak=leak if rng.random() < 0.8 else Leak(),
            order=rng.choice(["leak_on_read", "leak_on_store"]),
            reset=Reset(rng.choice(["zero", "subtract"])),
            bias=self.bias(outputs),
        )
        self.sources.append((self.put(node, summed), outputs, 1))

    def head(self):
        """Put one or two flat maps into one readout."""
        parts = []
        for _ in range(int(self.rng.integers(1, 3))):
            source, channels, _ = self.any_of(self.sources)
            flat = self.put(Flatten(self.name("f")), source)
            codes = self.rng.integers(-128, 128, (5, channels * self.side[0] * self.side[1]))
            parts.append(self.put(Dense(self.name("e"), codes), flat))
        self.put(Readout(self.name("o")), self.put(Add(self.name("a")), *parts) if len(parts) > 1 else parts[0])


def case(seed):
    """Return a graph and inputs for it."""
    rng = np.random.default_rng(seed)
    graph = Graph(rng)
    for _ in range(int(rng.integers(1, 3))):
        graph.input()
    for _ in range(int(rng.integers(1, 5))):
        graph.layer()
    graph.head()
    program = Program(tuple(graph.nodes), tuple(graph.edges), int(rng.integers(1, 5)))
    given, batch = {}, int(rng.integers(1, 5))
    for node in program.inputs:
        lead = (batch,) if node.coding == "direct" else (program.timesteps, batch)
        values = rng.integers(0, 1 << node.bits, (*lead, *node.shape))
        given[node.name] = values * (rng.random(values.shape) < rng.choice([0.1, 0.5, 1.0]))
    return program, given


@pytest.mark.parametrize("seed", range(30))
def test_random_graph(seed):
    program, given = case(seed)
    expected = run_oracle(program, given)
    for words, backend in BACKENDS.items():
        assert backend.refusals(program) == {}
        with backend.compile(program) as executable:
            verdict = compare(expected, executable.run(given), [node.name for node in program.order])
        assert verdict.identical, f"{words}: {verdict}\n{program}"


def test_the_graphs_hold_what_their_name_says():
    graphs = [case(seed)[0] for seed in range(30)]
    assert any(len(program.inputs) > 1 for program in graphs)
    nested = [
        edge
        for program in graphs
        for edge in program.edges
        if {type(program.by_name[end]) for end in (edge.source, edge.target)} == {Add}
    ]
    assert nested
    assert any(len([node for node in program.nodes if isinstance(node, Readout)]) > 1 for program in graphs)
