"""What the core cannot run, node by node: what the node needs and where the limit is."""

from __future__ import annotations

from spikequant.program import Conv2d, Flatten, Input, IntArray, Lif, Node, Program, Readout, Weighted
from spikequant_mint_rtl.layer import ACC_WIDTHS, WEIGHT_WIDTHS, code_bits, layer_of, per_output, source_behind

MAX_INPUT_BITS = 8
MAX_POTENTIAL_BITS = 16
MAX_SHIFT = 15
MAX_COUNT = (1 << 16) - 1
WEIGHT_DEPTHS = (14, 16)
SPIKE_DEPTHS = (16, 18, 20, 22)


def refusal(program: Program, node: Node) -> str | None:
    """Return why the core cannot run ``node``, or None."""
    if any(edge.delayed for edge in program.edges if node.name in (edge.source, edge.target)):
        return "has a delayed (recurrent) edge, and the core runs a layer's timesteps one after the other"
    if program.timesteps > MAX_COUNT:
        return f"runs {program.timesteps} timesteps, and the core counts to {MAX_COUNT}"
    if isinstance(node, Input):
        return _input(node)
    if isinstance(node, Flatten):
        return _behind(program, node, (Input, Lif, Flatten), "input, lif or flatten")
    if isinstance(node, Weighted):
        return _wiring(program, node) or _weighted(program, node) or _capacity(program, node)
    reason = _behind(program, node, (Weighted,), "dense or conv2d")
    if reason is None and isinstance(node, Readout):
        reason = _readout(program, node)
    elif reason is None and isinstance(node, Lif):
        reason = _lif(program, node)
    return reason


def acc_bits_needed(program: Program, neuron: Lif | Readout) -> int:
    """Accumulator width of a layer: its sums, H, theta, H - theta and bias, two's complement."""
    values = [*program.ranges[program.source_of(neuron.name).name]]
    if isinstance(neuron, Readout):
        values += program.ranges[neuron.name]
    else:
        h = neuron.pre_reset_limits(values[0], values[1])
        theta = int(neuron.theta.min()), int(neuron.theta.max())
        values += [*h, *theta]
        if neuron.reset.kind == "subtract":
            values += [h[1] - theta[0]]
        top = (1 << (neuron.u_bits - 1)) - 1
        values += [top + 1, -top - 1]
        if neuron.bias is not None:
            values += [int(neuron.bias.min()), int(neuron.bias.max())]
    return max(value.bit_length() if value >= 0 else (-value - 1).bit_length() for value in values) + 1


def _input(node: Input) -> str | None:
    if node.signed:
        return "is signed, and bit-planes are unsigned; shift the input to 0 or more and fold the offset into the bias"
    if node.bits > MAX_INPUT_BITS:
        return f"has {node.bits} bits, and the core takes 1..{MAX_INPUT_BITS} bit-planes"
    if len(node.shape) not in (1, 3):
        return f"has shape {node.shape}, and the core takes (features,) or (channels, height, width)"
    return None


def _behind(program: Program, node: Node, kinds: tuple[type[Node], ...], words: str) -> str | None:
    source = program.source_of(node.name)
    if isinstance(source, kinds):
        return None
    return f"is fed by '{source.name}' ({source.kind}), and here a {node.kind} must be fed by {words}"


def _wiring(program: Program, node: Weighted) -> str | None:
    if reason := _behind(program, node, (Input, Lif, Flatten), "input, lif or flatten"):
        return reason
    source = source_behind(program, node.name)
    if not isinstance(source, (Input, Lif)):
        return f"is fed by '{source.name}' ({source.kind}), and here a {node.kind} must be fed by input or lif"
    targets = [program.by_name[edge.target] for edge in program.edges if edge.source == node.name]
    if len(targets) != 1 or not isinstance(targets[0], (Lif, Readout)):
        fed = ", ".join(f"'{target.name}' ({target.kind})" for target in targets) or "nothing"
        return f"feeds {fed}, and the core runs it together with exactly one lif or readout"
    return None


