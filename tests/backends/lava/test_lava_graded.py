"""A plugin's node that puts out its potential runs on Lava: whatever its width, through every kind of edge."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from spikequant.errors import BackendError, ProgramError
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
    Lif,
    PoolSum,
    Program,
    Readout,
    chain,
)
from spikequant.testing.programs import random_inputs
from spikequant.testing.strangers import Gauge, graded_programs
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend
from spikequant_lava.results import read_result
from spikequant_lava.supervisor import RUNNER

GAUGE = '''
"""A stranger's gauge, written anew: the potential halves, what comes is added, and it is put out."""

import numpy as np


class Neurons:
    def __init__(self, fields, shape):
        self.half, self.shape = 2 ** (fields["u_bits"] - 1), shape

    def reset(self):
        self.u = np.zeros(self.shape, np.int64)
        self.peak = np.full(self.shape, -self.half)

    def step(self, x, t):
        h = x + self.u // 2
        self.u = np.minimum(np.maximum(h, -self.half), self.half - 1)
        self.peak = np.where(self.u > self.peak, self.u, self.peak)
        return self.u, {"potential": self.u, "peak": self.peak, "overflowed": h != self.u}
'''


class GaugeMapping:
    """Only what Lava asks of a mapping."""

    def fields(self, node):
        return {"u_bits": node.u_bits}


BACKEND = LavaBackend(kinds={"gauge": GaugeMapping()})


@pytest.fixture
def gauge(tmp_path):
    def made(text=GAUGE):
        path = tmp_path / "gauge_on_lava.py"
        path.write_text(text)
        return type("Gauge", (Gauge,), {"implementations": {"lava": path}})

    return made


def assert_equal(program, seed=0, batch=4):
    inputs = random_inputs(program, batch, seed)
    with BACKEND.compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert sorted(got.spikes) == sorted(expected.spikes)
    assert sorted(got.potentials) == sorted(expected.potentials)
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


@pytest.mark.parametrize("what", graded_programs())
def test_the_kits_graded_programs_equal_the_oracle(what, gauge, lava_python):
    program = graded_programs()[what]
    nodes = [gauge()(n.name, u_bits=n.u_bits) if isinstance(n, Gauge) else n for n in program.nodes]
    trace = assert_equal(replace(program, nodes=tuple(nodes)))
    assert "cell" not in trace.spikes
    assert trace.potentials["cell"].dtype == np.int32


def test_values_of_32_bits_pass_every_kind_of_edge(gauge, lava_python):
    """Sums beyond 53 bits, odd ones among them; pooled, joined, flattened, delayed, beside spikes of a lif."""
    cell = gauge()
    nodes = (
        Input("x", (2, 4, 3), 32, signed=True, coding="per_step"),
        cell("cell", u_bits=32),
        Conv2d("conv", np.array([[[[(1 << 27) - 1]], [[-(1 << 27) + 3]]]]), np.array([7]), bits=32),
        Readout("large"),
        PoolSum("pool", (2, 2), (1, 1), (1, 1)),
        Readout("pooled"),
        Lateral("lateral", -3),
        Add("sum"),
        Lif("lif", u_bits=32, theta=np.array(1 << 30)),
        Concat("join"),
        Flatten("flat"),
        Dense("fc", np.arange(-36, 36).reshape(2, 36), bits=7),
        Readout("out"),
    )
    pairs = "x cell,cell conv,conv large,cell pool,pool pooled,cell lateral,lateral sum,cell sum,sum lif"
    edges = [Edge(*pair.split()) for pair in pairs.split(",")]
    edges += [Edge("cell", "sum", delayed=True), Edge("lif", "join")]
    nodes += (Conv2d("narrow", np.array([[[[1]], [[2]]]])),)
    edges += [Edge("cell", "narrow", delayed=True), Edge("narrow", "join")]
    edges += [Edge("join", "flat"), Edge("flat", "fc"), Edge("fc", "out")]
    trace = assert_equal(Program(nodes, tuple(edges), timesteps=4))
    assert abs(trace.outputs["large"]).max() > 1 << 56
    assert trace.counts.nodes["lif"].fires
    assert trace.counts.nodes["cell"].fires > trace.counts.nodes["lif"].fires


def test_stock_processes_carry_graded_values_of_24_bits(gauge, lava_python):
    cell = gauge()
    nodes = [
        Input("x", (8,), 24, signed=True, coding="per_step"),
        cell("cell", u_bits=24),
        Dense("fc", np.random.default_rng(0).integers(-8, 8, (5, 8)), bits=4),
        cell("last", u_bits=30),
    ]
    trace = assert_equal(chain(nodes, timesteps=5))
    assert "fc: Lava's Dense" in trace.counts.notes


def test_without_record_the_counts_are_the_same_and_no_other_state_travels(gauge, lava_python, monkeypatch):
    cell = gauge()
    nodes = [Input("x", (3,), 4), cell("cell"), Lif("lif", theta=np.array(3)), Dense("fc", np.eye(3, dtype=int))]
    program, seen = chain([*nodes, Readout("out")], timesteps=3), {}
    monkeypatch.setattr("spikequant_lava.executable.read_result", lambda path: seen.setdefault("r", read_result(path)))
    inputs = np.array([[1, 2, 3], [9, 0, 4]])
    with BACKEND.compile(program) as executable:
        got = executable.run(inputs, record=False)
    expected = run_oracle(program, inputs)
    assert not got.spikes
    assert not got.potentials
    assert np.array_equal(got.outputs["out"], expected.outputs["out"])
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    assert sorted(set(seen["r"]) - {"report", "cell/saturations", "lif/saturations"}) == [
        "cell/state_potential",
        "lif/spikes",
        "out/output",
    ]


def test_sums_beyond_63_bits_are_refused_by_name(gauge):
    nodes = [Input("x", (2,)), gauge()("cell", u_bits=32), Dense("fc", np.full((1, 2), 1 << 30), bits=32)]
    with pytest.raises(ProgramError, match=r"^node 'fc' \(dense\): values reach .*, beyond 63 bits; use fewer bits"):
        chain(nodes, timesteps=1)


@pytest.fixture(scope="module")
def runner_module():
    """The runner's module on implementations, which needs no Lava."""
    path = RUNNER / "lava_job" / "implementation.py"
    spec = importlib.util.spec_from_file_location("lava_job_implementation_of_graded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("emitted", "told"),
    [
        ("h > 0", "returned values other than potential; a graded node emits what it stores"),
        ("h + 100", "returned values of 105..105; it must be -16..15"),
        ("self.u * 1.0", "returned values as float64 of shape (2,); it must be integers of shape (2,)"),
    ],
)
def test_what_is_emitted_is_what_is_stored(emitted, told, runner_module, tmp_path):
    text = GAUGE.replace("return self.u, {", f"return {emitted}, {{")
    node = {"name": "cell", "kind": "gauge", "path": "/plugin/file.py", "text": text, "program_shape": [2]}
    node.update(variables=["potential", "peak"], graded=True, emitted_limits=[-16, 15])
    made = runner_module.Implementation(node, {"u_bits": 5}, tmp_path)
    made.reset()
    with pytest.raises(runner_module.ImplementationError) as caught:
        made.advance(np.full(2, 5), 3)
    assert str(caught.value) == (
        f"node 'cell' (kind gauge): the implementation /plugin/file.py: step() at timestep 3 {told}"
    )


def test_an_implementation_that_emits_spikes_for_a_graded_node_ends_the_run_with_one_line(gauge, lava_python):
    cell = gauge(GAUGE.replace("return self.u, {", "return self.u > 0, {"))
    program = chain([Input("x", (2,)), cell("cell")], timesteps=2)
    with BACKEND.compile(program) as executable, pytest.raises(BackendError) as caught:
        executable.run(np.array([[1, 2]]))
    assert "returned values other than potential; a graded node emits what it stores; the Lava run ended" in str(
        caught.value
    )
