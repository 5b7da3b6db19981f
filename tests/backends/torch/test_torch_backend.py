"""What the torch backend says about itself, and how it splits work."""

import re

import numpy as np
import pytest
import torch

from spikequant import counting
from spikequant.errors import BackendError, PluginError, UsageError
from spikequant.program import Add, Dense, Edge, Input, Lif, Program, Readout, chain
from spikequant.registry import registry
from spikequant_torch.backend import TorchBackend
from spikequant_torch.device import check_device
from spikequant_torch.executable import chunk_size
from spikequant_torch.groups import groups
from spikequant_torch.tally import set_bits


def test_a_batch_of_none():
    message = "^backend 'torch': batch is 0; it must be at least 1, or none to choose by itself$"
    with pytest.raises(UsageError, match=message):
        TorchBackend(batch=0)


def test_a_device_that_is_none():
    with pytest.raises(UsageError, match=r"^backend 'torch': device is 'abacus'; use 'cpu', 'cuda' or 'cuda:0'$"):
        TorchBackend("abacus")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch": 1.5}, "option 'batch' is 1.5; it must be a whole number or none"),
        ({"batch": True}, "option 'batch' is true; it must be a whole number or none"),
        ({"device": None}, "option 'device' is null; it must be a text"),
        ({"device": [1]}, "option 'device' is [1]; it must be a text"),
        ({"device": "abacus"}, "device is 'abacus'; use 'cpu', 'cuda' or 'cuda:0'"),
    ],
)
def test_options_from_the_command_line_are_checked(options, text):
    with pytest.raises(PluginError, match=rf"^backend 'torch'.*{re.escape(text)}$"):
        registry().make("backend", "torch", options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_here():
    backend = TorchBackend("cuda")
    assert not backend.availability().ready
    program = chain([Input("input", (2,)), Lif("lif")], timesteps=1)
    with pytest.raises(BackendError, match=r"(?s)^torch cannot compute on device 'cuda': .*; use device='cpu'$"):
        backend.compile(program)


def test_a_device_that_adds_inexactly_is_found_out(monkeypatch):
    """A conv rounded as bfloat16 would round it does not pass."""
    exact = torch.nn.functional.conv2d
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda *a: exact(*a).bfloat16().float())
    message = (
        "^torch on device 'cpu' does not add integers exactly in float32, so its runs would not be"
        " the oracle's; use device='cpu'$"
    )
    with pytest.raises(BackendError, match=message):
        check_device.__wrapped__(torch.device("cpu"))


def test_only_cycles_step_through_time():
    nodes = (
        Input("input", (2,), bits=1),
        Lif("first"),
        Dense("late", np.ones((2, 2), int)),
        Add("sum"),
        Lif("loop"),
        Readout("readout"),
    )
    edges = (
        Edge("input", "first"),
        Edge("first", "late", delayed=True),
        Edge("late", "sum"),
        Edge("loop", "sum", delayed=True),
        Edge("sum", "loop"),
        Edge("loop", "readout"),
    )
    found = [([node.name for node in g.nodes], g.cyclic) for g in groups(Program(nodes, edges, 3))]
    assert found == [
        (["input"], False),
        (["first"], False),
        (["late"], False),
        (["sum", "loop"], True),
        (["readout"], False),
    ]


def test_a_neuron_that_feeds_itself_is_a_cycle():
    nodes = (Input("input", (2,), bits=1), Add("sum"), Lif("loop"))
    edges = (Edge("input", "sum"), Edge("sum", "loop"), Edge("loop", "sum", delayed=True))
    assert [g.cyclic for g in groups(Program(nodes, edges, 3))] == [False, True]


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 24, 31, 33, 52])
def test_set_bits_are_those_of_the_closed_form(bits):
    rng = np.random.default_rng(bits)
    values = np.concatenate([rng.integers(-(1 << bits) + 1, 1 << bits, 50), [0, (1 << bits) - 1, 1 - (1 << bits)]])
    assert np.array_equal(set_bits(torch.tensor(values, dtype=torch.float64), bits).numpy(), counting.set_bits(values))


def test_chunks_hold_about_as_much_for_every_shape():
    wide = chain([Input("input", (64, 32, 32), bits=1, coding="per_step"), Lif("lif")], timesteps=4)
    assert chunk_size(wide) == 4
    assert chunk_size(chain([Input("input", (2,), bits=1), Lif("lif")], timesteps=1)) == 4096


def test_an_unrecorded_run_keeps_no_spikes():
    program = chain([Input("input", (2,)), Lif("lif"), Dense("fc", np.ones((3, 2), int)), Readout("out")], timesteps=2)
    trace = TorchBackend().compile(program).run(np.array([[1, 2]]), record=False)
    assert (dict(trace.spikes), dict(trace.potentials), list(trace.outputs)) == ({}, {}, ["out"])
    assert trace.counts.nodes["lif"].fires == 4
