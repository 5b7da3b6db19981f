"""Mode loihi: stock processes alone give the program's spikes where they can, and say in numbers where they cannot."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from spikequant.cli.main import program
from spikequant.counts import Counts
from spikequant.errors import PluginError, RefusedError
from spikequant.nir_profile import write_program
from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    Lateral,
    Leak,
    Lif,
    PoolOr,
    PoolSum,
    Program,
    Readout,
    Reset,
    chain,
)
from spikequant.registry import registry
from spikequant.verify import compare
from spikequant_cuba import CubaLif, FixedLi, FixedLif
from spikequant_lava.backend import LavaBackend
from spikequant_lava.loihi.plan import StockPlan

BACKEND = LavaBackend(mode="loihi")


@pytest.fixture(autouse=True)
def _lava(lava_python):
    """Every test here runs Lava."""


def run(program, batch=4, seed=0, density=0.5):
    """Run random values, or with a density of 1 the largest; return the trace, the oracle's, and the claim."""
    rng = np.random.default_rng(seed)
    low, high = program.input.limits
    shape = (program.timesteps, batch, *program.input.shape)
    x = np.where(rng.random(shape) < density, rng.integers(low, high + 1, shape), 0)
    if density == 1.0:
        x = np.full(shape, high)
    with BACKEND.compile(program) as executable:
        trace = executable.run(x)
    (claim,) = trace.counts.claims
    return trace, run_oracle(program, x), claim


def assert_exact(program, **how):
    trace, expected, claim = run(program, **how)
    assert claim.startswith("claim: exact (stock processes with the same arithmetic; all equal: "), claim
    assert compare(expected, trace).identical
    assert expected.counts.fires
    return trace


def assert_spike_exact(program, **how):
    trace, expected, claim = run(program, **how)
    assert claim.startswith("claim: spike-exact (stock, no clamp acted); spikes and outputs all equal: "), claim
    for name, spikes in expected.spikes.items():
        assert np.array_equal(spikes, trace.spikes[name])
    assert expected.counts.fires
    assert not expected.counts.saturations
    return trace, expected


def net(neuron, timesteps, times=1, bias=False, seed=0):
    """12 spikes, two layers of ``neuron(index)``, a readout."""
    rng = np.random.default_rng(seed)
    nodes = [Input("x", (12,), 1, coding="per_step")]
    for i, (fan_in, fan_out) in enumerate([(12, 10), (10, 8)]):
        codes = times * rng.integers(-30, 50, (fan_out, fan_in))
        nodes += [Dense(f"fc{i}", codes, rng.integers(-5, 6, fan_out) if bias else None, bits=16), neuron(i)]
    nodes += [Dense("last", rng.integers(-8, 8, (3, 8)), rng.integers(-3, 3, 3)), Readout("out")]
    return chain(nodes, timesteps)


def lif(leak, thetas=(100, 40), u_bits=16, **fields):
    return lambda i: Lif(f"lif{i}", u_bits=u_bits, theta=np.array(thetas[i]), leak=leak, **fields)


def loihis(kind, theta, **fields):
    """The neuron of Loihi in the words of spikequant_cuba."""
    common = {"u_bits": 24, "decay_bits": 12, "rounding": "toward_zero", "input_shift": 6, "overflow": "symmetric"}
    current = {"i_bits": 24, "i_decay": np.array(3500)} if kind is CubaLif else {}
    decays = (4096 - 415, 3000)
    return lambda i: kind(
        name=f"lif{i}", theta=np.array(theta), decay=np.array(decays[i]), **common, **current, **fields
    )


TOWARD_ZERO = [Leak.by_shift(1, "toward_zero"), Leak.by_shift(3, "toward_zero"), Leak("multiply", 5, 13, "toward_zero")]


