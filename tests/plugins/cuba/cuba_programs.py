"""Random nodes of the four kinds over all their rules, and programs around them."""

import numpy as np

from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, PoolSum, Program, Readout, chain, integers
from spikequant_cuba import CubaLi, CubaLif, FixedLi, FixedLif
from spikequant_cuba.grid import RULES

OVERFLOWS = ("saturate", "symmetric", "wrap")


class Draw:
    """Fields from one generator."""

    def __init__(self, seed, rounding=None):
        self.rng = np.random.default_rng(seed)
        self.rounding = rounding

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices):
        return choices[self.number(0, len(choices) - 1)]

    def constant(self, shape, low, high):
        """One for the layer, each channel or each neuron."""
        size = self.one_of((), shape[:1], shape)
        return integers(self.rng.integers(low, high + 1, size))

    def cell(self, name, shape, reach, kind=None):
        """A node whose registers the inputs, up to ``reach``, fill and sometimes overflow."""
        kind = kind or self.one_of(FixedLif, FixedLi, CubaLif, CubaLi)
        p = self.number(0, 12)
        top = 1 << p
        u_bits = self.number(4, 14)
        shift = self.number(u_bits - reach.bit_length() - 4, u_bits - reach.bit_length())
        fields = {
            "u_bits": u_bits,
            "decay": self.one_of(integers(top), self.constant(shape, top // 2, top)),
            "decay_bits": p,
            "rounding": self.rounding or self.one_of(*RULES),
            "seed": self.number(-9, 9),
            "overflow": self.one_of(*OVERFLOWS),
            "input_shift": shift,
            "bias": self.one_of(None, self.constant(shape, -3, 3)),
            "v_min": self.one_of(None, None, self.constant(shape, -(1 << (u_bits - 2)), 1)),
        }
        if kind in (CubaLif, CubaLi):
            i_bits = self.number(4, 14)
            fields["input_shift"] = i_bits - reach.bit_length() - self.number(0, 3)
            fields |= {
                "i_bits": i_bits,
                "i_decay": self.constant(shape, top // 4, top),
                "i_shift": u_bits - i_bits - self.number(0, 2),
                "order": self.one_of("current_first", "potential_first"),
            }
        if kind in (FixedLif, CubaLif):
            most = self.one_of(1, 1, 2, 3, 255)
            reset = self.one_of("zero", "subtract", "value")
            fields |= {
                "theta": self.constant(shape, 1, 1 << (u_bits - 2)),
                "reset": reset,
                "reset_delay": self.number(0, 1),
                "most_spikes": most,
            }
            if reset == "value":
                fields["reset_value"] = self.constant(shape, -5, 5)
        return kind(name, **fields)

    def codes(self, *shape):
        return self.rng.integers(-8, 8, shape)


def dense_program(draw, kind=None, timesteps=9):
    """Two layers with a recurrent edge around the second, and a readout; returns it with its spikes' names."""
    first = draw.cell("first", (6,), 60, kind)
    reach = int(max(abs(v) for v in first.emitted_limits)) * 50
    nodes = (
        Input("input", (5,), bits=3, coding="per_step"),
        Dense("fc1", draw.codes(6, 5), bits=4),
        first,
        Dense("fc2", draw.codes(4, 6), bits=4),
        Add("sum"),
        draw.cell("second", (4,), reach),
        Dense("back", draw.codes(4, 4), bits=4),
        Readout("readout"),
    )
    edges = [
        Edge(a, b)
        for a, b in zip(("input", "fc1", "first", "fc2", "sum"), ("fc1", "first", "fc2", "sum", "second"), strict=True)
    ]
    edges += [Edge("second", "back", delayed=True), Edge("back", "sum"), Edge("second", "readout")]
    return Program(nodes, tuple(edges), timesteps)


def image_program(draw, timesteps=7):
    """A strided convolution, summed windows, and a dense layer."""
    first = draw.cell("first", (3, 4, 3), 200)
    reach = int(max(abs(v) for v in first.emitted_limits)) * 4
    return chain(
        [
            Input("input", (2, 7, 6), bits=4, signed=True, coding="per_step"),
            Conv2d("conv", draw.codes(3, 2, 3, 3), bits=4, stride=(2, 2), padding=(1, 1)),
            first,
            PoolSum("pool", (2, 2), (1, 1)),
            draw.cell("second", (3, 3, 2), reach),
            Flatten("flat"),
            Dense("fc", draw.codes(4, 18), bits=4),
            Readout("readout"),
        ],
        timesteps=timesteps,
    )


def drive(program, seed, batch=3):
    rng = np.random.default_rng(seed)
    low, high = program.input.limits
    shape = (program.timesteps, batch, *program.input.shape)
    return rng.integers(low, high + 1, shape) * (rng.random(shape) < 0.6)
