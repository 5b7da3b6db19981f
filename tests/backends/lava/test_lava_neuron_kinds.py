"""Neurons of plugins run on Lava by a file that their kind names; whatever that file does wrong is said."""

import importlib.util
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from spikequant.errors import BackendError, PluginError, RefusedError
from spikequant.oracle import run_oracle
from spikequant.program import (
    Add,
    Conv2d,
    Dense,
    Edge,
    Flatten,
    Input,
    IntArray,
    Lateral,
    Lif,
    Program,
    Readout,
    SpikingNode,
    chain,
)
from spikequant.testing.programs import random_inputs
from spikequant.verify import compare
from spikequant_lava.backend import LavaBackend
from spikequant_lava.supervisor import RUNNER

TIRING = '''
"""A stranger's neurons, written anew: potentials and fatigue, both counted in steps of one."""

import numpy as np


class Neurons:
    def __init__(self, fields, shape):
        self.theta = fields["theta"].reshape((-1,) + (1,) * (len(shape) - 1))
        self.rest, self.rise, self.top = fields["rest"], fields["rise"], (1 << fields["u_bits"] - 1) - 1
        self.shape = shape

    def reset(self):
        self.potential = np.full(self.shape, self.rest)
        self.fatigue = np.zeros(self.shape, np.int64)

    def step(self, x, t):
        h = self.potential + x - t % 2
        spikes = h >= self.theta + self.fatigue
        kept = np.where(spikes, self.rest, h)
        self.potential = np.minimum(np.maximum(kept, -self.top), self.top)
        self.fatigue = np.where(spikes, np.minimum(self.fatigue + self.rise, 100), np.maximum(self.fatigue - 1, 0))
        return spikes, {"fatigue": self.fatigue, "overflowed": self.potential != kept, "potential": self.potential}
'''


@dataclass(frozen=True, eq=False)
class Tiring(SpikingNode):
    """A stranger's kind: it starts at ``rest``, its threshold rises with each spike, and odd timesteps cost one."""

    theta: IntArray = field(default_factory=lambda: np.array([1]))
    rest: int = -2
    rise: int = 4
    kind: ClassVar[str] = "tiring"
    variables: ClassVar[tuple[str, ...]] = ("potential", "fatigue")

    @property
    def potential_limits(self):
        top = (1 << (self.u_bits - 1)) - 1
        return -top, top

    @property
    def state_bits(self):
        return self.u_bits, 7

    @property
    def state_limits(self):
        return self.potential_limits, (0, 100)

    def initial(self, batch, shape):
        return np.full((batch, *shape), self.rest, np.int64), np.zeros((batch, *shape), np.int64)

    def advance(self, x, state, t):
        potential, fatigue = state
        theta = self.theta.reshape((-1,) + (1,) * (x.ndim - 2))
        h = potential + x - (t & 1)
        fires = h >= theta + fatigue
        kept = np.where(fires, self.rest, h)
        stored = np.clip(kept, *self.potential_limits)
        tired = np.where(fires, np.minimum(fatigue + self.rise, 100), np.maximum(fatigue - 1, 0))
        return fires.astype(np.int64), (stored, tired), (stored != kept).astype(np.int64)

    def operations(self, x_bits):
        return ()


class TiringMapping:
    """Only what Lava asks of a mapping: the other two methods are for NIR."""

    def fields(self, node):
        return {"theta": node.theta, "rest": np.int64(node.rest), "rise": node.rise, "u_bits": node.u_bits, "n": None}


@pytest.fixture
def kind(tmp_path):
    """Make the stranger's kind with an implementation of the given text, beside a file that must not be run."""

    def made(text=TIRING):
        path = tmp_path / "tiring_on_lava.py"
        path.write_text(text)
        (tmp_path / "bystander.py").write_text("raise SystemExit('Lava executes the neighbours')")
        return type("Tiring", (Tiring,), {"implementations": {"lava": path}})

    return made


BACKEND = LavaBackend(kinds={"tiring": TiringMapping()})


def assert_equal(program, seed=0, batch=4):
    inputs = random_inputs(program, batch, seed)
    with BACKEND.compile(program) as executable:
        expected, got = run_oracle(program, inputs), executable.run(inputs)
    verdict = compare(expected, got, [node.name for node in program.order])
    assert verdict.identical, f"{verdict}\n{program}"
    assert got.counts.to_json()["nodes"] == expected.counts.to_json()["nodes"]
    return got


