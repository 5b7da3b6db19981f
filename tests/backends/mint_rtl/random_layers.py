"""Random programs of what the accelerator runs: maps, pools, shortcuts, every rule of the neuron."""

from dataclasses import dataclass

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
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Reset,
)
from spikequant_mint.scaled_lif import ScaledLif


def random_lif(rng, name, outputs, width, kinds=("lif",)):
    top = 1 << (width + 2)
    if rng.choice(list(kinds)) == "scaled_lif":
        fraction, scale = int(rng.integers(2, 9)), rng.integers(1, 200, rng.choice([1, outputs]))
        theta = rng.integers(1, (top << fraction) // 2, rng.choice([1, outputs]))
        return ScaledLif(
            name,
            u_bits=width,
            multiplier=scale,
            theta=theta,
            fraction=fraction,
            leak_shift=int(rng.integers(0, min(fraction, 3) + 1)),
        )
    theta = rng.integers(-top // 4, top, rng.choice([1, outputs]))
    return Lif(
        name,
        u_bits=width,
        theta=theta.reshape(()) if theta.size == 1 else theta,
        leak=Leak()
        if rng.random() < 0.2
        else Leak.by_shift(int(rng.integers(4)), rng.choice(["floor", "toward_zero"])),
        order=rng.choice(["leak_on_read", "leak_on_store"]),
        reset=Reset(rng.choice(["zero", "subtract"])),
        bias=rng.integers(-top // 8, top // 8, outputs) if rng.random() < 0.4 else None,
    )


def random_codes(rng, width, *shape):
    top = (1 << (width - 1)) - 1
    return np.clip(np.round(rng.normal(0, max(top / 3, 0.8), shape)), -top - 1, top).astype(np.int64)


def random_bias(rng, outputs):
    return rng.integers(-40, 40, outputs) if rng.random() < 0.5 else None


def random_input(rng, shape):
    bits = int(rng.choice([1, 1, 3, 8]))
    return Input("x", shape, bits=bits, coding=rng.choice(["direct", "per_step"]))


def random_values(rng, program, batch):
    node = program.input
    lead = (batch,) if node.coding == "direct" else (program.timesteps, batch)
    values = rng.integers(0, 1 << node.bits, (*lead, *node.shape))
    return values * (rng.random(values.shape) < rng.choice([0.1, 0.5, 1.0]))


@dataclass
class Growing:
    """A program as it grows: nodes, edges, and the last node with its shape."""

    rng: np.random.Generator
    width: int
    kinds: tuple[str, ...]

    def __post_init__(self):
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def put(self, node, *sources):
        self.nodes.append(node)
        self.edges += [Edge(source, node.name) for source in sources]
        return node.name

    def conv(self, name, source, shape, channels, kernel, stride, padding):
        codes = random_codes(self.rng, self.width, channels, shape[0], *kernel)
        bias = random_bias(self.rng, channels)
        self.put(Conv2d(name, codes, bias, bits=self.width, stride=stride, padding=padding), source)
        height, width = ((shape[1 + i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in range(2))
        return (channels, height, width)

    def lif(self, name, source, channels):
        return self.put(random_lif(self.rng, name, channels, self.width, self.kinds), source)


def random_network(rng, width, kinds=("lif",), most_channels=140, residual=True):
    """Return a program: input, convolutions with pools and residual blocks, dense or not, readout or not."""
    grow = Growing(rng, width, kinds)
    channels = int(rng.choice([1, 3, 33, 64]))
    shape = (channels, *(int(n) for n in rng.integers(3, 9, 2)))
    image = random_input(rng, shape)
    last, spiking = grow.put(image), image.bits == 1
    for block in range(int(rng.integers(1, 4))):
        small = min(shape[1:])
        kernel = tuple(int(k) for k in rng.integers(1, min(small, 3) + 1, 2))
        padding = tuple(int(rng.integers(0, k)) for k in kernel)
        stride = tuple(int(s) for s in rng.integers(1, 3, 2))
        wide = int(rng.choice([2, 32, 40, most_channels]))
        before, source = shape, last
        if spiking and residual and rng.random() < 0.5:
            last, shape = _residual(grow, f"b{block}", source, before, wide)
        else:
            if rng.random() < 0.2 and min(shape[1:]) > 3:
                pool = PoolSum(f"ps{block}", kernel=(2, 2), stride=tuple(int(s) for s in rng.integers(1, 3, 2)))
                source = grow.put(pool, source)
                shape = (shape[0], *((shape[1 + i] - 2) // pool.stride[i] + 1 for i in range(2)))
                kernel = tuple(min(k, n) for k, n in zip(kernel, shape[1:], strict=True))
                padding = tuple(min(p, k - 1) for p, k in zip(padding, kernel, strict=True))
            shape = grow.conv(f"c{block}", source, shape, wide, kernel, stride, padding)
            last = grow.lif(f"l{block}", f"c{block}", wide)
        spiking = True
        if rng.random() < 0.4 and min(shape[1:]) >= 2:
            window = tuple(int(n) for n in rng.integers(1, min(3, *shape[1:]) + 1, 2))
            last = grow.put(PoolOr(f"p{block}", kernel=window, stride=window), last)
            shape = (shape[0], shape[1] // window[0], shape[2] // window[1])
    return _head(grow, last, shape)


def _residual(grow, name, source, shape, wide):
    """Two branches into an add: identity as depthwise codes or plain spikes, or a 1x1 convolution."""
    rng = grow.rng
    kind = rng.choice(["depthwise", "plain", "conv"])
    channels = wide if kind == "conv" else shape[0]
    main = grow.conv(f"{name}_main", source, shape, channels, (3, 3), (1, 1), (1, 1))
    branches = [f"{name}_main"]
    if kind == "plain":
        direct = not any(node.name == source and isinstance(node, Input) for node in grow.nodes)
        branches.append(source if direct else f"{name}_main2")
        if not direct:
            grow.conv(f"{name}_main2", source, shape, channels, (1, 1), (1, 1), (0, 0))
    elif kind == "depthwise":
        codes = rng.integers(1, 60, (channels, 1, 1, 1))
        grow.put(Conv2d(f"{name}_skip", codes, random_bias(rng, channels), bits=8, groups=channels), source)
        branches.append(f"{name}_skip")
    else:
        grow.conv(f"{name}_skip", source, shape, channels, (1, 1), (1, 1), (0, 0))
        branches.append(f"{name}_skip")
    rng.shuffle(branches)
    grow.put(Add(f"{name}_sum"), *branches)
    return grow.lif(f"{name}_lif", f"{name}_sum", channels), main


def _head(grow, last, shape):
    rng = grow.rng
    if rng.random() < 0.8 or isinstance(grow.nodes[-1], PoolOr):
        if rng.random() < 0.4:
            pool = tuple(int(n) for n in shape[1:])
            last = grow.put(PoolSum("avg", kernel=pool, stride=pool), last)
            shape = (shape[0], 1, 1)
        last = grow.put(Flatten("flat"), last)
        outputs = int(rng.choice([3, 10, 130]))
        codes = random_codes(rng, grow.width, outputs, int(np.prod(shape)))
        last = grow.put(Dense("fc", codes, random_bias(rng, outputs), bits=grow.width), last)
        if rng.random() < 0.7:
            grow.put(Readout("out"), last)
        else:
            grow.lif("lif_out", last, outputs)
    return Program(tuple(grow.nodes), tuple(grow.edges), timesteps=int(rng.integers(1, 6)))
