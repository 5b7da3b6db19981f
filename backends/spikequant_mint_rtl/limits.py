"""What the core cannot run, node by node: what the node needs and where the limit is."""

from __future__ import annotations

from dataclasses import dataclass

from spikequant.program import (
    Add,
    Conv2d,
    Flatten,
    Input,
    IntArray,
    Lif,
    Node,
    Pool,
    Program,
    Readout,
    Weighted,
)
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_mint_rtl.buffers import Buffers
from spikequant_mint_rtl.layer import ACC_WIDTHS, WEIGHT_WIDTHS, Layer, Taps, code_bits, per_output
from spikequant_mint_rtl.schedule import FitError, plan_layer
from spikequant_mint_rtl.widths import acc_bits_needed, signed_width, sum_limits
from spikequant_mint_rtl.wiring import WiringError, layer_of

MAX_INPUT_BITS = 8
MAX_POTENTIAL_BITS = 16
MAX_SHIFT = 15
MAX_COUNT = (1 << 16) - 1
MAX_FRACTION = 31
SCALE_TOP = (1 << 31) - 1


@dataclass(frozen=True)
class Limits:
    """What a backend with these memories and lanes refuses.

    Attributes:
        buffers: Sizes of the core's memories.
        uq: Whether all layers run on the baseline's lanes.
    """

    buffers: Buffers
    uq: bool = False

    def refusal(self, program: Program, node: Node) -> str | None:
        """Return why the core cannot run ``node``, or None."""
        if any(edge.delayed for edge in program.edges if node.name in (edge.source, edge.target)):
            return "has a delayed (recurrent) edge, and the core runs a layer's timesteps one after the other"
        if program.timesteps > MAX_COUNT:
            return f"runs {program.timesteps} timesteps, and the core counts to {MAX_COUNT}"
        if isinstance(node, Input):
            return _input(node)
        if isinstance(node, (Lif, ScaledLif, Readout)):
            return self._neuron(program, node)
        return _weighted(program, node) or self._within(program, node)

    def _neuron(self, program: Program, node: Lif | ScaledLif | Readout) -> str | None:
        reason = None
        if isinstance(node, Lif):
            reason = _lif(program, node) or (_baseline(node) if self.uq else None)
        elif isinstance(node, ScaledLif):
            reason = _scaled(program, node)
        if reason is not None:
            return reason
        try:
            layer = layer_of(program, node)
        except (WiringError, ValueError) as error:
            blamed = error.node if isinstance(error, WiringError) else None
            if isinstance(blamed, (Input, Lif, ScaledLif)) and isinstance(error, WiringError):
                return f"is right behind '{blamed.name}' ({blamed.kind}), which {error.reason}"
            return str(error) if blamed is node else None  # the node at fault is refused itself
        if _others_refused(program, layer):
            return None
        return self._capacity(program, layer)

    def _within(self, program: Program, node: Node) -> str | None:
        """Return what is wrong with a node between neurons: its wiring, as seen from the neurons it feeds."""
        for neuron in program.order:
            if not isinstance(neuron, (Lif, ScaledLif, Readout)) or any(
                edge.delayed for edge in program.inputs_of(neuron.name)
            ):
                continue
            try:
                layer_of(program, neuron)
            except WiringError as error:
                if error.node is node:
                    return error.reason
            except ValueError:
                continue
        if not any(edge.source == node.name for edge in program.edges):
            return f"feeds nothing, and the core runs a {node.kind} together with the neurons behind it"
        return None

    def _capacity(self, program: Program, layer: Layer) -> str | None:
        """Widths, memories and loop counters."""
        uq = self.uq or layer.scaled
        needed = acc_bits_needed(program, layer, uq=uq)
        if needed > ACC_WIDTHS[-1]:
            what = "sums over all timesteps" if layer.readout else "H, theta and bias"
            return f"needs {needed} bits for its {what}, and the core's registers have at most {ACC_WIDTHS[-1]}"
        if uq and not layer.readout and (reason := _scaled_width(layer)):
            return reason
        sizes = [*layer.out_shape, *layer.pool]
        for part in layer.taps:
            sizes += [*part.stored, *part.codes.shape, *part.stride, *part.padding, *part.window, *part.window_stride]
        if max(sizes) > MAX_COUNT:
            return f"has a size of {max(sizes)}, and the core counts to {MAX_COUNT}"
        try:
            plan_layer(layer, self.buffers, layer.weight_bits, ACC_WIDTHS[-1])
        except FitError as error:
            return str(error)
        return None


def _input(node: Input) -> str | None:
    if node.signed:
        return "is signed, and bit-planes are unsigned; shift the input to 0 or more and fold the offset into the bias"
    if node.bits > MAX_INPUT_BITS:
        return f"has {node.bits} bits, and the core takes 1..{MAX_INPUT_BITS} bit-planes"
    if len(node.shape) not in (1, 3):
        return f"has shape {node.shape}, and the core takes (features,) or (channels, height, width)"
    return None


def _others_refused(program: Program, layer: Layer) -> bool:
    """Whether a node of the layer is refused by itself, so that the neurons need not be."""
    return any(
        _weighted(program, part.node) is not None
        or (isinstance(part, Taps) and isinstance(part.source, Input) and _input(part.source) is not None)
        for part in layer.parts
        if part.node is not None
    )


