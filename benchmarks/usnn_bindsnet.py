"""U-SNN (784-400, T = 250, batch 1, encoder included): our engine against BindsNET 0.3.4, one thread each.

First both get the same input spikes and must fire in the same neurons at the same steps; then both are timed on
the same images, each with its own encoder.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.data import images
from benchmarks.peers.environment import PEERS, peer_python
from spikequant_stdp.engine import Formats, Parameters, State, engine

SAME, SLOW, FAST, REPEATS = 30, 20, 2000, 5
P = Parameters(inputs=784, neurons=400, timesteps=250, reset=-60.0)  # BindsNET resets to -60


def peer(job: dict[str, object]) -> dict[str, np.ndarray]:
    """Run the job in BindsNET's environment."""
    with tempfile.TemporaryDirectory() as folder:
        given, got = Path(folder) / "job.npz", Path(folder) / "result.npz"
        np.savez(given, **job)
        command = [peer_python("bindsnet"), PEERS / "bindsnet_usnn.py", given, got]
        if subprocess.run(list(map(str, command)), check=False).returncode:
            sys.exit("BindsNET failed; see its messages above")
        with np.load(got) as archive:
            return dict(archive)


def rate(run: Callable[[], object]) -> float:
    """Return images per second of processor time, the median of some repeats."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return FAST / statistics.median(seconds)


def same_spikes(ours, start: np.ndarray, sent: np.ndarray, theirs: dict[str, np.ndarray]) -> bool:
    """Say whether every spike of training, and of inference with what it left, is equal in time and neuron."""
    state = State(start.copy(), np.zeros(P.neurons, np.float32))
    trained = ours.train_spikes(P, Formats(), state, sent, record=True).recorded.spikes.transpose(1, 0, 2)
    learned = State(theirs["w"], theirs["theta"])
    inferred = ours.infer_spikes(P, Formats(), learned, sent).spikes.transpose(1, 0, 2)
    for what, mine, other in (
        ("training", trained, theirs["train_fired"]),
        ("inference", inferred, theirs["infer_fired"]),
    ):
        equal = np.array_equal(mine, other)
        print(f"{what}, {SAME} images: {other.sum()} spikes of BindsNET, {'all' if equal else 'NOT all'} equal to ours")
        if not equal:
            return False
    apart = float(np.abs(state.w - theirs["w"]).max())
    print(f"weights after training differ by {apart:.1e} at most (float32 additions in another order)")
    return apart < 1e-5


def main() -> None:
    """Compare, time, and say whether the goals are met."""
    x = images(FAST).reshape(FAST, -1)
    start = np.random.default_rng(0).random((P.inputs, P.neurons), dtype=np.float32) * np.float32(0.3)
    sent = np.ascontiguousarray(P.coding.spikes(x[:SAME], P.timesteps, draw=1).transpose(1, 0, 2))
    job = {"w": start, "spikes": sent, "images": x[:SLOW], "timesteps": P.timesteps, "inhibition": P.inhibition}
    theirs = peer({**job, "repeats": REPEATS})
    ours = engine("auto")
    equal = same_spikes(ours, start, sent, theirs)
    state = State(start.copy(), np.zeros(P.neurons, np.float32))
    ours.train(P, Formats(), state, x, draw=1)
    training = rate(lambda: ours.train(P, Formats(), state.copy(), x, draw=1))
    inference = rate(lambda: ours.infer(P, [(Formats(), state)], x))
    wide = "avx512f" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    goals = {"training": 500.0, "inference": 600.0} if wide else {"training": 300.0, "inference": 300.0}
    missed = not equal
    print(
        f"engine {ours.name}, {'AVX-512' if wide else 'no AVX-512'},"
        f" {float(sent.sum()) / SAME:.0f} input spikes per image"
    )
    for name, mine, key in (("training", training, "train_seconds"), ("inference", inference, "infer_seconds")):
        other = SLOW / statistics.median(theirs[key].tolist())
        print(f"{name}: {mine:,.0f} images/s, BindsNET {other:.1f}: {mine / other:.0f}x (goal {goals[name]:.0f}x)")
        missed |= mine / other < goals[name]
    sys.exit(missed)


if __name__ == "__main__":
    main()
