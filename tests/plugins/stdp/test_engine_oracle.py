"""The torch engine computes what its specification says, to the bit, with every option."""

import numpy as np
import pytest

from spikequant_stdp.engine import TorchEngine

FIELDS = ("spikes", "potential", "refractory", "g")


def equal_records(recorded, n, expected):
    for name, values in zip(FIELDS, expected, strict=True):
        got = getattr(recorded, name)
        if got is None:
            continue
        differ = np.argwhere(got[:, n] != values)
        assert not len(differ), f"{name}: step, neuron {differ[0]}: {got[:, n][tuple(differ[0])]}"


@pytest.mark.parametrize("seed", range(8))
def test_training_equals_the_specification(random_cases, oracle, seed):
    for p, formats, state, images in random_cases(seed, 6):
        reference = oracle(p, formats, state, learning=True)
        spikes = p.coding.spikes(images, p.timesteps, draw=1).swapaxes(0, 1)
        trained = state.copy()
        training = TorchEngine().train_spikes(p, formats, trained, spikes, record=True)
        for n, image in enumerate(spikes):
            equal_records(training.recorded, n, reference.run(image))
        assert np.array_equal(training.counts, training.recorded.spikes.sum(axis=0))
        assert np.array_equal(trained.w, reference.w)
        assert trained.theta.tolist() == [float(value) for value in reference.theta]
        assert trained.theta.dtype == (np.float64 if formats.Vth else np.float32)
        assert (training.vanished, training.updates) == (reference.vanished, reference.updates)
        assert trained.images == state.images + len(images)


@pytest.mark.parametrize("seed", range(8))
def test_inference_equals_the_specification(random_cases, oracle, seed):
    for p, formats, state, images in random_cases(100 + seed, 8):
        reference = oracle(p, formats, state, learning=False)
        spikes = p.coding.spikes(images, p.timesteps).swapaxes(0, 1)
        recorded = TorchEngine().infer_spikes(p, formats, state, spikes)
        for n, image in enumerate(spikes):
            equal_records(recorded, n, reference.run(image))
        counts = TorchEngine().infer(p, [(formats, state)], images)
        assert np.array_equal(counts[0], recorded.spikes.sum(axis=0))
