"""The helper that makes programs of the CIFAR-10 networks: every layer fires, and the seed decides all."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import DataError
from spikequant_torch.backend import TorchBackend


def _helper():
    spec = importlib.util.spec_from_file_location("cifar_programs", Path(__file__).with_name("cifar_programs.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELPER = _helper()


def made(*args, **options):
    try:
        return HELPER.cifar_program(*args, **options)
    except DataError:
        pytest.skip("needs CIFAR-10's test images under SPIKEQUANT_DATA")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("network", ["vgg9", "vgg16", "resnet19"])
def test_every_layer_fires_and_none_is_full(network, bits):
    program, images = made(network, bits, width=8)
    with TorchBackend().compile(program) as executable:
        rates = HELPER.rates(executable.run(images).spikes)
    assert all(0.01 < rate < 0.45 for rate in rates.values()), rates
    assert images.shape == (2, 3, 32, 32)
    assert all(node.u_bits == bits for node in program.spiking)


def test_equal_seeds_make_equal_programs_and_others_do_not():
    first, images = made("resnet19", 4, width=4)
    again, same = made("resnet19", 4, width=4)
    other, _ = made("resnet19", 4, width=4, seed=1)
    assert np.array_equal(images, same)
    names = [node.name for node in first.nodes if hasattr(node, "codes")]
    assert all(np.array_equal(first.by_name[name].codes, again.by_name[name].codes) for name in names)
    assert not all(np.array_equal(first.by_name[name].codes, other.by_name[name].codes) for name in names)