def _weighted(program: Program, node: Weighted) -> str | None:
    if code_bits(node) > WEIGHT_WIDTHS[-1]:
        own = f"codes of {node.bits} bits" if node.signed else f"unsigned codes up to {node.codes.max()}"
        return (
            f"has {own}, and the core's widest weights have {WEIGHT_WIDTHS[-1]}{'' if node.signed else ' bits, signed'}"
        )
    if isinstance(node, Conv2d):
        if node.groups != 1:
            return f"has {node.groups} groups, and the core broadcasts each spike to all outputs (groups = 1)"
        if node.dilation != (1, 1):
            return f"has dilation {node.dilation}, and the core's address generator steps by one (dilation = (1, 1))"
    if node.bias is not None:
        widest = max(abs(int(node.bias.min())), abs(int(node.bias.max()))).bit_length() + 1
        if widest > ACC_WIDTHS[-1]:
            return f"has a bias of {widest} bits, and the core's accumulators have at most {ACC_WIDTHS[-1]}"
    if program.acc_bits(node.name) > ACC_WIDTHS[-1]:
        low, high = program.ranges[node.name]
        return f"accumulates {low}..{high}, and the core's accumulators have at most {ACC_WIDTHS[-1]} bits"
    return None


def _capacity(program: Program, node: Weighted) -> str | None:
    """Memories and loop counters."""
    (target,) = (program.by_name[edge.target] for edge in program.edges if edge.source == node.name)
    source = source_behind(program, node.name)
    if not isinstance(target, (Lif, Readout)) or (isinstance(source, Input) and _input(source)):
        return None
    layer = layer_of(program, target)
    if layer.tile_rows > 1 << WEIGHT_DEPTHS[-1]:
        return f"has {layer.tile_rows} inputs per output, and the core holds {1 << WEIGHT_DEPTHS[-1]} weight rows"
    words = layer.source_words + layer.destination_words
    if words > 1 << SPIKE_DEPTHS[-1]:
        return f"moves {words} words of spikes per sample, and the core holds {1 << SPIKE_DEPTHS[-1]}"
    sizes = (*layer.in_shape, *layer.out_shape, *layer.codes.shape[2:], *layer.stride, *layer.padding)
    if max(sizes) > MAX_COUNT:
        return f"has a size of {max(sizes)}, and the core counts to {MAX_COUNT}"
    return None


def _readout(program: Program, node: Readout) -> str | None:
    source = source_behind(program, program.source_of(node.name).name)
    if isinstance(source, Input) and source.bits > 1:
        return (
            f"sums what input '{source.name}' of {source.bits} bits feeds it, and the core keeps a readout's"
            " accumulators only over spikes (1 bit), since bit-planes double them"
        )
    return _too_wide(program, node)


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
            node.reset.kind == "value",
            f"resets to {node.reset.value}, and the core resets to zero or subtracts theta",
        ),
        (
            node.overflow != "symmetric",
            f"handles overflow by {node.overflow}, and the core saturates symmetrically (overflow symmetric)",
        ),
        (
            node.u_bits > MAX_POTENTIAL_BITS,
            f"stores {node.u_bits} bits, and the core's widest potential has {MAX_POTENTIAL_BITS}",
        ),
    )
    for broken, reason in rules:
        if broken:
            return reason
    for field, value in (("theta", node.theta), ("bias", node.bias)):
        if value is not None and not _fits_lanes(value, program.shapes[node.name][0]):
            return f"has a {field} per neuron that differs within a channel, and the core holds one per channel"
    return _too_wide(program, node)


def _fits_lanes(constant: IntArray, outputs: int) -> bool:
    try:
        per_output(constant, outputs)
    except ValueError:
        return False
    return True


def _too_wide(program: Program, node: Lif | Readout) -> str | None:
    needed = acc_bits_needed(program, node)
    if needed <= ACC_WIDTHS[-1]:
        return None
    what = "sums over all timesteps" if isinstance(node, Readout) else "H, theta and bias"
    return f"needs {needed} bits for its {what}, and the core's registers have at most {ACC_WIDTHS[-1]}"
