"""What the core cannot run is refused by name at compile time, with the need and the limit."""

import re
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import PluginError, RefusedError
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    PoolOr,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.registry import registry
from spikequant_mint_rtl.backend import MintRtlBackend


def fc(**fields):
    return chain([Input("x", (4,)), Dense("fc", np.ones((3, 4), int)), Lif("lif", **fields)], timesteps=2)


def conv(**fields):
    return chain([Input("x", (2, 4, 4)), Conv2d("conv", np.ones((2, 2, 2, 2), int), **fields), Lif("lif")], timesteps=2)


def behind(node, dense=None):
    return chain([node, dense or Dense("fc", np.ones((3, 4), int)), Lif("lif")], timesteps=2)


def grouped():
    layer = Conv2d("conv", np.ones((2, 1, 2, 2), int), groups=2)
    return chain([Input("x", (2, 4, 4)), layer, Lif("lif")], timesteps=2)


REFUSED = {
    "leak multiply": (
        fc(leak=Leak("multiply", 4, 15)),
        "lif': leaks by the factor 15/2^4, and the core only shifts (leak kind shift or none)",
    ),
    "leak nearest": (
        fc(leak=Leak.by_shift(1, "nearest")),
        "lif': rounds its leak to nearest, and the core rounds floor or toward_zero",
    ),
    "leak shift": (fc(leak=Leak.by_shift(16)), "lif': leaks by a shift of 16, and the core shifts by 0..15"),
    "reset value": (fc(reset=Reset("value", 3)), "lif': resets to 3, and the core resets to zero or subtracts theta"),
    "saturate": (
        fc(overflow="saturate"),
        "lif': handles overflow by saturate, and the core saturates symmetrically (overflow symmetric)",
    ),
    "wrap": (
        fc(overflow="wrap"),
        "lif': handles overflow by wrap, and the core saturates symmetrically (overflow symmetric)",
    ),
    "potential": (fc(u_bits=17), "lif': stores 17 bits, and the core's widest potential has 16"),
    "theta": (
        fc(theta=np.array(1 << 40)),
        "lif': needs 42 bits for its H, theta and bias, and the core's registers have at most 32",
    ),
    "theta per neuron": (
        chain(
            [
                Input("x", (1, 3, 3)),
                Conv2d("conv", np.ones((2, 1, 2, 2), int)),
                Lif("lif", theta=np.arange(8).reshape(2, 2, 2)),
            ],
            timesteps=2,
        ),
        "lif': has a theta per neuron that differs within a channel, and the core holds one per channel",
    ),
    "accumulator": (
        behind(Input("x", (4,)), Dense("fc", np.ones((3, 4), int), np.full(3, 1 << 40))),
        "fc': has a bias of 42 bits, and the core's accumulators have at most 32",
    ),
    "readout width": (
        chain(
            [
                Input("x", (4,), bits=1),
                Dense("fc", np.ones((3, 4), int), np.full(3, 1 << 30)),
                Readout("out"),
            ],
            timesteps=9,
        ),
        "out': needs 35 bits for its sums over all timesteps, and the core's registers have at most 32",
    ),
    "codes": (
        behind(Input("x", (4,)), Dense("fc", np.ones((3, 4), int), bits=12)),
        "fc': has codes of 12 bits, and the core's widest weights have 8",
    ),
    "unsigned codes": (
        behind(Input("x", (4,)), Dense("fc", np.full((3, 4), 128), signed=False)),
        "fc': has unsigned codes up to 128, and the core's widest weights have 8 bits, signed",
    ),
    "signed input": (
        behind(Input("x", (4,), signed=True)),
        "x': is signed, and bit-planes are unsigned; shift the input to 0 or more and fold the offset into the bias",
    ),
    "wide input": (behind(Input("x", (4,), bits=9)), "x': has 9 bits, and the core takes 1..8 bit-planes"),
    "groups": (grouped(), "conv': has 2 groups, and the core broadcasts each spike to all outputs (groups = 1)"),
    "dilation": (
        conv(dilation=(2, 1)),
        "conv': has dilation (2, 1), and the core's address generator steps by one (dilation = (1, 1))",
    ),
    "readout of pixels": (
        chain([Input("x", (4,), bits=8), Dense("fc", np.ones((3, 4), int)), Readout("out")], timesteps=2),
        "out': sums what input 'x' of 8 bits feeds it, and the core keeps a readout's accumulators only over spikes"
        " (1 bit), since bit-planes double them",
    ),
    "no neuron": (
        chain([Input("x", (4,)), Dense("a", np.ones((3, 4), int)), Dense("b", np.ones((2, 3), int)), Lif("lif")], 2),
        "a': feeds 'b' (dense), and the core runs it together with exactly one lif or readout",
    ),
    "pooling": (
        chain(
            [
                Input("x", (2, 4, 4), bits=1),
                PoolOr("pool"),
                Flatten("flat"),
                Dense("fc", np.ones((3, 8), int)),
                Lif("lif"),
            ],
            2,
        ),
        "pool': kind pool_or is not supported (mint_rtl runs conv2d, dense, flatten, input, lif, readout)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_node_need_and_limit(case):
    program, text = REFUSED[case]
    with pytest.raises(RefusedError) as refused:
        MintRtlBackend().compile(program)
    message = str(refused.value)
    assert re.match(r"backend 'mint_rtl' refuses the program: node '", message)
    assert f"node '{text}" in message


def test_recurrent_edges_are_refused():
    nodes = (
        Input("x", (4,)),
        Dense("fc", np.ones((3, 4), int)),
        Dense("back", np.ones((3, 3), int)),
        Add("sum"),
        Lif("lif"),
    )
    edges = (
        Edge("x", "fc"),
        Edge("fc", "sum"),
        Edge("back", "sum"),
        Edge("sum", "lif"),
        Edge("lif", "back", delayed=True),
    )
    reasons = MintRtlBackend().refusals(Program(nodes, edges, 2))
    assert reasons["back"].startswith("has a delayed (recurrent) edge")
    assert reasons["sum"].startswith("kind add is not supported")


def test_refusing_builds_nothing(tmp_path):
    assert MintRtlBackend(cache=tmp_path / "cache").refusals(fc()) == {}
    assert not (tmp_path / "cache").exists()


def test_a_lif_subclass_is_refused():
    class Leakier(Lif):
        pass

    program = chain([Input("x", (4,)), Dense("fc", np.ones((3, 4), int)), Leakier("lif")], timesteps=2)
    assert MintRtlBackend().refusals(program) == {
        "lif": "is a Leakier with a step of its own, and the core computes the step of Lif only"
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"zero_skip": "no"}, "option 'zero_skip' is \"no\"; it must be true or false"),
        ({"zero_skip": 5}, "option 'zero_skip' is 5; it must be true or false"),
        ({"cache": 5}, "option 'cache' is 5; it must be a path or none"),
    ],
)
def test_options_of_another_type_are_refused(options, text):
    with pytest.raises(PluginError, match=rf"^backend 'mint_rtl': {re.escape(text)}$"):
        registry().make("backend", "mint_rtl", options)


def test_a_text_is_the_path_of_the_cache(tmp_path):
    assert registry().make("backend", "mint_rtl", {"cache": str(tmp_path)}).cache == Path(tmp_path)
