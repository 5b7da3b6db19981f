"""VGG-9, VGG-16 and ResNet-19 at their full size, trained briefly on CIFAR-10, equal the oracle."""

import sys
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import DataError
from spikequant.oracle import run_oracle
from spikequant.program import Add, Conv2d, PoolOr, PoolSum
from spikequant.runs.build import make_dataset
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend

sys.path.insert(0, str(Path(__file__).parent))
from cifar_programs import DATA, cifar_program

pytestmark = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)
IMAGES = {"vgg9": 2, "vgg16": 2, "resnet19": 1}


@pytest.fixture(scope="module", autouse=True)
def _cifar10():
    try:
        make_dataset("cifar10").load("test", (DATA,))
    except DataError as error:
        pytest.skip(f"needs CIFAR-10 (SPIKEQUANT_DATA): {error}")


@pytest.mark.slow
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("network", IMAGES)
def test_whole_network_equals_the_oracle(network, bits):
    program, images = cifar_program(network, bits, images=IMAGES[network])
    expected = run_oracle(program, images)
    with MintRtlBackend().compile(program) as executable:
        got = executable.run(images)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, str(verdict)
    assert verdict.spikes == len(images) * 4 * sum(int(np.prod(program.shapes[n.name])) for n in program.spiking)
    rates = [float(spikes.mean()) for spikes in expected.spikes.values()]
    assert min(rates) > 0.01, f"a layer hardly fires: {rates}"
    assert max(rates) < 0.6, f"a layer fires nearly always: {rates}"
    assert got.counts.fires == expected.counts.fires
    assert got.counts.saturations == expected.counts.saturations


def test_the_networks_are_those_of_the_paper():
    """Pools, average and residual blocks are in them; so that the test above means what it says."""
    vgg, _ = cifar_program("vgg16", 2, width=2, images=1)
    residual, _ = cifar_program("resnet19", 2, width=2, images=1)
    assert sum(isinstance(node, Conv2d) for node in vgg.nodes) == 13
    assert sum(isinstance(node, PoolOr) for node in vgg.nodes) == 4
    assert sum(isinstance(node, PoolSum) for node in vgg.nodes) == 1
    assert sum(isinstance(node, Add) for node in residual.nodes) == 8
    assert sum(isinstance(node, Conv2d) and node.groups > 1 for node in residual.nodes) == 6