@pytest.mark.parametrize("leak", TOWARD_ZERO, ids=lambda leak: f"{leak.kind}-{leak.shift}")
def test_a_leak_toward_zero_six_bits_below_the_weights_is_exact_for_ever(leak):
    """V is stock LIF's v itself: codes are multiples of 64, and theta is one more than one."""
    assert_exact(net(lif(leak, (6401, 2561), u_bits=24), 60, times=64, bias=False))


@pytest.mark.parametrize("order", ["leak_on_read", "leak_on_store"])
def test_potentials_are_read_back_as_the_program_stores_them(order):
    leak = Leak("multiply", 5, 13, "toward_zero")
    assert_exact(net(lif(leak, (6401, 2561), u_bits=24, order=order), 10, times=64))
    trace, expected = assert_spike_exact(net(lif(Leak.by_shift(1), order=order), 8))
    assert compare(expected, trace).identical


@pytest.mark.parametrize("kind", [FixedLif, CubaLif])
@pytest.mark.parametrize("overflow", ["symmetric", "wrap"])
def test_the_neurons_of_lava_dl_are_exact(kind, overflow):
    bias = {} if overflow == "symmetric" else {"bias": np.array(-37)}
    program = net(loihis(kind, 64 * 100 + 1, **bias), 60)
    trace = assert_exact(program)
    assert ("lif0.current" in trace.potentials) is (kind is CubaLif)


def test_neurons_without_a_leak_are_exact_with_biases_and_any_theta():
    assert_exact(net(lif(Leak()), 20, bias=True))


@pytest.mark.parametrize(("shift", "timesteps"), [(1, 1), (1, 4), (1, 13), (2, 6), (3, 4)])
def test_a_leak_by_floor_is_spike_exact_for_the_timesteps_that_the_bits_of_v_last(shift, timesteps):
    program = net(lif(Leak.by_shift(shift)), timesteps, bias=True)
    assert all(stock.steps is None for stock in StockPlan(program).stocks.values())
    trace, expected = assert_spike_exact(program, batch=6)
    assert compare(expected, trace).identical, "potentials are read back by ceil"


def test_beyond_those_timesteps_the_claim_is_of_the_samples_alone():
    _, expected, claim = run(net(lif(Leak.by_shift(1)), 40))
    assert expected.counts.saturations == 0
    why = r"lif0: v has 14 bits below the potential's unit, enough for 14 timesteps; lif1: .*"
    equal = rf"claim: spike-exact \(stock, no clamp acted\) for these samples only \({why}\); spikes .*"
    assert re.fullmatch(equal, claim) or claim.startswith("claim: neither exact nor spike-exact (stock): "), claim


def test_where_a_clamp_acts_nothing_is_claimed_and_everything_counted():
    trace, expected, claim = run(net(lif(Leak.by_shift(1), u_bits=6), 4))
    differing = {name: int((trace.spikes[name] != spikes).sum()) for name, spikes in expected.spikes.items()}
    assert claim.startswith(
        f"claim: neither exact nor spike-exact (stock): {sum(differing.values())} of 288 spikes differ"
    )
    assert f"by node: lif0 {differing['lif0']} of 160, lif1 {differing['lif1']} of 128; first: node 'lif0'" in claim
    acted = expected.counts.nodes["lif0"].saturations
    assert f"lif0: the program's clamp acted {acted} times, and stock LIF has none" in claim


def test_a_clamp_that_changes_no_spike_still_forbids_the_claim():
    nodes = [
        Input("x", (1,), 1, coding="per_step"),
        Dense("fc", np.array([[-20]])),
        Lif("lif", u_bits=4, theta=np.array(5)),
    ]
    _, expected, claim = run(chain(nodes, 3), batch=1, density=1.0)
    assert expected.counts.saturations == 3
    assert claim.startswith(
        "claim: neither exact nor spike-exact (stock): 0 of 3 spikes differ, 3 of 3 states, 0 of 0 out"
    )
    assert "clamp acted 3 times" in claim