def _weighted(program: Program, node: Node) -> str | None:
    if not isinstance(node, Weighted):
        return None if isinstance(node, (Add, Flatten, Pool)) else f"is a {node.kind}"
    depthwise = isinstance(node, Conv2d) and node.groups != 1
    if not depthwise and code_bits(node) > WEIGHT_WIDTHS[-1]:
        own = f"codes of {node.bits} bits" if node.signed else f"unsigned codes up to {node.codes.max()}"
        return (
            f"has {own}, and the core's widest weights have {WEIGHT_WIDTHS[-1]}{'' if node.signed else ' bits, signed'}"
        )
    if isinstance(node, Conv2d) and node.dilation != (1, 1):
        return f"has dilation {node.dilation}, and the core's address generator steps by one (dilation = (1, 1))"
    if node.bias is not None:
        widest = max(abs(int(node.bias.min())), abs(int(node.bias.max()))).bit_length() + 1
        if widest > ACC_WIDTHS[-1]:
            return f"has a bias of {widest} bits, and the core's accumulators have at most {ACC_WIDTHS[-1]}"
    if program.acc_bits(node.name) > ACC_WIDTHS[-1]:
        low, high = program.ranges[node.name]
        return f"accumulates {low}..{high}, and the core's accumulators have at most {ACC_WIDTHS[-1]} bits"
    return None


def _lif(program: Program, node: Lif) -> str | None:
    leak, shifts = node.leak, node.leak.kind == "shift"
    rules = (
        (
            type(node) is not Lif,
            f"is a {type(node).__name__} with a step of its own, and the core computes the step of Lif only",
        ),
        (
            leak.kind == "multiply",
            f"leaks by the factor {leak.multiplier}/2^{leak.shift}, and the core only shifts (leak kind shift or none)",
        ),
        (
            shifts and leak.rounding == "nearest",
            "rounds its leak to nearest, and the core rounds floor or toward_zero",
        ),
        (
            shifts and leak.shift > MAX_SHIFT,
            f"leaks by a shift of {leak.shift}, and the core shifts by 0..{MAX_SHIFT}",
        ),
        (
            node.reset.kind == "value" and node.reset.value != 0,
            f"resets to {node.reset.value}, and the core resets to zero or subtracts theta",
        ),
        (
            node.overflow != "symmetric",
            f"handles overflow by {node.overflow}, and the core saturates symmetrically (overflow symmetric)",
        ),
        (
            not 2 <= node.u_bits <= MAX_POTENTIAL_BITS,
            f"stores {node.u_bits} bits, and the core's potentials have 2..{MAX_POTENTIAL_BITS}",
        ),
    )
    for broken, reason in rules:
        if broken:
            return reason
    return _per_lane(program, node, {"theta": node.theta, "bias": node.bias})


def _baseline(node: Lif) -> str | None:
    """Rules of the baseline's lanes, which leak on read, round down and reset to zero."""
    if node.order != "leak_on_read" or node.reset.kind == "subtract":
        return f"has order {node.order} and resets to {node.reset.kind}; lanes=uq takes leak_on_read and reset zero"
    if node.leak.kind == "shift" and node.leak.rounding != "floor":
        return f"rounds its leak {node.leak.rounding}, and lanes=uq rounds floor"
    return None


def _scaled(program: Program, node: ScaledLif) -> str | None:
    rules = (
        (
            type(node) is not ScaledLif,
            f"is a {type(node).__name__} with a step of its own, and the core computes the step of ScaledLif only",
        ),
        (
            not 2 <= node.u_bits <= MAX_POTENTIAL_BITS,
            f"stores {node.u_bits} bits, and the core's potentials have 2..{MAX_POTENTIAL_BITS}",
        ),
        (
            not 0 <= node.fraction < MAX_FRACTION,
            f"has {node.fraction} fraction bits, and the core's multiplier has 0..{MAX_FRACTION - 1}",
        ),
        (
            not 0 <= node.leak_shift <= min(MAX_SHIFT, node.fraction),
            f"leaks by a shift of {node.leak_shift}, and the core shifts by 0..{min(MAX_SHIFT, node.fraction)}",
        ),
    )
    for broken, reason in rules:
        if broken:
            return reason
    return _per_lane(program, node, {"theta": node.theta, "multiplier": node.multiplier})


def _scaled_width(layer: Layer) -> str | None:
    """H, theta and the rounding's half must fit the baseline's 32 bits."""
    low, high = sum_limits(layer)
    theta, scale = layer.constants["theta"], layer.constants["scale"]
    if isinstance(layer.neuron, ScaledLif):
        h_low, h_high = layer.neuron.pre_reset_limits(low, high)
        half = (1 << layer.neuron.fraction) >> 1
        shifted = layer.neuron.potential_limits[1] << layer.neuron.fraction
    else:
        top = layer.neuron.potential_limits[1] if isinstance(layer.neuron, Lif) else 0
        h_low, h_high, half, shifted = low - top - 1, high + top, 0, 0
    worst = max(-h_low - 1, h_high + half, int(abs(theta).max()), int(scale.max()), shifted)
    if worst <= SCALE_TOP and int(scale.min()) > 0:
        return None
    return f"needs {worst.bit_length() + 1} bits for H, theta and multiplier, and the baseline's lanes have 32"


def _per_lane(program: Program, node: Node, constants: dict[str, IntArray | None]) -> str | None:
    for field, value in constants.items():
        if value is None:
            continue
        if not _fits_lanes(value, program.shapes[node.name][0]):
            return f"has a {field} per neuron that differs within a channel, and the core holds one per channel"
        width = signed_width([int(value.min()), int(value.max())])
        if width > ACC_WIDTHS[-1]:
            return f"has a {field} of {width} bits, and the core's registers have at most {ACC_WIDTHS[-1]}"
    return None


def _fits_lanes(constant: IntArray, outputs: int) -> bool:
    try:
        per_output(constant, outputs)
    except ValueError:
        return False
    return True