def test_two_state_variables_are_run_recorded_and_equal(kind, lava_python):
    """A flat and an image population, each in a loop, the image's elements in another order in Lava."""
    rng = np.random.default_rng(4)
    cell = kind()
    nodes = (
        Input("x", (2, 3, 4), 3, coding="per_step"),
        Conv2d("conv", rng.integers(-3, 4, (3, 2, 2, 2)), bits=4),
        Add("sum"),
        cell("cells", theta=np.array([3, 5, 9]), u_bits=6),
        Lateral("lateral", -2),
        Flatten("flat"),
        Dense("fc", rng.integers(-4, 5, (6, 18)), bits=4),
        cell("few", theta=np.array([4, 1, 2, 3, 4, 5]), rest=1, u_bits=4),
        Lif("inh", theta=np.array(1)),
        Dense("out", rng.integers(-4, 5, (3, 6)), bits=4),
        Readout("votes"),
    )
    edges = (
        *(Edge(a, b) for a, b in (("x", "conv"), ("conv", "sum"), ("sum", "cells"), ("cells", "flat"), ("flat", "fc"))),
        *(Edge(a, b) for a, b in (("fc", "few"), ("few", "inh"), ("inh", "out"), ("out", "votes"))),
        Edge("cells", "lateral", delayed=True),
        Edge("lateral", "sum"),
    )
    trace = assert_equal(Program(nodes, edges, timesteps=15))
    assert sorted(trace.potentials) == ["cells", "cells.fatigue", "few", "few.fatigue", "inh"]
    assert trace.potentials["few.fatigue"].dtype == np.int32
    assert all(trace.counts.nodes[name].fires and trace.counts.nodes[name].saturations for name in ("cells", "few"))


def test_an_implementation_that_counts_no_overflow_is_noted(kind, lava_python):
    program = chain(
        [
            Input("x", (2,)),
            kind(TIRING.replace('"overflowed": self.potential != kept, ', ""))(
                "cells", theta=np.array([1, 2]), u_bits=4
            ),
        ],
        timesteps=2,
    )
    inputs = np.array([[200, 0]])
    expected = run_oracle(program, inputs)
    with BACKEND.compile(program) as executable:
        got = executable.run(inputs)
    assert compare(expected, got).identical
    assert got.counts.nodes["cells"].saturations == 0
    assert got.counts.notes[-1] == (
        "cells: saturations are not counted, since its implementation does not say where overflow acts"
    )


def small(cell):
    return chain([Input("x", (2,), 1), cell("cells", theta=np.array([1, 2]))], timesteps=3)


def refused(cell, backend=BACKEND):
    with pytest.raises(RefusedError) as caught:
        backend.compile(small(cell))
    return str(caught.value).removeprefix("backend 'lava' refuses the program: node 'cells': ")


def test_a_kind_without_an_implementation_is_refused():
    assert refused(Tiring) == (
        "kind tiring has no implementation for Lava; its class names one in implementations['lava']"
    )


def test_an_inherited_implementation_is_refused(kind):
    heir = type("Heir", (kind(),), {})
    assert refused(heir) == (
        "Heir inherits the implementation of Tiring, which does not know what Heir changes; give Heir its own"
        " implementations"
    )


def test_an_implementation_that_is_not_there_is_refused(tmp_path):
    gone = type("Gone", (Tiring,), {"implementations": {"lava": tmp_path / "gone.py"}})
    assert refused(gone) == (
        f"the implementation {tmp_path}/gone.py of kind tiring cannot be read: No such file or directory"
    )


def test_a_kind_without_fields_is_refused(kind):
    assert refused(kind(), LavaBackend(kinds={})) == (
        "no installed neuron offers a mapping for kind tiring, and its implementation needs the fields; return one"
        " from the neuron's node_mappings()"
    )
    assert refused(kind(), LavaBackend()).startswith("no installed neuron offers a mapping for kind tiring")


def test_fields_that_no_implementation_can_be_given_are_refused(kind):
    odd = SimpleNamespace(fields=lambda node: {"where": Path()})
    assert refused(kind(), LavaBackend(kinds={"tiring": odd})) == (
        "field 'where' of kind tiring is a PosixPath; an implementation for Lava is given bools, numbers, texts,"
        " numeric arrays and None"
    )


def test_a_kind_that_two_plugins_claim_is_refused(kind):
    def contested(node):
        raise PluginError("node kind name 'tiring' is claimed by a 1 and by b 2; uninstall one of them")

    backend = LavaBackend(kinds={"tiring": SimpleNamespace(fields=contested)})
    assert refused(kind(), backend) == "node kind name 'tiring' is claimed by a 1 and by b 2; uninstall one of them"


def failure_of(cell):
    started = time.monotonic()
    with BACKEND.compile(small(cell)) as executable, pytest.raises(BackendError) as caught:
        executable.run(np.array([[1, 1], [0, 1]]))
    assert time.monotonic() - started < 20
    return str(caught.value)


