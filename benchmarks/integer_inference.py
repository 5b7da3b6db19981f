"""784-400-10 integer inference on the torch backend against snnTorch in FP32, in the same run.

    python -m benchmarks.integer_inference [--images 2000] [--repeats 5]

One thread each, real MNIST images, T = 4, medians. snnTorch runs the same network (its weights and
thresholds are our integers as floats), without counting anything; ours returns counts as well.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import snntorch
import torch
from torch import nn

from benchmarks.data import images
from spikequant.program import Dense, Input, Lif, Program, Readout, chain
from spikequant_torch.backend import TorchBackend

TIMESTEPS = 4


def network() -> Program:
    """Return 784-400-10 with random 4-bit weights."""
    rng = np.random.default_rng(0)
    nodes = [
        Input("input", (784,)),
        Dense("fc1", rng.integers(-7, 8, (400, 784)), bits=4),
        Lif("lif1", u_bits=14, theta=np.array(6000)),
        Dense("fc2", rng.integers(-7, 8, (10, 400)), bits=4),
        Readout("readout"),
    ]
    return chain(nodes, timesteps=TIMESTEPS)


class Peer(nn.Module):
    """The same network as its users write it in snnTorch."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        first, second = program.by_name["fc1"], program.by_name["fc2"]
        self.fc1, self.fc2 = nn.Linear(784, 400, bias=False), nn.Linear(400, 10, bias=False)
        self.fc1.weight.data = torch.tensor(first.codes, dtype=torch.float32)
        self.fc2.weight.data = torch.tensor(second.codes, dtype=torch.float32)
        self.lif = snntorch.Leaky(beta=0.5, threshold=5999.5, reset_mechanism="zero", reset_delay=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the summed outputs over all timesteps."""
        potential = self.lif.init_leaky()
        total = torch.zeros(len(x), 10)
        for _ in range(TIMESTEPS):
            spikes, potential = self.lif(self.fc1(x), potential)
            total = total + self.fc2(spikes)
        return total


def median_seconds(run, batches, repeats: int) -> float:
    """Return the median time over all batches."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for batch in batches:
            run(batch)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    """Print one row per batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    program = network()
    peer = Peer(program).eval()
    x = images(options.images).reshape(-1, 784)
    print(f"torch {torch.__version__}, snnTorch {snntorch.__version__}, 1 thread, T = {TIMESTEPS}")
    with TorchBackend().compile(program) as executable, torch.inference_mode():
        for size in (1, 128):
            few = x[: min(len(x), 200 * size)]
            batches = [few[start : start + size] for start in range(0, len(few), size)]
            floats = [torch.tensor(batch, dtype=torch.float32) for batch in batches]
            ours = median_seconds(lambda batch: executable.run(batch, record=False), batches, options.repeats)
            theirs = median_seconds(peer, floats, options.repeats)
            rates = f"ours {len(few) / ours:9,.0f} images/s, snnTorch {len(few) / theirs:9,.0f} images/s"
            print(f"batch {size:3}: {rates}, ratio {theirs / ours:.2f}")


if __name__ == "__main__":
    main()