def test_a_potential_equal_to_theta_is_the_trap():
    """Stock LIF fires where v > 64 vth: 64 * 2 is not enough where theta is 128, and 129 would be."""
    nodes = [
        Input("x", (1,), 1, coding="per_step"),
        Dense("fc", np.array([[2]])),
        FixedLif(
            name="lif", u_bits=24, decay=np.array(4096), decay_bits=12, rounding="toward_zero", input_shift=6,
            theta=np.array(128), overflow="symmetric",
        ),
    ]  # fmt: skip
    leaky = chain([*nodes[:2], FixedLif(**{**vars(nodes[2]), "decay": np.array(2048)})], 4)
    trace, expected, claim = run(leaky, batch=1, density=1.0)
    assert expected.spikes["lif"].ravel().tolist() == [1, 1, 1, 1]
    assert trace.spikes["lif"].ravel().tolist() == [0, 1, 0, 1]
    assert "2 of 4 spikes differ" in claim
    assert "lif: it fires at 129 and more instead of 128, as v > 64 vth allows; 4 potentials lay between" in claim
    assert_exact(chain(nodes, 4), batch=1, density=1.0)  # without a leak v has room for theta - 1


def test_potentials_that_reach_the_end_of_24_bits_are_counted():
    nodes = [Input("x", (1,), 1, coding="per_step"), Dense("fc", np.array([[-120 * 256]]), bits=16)]
    program = chain([*nodes, Lif("lif", u_bits=32, theta=np.array(3), leak=Leak())], 8)
    _, expected, claim = run(program, batch=1, density=1.0)
    assert not expected.counts.saturations
    assert "lif: 4 potentials at the end of stock LIF's 24 bits" in claim


def test_images_pools_and_skips_are_exact():
    rng = np.random.default_rng(1)
    for pool, leak in ((PoolSum, Leak()), (PoolOr, Leak())):
        nodes = [
            Input("x", (2, 7, 6), 1, coding="per_step"),
            Conv2d("a", rng.integers(-8, 9, (4, 2, 3, 3)), rng.integers(-3, 4, 4), padding=(1, 1)),
            Lif("a_lif", theta=np.array(9), u_bits=16, leak=leak),
            Conv2d("b", rng.integers(-8, 9, (4, 4, 3, 3)), padding=(1, 1)),
            Lif("b_lif", theta=np.array(9), u_bits=16, leak=leak),
            Conv2d("c", rng.integers(-8, 9, (4, 4, 1, 1)), rng.integers(-3, 4, 4)),
            Add("sum"),
            Lif("c_lif", theta=np.array(4), u_bits=16, leak=leak),
            pool("pool", (2, 2), (2, 1)),
            Flatten("flat"),
            Dense("fc", rng.integers(-8, 9, (5, 60)), rng.integers(-3, 4, 5)),
            Readout("out"),
        ]
        pairs = "x a, a a_lif, a_lif b, b b_lif, b_lif c, c sum, a_lif sum, sum c_lif, c_lif pool, pool flat"
        pairs += ", flat fc, fc out"
        edges = tuple(Edge(*pair.split()) for pair in pairs.split(", "))
        trace = assert_exact(Program(tuple(nodes), edges, 5))
        assert "a: stock Conv" in trace.counts.notes


def test_a_recurrent_layer_is_spike_exact_and_carries_nothing_to_the_next_sample():
    rng = np.random.default_rng(4)
    nodes = (
        Input("x", (9,), 1, coding="per_step"),
        Dense("there", rng.integers(-8, 9, (6, 9)), rng.integers(-3, 4, 6)),
        Add("sum"),
        Lif("lif", theta=np.array(7), u_bits=16),
        Dense("back", rng.integers(-8, 9, (6, 6)), rng.integers(-3, 4, 6)),
        Dense("fc", rng.integers(-8, 9, (3, 6))),
        Readout("out"),
    )
    pairs = ["x there", "there sum", "back sum", "sum lif", "lif fc", "fc out"]
    edges = (*(Edge(*pair.split()) for pair in pairs), Edge("lif", "back", delayed=True))
    trace, _ = assert_spike_exact(Program(nodes, edges, 7), batch=3)
    assert trace.counts.samples == 3


