"""Speed of the torch backend on real MNIST images: exact integer inference, counts included.

    python -m benchmarks.torch_backend [--images 10000] [--repeats 5]

Goal: 784-400-10, T = 4, 10,000 images, record=False, in less than 3 s on two cores. Before timing, a few
images are compared with the oracle; the script exits 1 if they differ or the goal is missed.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

from benchmarks.data import images
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, PoolOr, Readout, chain
from spikequant.verify import compare
from spikequant_torch.backend import TorchBackend

GOAL_SECONDS = 3.0


def dense_network(rng):
    """784-400-10, 4 bit weights."""
    nodes = [
        Input("input", (784,)),
        Dense("fc1", rng.integers(-7, 8, (400, 784)), bits=4),
        Lif("lif1", u_bits=14, theta=np.array(6000)),
        Dense("fc2", rng.integers(-7, 8, (10, 400)), bits=4),
        Readout("readout"),
    ]
    return chain(nodes, timesteps=4)


def conv_network(rng):
    """Two 3x3 convolutions of 32 and 64 channels with OR pooling, 4 bit weights."""
    nodes = [
        Input("input", (1, 28, 28)),
        Conv2d("conv1", rng.integers(-7, 8, (32, 1, 3, 3)), bits=4, padding=(1, 1)),
        Lif("lif1", u_bits=12, theta=np.array(1500)),
        PoolOr("pool1"),
        Conv2d("conv2", rng.integers(-7, 8, (64, 32, 3, 3)), bits=4, padding=(1, 1)),
        Lif("lif2", u_bits=8, theta=np.array(40)),
        PoolOr("pool2"),
        Flatten("flatten"),
        Dense("fc", rng.integers(-7, 8, (10, 64 * 49)), bits=4),
        Readout("readout"),
    ]
    return chain(nodes, timesteps=4)


def measured(program, x, repeats):
    """Return the median seconds of a run and the share of neuron updates that spiked."""
    check = x[:8]
    with TorchBackend().compile(program) as executable:
        expected, got = run_oracle(program, check), executable.run(check)
        verdict = compare(expected, got)
        if not verdict.identical or expected.counts.nodes != got.counts.nodes:
            sys.exit(f"not the oracle's integers: {verdict}")
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            counts = executable.run(x, record=False).counts
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), counts.fires / max(1, sum(n.steps for n in counts.nodes.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    x, rng = images(options.images), np.random.default_rng(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {len(x)} MNIST images, T = 4, median of"
          f" {options.repeats}")  # fmt: skip
    dense, rate = measured(dense_network(rng), x.reshape(len(x), 784), options.repeats)
    print(f"784-400-10        {dense:7.3f} s  {len(x) / dense:9,.0f} images/s  {rate:.0%} of updates spike")
    few = x[: max(8, len(x) // 10)]
    conv, rate = measured(conv_network(rng), few, options.repeats)
    print(f"conv 32-64, {len(few):5} {conv:7.3f} s  {len(few) / conv:9,.0f} images/s  {rate:.0%} of updates spike")
    if len(x) == 10_000 and dense > GOAL_SECONDS:
        sys.exit(f"goal missed: 784-400-10 took {dense:.2f} s, and the goal is {GOAL_SECONDS} s")


if __name__ == "__main__":
    main()
