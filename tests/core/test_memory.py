"""Memory: the papers' figures to their printed decimals, and hand-counted programs."""

import json
import re

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.formats import FP32, IntFormat, QFormat, parse_format
from spikequant.memory import (
    ParameterGroup,
    mint_memory_mib,
    program_memory,
    qspinn_memory,
    signed_bits,
    usnn_memory,
)
from spikequant.program import Add, Conv2d, Dense, Edge, Flatten, Input, Lif, PoolSum, Program, Readout, chain


@pytest.mark.parametrize(
    ("weight", "neuron", "ratio"),
    [("Q1.8", "Q11.8", "3.1935"), ("Q1.6", "FP32", "3.9400"), ("Q1.6", "Q11.6", "3.9873")],
)
def test_the_unsupervised_network_of_q_spinn_shrinks_as_the_paper_says(weight, neuron, ratio):
    memory = usnn_memory(parse_format(weight), parse_format(neuron))
    assert f"{memory.ratio:.4f}" == ratio
    assert str(memory).endswith(f"{ratio} times smaller")
    assert memory.normalized == memory.bits / memory.fp32_bits
    assert memory.to_json()["ratio"] == memory.ratio


def test_equation_7_is_the_sum_over_parameter_groups():
    memory = qspinn_memory([ParameterGroup("weight", 10, QFormat(1, 6)), ParameterGroup("v", 3, IntFormat(4))])
    assert memory.bits == 10 * 8 + 3 * 4
    assert memory.fp32_bits == 13 * 32


def test_in_fp32_nothing_shrinks():
    assert usnn_memory(FP32, FP32).ratio == 1.0


@pytest.mark.parametrize(("bits", "mib"), [(8, "95.41"), (4, "47.70"), (2, "23.85")])
def test_table_2_of_mint(bits, mib):
    assert f"{mint_memory_mib(1_736_906, 245_760, bits, timesteps=8, batch=50):.2f}" == mib


def small() -> Program:
    """Two inputs, three neurons, one readout class; 4 timesteps; spikes in."""
    return chain(
        [
            Input("input", (2,), bits=1, coding="per_step"),
            Dense("fc", np.array([[1, 2], [-3, 1], [0, 1]]), bias=np.array([4, 0, -5]), bits=4),
            Lif("lif", u_bits=6, theta=np.array([3, 8, 1])),
            Dense("out", np.array([[1, 1, -1]]), bits=2),
            Readout("sum"),
        ],
        timesteps=4,
    )


def test_weights_state_constants_and_accumulators_stand_apart():
    memory = program_memory(small())
    by_name = {node.name: node for node in memory.nodes}
    assert list(by_name) == ["fc", "lif", "out", "sum"]
    fc, lif, out, total = (by_name[name] for name in by_name)
    # fc: 6 codes of 4 bits; biases -5..4 take 4 bits; sums -5..7 take 4 bits.
    assert (fc.weights_bits, fc.state_bits, fc.constants_bits, fc.accumulators_bits) == (24, 0, 12, 12)
    # lif: 3 potentials of 6 bits; thresholds up to 8 take 5 bits.
    assert (lif.weights_bits, lif.state_bits, lif.constants_bits, lif.accumulators_bits) == (0, 18, 15, 0)
    # out: 3 codes of 2 bits; sums -1..2 take 3 bits.
    assert (out.weights_bits, out.state_bits, out.constants_bits, out.accumulators_bits) == (6, 0, 0, 3)
    # sum: -4..8 after 4 timesteps takes 5 bits.
    assert (total.weights_bits, total.state_bits, total.constants_bits, total.accumulators_bits) == (0, 5, 0, 0)
    assert (memory.weights_bits, memory.state_bits, memory.constants_bits) == (30, 23, 27)
    assert memory.accumulators_bits == 15
    assert memory.total_bits == 80
    # 9 weights, 4 potentials, 6 constants.
    assert memory.fp32_bits == 32 * 19
    assert memory.ratio == 32 * 19 / 80


def test_a_batch_multiplies_state_and_accumulators_only():
    one, five = program_memory(small()), program_memory(small(), batch=5)
    assert five.state_bits == 5 * one.state_bits
    assert five.accumulators_bits == 5 * one.accumulators_bits
    assert (five.weights_bits, five.constants_bits) == (one.weights_bits, one.constants_bits)