def test_the_claim_speaks_of_all_batches():
    program = net(lif(Leak()), 4)
    x = np.random.default_rng(0).integers(0, 2, (4, 3, 12))
    with BACKEND.compile(program) as executable:
        first, second = executable.run(x[:, :1]), executable.run(x[:, 1:], record=False)
    assert not second.spikes
    assert not second.potentials
    total = first.counts + second.counts
    assert total.claims == second.counts.claims
    assert total.claims[0].endswith("216 spikes, 216 states, 36 outputs on 3 samples)")
    assert Counts("other", 1).claims == ()


def refusal(*nodes, edges=None):
    program = chain(nodes, 3) if edges is None else Program(nodes, edges, 3)
    with pytest.raises(RefusedError) as caught:
        BACKEND.compile(program)
    return str(caught.value).removeprefix("backend 'lava' refuses the program: ")


X = Input("x", (4,), 1)
FC = Dense("fc", np.eye(4, dtype=int))


@pytest.mark.parametrize(
    ("neuron", "told"),
    [
        (Lif("n", reset=Reset("subtract")), "its reset subtracts theta, and stock LIF resets to zero"),
        (Lif("n", reset=Reset("value", -2)), "its reset sets the potential to -2, and stock LIF resets to zero"),
        (Lif("n", theta=np.arange(1, 5)), "its theta differs between neurons (1..4), and stock LIF has one for all"),
        (
            Lif("n", theta=np.array(0)),
            "its theta is 0, and stock LIF's threshold is not negative, so theta is 1 or more",
        ),
        (
            Lif("n", u_bits=32, theta=np.array(1 << 20)),
            "its threshold becomes 1048575, and vth has 17 bits (0..131071)",
        ),
        (Lif("n", leak=Leak("multiply", 13, 1)), "it keeps 1/2**13 of its state, which 12 bits do not hold"),
        (
            Lif("n", bias=np.array(5000), leak=Leak(), u_bits=16),
            None,
        ),
        (
            Lif("n", bias=np.array(4097), leak=Leak(), u_bits=32, theta=np.array(9)),
            None,
        ),
        (FixedLi(name="n", u_bits=8, decay=np.array(1)), "it emits its potential, and stock LIF emits spikes"),
        (
            FixedLif(name="n", u_bits=8, decay=np.array(1), theta=np.array(2), most_spikes=3),
            "it emits up to 3 spikes a timestep, and stock LIF one",
        ),
        (
            FixedLif(name="n", u_bits=8, decay=np.array(1), input_shift=-1),
            "it takes a part of its input, and stock LIF takes 64 times it",
        ),
        (
            FixedLif(name="n", u_bits=8, decay=np.array(1), v_min=np.array(0)),
            "its potential has a smallest value v_min, and stock LIF's has none",
        ),
        (
            FixedLif(name="n", u_bits=8, decay=np.array(1), reset_delay=1),
            "its reset acts one timestep later, and stock LIF resets at once",
        ),
        (
            CubaLif(name="n", u_bits=8, i_bits=8, decay=np.array(1), i_decay=np.array(1), order="potential_first"),
            "its potential takes the current of before, and stock LIF's the new one",
        ),
        (
            CubaLif(name="n", u_bits=8, i_bits=8, decay=np.array(1), i_decay=np.array(4096)),
            "its current never decays, and stock LIF's loses 1/4096 at least",
        ),
        (
            FixedLif(name="n", u_bits=8, decay=np.array(0)),
            "it keeps nothing of its potential; dv would be 4096, and has 12 bits",
        ),
    ],
)
def test_rules_that_stock_lif_does_not_have_are_refused_by_name(neuron, told):
    if told is None:
        assert BACKEND.refusals(chain([X, FC, neuron], 3)).keys() <= {"n"}
        return
    assert refusal(X, FC, neuron) == f"node 'n': {told}"


