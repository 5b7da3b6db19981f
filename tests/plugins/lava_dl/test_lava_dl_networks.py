"""Networks of lava-dl's authors give their recorded spikes and accuracies, bit for bit."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lava_dl_files import DATA, MODELS, NETWORKS

from spikequant.oracle import run_oracle
from spikequant.program import Dense, Flatten, Input, Readout, chain, integers
from spikequant.program.nodes import Conv2d
from spikequant.program_inputs import program_inputs
from spikequant.registry import registry
from spikequant_cuba import CubaLif
from spikequant_lava_dl.importer import LavaDlImporter
from spikequant_torch.backend import TorchBackend

needs_networks = pytest.mark.skipif(
    not NETWORKS.is_dir(), reason=f"SPIKEQUANT_DATA: no networks of lava-dl in {NETWORKS}"
)
WHOLE_SETS = os.environ.get("SPIKEQUANT_WHOLE_SETS") == "1"


def imported(name, **options):
    return LavaDlImporter(**options).read(NETWORKS / name).program


def raster(events, steps, neurons):
    """Events (neuron, 0, time) as spikes (steps, 1, neurons); lava-dl rounds times, half to even."""
    spikes = np.zeros((steps, 1, neurons), np.int64)
    spikes[np.rint(events[:, 2]).astype(int), 0, events[:, 0].astype(int)] = 1
    return spikes


@needs_networks
@pytest.mark.parametrize("run", ["oracle", "torch"])
def test_oxford_gives_every_recorded_spike_and_no_other_two_steps_earlier(run):
    program = imported("oxford.net", timesteps=2000)
    with np.load(NETWORKS / "oxford_spikes.npz") as events:
        given, wanted = raster(events["input"], 2000, 200), raster(events["ground_truth"], 2000, 200)
    if run == "oracle":
        trace = run_oracle(program, given)
    else:
        with TorchBackend().compile(program) as executable:
            trace = executable.run(given)
    assert int(wanted.sum()) == 10_178
    assert np.array_equal(trace.spikes["lif1"][:-2], wanted[2:])
    assert int(trace.spikes["lif1"].sum()) == 10_178
    assert trace.counts.nodes["lif0"].saturations == trace.counts.nodes["lif1"].saturations == 0


@needs_networks
def test_oxford_tells_its_firing_rule_from_the_other():
    program = imported("oxford.net", timesteps=2000, fire=">")
    with np.load(NETWORKS / "oxford_spikes.npz") as events:
        trace = run_oracle(program, raster(events["input"], 2000, 200))
    assert int(trace.spikes["lif1"].sum()) == 9_632


@pytest.fixture(scope="module")
def recorded():
    with np.load(NETWORKS / "tinynet_gts.npz") as file:
        return {key: file[key] for key in file.files}


def series(values):
    """Recorded values (1, channels, height, width, time) as (time, 1, channels, height, width)."""
    return np.moveaxis(values, -1, 0).astype(np.int64)


@needs_networks
def test_tiny_gives_the_recorded_spikes_of_all_layers_one_step_earlier(recorded):
    """What drives the input layer was recorded as (width, height, channels) there."""
    program = imported("tiny.net", timesteps=16, encode="layer")
    drive = recorded["input_bias"].transpose(2, 1, 0)[None].astype(np.int64)
    trace = run_oracle(program, drive)
    for name, key in (("lif0", "input"), ("lif1", "layer1"), ("lif2", "output")):
        wanted = series(recorded[key])
        assert wanted.any()
        assert not wanted[0].any()
        assert np.array_equal(trace.spikes[name][:-1], wanted[1:]), name


@needs_networks
def test_tiny_gives_the_recorded_weighted_sums_of_recorded_spikes(recorded):
    program = imported("tiny.net", timesteps=16)
    codes = program.by_name["conv1"]
    assert isinstance(codes, Conv2d)
    given = series(recorded["input"])
    alone = chain([program.input, codes, CubaLif("n", decay=integers(0), **KEEPS)], timesteps=16)
    sums = run_oracle(alone, given).potentials["n.current"]
    assert np.array_equal(sums, series(recorded["current"]))
    # Lava's own convolution flips its kernels and has (width, height, channels).
    assert np.array_equal(codes.codes[:, :, ::-1, ::-1].transpose(0, 3, 2, 1), recorded["layer1_kernel"])
    assert np.array_equal(program.by_name["lif1"].bias, recorded["layer1_bias"] << 6)


KEEPS = {"u_bits": 24, "i_bits": 24, "i_decay": integers(0), "theta": integers(1 << 22)}


FIRST_500 = {20: 480, 32: 481}
"""Right among the first 500 test images, by a few lines of NumPy of their own."""


@needs_networks
@pytest.mark.parametrize(("steps", "accuracy"), [(20, 0.9532), (32, 0.9526)])
def test_netx_mnist_classifies_as_it_is_known_to(steps, accuracy):
    """The first 500 test images, or with SPIKEQUANT_WHOLE_SETS=1 all 10,000."""
    program = imported("netx_mnist.net", timesteps=steps, encode="integrate", input_shape="1x28x28")
    test = registry().make("dataset", "mnist", {}).load("test", (DATA,))
    count, right = (10_000 if WHOLE_SETS else 500), 0
    with TorchBackend().compile(program) as executable:
        for start in range(0, count, 500):
            images, labels = test.x[start : start + 500], test.y[start : start + 500]
            trace = executable.run(images.astype(np.int64), record=False)
            right += int((trace.predictions() == labels).sum())
    assert right == (round(accuracy * count) if WHOLE_SETS else FIRST_500[steps])


@needs_networks
def test_slayers_nmnist_network_classifies_all_recordings():
    """1 ms bins clipped to one spike, 300 steps. The spikes are those of a few lines of NumPy of their own."""
    with np.load(MODELS / "slayer_loihi_nmnist_TrainedFull.npz") as file:
        said = {key: file[key].astype(np.int64) for key in file.files}
    first, second = (said[key].reshape(len(said[key]), -1) for key in ("fc1", "fc2"))
    cell = {
        "u_bits": 24,
        "i_bits": 24,
        "decay": integers(4096 - said["vDecay"]),
        "i_decay": integers(4096 - said["iDecay"]),
        "decay_bits": 12,
        "rounding": "toward_zero",
        "input_shift": 6,
        "theta": integers(said["vThMant"] << 6),
    }
    nodes = [Input("input", (2, 34, 34), bits=1, coding="per_step"), Flatten("flat"), Dense("fc1", first)]
    nodes += [CubaLif("lif1", **cell), Dense("fc2", second), CubaLif("lif2", **cell), Readout("readout")]
    program = chain(nodes, timesteps=300)
    test = registry().make("dataset", "nmnist-small", {"counts": "binary", "timesteps": 300}).load("test", (DATA,))
    right = hidden = 0
    with TorchBackend().compile(program) as executable:
        for start in range(0, 100, 20):
            part = slice(start, start + 20)
            trace = executable.run(program_inputs(program, test.x[part].astype(np.int64)))
            right += int((trace.predictions() == test.y[part]).sum())
            hidden += int(trace.spikes["lif1"].sum())
    assert (right, hidden) == (100, 106_148)
