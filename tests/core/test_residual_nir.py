"""A residual program's NIR graph alone, without its metadata, computes the oracle's spikes where nothing saturates."""

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spikequant.model import InputCoding, SpikingModel, lower
from spikequant.network import ConvLayer, FlattenLayer, PoolOrLayer, PoolSumLayer, ReadoutLayer, ResidualLayer
from spikequant.nir_profile import read_graph, write_program
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d
from spikequant_mint.mint_lif import MintLif
from spikequant_mint.quantizers import Mint

CODING = InputCoding((2, 8, 8), 4, 15)
LAYERS = (
    *(ConvLayer(6, batch_norm=True), PoolOrLayer(2), ResidualLayer(6), ResidualLayer(4, stride=2)),
    *(PoolSumLayer(2), FlattenLayer(), ReadoutLayer(3)),
)


def program_of(seed):
    """A program with potentials too wide to saturate and gains of both signs."""
    torch.manual_seed(seed)
    model = SpikingModel(LAYERS, lambda: MintLif(bits=16), CODING, 4)
    with torch.no_grad():
        for part in model.weighted[:-1]:
            part.gamma[::2] *= -0.7
            part.beta.uniform_(-0.1, 0.5)
            part.var.fill_(0.03)
    model.quantize(lambda: Mint(bits=4))
    return lower(model.eval())


class PlainNir:
    """What NIR's own definitions of its nodes compute, in float32, one forward Euler step a timestep."""

    def __init__(self, graph, dt):
        self.nodes, self.edges, self.dt = graph.nodes, graph.edges, dt
        self.state = {}

    def step(self, x):
        values = {}
        while len(values) < len(self.nodes):
            for name, node in self.nodes.items():
                sources = [source for source, target in self.edges if target == name]
                if name not in values and all(source in values for source in sources):
                    values[name] = self.value(name, node, sum(values[s] for s in sources) if sources else x)
        return values

    def value(self, name, node, x):
        def tensor(values):
            return torch.from_numpy(np.asarray(values, np.float32))

        if isinstance(node, nir.Conv2d):
            weight, bias = tensor(node.weight), tensor(node.bias)
            stride, padding, dilation = (
                tuple(int(n) for n in pair) for pair in (node.stride, node.padding, node.dilation)
            )
            return F.conv2d(x, weight, bias, stride, padding, dilation, int(node.groups))
        if isinstance(node, nir.Affine):
            return F.linear(x, tensor(node.weight), tensor(node.bias))
        if isinstance(node, nir.Linear):
            return F.linear(x, tensor(node.weight))
        if isinstance(node, nir.Scale):
            return x * tensor(node.scale)
        if isinstance(node, nir.SumPool2d):
            kernel, stride = (tuple(int(n) for n in pair) for pair in (node.kernel_size, node.stride))
            return F.avg_pool2d(x, kernel, stride, divisor_override=1)
        if isinstance(node, nir.Threshold):
            return (x > tensor(node.threshold)).float()
        if isinstance(node, nir.Flatten):
            return x.flatten(1)
        if isinstance(node, nir.LIF):
            v = self.state.get(name, torch.zeros_like(x))
            rate = tensor(self.dt / np.asarray(node.tau, np.float64))
            v = v + rate * (tensor(node.v_leak) - v + tensor(node.r) * x)
            fires = v > tensor(node.v_threshold)
            self.state[name] = torch.where(fires, tensor(node.v_reset), v)
            return fires.float()
        assert isinstance(node, (nir.Input, nir.Output)), type(node)
        return x


@pytest.mark.parametrize("seed", range(4))
def test_the_graph_alone_fires_as_the_oracle(seed, tmp_path):
    program = program_of(seed)
    x = np.random.default_rng(seed).integers(0, 16, (5, *CODING.shape))
    expected = run_oracle(program, x)
    assert expected.counts.saturations == 0
    write_program(program, tmp_path / "net.nir")
    plain = PlainNir(read_graph(tmp_path / "net.nir"), program.dt)
    output = np.zeros_like(expected.outputs["readout"][0])
    for t in range(program.timesteps):
        values = plain.step(torch.from_numpy(x).float())
        output = output + values["readout"].numpy().astype(np.int64)
        assert np.array_equal(output, expected.outputs["readout"][t])
        for name, spikes in expected.spikes.items():
            assert np.array_equal(values[name].numpy(), spikes[t]), (name, t)
    assert all(spikes.any() and not spikes.all() for spikes in expected.spikes.values())


def test_an_identity_shortcut_is_a_grouped_convolution_and_an_add_a_scale_of_one(tmp_path):
    program = program_of(0)
    write_program(program, tmp_path / "net.nir")
    graph = read_graph(tmp_path / "net.nir")
    skip = program.by_name["shortcut1"]
    assert isinstance(skip, Conv2d)
    assert int(graph.nodes["shortcut1"].groups) == skip.groups == 6
    assert graph.nodes["shortcut1"].weight.tolist() == skip.codes.tolist()
    assert isinstance(graph.nodes["add1"], nir.Scale)
    assert (graph.nodes["add1"].scale == 1).all()
    assert {source for source, target in graph.edges if target == "add1"} == {"conv3", "shortcut1"}