def test_the_papers_accounting_counts_potentials_once_per_timestep():
    once, each = program_memory(small(), 5), program_memory(small(), 5, "per_timestep")
    assert each.state_bits == 4 * once.state_bits
    assert each.accumulators_bits == once.accumulators_bits
    assert each.weights_bits == once.weights_bits


def vgg9(bits: int) -> Program:
    """VGG-9 for 32 x 32 images in the shape of MINT's Table II."""
    nodes = [Input("input", (3, 32, 32))]
    channels, size = 3, 32
    for i, out in enumerate([64, 64, 0, 128, 128, 0, 256, 256, 256]):
        if out == 0:
            nodes.append(PoolSum(f"pool{i}"))
            size //= 2
            continue
        nodes.append(Conv2d(f"conv{i}", np.zeros((out, channels, 3, 3), int), bits=bits, padding=(1, 1)))
        nodes.append(Lif(f"lif{i}", u_bits=bits))
        channels = out
    nodes += [PoolSum("gap", kernel=(8, 8), stride=(8, 8)), Flatten("flat")]
    nodes += [Dense("fc", np.zeros((10, 256), int), bits=bits), Readout("out")]
    return chain(nodes, timesteps=8)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_the_papers_accounting_of_a_program_is_table_2(bits):
    memory = program_memory(vgg9(bits), batch=50, accounting="per_timestep")
    spiking = [node for node in memory.nodes if node.kind == "lif"]
    weights = sum(node.weights for node in memory.nodes)
    assert weights == 1_736_896  # and the ten biases of the classifier
    assert sum(node.potentials for node in spiking) == 245_760 * 8 * 50
    papers = mint_memory_mib(weights, 245_760, bits, 8, 50) * 8 * 2**20
    assert memory.weights_bits + sum(node.state_bits for node in spiking) == papers


def test_every_node_that_sums_holds_an_accumulator_per_output():
    codes = np.ones((2, 1, 3, 3), int)
    program = Program(
        (
            Input("input", (1, 4, 4), bits=1),
            Conv2d("a", codes, padding=(1, 1), bits=2),
            Conv2d("b", -codes, padding=(1, 1), bits=2),
            Add("add"),
            PoolSum("pool"),
        ),
        (Edge("input", "a"), Edge("input", "b"), Edge("a", "add"), Edge("b", "add"), Edge("add", "pool")),
        timesteps=2,
    )
    by_name = {node.name: node.accumulators_bits for node in program_memory(program, batch=3).nodes}
    # 0..9 and -9..0 take 5 bits, -9..9 takes 5, four of those -36..36 take 7.
    assert by_name == {"a": 3 * 32 * 5, "b": 3 * 32 * 5, "add": 3 * 32 * 5, "pool": 3 * 8 * 7}


def test_memory_prints_in_words():
    assert str(program_memory(small(), batch=2)) == "\n".join(
        [
            "memory in bits (2 samples in flight, 4 timesteps, each potential counted once per sample in flight)",
            "  node        weights         state     constants  accumulators",
            "  fc               24             0            12            24",
            "  lif               0            36            15             0",
            "  out               6             0             0             6",
            "  sum               0            10             0             0",
            "  total            30            46            27            30",
            "weights, state and constants: 103 bits; at 32 bits each: 736; 7.1456 times smaller",
        ]
    )


def test_memory_is_plain_json():
    data = json.loads(json.dumps(program_memory(small()).to_json()))
    assert data["total_bits"] == 80
    assert data["accounting"] == "once"
    assert [node["name"] for node in data["nodes"]] == ["fc", "lif", "out", "sum"]


@pytest.mark.parametrize(("low", "high", "bits"), [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (0, 128, 9)])
def test_signed_bits_hold_both_ends(low, high, bits):
    assert signed_bits(low, high) == bits
    assert -(2 ** (bits - 1)) <= low <= high <= 2 ** (bits - 1) - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"accounting": "twice"}, "accounting is 'twice'; it must be one of once, per_timestep"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        program_memory(small(), **arguments)


def test_a_program_that_keeps_nothing_is_refused():
    with pytest.raises(UsageError, match=r"^the program has neither weights nor state, so it takes no memory"):
        program_memory(chain([Input("input", (1, 2, 2)), Flatten("f")], 1))


def test_a_group_without_parameters_is_refused():
    with pytest.raises(UsageError, match=r"^group 'v' counts no parameter; every parameter group must hold at least"):
        qspinn_memory([ParameterGroup("v", 0, FP32)])
    with pytest.raises(UsageError, match=r"^no group was given; every parameter group must hold at least one$"):
        qspinn_memory([])
