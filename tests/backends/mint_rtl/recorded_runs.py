"""Random networks run on cores whose counters are kept pass by pass; each is run once for all tests of a process."""

import sys
from functools import cache
from pathlib import Path

import numpy as np

from spikequant.oracle import run_oracle
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import built_cores
from spikequant_mint_rtl.config import core_configs
from spikequant_mint_rtl.executable import MintRtlExecutable
from spikequant_mint_rtl.simulator import Simulator
from spikequant_mint_rtl.wiring import layers_of

sys.path.insert(0, str(Path(__file__).parent))
from random_layers import random_network, random_values

BACKENDS = {
    "zero skip": MintRtlBackend(),
    "dense": MintRtlBackend(zero_skip=False),
    "tiny memories": MintRtlBackend(weight_bytes=8192, spike_bytes=2048, scratchpad_bytes=64),
}
SEEDS = range(14)
KINDS = {True: ("lif", "scaled_lif"), False: ("lif",)}


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
def case(seed, batch=3):
    """Return a network, inputs and the oracle's trace; every fifth may scale its inputs."""
    rng = np.random.default_rng(seed)
    program = random_network(rng, (2, 4, 8)[seed % 3], kinds=KINDS[seed % 5 == 4])
    inputs = random_values(rng, program, batch)
    return program, inputs, run_oracle(program, inputs)


CASES = [(words, seed) for words in BACKENDS for seed in SEEDS if not BACKENDS[words].refusals(case(seed)[0])]


@cache
def recorded(words, seed, batch=3):
    """Run a case; return its trace, the cores, and under each layer's name the counters of each pass."""
    backend, (program, inputs, _) = BACKENDS[words], case(seed, batch)
    layers = layers_of(program)
    configs = core_configs(program, layers, backend.buffers)
    distinct = list(dict.fromkeys(configs.values()))
    libraries = dict(zip(distinct, built_cores(distinct), strict=True))
    with Recorded(program, configs, libraries, backend.buffers, zero_skip=backend.zero_skip) as executable:
        trace = executable.run(inputs)
        return trace, configs, {layer.name: executable.passes(layer.name) for layer in layers}
