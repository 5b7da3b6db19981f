"""What the core cannot run is refused by name at compile time, with the need and the limit."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import PluginError, RefusedError, UsageError
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
    PoolSum,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.registry import registry
from spikequant.testing.strangers import graded_programs
from spikequant_mint.scaled_lif import ScaledLif
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


def pooled(pool):
    """Return a program whose pool is behind neurons, and a head behind the pool."""
    nodes = [Input("x", (2, 5, 5), bits=1), Conv2d("conv", np.ones((3, 2, 1, 1), int)), Lif("l1"), pool]
    return chain([*nodes, Conv2d("last", np.ones((1, 3, 1, 1), int)), Lif("lif")], 2)


def scaled(**fields):
    return chain([Input("x", (4,)), Dense("fc", np.ones((3, 4), int)), ScaledLif("lif", **fields)], timesteps=2)


HEAD = (Flatten("flat"), Dense("fc", np.ones((3, 8), int)), Lif("lif"))
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
    "potential": (fc(u_bits=17), "lif': stores 17 bits, and the core's potentials have 2..16"),
    "theta": (
        fc(theta=np.array(1 << 40)),
        "lif': has a theta of 42 bits, and the core's registers have at most 32",
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
    "groups": (
        grouped(),
        "conv': has 2 groups, and the core broadcasts each spike to all outputs (groups = 1) or keeps it in its"
        " channel (1x1, stride 1, one group per channel)",
    ),
    "dilation": (
        conv(dilation=(2, 1)),
        "conv': has dilation (2, 1), and the core's address generator steps by one (dilation = (1, 1))",
    ),
    "no neuron": (
        chain([Input("x", (4,)), Dense("a", np.ones((3, 4), int)), Dense("b", np.ones((2, 3), int)), Lif("lif")], 2),
        "b': is fed by 'a' (dense), and the core reads spikes of a lif or an input only",
    ),
    "nothing behind": (
        Program(
            (Input("x", (4,)), Dense("a", np.ones((3, 4), int)), Dense("b", np.ones((2, 4), int)), Lif("lif")),
            (Edge("x", "a"), Edge("x", "b"), Edge("b", "lif")),
            2,
        ),
        "a': feeds nothing, and the core runs a dense together with the neurons behind it",
    ),
    "neurons behind an input": (
        chain([Input("x", (4,)), Lif("lif")], 2),
        "lif': is right behind 'x' (input), which feeds neurons without weights, and the core sums up dense, conv2d"
        " and add only",
    ),
    "sum for two": (
        Program(
            (Input("x", (4,)), Dense("a", np.ones((3, 4), int)), Lif("l1"), Lif("l2")),
            (Edge("x", "a"), Edge("a", "l1"), Edge("a", "l2")),
            2,
        ),
        "a': feeds 'l1' (lif), 'l2' (lif), and the core sums it up for exactly one lif, readout or add",
    ),
    "pooled input": (
        chain([Input("x", (2, 4, 4), bits=1), PoolOr("pool"), *HEAD], 2),
        "pool': is fed by 'x' (input), and the core pools spikes where lif writes them",
    ),
    "padded pool_sum": (
        chain([Input("x", (2, 3, 3), bits=1), PoolSum("pool", padding=(1, 1)), *HEAD], 2),
        "pool': pads, and the core sums each window of a map once, without padding",
    ),
    "pool_sum of pool_sum": (
        chain([Input("x", (2, 8, 8), bits=1), PoolSum("p1"), PoolSum("p2"), *HEAD], 2),
        "p1': feeds another pool_sum, and the core sums each window of a map once, without padding",
    ),
    "overlapping pool_or": (
        pooled(PoolOr("pool", kernel=(3, 3), stride=(2, 2))),
        "pool': has kernel (3, 3), stride (2, 2) and padding (0, 0), and the core joins spikes of windows side by side"
        " (stride = kernel, no padding)",
    ),
    "padded pool_or": (
        pooled(PoolOr("pool", padding=(1, 1))),
        "pool': has kernel (2, 2), stride (2, 2) and padding (1, 1), and the core joins spikes of windows side by side"
        " (stride = kernel, no padding)",
    ),
    "shared pool_or": (
        Program(
            (
                *pooled(PoolOr("pool")).nodes,
                Conv2d("other", np.ones((1, 3, 1, 1), int)),
                Lif("l2"),
            ),
            (*pooled(PoolOr("pool")).edges, Edge("l1", "other"), Edge("other", "l2")),
            2,
        ),
        "pool': pools 'l1', which also feeds 'other' (conv2d); the core writes spikes once, pooled or not",
    ),
    "channel of values": (
        chain([Input("x", (2, 3, 3), bits=2), Conv2d("skip", np.ones((2, 1, 1, 1), int), groups=2), Lif("lif")], 2),
        "skip': keeps each value in its channel, and the core does so with spikes only (1 bit)",
    ),
    "timesteps": (
        chain([Input("x", (4,)), Dense("fc", np.ones((3, 4), int)), Lif("lif")], 65536),
        "x': runs 65536 timesteps, and the core counts to 65535",
    ),
    "accumulated": (
        behind(Input("x", (4,)), Dense("fc", np.ones((3, 4), int), np.full(3, (1 << 31) - 1))),
        "fc': accumulates 2147483647..2147484667, and the core's accumulators have at most 32 bits",
    ),
    "H of scaled_lif": (
        scaled(multiplier=np.array(1 << 23), fraction=4),
        "lif': needs 34 bits for H, theta and multiplier, and the baseline's lanes have 32",
    ),
    "fraction of scaled_lif": (
        scaled(fraction=31),
        "lif': has 31 fraction bits, and the core's multiplier has 0..30",
    ),
    "potential of scaled_lif": (scaled(u_bits=17), "lif': stores 17 bits, and the core's potentials have 2..16"),
    "multipliers of scaled_lif": (
        scaled(multiplier=np.array(1 << 33)),
        "lif': has a multiplier of 35 bits, and the core's registers have at most 32",
    ),
}


SMALL = {
    "kernel": (
        {"weight_bytes": 1024},
        chain([Input("x", (9,), bits=1), Dense("fc", np.ones((3, 9), int)), Lif("lif")], 2),
        "lif': needs 9 weight rows at least, and the core holds 8 (backend option weight_bytes)",
    ),
    "partial sums": (
        {"weight_bytes": 4096, "scratchpad_bytes": 64},
        chain([Input("x", (64,), bits=1, coding="per_step"), Dense("fc", np.ones((3, 64), int)), Lif("lif")], 17),
        "lif': needs 2 passes and 17 partial sums of 32 bits between them, and a scratchpad of 64 bytes holds 16"
        " (backend option scratchpad_bytes)",
    ),
    "spikes": (
        {"spike_bytes": 64},
        chain([Input("x", (9,), bits=8, coding="per_step"), Dense("fc", np.ones((3, 9), int)), Lif("lif")], 2),
        "lif': needs 18 words of spikes for a single output over all timesteps, and the core holds 16"
        " (backend option spike_bytes)",
    ),
    "order on lanes=uq": (
        {"lanes": "uq"},
        fc(order="leak_on_store"),
        "lif': has order leak_on_store and resets to zero; lanes=uq takes leak_on_read and reset zero",
    ),
    "reset on lanes=uq": (
        {"lanes": "uq"},
        fc(reset=Reset("subtract")),
        "lif': has order leak_on_read and resets to subtract; lanes=uq takes leak_on_read and reset zero",
    ),
    "rounding on lanes=uq": (
        {"lanes": "uq"},
        fc(leak=Leak.by_shift(1, "toward_zero")),
        "lif': rounds its leak toward_zero, and lanes=uq rounds floor",
    ),
}


@pytest.mark.parametrize("case", SMALL)
def test_refusal_names_the_option_that_sets_the_limit(case):
    options, program, text = SMALL[case]
    message = f"backend 'mint_rtl' refuses the program: node '{text}"
    with pytest.raises(RefusedError, match=f"^{re.escape(message)}$"):
        MintRtlBackend(**options).compile(program)


def test_one_step_less_of_each_limit_is_accepted():
    """The limits above are where the refusals say they are."""
    at_limit = [
        (SMALL["kernel"][0], chain([Input("x", (8,), bits=1), Dense("fc", np.ones((3, 8), int)), Lif("lif")], 2)),
        (SMALL["partial sums"][0], replace(SMALL["partial sums"][1], timesteps=16)),
        (SMALL["spikes"][0], chain([Input("x", (32,), bits=8), Dense("fc", np.ones((3, 32), int)), Lif("lif")], 8)),
        ({}, fc(u_bits=16)),
        ({}, fc(leak=Leak.by_shift(15))),
        ({}, scaled(fraction=30, multiplier=np.array(1), u_bits=2, theta=np.array(9))),
    ]
    for options, program in at_limit:
        assert MintRtlBackend(**options).refusals(program) == {}


def test_every_node_at_fault_is_named():
    program = chain(
        [
            Input("x", (4,), signed=True),
            Dense("fc", np.ones((3, 4), int), bits=12),
            Lif("lif", u_bits=17),
            Dense("fc2", np.ones((3, 3), int)),
            Readout("out"),
        ],
        2,
    )
    assert list(MintRtlBackend().refusals(program)) == ["x", "fc", "lif"]


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
    assert reasons["lif"].startswith("has a delayed (recurrent) edge")
    assert set(reasons) == {"back", "lif"}


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
        ({"weight_bytes": "many"}, "option 'weight_bytes' is \"many\"; it must be a whole number"),
    ],
)
def test_options_of_another_type_are_refused(options, text):
    with pytest.raises(PluginError, match=rf"^backend 'mint_rtl': {re.escape(text)}$"):
        registry().make("backend", "mint_rtl", options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lanes": "qu"}, "backend 'mint_rtl': lanes is 'qu'; it must be one of mint, uq"),
        ({"driver": "vcs"}, "backend 'mint_rtl': driver is 'vcs'; it must be one of verilator, pyverilator"),
        ({"weight_bytes": 1023}, "weight_bytes is 1023; it must lie between 1024 and 2**26"),
        ({"spike_bytes": 96}, "spike_bytes is 96; it must be a power of two between 64 and 2**24"),
        ({"spike_bytes": 0}, "spike_bytes is 0; it must be a power of two between 64 and 2**24"),
        ({"scratchpad_bytes": 8}, "scratchpad_bytes is 8; it must lie between 16 and 2**20"),
    ],
)
def test_options_out_of_range_are_refused(options, text):
    with pytest.raises(UsageError, match=f"^{re.escape(text)}$"):
        MintRtlBackend(**options)


def test_a_text_is_the_path_of_the_cache(tmp_path):
    assert registry().make("backend", "mint_rtl", {"cache": str(tmp_path)}).cache == Path(tmp_path)


@pytest.mark.parametrize("program", graded_programs().values(), ids=graded_programs())
def test_neurons_that_put_out_values_are_refused_by_name(program):
    assert MintRtlBackend().refusals(program)["cell"].startswith("kind gauge is not supported (mint_rtl runs ")
