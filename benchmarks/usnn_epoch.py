"""One epoch of STDP on all of MNIST and the test after it, as a user does them: 784-400, T = 250, one core.

Goal: under 10 s for 60,000 training images, the labels of the neurons, and 10,000 test images.
"""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks.data import mnist
from spikequant.model import accuracy
from spikequant.registry import registry
from spikequant.runs import build_model, read_recipe
from spikequant.runs.build import make_learner

GOAL, REPEATS = 10.0, 5


def main() -> None:
    """Time epoch, labels and test; say whether the goal is met."""
    recipe = read_recipe(registry().get("recipe", "mnist-usnn"))
    train, test = mnist("train"), mnist("test")
    learner, seconds, right = make_learner(recipe), [], 0.0
    for _ in range(REPEATS):
        model = build_model(recipe)
        start = time.perf_counter()
        state = learner.start(model, epochs=1, seed=recipe.seed)
        learner.epoch(model, train, state, 0, epochs=1, seed=recipe.seed)
        right = accuracy(model, test)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(f"epoch of {len(train):,} images, labels, test on {len(test):,}: {median:.2f} s (goal {GOAL:.0f} s)")
    print(f"test accuracy {100 * right:.2f} %; single runs: {', '.join(f'{s:.2f}' for s in seconds)} s")
    sys.exit(median >= GOAL)


if __name__ == "__main__":
    main()