def test_a_file_that_cannot_be_loaded_is_an_error_with_node_kind_and_file(kind, tmp_path, lava_python, leftovers):
    text = failure_of(kind("import torch_is_not_there\n"))
    assert text.startswith(
        f"node 'cells' (kind tiring): the implementation {tmp_path}/tiring_on_lava.py: loading it raised"
        " ModuleNotFoundError: No module named 'torch_is_not_there' (line 1: import torch_is_not_there);"
        " the Lava run ended with signal SIGTERM after"
    )
    leftovers.assert_none()


def test_a_step_that_raises_is_an_error_with_its_line(kind, tmp_path, lava_python, leftovers):
    raising = stepping("assert t < 2, 'boom'")
    text = failure_of(kind(raising))
    assert text.startswith(
        f"node 'cells' (kind tiring): the implementation {tmp_path}/tiring_on_lava.py: step() at timestep 2 raised"
        " AssertionError: boom (line 18: assert t < 2, 'boom'); the Lava run ended with signal SIGTERM after"
    )
    leftovers.assert_none()


@pytest.fixture(scope="module")
def runner_module():
    """The runner's module on implementations, which needs no Lava."""
    path = RUNNER / "lava_job" / "implementation.py"
    spec = importlib.util.spec_from_file_location("lava_job_implementation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stepping(body):
    """The implementation with another first line in its step."""
    start = "    def step(self, x, t):\n"
    return TIRING.replace(start, f"{start}        {body}\n")


GOOD = "return np.zeros(2, int), {'potential': np.zeros(2, int), 'fatigue': np.zeros(2, int)}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Neurons(", "loading it raised SyntaxError: '(' was never closed (cells.py, line 1)"),
        ("raise SystemExit(3)", "loading it raised SystemExit: 3"),
        ("neurons = 1", "defines no class Neurons(fields, shape)"),
        (TIRING.replace('fields["theta"]', 'fields["tau"]'), "Neurons(fields, shape) raised KeyError: 'tau'"),
        (
            TIRING.replace("def reset", "def restart"),
            "reset() raised AttributeError: 'Neurons' object has no attribute",
        ),
        (
            stepping("return x, {}, 0"),
            "step() at timestep 1 returned a tuple of 3; it must return (spikes, dict of state arrays)",
        ),
        (
            stepping("return x"),
            "step() at timestep 1 returned a ndarray; it must return (spikes, dict of state arrays)",
        ),
        (
            stepping(GOOD.replace("'fatigue'", "'tired'")),
            "step() at timestep 1 returned the state potential, tired; it must be potential, fatigue",
        ),
        (
            stepping(GOOD.replace("np.zeros(2, int), {", "np.zeros(3, int), {")),
            "step() at timestep 1 returned spikes as int64 of shape (3,); it must be integers of shape (2,)",
        ),
        (
            stepping(GOOD.replace("np.zeros(2, int), {", "np.array([0, 2]), {")),
            "step() at timestep 1 returned spikes of 0..2; it must be 0..1",
        ),
        (
            stepping(GOOD.replace("np.zeros(2, int)}", "np.zeros(2)}")),
            "step() at timestep 1 returned fatigue as float64 of shape (2,); it must be integers of shape (2,)",
        ),
        (
            stepping(GOOD.replace("np.zeros(2, int)}", "np.full(2, 1 << 31)}")),
            "step() at timestep 1 returned fatigue of 2147483648..2147483648; it must be -2147483648..2147483647",
        ),
        (stepping("raise SystemExit('out')"), "step() at timestep 1 raised SystemExit: out"),
        (stepping("raise ValueError('two\\nlines')"), "step() at timestep 1 raised ValueError: two lines"),
    ],
)
def test_whatever_an_implementation_does_wrong_is_said_in_one_line(text, told, runner_module, tmp_path):
    node = {"name": "cells", "kind": "tiring", "path": "/plugin/file.py", "text": text}
    node.update(variables=["potential", "fatigue"], program_shape=[2], graded=False, emitted_limits=[0, 1])
    fields = {"theta": np.array([1, 2]), "rest": 0, "rise": 1, "u_bits": 4}

    def run():
        made = runner_module.Implementation(node, fields, tmp_path)
        made.reset()
        made.advance(np.zeros(2, np.int64), 1)

    with pytest.raises(runner_module.ImplementationError) as caught:
        run()
    said = str(caught.value)
    assert said.startswith("node 'cells' (kind tiring): the implementation /plugin/file.py")
    assert said.partition("/plugin/file.py")[2].lstrip(": ").startswith(told)


def test_a_change_in_the_implementation_shows(kind, lava_python):
    """The two are written independently, so an error in one of them is a difference, not a shared one."""
    program = small(kind(TIRING.replace("self.fatigue - 1", "self.fatigue - 2")))
    program = replace(program, timesteps=9)
    inputs = np.array([[1, 1]])
    with BACKEND.compile(program) as executable:
        verdict = compare(run_oracle(program, inputs), executable.run(inputs))
    assert not verdict.identical
    assert verdict.first.what == "fatigue"
