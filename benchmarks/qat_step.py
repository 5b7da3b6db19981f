"""Cost of integer-domain training: one MINT W4U4 step over one FP32 step of the same network.

    python -m benchmarks.qat_step [--repeats 30]

One thread, thread time, median; the FP32 step is our own float mode on the same batch of real images.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn import functional as F

from benchmarks.data import images
from spikequant import SpikingModel
from spikequant.model import InputCoding, as_input
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint
from spikequant_networks import Cnn, Mlp

NETWORKS = {
    "784-400-10": (Mlp((400,)), 128),
    "784-400-10 BN": (Mlp((400,), batch_norm=True), 128),
    "cnn 16-32 BN": (Cnn((16, 32), (2, 2)), 64),
}


def step_seconds(model: SpikingModel, x: torch.Tensor, repeats: int) -> float:
    """Return the median thread time of forward, backward and update."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    labels = torch.arange(len(x)) % 10
    model.train()
    seconds = []
    for index in range(repeats + 3):
        start = time.thread_time()
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if index >= 3:
            seconds.append(time.thread_time() - start)
    return statistics.median(seconds)


def main() -> None:
    """Print one row per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, 1 thread, T = 4, median of {repeats} steps")
    for name, (network, batch) in NETWORKS.items():
        model = SpikingModel(
            network.layers((1, 28, 28), 10), lambda: MintLif(4), InputCoding((1, 28, 28), 8, 255), timesteps=4
        )
        x = as_input(images(batch))
        real = step_seconds(model, x, repeats)
        model.quantize(lambda: Mint(4))
        whole = step_seconds(model, x, repeats)
        print(f"{name:14} FP32 {1e3 * real:6.2f} ms   MINT {1e3 * whole:6.2f} ms   ratio {whole / real:.2f}")


if __name__ == "__main__":
    main()
