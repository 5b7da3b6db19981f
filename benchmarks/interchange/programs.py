"""Small integer programs, one for each thing that may get lost on the way into another tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Leak,
    Lif,
    Node,
    PoolSum,
    Program,
    Reset,
    chain,
)
from spikequant_cuba import CubaLif, FixedLif

T = 20
"""Timesteps of every program."""

HALF = Leak.by_shift(1)


def _lif(name: str, theta: int = 9, u_bits: int = 16, reset: str = "zero", leak: Leak = HALF, **fields: object) -> Lif:
    return Lif(name, u_bits=u_bits, theta=np.array(theta), leak=leak, reset=Reset(reset), **fields)  # type: ignore[arg-type]


def _mlp(seed: int, neuron: Callable[[str], Node], bias: bool = False) -> Program:
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [Input("x", (20,), 1, coding="per_step")]
    for i, (n, m) in enumerate(((24, 20), (10, 24)), 1):
        offsets = rng.integers(-3, 4, n) if bias else None
        nodes += [Dense(f"fc{i}", rng.integers(-7, 8, (n, m)), offsets, 4), neuron(f"lif{i}")]
    return chain(nodes, T)


def _counting(name: str) -> FixedLif:
    """Sinabs's IF: as many spikes as thresholds, none of the potential below minus one threshold."""
    theta = np.array(9)
    rule = {"reset": "subtract", "most_spikes": 255, "v_min": np.array(-9)}
    return FixedLif(name, u_bits=16, decay=np.array(1), decay_bits=0, theta=theta, **rule)  # type: ignore[arg-type]


def _cuba(seed: int, reset: str) -> Program:
    """Weights with 10 fraction bits, so that rounding does not decide a spike."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = [Input("x", (20,), 1, coding="per_step")]
    half = {"decay": np.array(1), "i_decay": np.array(1), "decay_bits": 1, "reset": reset}
    for i, (n, m) in enumerate(((24, 20), (10, 24)), 1):
        nodes.append(Dense(f"fc{i}", rng.integers(-7, 8, (n, m)) << 10, bits=16))
        nodes.append(CubaLif(f"lif{i}", u_bits=24, i_bits=24, theta=np.array(20 << 10), **half))  # type: ignore[arg-type]
    return chain(nodes, T)


def _conv(seed: int, neuron: Callable[[str], Node]) -> Program:
    rng = np.random.default_rng(seed)
    return chain(
        [
            Input("x", (2, 8, 8), 1, coding="per_step"),
            Conv2d("conv1", rng.integers(-7, 8, (4, 2, 3, 3)), bits=4, padding=(1, 1)),
            neuron("lif1"),
            PoolSum("pool"),
            Conv2d("conv2", rng.integers(-7, 8, (4, 4, 3, 3)), bits=4, stride=(2, 2), padding=(1, 1)),
            neuron("lif2"),
            Flatten("flat"),
            Dense("fc", rng.integers(-7, 8, (5, 16)), bits=4),
            neuron("lif3"),
        ],
        T,
    )


def _recurrent(seed: int) -> Program:
    rng = np.random.default_rng(seed)
    nodes = (
        Input("x", (20,), 1, coding="per_step"),
        Dense("fc1", rng.integers(-7, 8, (12, 20)), bits=4),
        Dense("w_rec", rng.integers(-7, 8, (12, 12)), rng.integers(-3, 4, 12), bits=4),
        Add("sum"),
        _lif("lif1"),
        Dense("fc2", rng.integers(-7, 8, (5, 12)), bits=4),
        _lif("lif2"),
    )
    pairs = (("x", "fc1"), ("fc1", "sum"), ("w_rec", "sum"), ("sum", "lif1"), ("lif1", "fc2"), ("fc2", "lif2"))
    edges = (*(Edge(*pair) for pair in pairs), Edge("lif1", "w_rec", delayed=True))
    return Program(nodes, edges, T)


def _residual(seed: int) -> Program:
    rng = np.random.default_rng(seed)
    nodes = (
        Input("x", (20,), 1, coding="per_step"),
        Dense("fc1", rng.integers(-7, 8, (12, 20)), bits=4),
        _lif("lif1"),
        Dense("fc2", rng.integers(-7, 8, (12, 12)), bits=4),
        Dense("skip", rng.integers(-7, 8, (12, 20)), bits=4),
        Add("sum"),
        _lif("lif2"),
    )
    pairs = (("x", "fc1"), ("fc1", "lif1"), ("lif1", "fc2"), ("x", "skip"), ("fc2", "sum"), ("skip", "sum"))
    return Program(nodes, (*(Edge(*pair) for pair in pairs), Edge("sum", "lif2")), T)


PROGRAMS: Mapping[str, Callable[[], Program]] = {
    "LIF, leak 1/2, reset to zero": lambda: _mlp(1, _lif),
    "the same, clamp acting (4 bits)": lambda: _mlp(2, lambda name: _lif(name, u_bits=4, theta=5)),
    "LIF, bias in the layer": lambda: _mlp(3, _lif, bias=True),
    "LIF with a bias of its own (v_leak)": lambda: _mlp(4, lambda name: _lif(name, bias=np.array(1))),
    "LIF, leak 3/4": lambda: _mlp(5, lambda name: _lif(name, leak=Leak("multiply", 2, 3, "nearest"))),
    "LIF, subtractive reset": lambda: _mlp(6, lambda name: _lif(name, reset="subtract")),
    "IF, reset to zero": lambda: _mlp(7, lambda name: _lif(name, leak=Leak())),
    "IF, subtractive reset": lambda: _mlp(8, lambda name: _lif(name, reset="subtract", leak=Leak())),
    "conv and sum pooling": lambda: _conv(9, _lif),
    "recurrent LIF": lambda: _recurrent(10),
    "two branches summed": lambda: _residual(11),
    "CubaLIF, both leaks 1/2": lambda: _cuba(12, "zero"),
    "CubaLIF, subtractive reset": lambda: _cuba(13, "subtract"),
    "IF, several spikes a step, floor at -theta": lambda: _mlp(14, _counting),
    "conv and sum pooling, the same IF": lambda: _conv(15, _counting),
}
