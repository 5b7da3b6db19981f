"""Cycles and simulated speed of VGG-9 on the accelerator at 15 % spikes, layer by layer and as a whole.

    python -m benchmarks.accelerator_vgg9 [--bits 4] [--rate 0.15]

Random codes, T = 4, 32x32. Two meanings of the rate are measured: every convolution on its own sees that rate
at its input (the first: 8-bit pixels of noise); and the whole network, thresholds set so that every layer fires
at that rate, where pooling makes the input of the next convolution denser. Goals: 1.2 million cycles an image for
the first, and one image of the six spiking convolutions simulated in a second of one core's time. Each trace is
compared with the oracle first.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, PoolOr, PoolSum, Program, Readout, chain
from spikequant.registry import registry
from spikequant.verify import compare

TIMESTEPS = 4
CONVOLUTIONS = ((3, 64, 32), (64, 64, 32), (64, 128, 16), (128, 128, 16), (128, 256, 8), (256, 256, 8), (256, 256, 8))
POOLED = (1, 3)
CYCLES = 1_200_000


def codes(rng, bits, *shape):
    """Random codes with both signs."""
    top = (1 << (bits - 1)) - 1
    return rng.integers(-top, top + 1, shape)


def threshold(trace_inputs, nodes, rate):
    """Return the threshold at which the last convolution of ``nodes`` drives its neurons to ``rate``."""
    low, high = 1, 1 << 20
    while low < high:
        middle = (low + high) // 2
        program = chain([*nodes, Lif("lif", theta=np.array(middle), u_bits=16)], timesteps=TIMESTEPS)
        with registry().make("backend", "torch", {}).compile(program) as executable:
            fired = float(executable.run(trace_inputs, record=True).spikes["lif"].mean())
        low, high = (middle + 1, high) if fired > rate else (low, middle)
    return low


def run(program: Program, x):
    """Return cycles and processor seconds of one image, after comparing it with the oracle."""
    with registry().make("backend", "mint_rtl", {}).compile(program) as executable:
        verdict = compare(run_oracle(program, x), executable.run(x))
        if not verdict.identical:
            sys.exit(f"mint_rtl: {verdict}")
        times = []
        for _ in range(3):
            start = time.process_time()
            trace = executable.run(x, record=False)
            times.append(time.process_time() - start)
    return trace.counts.cycles, sorted(times)[1]


def layer_by_layer(bits, rate):
    """Every convolution with the given rate at its input."""
    rng = np.random.default_rng(0)
    total, spiking, seconds = 0, 0, 0.0
    for index, (channels, outputs, side) in enumerate(CONVOLUTIONS):
        shape = (channels, side, side)
        conv = Conv2d("conv", codes(rng, bits, outputs, channels, 3, 3), bits=bits, padding=(1, 1))
        image = Input("input", shape, bits=8) if index == 0 else Input("input", shape, bits=1, coding="per_step")
        x = rng.integers(0, 256, (1, *shape)) if index == 0 else (rng.random((TIMESTEPS, 1, *shape)) < rate) * 1
        program = chain([image, conv, Lif("lif", theta=np.array(1 << 14), u_bits=bits)], timesteps=TIMESTEPS)
        cycles, took = run(program, x)
        print(f"  {channels:3} -> {outputs:3} at {side:2}x{side:<2}  {cycles:9,} cycles  {1e3 * took:7.1f} ms")
        total += cycles
        if index:
            spiking, seconds = spiking + cycles, seconds + took
    print(f"  sum of seven {total:,} cycles; the six spiking ones {spiking:,} cycles, {seconds:.2f} s of one core")
    return total, seconds


def whole(bits, rate):
    """The network with thresholds that make every layer fire at the rate."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 3, 32, 32))
    nodes = [Input("input", (3, 32, 32), bits=8)]
    for index, (channels, outputs, _) in enumerate(CONVOLUTIONS):
        nodes.append(Conv2d(f"conv{index}", codes(rng, bits, outputs, channels, 3, 3), bits=bits, padding=(1, 1)))
        nodes.append(Lif(f"lif{index}", theta=np.array(threshold(x, nodes, rate)), u_bits=16))
        if index in POOLED:
            nodes.append(PoolOr(f"pool{index}"))
    nodes += [PoolSum("average", kernel=(8, 8), stride=(8, 8)), Flatten("flatten")]
    nodes += [Dense("fc", codes(rng, bits, 10, 256), bits=bits), Readout("readout")]
    program = chain(nodes, timesteps=TIMESTEPS)
    cycles, seconds = run(program, x)
    spikes = run_oracle(program, x).spikes
    rates = ", ".join(f"{100 * values.mean():.0f}" for values in spikes.values())
    print(f"  whole network, layers firing at {rates} %: {cycles:,} cycles, {seconds:.2f} s of one core")


def main() -> None:
    """Measure; exit 1 when a goal is missed or a trace differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", type=int, default=4, choices=(2, 4, 8))
    parser.add_argument("--rate", type=float, default=0.15)
    given = parser.parse_args()
    print(f"VGG-9, W{given.bits}, T = {TIMESTEPS}, {100 * given.rate:.0f} % of each convolution's inputs spike")
    total, seconds = layer_by_layer(given.bits, given.rate)
    whole(given.bits, given.rate)
    missed = [f"{total:,} cycles, goal {CYCLES:,}"] * (total > CYCLES) + [f"{seconds:.2f} s, goal 1 s"] * (seconds > 1)
    if missed:
        sys.exit("; ".join(missed))


if __name__ == "__main__":
    main()
