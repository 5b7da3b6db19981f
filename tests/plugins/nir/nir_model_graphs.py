"""Small graphs with every kind of node, drawn from a seed, and models of them."""

import numpy as np

from spikequant import InputCoding
from spikequant.registry import registry
from spikequant_cuba import CubaNeuron
from spikequant_nir.graph import Graph, GraphEdge, GraphNode
from spikequant_nir.model import NirModel
from spikequant_nir.rules import Rules

DT, TIMESTEPS, SAMPLES = 1e-3, 7, 3


class Drawn:
    """Draws nodes and keeps them as a graph."""

    def __init__(self, seed, uneven=False):
        self.random, self.uneven = np.random.default_rng(seed), uneven
        self.nodes, self.edges = [], []

    def add(self, name, kind, shape, sources, arrays=None, settings=None, delayed=()):
        self.nodes.append(GraphNode(name, kind, shape, arrays or {}, settings or {}, name))
        self.edges += [GraphEdge(source, name, source in delayed) for source in sources]
        return name

    def input(self, shape, name="input"):
        return self.add(name, "Input", shape, ())

    def output(self, source, name="output"):
        sources = (source,) if isinstance(source, str) else source
        return self.add(name, "Output", self.shape(sources[0]), sources)

    def shape(self, name):
        return next(node.shape for node in self.nodes if node.name == name)

    def values(self, *shape, size=1.0):
        return self.random.normal(0, size, shape).astype(np.float32)

    def affine(self, name, source, out, bias=True, **edge):
        inputs = self.shape(source)[-1] if not edge else edge.pop("inputs")
        arrays = {"weight": self.values(out, inputs, size=1.2 / np.sqrt(inputs))}
        arrays |= {"bias": self.values(out, size=0.1)} if bias else {}
        return self.add(name, "Affine" if bias else "Linear", (out,), (source,), arrays, None, **edge)

    def conv(self, name, source, out, kernel=3, stride=1, padding=1, groups=1):
        shape = self.shape(source)
        flat = len(shape) == 2
        sides = (kernel,) if flat else (kernel, kernel)
        sizes = [(n + 2 * padding - kernel) // stride + 1 for n in shape[1:]]
        arrays = {
            "weight": self.values(out, shape[0] // groups, *sides, size=1.0 / np.sqrt(shape[0] * kernel ** len(sides))),
            "bias": self.values(out, size=0.1),
        }
        each = (lambda n: n) if flat else (lambda n: (n, n))
        settings = {"stride": each(stride), "padding": each(padding), "dilation": each(1), "groups": groups}
        return self.add(name, "Conv1d" if flat else "Conv2d", (out, *sizes), (source,), arrays, settings)

    def pool(self, name, source, kind="SumPool2d", kernel=2):
        channels, height, width = self.shape(source)
        settings = {"kernel_size": (kernel, kernel), "stride": (kernel, kernel), "padding": (0, 0)}
        return self.add(name, kind, (channels, height // kernel, width // kernel), (source,), {}, settings)

    def flatten(self, name, source):
        return self.add(name, "Flatten", (int(np.prod(self.shape(source))),), (source,), {}, {"start_dim": 0})

    def scale(self, name, source, value):
        return self.add(name, "Scale", self.shape(source), (source,), {"scale": np.array(value, np.float64)})

    def neurons(self, name, kind, sources, shape=None, delayed=()):
        sources = (sources,) if isinstance(sources, str) else sources
        shape = shape or self.shape(sources[0])
        fields = {
            "Threshold": {"threshold": (0.1, 0.6)},
            "IF": {"r": (0.8, 1.2)},
            "I": {"r": (0.8, 1.2)},
            "LIF": {"tau": (2, 20), "r": (1, 4), "v_leak": (-0.1, 0.1)},
            "LI": {"tau": (2, 20), "r": (1, 4), "v_leak": (-0.1, 0.1)},
            "CubaLIF": {"tau_mem": (2, 20), "tau_syn": (1, 9), "r": (2, 5), "v_leak": (0, 0.1), "w_in": (1, 3)},
            "CubaLI": {"tau_mem": (2, 20), "tau_syn": (1, 9), "r": (2, 5), "v_leak": (0, 0.1), "w_in": (1, 3)},
        }[kind]
        if kind in ("IF", "LIF", "CubaLIF"):
            fields = {**fields, "v_threshold": (0.2, 0.8), "v_reset": (-0.1, 0.1)}
        return self.add(
            name, kind, shape, sources, {k: self._constant(k, *v, shape) for k, v in fields.items()}, delayed=delayed
        )

    def _constant(self, key, low, high, shape):
        size = DT if key.startswith("tau") else 1.0
        if not self.uneven:
            return np.array(self.random.uniform(low, high) * size)
        each = self.random.uniform(low, high, (shape[0],)) * size
        return np.broadcast_to(each.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()

    def graph(self):
        return Graph(tuple(self.nodes), tuple(self.edges))


def chain(seed, kind="LIF", last="LI", uneven=False):
    g = Drawn(seed, uneven)
    x = g.affine("fc1", g.input((6,)), 8)
    x = g.affine("fc2", g.neurons("a", kind, x), 4, bias=False)
    g.output(g.neurons("b", last, x))
    return g.graph()


def images(seed, kind="IF", pool="AvgPool2d", kernel=3, uneven=False):
    g = Drawn(seed, uneven)
    x = g.conv("c1", g.input((2, 6, 6)), 4)
    x = g.pool("p1", g.neurons("a", kind, x), pool, kernel)
    x = g.conv("c2", x, 4, groups=2)
    x = g.flatten("flat", g.pool("p2", x, pool, 2))  # pooled before the neurons: its divisor goes into c2
    g.output(g.affine("fc", g.neurons("b", kind, x), 3))
    return g.graph()


def lines(seed, kind="CubaLIF", uneven=False):
    g = Drawn(seed, uneven)
    x = g.neurons("a", kind, g.conv("c1", g.input((2, 9)), 4, kernel=3, stride=2, padding=0))
    g.output(g.neurons("b", "CubaLI", g.affine("fc", g.flatten("flat", x), 3)))
    return g.graph()


def recurrent(seed, kind="CubaLIF", uneven=False):
    g = Drawn(seed, uneven)
    x = g.affine("fc1", g.input((5,)), 6)
    rec = g.affine("rec", "hidden", 6, delayed=("hidden",), inputs=6)
    g.output(g.neurons("b", kind, g.affine("fc2", g.neurons("hidden", kind, (x, rec)), 3)))
    return g.graph()


def residual(seed, kind="LIF", uneven=False):
    g = Drawn(seed, uneven)
    first = g.neurons("a", kind, g.conv("c1", g.input((2, 5, 5)), 4))
    both = g.neurons("b", kind, (g.conv("c2", first, 4), first))  # spikes join weights
    third = g.neurons("c", kind, (g.conv("c3", both, 4), g.conv("c4", first, 4, kernel=1, padding=0)))
    joined = g.add("sum", "Conv2d", (2, 5, 5), (third, first), *_pointwise(g, 2, 4))  # spikes join spikes
    g.output(g.neurons("d", "I", g.flatten("flat", joined)))
    return g.graph()


def scaled(seed, kind="LIF", uneven=False):
    g = Drawn(seed, uneven)
    entry = g.input((6,))
    plain = g.neurons("a", kind, g.scale("s1", g.affine("fc1", entry, 5), 0.7))  # into fc1
    bare = g.neurons("b", kind, g.scale("s2", entry, g.random.uniform(-1, 1, 6)))  # a diagonal
    gate = g.neurons("c", "Threshold", g.affine("fc2", plain, 4))
    x = g.affine("fc3", g.scale("s3", gate, 0.3), 3)
    g.output(g.neurons("d", kind, (x, g.affine("fc4", bare, 3))))
    return g.graph()


def several(seed, kind="LIF", uneven=False):
    g = Drawn(seed, uneven)
    shared = g.affine("fc1", g.input((6,)), 4)  # two readers: no factor goes into it
    spiking = g.neurons("a", kind, shared)
    g.output((shared, g.affine("fc2", spiking, 4)), "sum")
    g.output(g.neurons("b", "LI", g.affine("fc3", spiking, 2)), "potential")
    g.output(spiking, "spikes")
    return g.graph()


def _pointwise(g, out, channels):
    arrays = {"weight": g.values(out, channels, 1, 1)}
    return arrays, {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}


GRAPHS = {f.__name__: f for f in (chain, images, lines, recurrent, residual, scaled, several)}


def model(graph, *, frames=True, bits=2, peak=1, rules=None, neuron=None, timesteps=TIMESTEPS, **fields):
    coding = InputCoding(graph.inputs[0].shape, bits, peak, DT if frames else None)
    return NirModel(graph, rules or Rules(dt=DT), neuron or CubaNeuron(), coding, timesteps, **fields).eval()


def quantizer(name, **options):
    return lambda: registry().make("quantizer", name, options)


def samples(model, seed=0, count=SAMPLES):
    shape = model.graph.inputs[0].shape if model.coding.frame_s else model.coding.shape
    steps = (model.timesteps,) if model.coding.frame_s else ()
    return np.random.default_rng(seed).integers(0, 1 << model.coding.bits, (count, *steps, *shape))
