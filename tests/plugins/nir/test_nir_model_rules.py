"""What an imported network refuses, and how it is trained, watched and partly quantized."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))

from nir_model_graphs import DT, GRAPHS, Drawn, chain, images, model, quantizer, recurrent, samples, several

from spikequant import InputCoding
from spikequant.errors import UsageError
from spikequant.model import as_input
from spikequant.neuron import Neuron
from spikequant.oracle import run_oracle
from spikequant.registry import registry
from spikequant_cuba import CubaNeuron
from spikequant_nir.clips import clip_of
from spikequant_nir.graph import Graph, GraphEdge, GraphNode
from spikequant_nir.imported import NirImported
from spikequant_nir.learner import Frozen
from spikequant_nir.network import NirNetwork
from spikequant_nir.rules import Rules

QIF = quantizer("qif", format="Q2.5")
MINT = quantizer("mint", bits=4)


@pytest.mark.parametrize(
    ("graph", "rules", "neuron", "make", "ends", "message"),
    [
        (chain(1), {}, {}, QIF, "float", "training.ends is 'float'; "),
        (chain(1), {}, {"V": "Q3.8"}, MINT, "integer", "V is Q3.8, and quantizer 'mint' gives the weights INT4 of a "),
        (chain(1), {}, {"V": "INT8"}, quantizer("qif", format="FP32"), "integer", "V is INT8, on the lattice of "),
        (chain(1), {}, {"leak": "shift"}, MINT, "integer", "node 'b' is a LI, and neuron.leak is 'shift', which "),
        (
            recurrent(1),
            {},
            {"leak": "shift"},
            MINT,
            "integer",
            "node 'hidden' is a CubaLIF, and neuron.leak is 'shift'",
        ),
        (images(1), {"v_min": -1.0}, {"leak": "shift"}, MINT, "integer", "v_min is -1.0, and neuron.leak is 'shift'"),
        (images(1), {"most_spikes": 2}, {"leak": "shift"}, MINT, "integer", "most_spikes is 2, and neuron.leak is "),
        (images(1), {"reset_delay": 1}, {"leak": "shift"}, MINT, "integer", "reset_delay is 1, and neuron.leak is "),
    ],
    ids=["ends", "Q on a clip", "lattice of floats", "LI", "current", "v_min", "spikes", "delay"],
)
def test_formats_that_do_not_go_together_are_refused(graph, rules, neuron, make, ends, message):
    made = model(graph, rules=Rules(dt=DT, **rules), neuron=CubaNeuron(**neuron))
    with pytest.raises(UsageError) as error:
        made.quantize(make, ends=ends)
    assert str(error.value).startswith(message)
    assert made.precision == "float"


def lowered(graph, neuron=None, make=QIF, **fields):
    made = model(graph, neuron=CubaNeuron(**(neuron or {})), **fields)
    made.quantize(make)
    return made.lower()


def test_what_a_program_cannot_say_is_refused_by_name():
    uneven = Drawn(1)
    constants = {key: np.array(value) for key, value in (("v_threshold", 0.5), ("v_reset", 0.0))}
    gains = {"r": np.arange(1.0, 37.0).reshape(4, 3, 3)}
    uneven.conv("c", uneven.input((2, 3, 3)), 4)
    uneven.add("n", "IF", (4, 3, 3), ("c",), {**gains, **constants})
    uneven.output("n")
    with pytest.raises(UsageError, match=r"^node 'n' \(IF\): its input gain differs within a channel, and integers"):
        lowered(uneven.graph())

    late = Drawn(1)
    late.affine("fc", late.add("wait", "Delay", (3,), (late.input((3,)),), {}, {"delay": 2 * DT}), 2)
    late.output("fc")
    with pytest.raises(UsageError, match=r"^node 'wait' \(Delay\) delays by 2 timesteps, and a program has no such"):
        lowered(late.graph())

    leaky = images(1, "LIF", uneven=True)
    taus = {key: array for key, array in leaky.arrays_by_key().items() if key.endswith(".tau")}
    decays = np.array([1.2, 2, 9, 99]) * DT
    wide = {k: np.broadcast_to(decays.reshape(-1, *[1] * (a.ndim - 1)), a.shape) for k, a in taus.items()}
    spread = leaky.with_arrays({**leaky.arrays_by_key(), **wide})
    with pytest.raises(
        UsageError, match=r"^node 'a': its neurons' decays 0\.16.* need different shifts, and node 'lif'"
    ):
        lowered(spread, {"leak": "shift"}, MINT, rules=Rules(dt=DT, reset="zero"))

    with pytest.raises(
        UsageError, match=r"^node 'a': neuron\.leak is 'shift', which keeps V in units of the layer's sums"
    ):
        lowered(images(1, "LIF"), {"leak": "shift", "V": "Q3.9"})


def test_delays_run_in_floats():
    g = Drawn(1)
    g.output(g.add("wait", "Delay", (3,), (g.input((3,)),), {}, {"delay": 2 * DT}))
    made = model(g.graph())
    x = as_input(samples(made))
    found = made._float_runner().run(made._inputs(x, 1.0), made.timesteps)["output"]
    assert found[2:].equal(x.transpose(0, 1)[:-2])
    assert not found[:2].any()


def test_floats_are_asked_to_be_quantized_first():
    made = model(chain(1))
    for ask in (made.lower, lambda: made.record(as_input(samples(made)))):
        with pytest.raises(
            UsageError, match=r"needs integers, and the model computes in floats; quantize\(\) it first$"
        ):
            ask()
    made.quantize(quantizer("qif", format="FP32"))
    with pytest.raises(UsageError, match=r"^lower\(\) needs integers, and w, V or I is FP32; give w a format by "):
        made.lower()


def test_samples_of_another_shape_and_further_inputs_are_refused():
    made = model(chain(1))
    with pytest.raises(
        UsageError, match=r"^samples have the shape \(5, 6\); the network takes 7 x \(6,\): give the data"
    ):
        made.predict(torch.zeros(2, 5, 6))
    g = Drawn(1)
    g.output((g.input((3,), "left"), g.input((3,), "right")))
    with pytest.raises(
        UsageError, match=r"^the network has 2 inputs \(left, right\), and a data set feeds one; run it"
    ):
        model(g.graph()).predict(torch.zeros(2, 7, 3))


@pytest.mark.parametrize("name", GRAPHS)
def test_weights_with_a_format_and_floats_for_the_rest(name):
    made = model(GRAPHS[name](7), neuron=CubaNeuron(V="FP32", I="FP32"))
    x = as_input(samples(made))
    floats = made.states(x)
    made.quantize(quantizer("qif", format="Q5.18"))
    for layer, potential in made.states(x).potentials.items():
        assert float((potential - floats.potentials[layer]).abs().max()) < 1e-3  # weights are 2**-19 off at most
    coarse = model(GRAPHS[name](7), neuron=CubaNeuron(V="FP32", I="FP32"))
    coarse.quantize(quantizer("qif", format="Q0.1"))
    assert any(not p.equal(floats.potentials[n]) for n, p in coarse.states(x).potentials.items())


@pytest.mark.parametrize("rounding", ["TR", "RN", "SR", "TZ"])
def test_potentials_with_a_format_and_float_weights_lie_on_its_grid(rounding):
    made = model(recurrent(3), neuron=CubaNeuron(V="Q2.4", I="Q1.3", rounding=rounding))
    made.quantize(quantizer("qif", format="FP32"))
    states = made.states(as_input(samples(made)))
    for name, value in states.potentials.items():
        codes = value * (8 if name.endswith(".current") else 16)
        assert codes.equal(codes.round())
        assert float(codes.min()) >= (-16 if name.endswith(".current") else -64)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("make", [None, QIF, MINT], ids=["floats", "Qi.f", "INT4"])
def test_training_reaches_every_weight_and_lowers_the_loss(name, make):
    made = model(GRAPHS[name](2 if name == "scaled" else 4), clip="max")
    if make is not None:
        made.quantize(make)
    made.train()
    x, y = as_input(samples(made, count=8)), torch.arange(8) % 2
    weights = [p for n, p in made.named_parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=0.02)
    losses = []
    for _ in range(12):
        loss = F.cross_entropy(made(x), y)
        optimizer.zero_grad()
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
    read = [p for key, p in made.named_parameters() if p.requires_grad and not (name == "several" and "fc3" in key)]
    assert all(p.grad is not None for p in read)  # fc3 feeds another output than the class's
    assert min(losses) < losses[0]


@pytest.mark.parametrize("make", [None, QIF, MINT], ids=["floats", "Qi.f", "INT4"])
def test_logits_decide_as_the_prediction_does(make):
    made = model(recurrent(5))
    if make is not None:
        made.quantize(make)
    x = as_input(samples(made, count=20))
    assert np.array_equal(made(x).detach().argmax(1).numpy(), made.predict(x))


def test_an_observation_holds_what_formats_are_chosen_from():
    made = model(recurrent(5))
    x = as_input(samples(made, count=6))
    seen, states = made.observe(x), made.states(x)
    assert seen.ranges.keys() == {"w", "V", "I"} == seen.values.keys()
    potentials = [value for name, value in states.potentials.items() if not name.endswith(".current")]
    assert seen.ranges["V"] == (min(float(p.min()) for p in potentials), max(float(p.max()) for p in potentials))
    assert np.allclose(seen.rates["hidden"], states.spikes["hidden"].sum(0).double().mean(0).numpy())
    assert np.array_equal(seen.raster["hidden"], states.spikes["hidden"][:, 0].numpy())
    made.quantize(QIF)
    scales = made._scales(made.folding)
    folded = [scales.real(key).detach() for key in scales.folding.parts]
    assert seen.ranges["w"] == (min(float(w.min()) for w in folded), max(float(w.max()) for w in folded))
    names = [quantity.name for quantity in made.quantities]
    assert names[:3] == ["w", "V", "I"]
    assert (
        made.quantities[1].count == 9 + 2
    )  # a potential for each neuron, and a threshold for each layer, as they differ


def test_weights_beyond_their_format_are_counted():
    made = model(chain(1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(20)
    made.quantize(quantizer("qif", format="Q0.2"))
    assert made.overflows["w"] > 0
    assert model(chain(1)).overflows == {}


def test_a_clip_of_least_squared_error_beats_the_largest_weight():
    weight = torch.cat([torch.linspace(-1, 1, 200), torch.tensor([9.0])])
    made = registry().make("quantizer", "uq", {"bits": 4})
    clips = {rule: clip_of(weight, made, rule) for rule in ("max", "mse")}
    errors = {}
    for rule, clip in clips.items():
        scale = torch.tensor(clip / 7)
        errors[rule] = float((made.quantize(weight, scale) * scale - weight).square().sum())
    assert clips["max"] == 9.0
    assert errors["mse"] < errors["max"]


def test_frozen_changes_nothing():
    made = model(chain(1))
    before = {name: value.clone() for name, value in made.state_dict().items()}
    learner = Frozen()
    state = learner.start(made, epochs=1, seed=0)
    assert learner.epoch(made, None, state, 0, epochs=1, seed=0) == {}
    state.load_state_dict(state.state_dict())
    assert all(value.equal(before[name]) for name, value in made.state_dict().items())


def test_an_import_is_the_model_of_its_network():
    graph = several(3)
    imported = NirImported(graph, Rules(dt=DT, reset="subtract"), source="net.nir")
    network = NirNetwork(**imported.network_options)
    made = network.model(CubaNeuron, InputCoding((6,), 2, 1, DT), 2, 7, seed=0)
    made.load_state_dict(imported.parameters)
    x = samples(made)
    trace = imported.run({"input": np.moveaxis(x, 0, 1)})
    states = made.states(as_input(x))
    for name, spikes in states.spikes.items():
        assert np.array_equal(trace.spikes[name], spikes.numpy())
    assert trace.outputs.keys() == {"sum", "potential", "spikes"}
    assert np.array_equal(trace.predictions("sum"), made.predict(as_input(x)))
    assert imported.run({"input": np.moveaxis(x, 0, 1)}, record=False).spikes == {}


def test_inputs_that_do_not_fit_are_refused():
    imported = NirImported(several(3), Rules(dt=DT))
    for given, message in (
        ({}, r"^input 'input' is missing; the network takes: input \(6,\)$"),
        (
            {"input": np.zeros((2, 1, 6)), "other": np.zeros((2, 1, 6))},
            r"^input 'other' is unknown; the network takes: ",
        ),
        (
            {"input": np.zeros((2, 1, 5))},
            r"^input 'input' has the shape \(2, 1, 5\); it must be \(timesteps, samples, 6\)$",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            imported.run(given)


def test_a_network_says_what_it_needs():
    text = chain(1).to_text()
    for options, message in (
        ({}, r"^network 'nir' takes a graph or a file, and was given neither; make a run with"),
        ({"graph": text, "file": "x.nir"}, r"^network 'nir' takes a graph or a file, and was given both; "),
        ({"graph": text, "clip": "best"}, r"^network 'nir': clip is 'best'; it must be one of quantizer, max, mse$"),
        ({"graph": text, "output": "odd"}, r"^network 'nir': output is 'odd'; the network has: output$"),
    ):
        with pytest.raises(ValueError, match=message):
            NirNetwork(**options)

    class Other(Neuron):
        name = "other"

    network = NirNetwork(graph=text)
    coding = InputCoding((6,), 1, 1, DT)
    for neuron, given, classes, message in (
        (
            Other,
            coding,
            4,
            r"^network 'nir' runs neuron 'cuba' only, and was given 'other'; set neuron\.name to 'cuba'$",
        ),
        (CubaNeuron, coding, 5, r"^output 'output' of the network has 4 values, and the data set has 5 classes; "),
        (
            CubaNeuron,
            InputCoding((7,), 1, 1),
            4,
            r"^input 'input' of the network has the shape \(6,\), and the data set's",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            network.model(neuron, given, classes, 7, seed=0)


def test_a_long_chain_needs_no_deep_stack():
    nodes = [GraphNode("input", "Input", (1,))]
    edges = []
    for index in range(400):
        before = nodes[-1].name
        nodes.append(GraphNode(f"s{index}", "Scale", (1,), {"scale": np.array(1.0)}))
        edges.append(GraphEdge(before, nodes[-1].name))
    nodes.append(GraphNode("output", "Output", (1,)))
    edges.append(GraphEdge("s399", "output"))
    made = model(Graph(tuple(nodes), tuple(edges)))
    assert made.predict(torch.ones(2, 7, 1)).tolist() == [0, 0]


def test_several_inputs_are_inputs_of_the_program():
    g = Drawn(1)
    left, right = g.affine("fc1", g.input((3,), "left"), 4), g.affine("fc2", g.input((5,), "right"), 4)
    g.output(g.neurons("n", "LIF", (left, right)))
    made = model(g.graph(), neuron=CubaNeuron(V="Q7.24", decay_bits=24))
    made.quantize(quantizer("qif", format="Q5.18"))
    program = made.lower()
    random = np.random.default_rng(0)
    given = {"left": random.integers(0, 4, (7, 2, 3)), "right": random.integers(0, 4, (7, 2, 5))}
    floats = NirImported(g.graph(), Rules(dt=DT)).run(given)
    assert np.array_equal(run_oracle(program, given).spikes["n"], floats.spikes["n"])
    assert floats.spikes["n"].any()
