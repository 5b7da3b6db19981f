"""What a random program may contain."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant.program.nodes import Coding, LeakOrder, LeakRounding, OverflowRule

ALL_KINDS = ("dense", "conv2d", "pool_or", "pool_sum", "add", "lateral", "concat", "flatten", "lif", "readout")


@dataclass(frozen=True)
class Limits:
    """Bounds of a random program; the defaults cover the whole semantics at small sizes.

    Attributes:
        timesteps: Most timesteps.
        blocks: Most blocks of operators and neurons after one another.
        features: Most features of a flat value, or channels of an image.
        side: Most rows and columns of an input image.
        kinds: Node kinds that may appear (``input`` always does; flat without ``conv2d``).
        recurrent: Whether edges may be delayed.
        inputs: Most input nodes.
        input_bits: Widths of the inputs; 1 means spikes.
        signed: Whether inputs may be signed.
        codings: How inputs are shown.
        code_bits: Widths of the weights' codes.
        unsigned: Whether codes may be unsigned.
        bias: Whether weights and neurons may have a bias.
        u_bits: Widest potential.
        leaks: Kinds of leak: ``none``, ``shift``, ``multiply``.
        shifts: Largest shift of a leak.
        roundings: How a leak rounds.
        orders: When it acts.
        resets: Kinds of reset: ``zero``, ``subtract``, ``value``.
        overflows: What a full register does.
        per_neuron: Whether constants may differ within a channel.
    """

    timesteps: int = 8
    blocks: int = 3
    features: int = 9
    side: int = 7
    kinds: tuple[str, ...] = ALL_KINDS
    recurrent: bool = True
    inputs: int = 2
    input_bits: tuple[int, ...] = (1, 2, 4, 8, 12)
    signed: bool = True
    codings: tuple[Coding, ...] = ("direct", "per_step")
    code_bits: tuple[int, ...] = (4, 2, 3, 5, 6, 7, 8, 12, 16)
    unsigned: bool = True
    bias: bool = True
    u_bits: int = 24
    leaks: tuple[str, ...] = ("shift", "none", "multiply")
    shifts: int = 5
    roundings: tuple[LeakRounding, ...] = ("floor", "toward_zero", "nearest")
    orders: tuple[LeakOrder, ...] = ("leak_on_read", "leak_on_store")
    resets: tuple[str, ...] = ("zero", "subtract", "value")
    overflows: tuple[OverflowRule, ...] = ("symmetric", "saturate", "wrap")
    per_neuron: bool = True


def plain() -> Limits:
    """Return limits that simple accelerators accept too: chains of MINT's neurons on one input."""
    return Limits(
        kinds=("dense", "conv2d", "pool_or", "flatten", "lif", "readout"),
        recurrent=False,
        inputs=1,
        input_bits=(1, 8),
        signed=False,
        code_bits=(8, 4, 2),
        unsigned=False,
        u_bits=8,
        leaks=("shift",),
        shifts=1,
        roundings=("floor",),
        orders=("leak_on_read",),
        resets=("zero",),
        overflows=("symmetric",),
        per_neuron=False,
    )