def test_operators_that_stock_lava_does_not_have_are_refused_by_name():
    neuron = Lif("n", leak=Leak())
    assert refusal(X, Lateral("side", -1), neuron) == "node 'side': no stock process is a lateral"
    both = (X, FC, Dense("fd", np.eye(4, dtype=int)), Concat("both"), neuron)
    edges = tuple(Edge(*pair.split()) for pair in ["x fc", "x fd", "fc both", "fd both", "both n"])
    assert "node 'both': no stock process is a concat" in refusal(*both, edges=edges)
    wide = Dense("fc", np.array([[1, 300, 5, 7]]), bits=10)
    assert refusal(X, wide, neuron) == "node 'fc': its codes 1..300 are no 8 bits times a power of two"
    spikes = Lif("n", theta=np.array(4), leak=Leak.by_shift(3))
    assert refusal(X, spikes) == (
        "node 'n': stock LIF needs its input times 2**3, and 'x' (input) has no weights to scale"
    )


@pytest.mark.parametrize(("bias", "fires"), [(4, False), (5, True)])
def test_a_bias_that_fires_before_the_first_timestep_is_refused_in_a_loop(bias, fires):
    """At 4 the first step leaves V at theta - 1; at 5 the neuron spikes while the first input is on its way."""
    neuron = FixedLif("n", u_bits=24, decay=np.array(1), decay_bits=0, theta=np.array(5), bias=np.array([0, bias]))
    entry = Input("x", (2,), 1, coding="per_step"), Dense("fc", np.eye(2, dtype=int))
    nodes = (*entry, Add("sum"), neuron, Dense("back", np.array([[9, 9], [-9, 9]])), Readout("out"))
    pairs = ["x fc", "fc sum", "back sum", "sum n", "n out"]
    edges = (*(Edge(*pair.split()) for pair in pairs), Edge("n", "back", delayed=True))
    if not fires:
        assert_exact(Program(nodes, edges, 3), batch=3)
        return
    told = refusal(*nodes, edges=edges)
    assert told == (
        "node 'n': its bias alone makes it fire before timestep 0, in the steps that Dense and Conv take (1), and"
        " delayed edges would carry that into it"
    )
    straight = tuple(node for node in nodes if node.name not in ("sum", "back"))
    assert not BACKEND.refusals(chain(straight, 3))


def test_an_unknown_mode_is_refused():
    with pytest.raises(PluginError, match="mode"):
        registry().make("backend", "lava", {"mode": "almost"})


@pytest.mark.parametrize("batch", [5, 2])
def test_verify_prints_one_claim_of_all_samples(batch, tmp_path):
    rng = np.random.default_rng(0)
    image = [Input("x", (1, 8, 8), 5), Flatten("flat"), Dense("fc", rng.integers(-9, 12, (10, 64)))]
    neuron = Lif("lif", u_bits=24, theta=np.array(300), leak=Leak())
    last = [Dense("last", rng.integers(-9, 9, (10, 10))), Readout("out")]
    write_program(chain([*image, neuron, *last], 3), tmp_path / "net.nir")
    given = ["--backend", "lava", "--option", "mode=loihi", "--data", "digits", "--samples", "5", "--batch", str(batch)]
    answer = CliRunner().invoke(program, ["verify", str(tmp_path / "net.nir"), *given])
    assert answer.exit_code == 0, answer.output
    equal = "150 spikes, 150 states, 150 outputs on 5 samples"
    lines = [line for line in answer.output.splitlines() if line.startswith("verify: lava: ")]
    assert lines == [
        "verify: lava: identical (150 spikes, 150 states and 150 outputs compared)",
        f"verify: lava: claim: exact (stock processes with the same arithmetic; all equal: {equal})",
    ]
    said = CliRunner().invoke(program, ["verify", str(tmp_path / "net.nir"), *given, "--json"])
    assert json.loads(said.stdout)["claims"] == [lines[1].removeprefix("verify: lava: ")]
