"""Networks of lava-dl's authors run on Lava as in the oracle: bit for bit."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lava_dl_files import NETWORKS

from spikequant.oracle import run_oracle
from spikequant.verify import compare
from spikequant_lava import environment
from spikequant_lava.backend import LavaBackend
from spikequant_lava.selftest import check
from spikequant_lava_dl.importer import LavaDlImporter

pytestmark = pytest.mark.skipif(not NETWORKS.is_dir(), reason=f"SPIKEQUANT_DATA: no networks of lava-dl in {NETWORKS}")


@pytest.fixture(scope="module")
def lava_python() -> Path:
    environment.setup(check=check)
    return environment.current().python


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("oxford.net", {"timesteps": 150}),
        ("tiny.net", {"timesteps": 16, "encode": "layer"}),
        ("netx_mnist.net", {"timesteps": 12, "encode": "integrate"}),
    ],
)
def test_lava_gives_the_oracles_integers(name, options, lava_python):
    program = LavaDlImporter(**options).read(NETWORKS / name).program
    rng, node = np.random.default_rng(0), program.input
    low, high = {"none": (0, 1), "layer": (-20, 62), "integrate": (0, 255)}[options.get("encode", "none")]
    steps = (program.timesteps,) if node.coding == "per_step" else ()
    shape = (*steps, 2, *node.shape)
    inputs = rng.integers(low, high + 1, shape) * (rng.random(shape) < (0.01 if steps else 1.0))
    with LavaBackend().compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert expected.spikes[program.spiking[-1].name].any()
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
