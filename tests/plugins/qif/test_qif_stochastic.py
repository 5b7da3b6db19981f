"""Stochastic rounding: unbiased, keyed by the seed, and the same whatever the batch, the threads and the device."""

import math

import pytest
import torch

from spikequant.model import InputCoding, SpikingModel, lower
from spikequant.network import ConvLayer, FlattenLayer, ReadoutLayer
from spikequant_mint.mint_lif import MintLif
from spikequant_qif.quantizer import Qif

STEP = torch.tensor(2.0**-4)
WEIGHTS = torch.randn(40, 50, generator=torch.Generator().manual_seed(0)) * 0.5


def rounded(x=WEIGHTS, seed=0, text="Q2.4"):
    return Qif(text, "SR", seed=seed).quantize(x, STEP)


@pytest.mark.parametrize("rest", [0.0, 1 / 3, 0.5, 0.01, 0.999])
@pytest.mark.parametrize("floor", [-7, -1, 0, 11])
def test_it_is_unbiased_over_elements(floor, rest):
    count = 200_000
    x = torch.full((count,), (floor + rest) / 16, dtype=torch.float64)
    up = rounded(x) - floor
    assert set(up.tolist()) <= {0, 1}
    # The number rounded up is binomial; five standard deviations are allowed.
    assert abs(int(up.sum()) - count * rest) <= 5 * math.sqrt(count * rest * (1 - rest))


def test_it_is_unbiased_over_seeds():
    x, count = torch.tensor([0.3, -0.3, 0.01]), 4000
    rest = x.double() * 16 - torch.floor(x.double() * 16)
    ups = sum((rounded(x, seed) - torch.floor(x * 16)).double() for seed in range(count))
    bound = 5 * torch.sqrt(count * rest * (1 - rest))
    assert bool(((ups - count * rest).abs() <= bound).all())


def test_neighbouring_elements_are_uncorrelated():
    up = (rounded(torch.full((100_000,), 1.5 / 16)) - 1).double() * 2 - 1
    for lag in (1, 2, 50):
        assert abs(float((up[:-lag] * up[lag:]).mean())) < 5 / math.sqrt(len(up) - lag)


def test_the_same_seed_gives_the_same_codes_and_another_others():
    assert torch.equal(rounded(seed=3), rounded(seed=3))
    assert not torch.equal(rounded(seed=3), rounded(seed=4))


def test_an_update_of_one_weight_rounds_all_anew():
    changed = WEIGHTS.clone()
    changed[0, 0] += 0.25
    differing = int((rounded(changed) != rounded()).sum())
    assert differing > WEIGHTS.numel() // 5


def test_on_the_grid_nothing_is_random():
    codes = torch.arange(-64, 64)
    assert torch.equal(rounded(codes / 16), codes.int())


def test_memory_layout_and_precision_do_not_matter():
    x = WEIGHTS.reshape(4, 5, 10, 10)
    assert torch.equal(rounded(x.to(memory_format=torch.channels_last)), rounded(x))
    assert torch.equal(rounded(WEIGHTS.t().contiguous().t()), rounded())
    assert torch.equal(rounded(WEIGHTS.double()), rounded())


def test_threads_do_not_matter():
    x = torch.randn(300, 1000, generator=torch.Generator().manual_seed(2))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(rounded(x))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_codes_of_the_cpu():
    assert torch.equal(rounded(WEIGHTS.cuda()).cpu(), rounded())


@pytest.mark.parametrize("training", [False, True])
def test_the_split_of_a_batch_does_not_matter(training):
    model = network().train(training)
    x = torch.randint(0, 17, (12, 1, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    whole = model(x)
    parts = torch.cat([model(x[start : start + 5]) for start in range(0, 12, 5)])
    assert torch.equal(parts, whole)


def test_training_evaluation_and_program_have_the_same_codes():
    model = network()
    x = torch.randint(0, 17, (7, 1, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    model.train()
    logits = model(x)
    model.eval()
    assert torch.equal(model(x), logits)
    nodes = {node.name: node for node in lower(model).nodes}
    for stage in model.stages:
        if stage.weights is not None:
            used = stage.weights.quantizer.quantize(stage.weights.weight, STEP)
            assert nodes[stage.name].codes.tolist() == used.tolist()


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (ConvLayer(4), FlattenLayer(), ReadoutLayer(3))
        model = SpikingModel(layers, lambda: MintLif(bits=10), InputCoding((1, 6, 6), 5, 16), timesteps=3)
    model.quantize(lambda: Qif("Q1.4", "SR"))
    return model
