"""DECOLLE: our training step and inference against the straightforward torch loop, same network and data shapes.

    python -m benchmarks.decolle_step [--repeats 9]

One thread; thread time of an epoch of some batches, ours and the loop's in turn, the median of the repeats with
the best behind it; the ratio is that of the medians, and ours includes drawing the order and making tensors of the
frames. The loop is benchmarks/peers/decolle_torch.py. Inputs are random events of the density of N-MNIST (or
Braille) frames.
Exit 1 when a shipped recipe's network trains less than 3 times as fast.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.peers.decolle_torch import Decays, Network, Plan
from spikequant import InputCoding, Split
from spikequant_decolle.layer import LayerPlan
from spikequant_decolle.learner import Decolle, operations
from spikequant_decolle.model import DecolleModel
from spikequant_decolle.neuron import DecolleNeuron
from spikequant_decolle.reading import Reading

GOAL = 3.0
CLASSES = 10
DECAYS = Decays(0.74, 0.43, 0.0625)


@dataclass(frozen=True)
class Case:
    """A network, its input, and whether the goal is meant for it."""

    name: str
    plans: tuple[Plan, ...]
    shape: tuple[int, ...]
    batch: int
    timesteps: int
    batches: int
    shipped: bool


CASES = (
    Case("N-MNIST 16-32-128", (Plan(16, 5, 2), Plan(32, 5, 2), Plan(128)), (2, 17, 17), 50, 30, 3, True),
    Case("Braille 400", (Plan(400),), (96,), 50, 8, 14, True),
    Case("decolle-conv3", (Plan(64, 7, 2), Plan(128, 7, 1), Plan(128, 7, 2)), (2, 32, 32), 16, 4, 1, False),
)


def seconds(work: Callable[[], object]) -> float:
    """Return the thread time of one call."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def our_model(case: Case) -> DecolleModel:
    """Return the network in floats."""
    plans = [LayerPlan(plan.features, plan.kernel, plan.kernel // 2, plan.pool) for plan in case.plans]
    neuron = DecolleNeuron(alpha=DECAYS.alpha, beta=DECAYS.beta, gamma=DECAYS.gamma)
    coding = InputCoding(case.shape, 4, 1, 1e-3)
    return DecolleModel(plans, neuron, coding, case.timesteps, Reading(CLASSES))


def measure(case: Case, repeats: int) -> float:
    """Print the case's figures and return the ratio of the training steps."""
    torch.manual_seed(0)
    x = (torch.rand(case.timesteps, case.batch, *case.shape) < 0.08).float() * 2
    y = torch.arange(case.batch) % CLASSES
    peer = Network(case.plans, case.shape, CLASSES, DECAYS)
    optimizer = peer.optimizer(1e-4)
    model = our_model(case)
    frames = np.concatenate([x.transpose(0, 1).numpy().astype(np.uint8)] * case.batches)
    data = Split(frames, np.concatenate([y.numpy()] * case.batches))
    learner = Decolle(lr=1e-4, batch_size=case.batch, surrogate_width=0.7)
    state = learner.start(model, epochs=1, seed=0)
    samples = x.transpose(0, 1)

    def ours() -> None:
        learner.epoch(model, data, state, 0, epochs=1, seed=0)

    def loop() -> None:
        for _ in range(case.batches):
            peer.train_batch(optimizer, x, y)

    works = (
        ours,
        loop,
        lambda: model.predict(samples),
        lambda: peer.predict(x),
    )
    for work in works:
        work()
    rows = list(zip(*[[seconds(work) for work in works] for _ in range(repeats)], strict=True))
    batches = (case.batches, case.batches, 1, 1)
    steps = [1e3 / case.timesteps / count for count in batches]
    median = [statistics.median(row) * each for row, each in zip(rows, steps, strict=True)]
    best = [min(row) * each for row, each in zip(rows, steps, strict=True)]
    ratio = median[1] / median[0]
    shown = [f"{value:.2f} ({least:.2f})" for value, least in zip(median, best, strict=True)]
    print(f"{case.name}, batch {case.batch}; ms, median (best)")
    print(f"  training step   {shown[0]:>16}   loop {shown[1]:>16}   x{ratio:.2f} (x{best[1] / best[0]:.2f})")
    print(
        f"  inference step  {shown[2]:>16}   loop {shown[3]:>16}"
        f"   x{median[3] / median[2]:.2f} (x{best[3] / best[2]:.2f})"
    )
    return ratio


def main() -> None:
    """Print one row per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    kernels = type(operations(our_model(CASES[0]))).__name__
    print(f"torch {torch.__version__}, 1 thread, {kernels}, {repeats} repeats")
    missed = [case.name for case in CASES if measure(case, repeats) < GOAL and case.shipped]
    if missed:
        sys.exit(f"below {GOAL} times the loop: {', '.join(missed)}")


if __name__ == "__main__":
    main()
