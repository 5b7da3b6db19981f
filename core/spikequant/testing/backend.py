"""The contract of a backend as checks: the oracle's integers, or a refusal by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikequant.backend import Availability, Backend
from spikequant.errors import RefusedError, UsageError
from spikequant.oracle import run_oracle
from spikequant.program import IntArray, Node, Program, SpikingNode
from spikequant.testing.kit import Contract
from spikequant.testing.limits import Limits, plain
from spikequant.testing.programs import accepted_programs, random_inputs
from spikequant.testing.strangers import (
    LateLif,
    Riser,
    Toggle,
    counted_programs,
    graded_programs,
    with_neuron,
    with_stranger,
)
from spikequant.trace import Trace, joined
from spikequant.verify import compare

PROGRAMS = 16
BATCH = 5
Case = tuple[str, Program, Mapping[str, IntArray]]


def check_described(backend: Backend) -> None:
    """The backend says what it is, what it supports and whether it is ready."""
    label = type(backend).__name__
    for field in ("name", "summary"):
        value = getattr(backend, field, None)
        described = isinstance(value, str) and bool(value.strip())
        assert described, f"{label}.{field} is {value!r}; it must be a text"
    supports = getattr(backend, "supports", ())
    listed = isinstance(supports, tuple) and len(supports) > 0
    kinds = listed and all(isinstance(kind, type) and issubclass(kind, Node) for kind in supports)
    assert kinds, f"{label}.supports is {supports!r}; it must be a tuple of Node classes"
    assert isinstance(backend.availability(), Availability), f"{label}.availability() must return an Availability"


def check_equals_oracle(backend: Backend) -> None:
    """Every spike, potential and output is the oracle's, in the trace's number types."""
    for label, program, inputs in cases(backend):
        assert_equal(run_oracle(program, inputs), _run(backend, program, inputs), program, f"{backend.name}, {label}")


def check_counts(backend: Backend) -> None:
    """Counts name the backend and its samples, and their spikes are the trace's."""
    for label, program, inputs in cases(backend, 4):
        trace = _run(backend, program, inputs)
        counts, where = trace.counts, f"{backend.name}, {label}"
        assert counts.backend == backend.name, f"{where}: counts.backend is '{counts.backend}', not '{backend.name}'"
        assert counts.samples == BATCH, f"{where}: counts.samples is {counts.samples}, and {BATCH} were run"
        for name, spikes in trace.spikes.items():
            assert name in counts.nodes, f"{where}: counts lack spiking node '{name}'"
            fires, seen = counts.nodes[name].fires, int(np.count_nonzero(spikes))
            assert fires == seen, f"{where}: node '{name}': counts say {fires} fires, and the trace holds {seen}"


def check_unrecorded(backend: Backend) -> None:
    """With ``record=False`` outputs and counts stay the same and nothing else is kept."""
    for label, program, inputs in cases(backend, 4):
        where = f"{backend.name}, {label}"
        with backend.compile(program) as executable:
            full = executable.run(inputs)
            short = executable.run(inputs, record=False)
        kept = [*short.spikes, *short.potentials]
        assert not kept, f"{where}: record=False kept spikes or potentials of {kept}"
        assert set(short.outputs) == set(full.outputs), f"{where}: record=False lost outputs"
        if full.outputs:
            outputs = Trace(outputs=full.outputs)
            assert_equal(outputs, Trace(outputs=short.outputs), program, f"{where}: with record=False")
        assert short.counts.nodes == full.counts.nodes, f"{where}: counts change with record=False"


def check_batch_split(backend: Backend) -> None:
    """A batch in two parts gives what it gives at once."""
    for label, program, inputs in cases(backend, 4):
        with backend.compile(program) as executable:
            parts = [executable.run(_samples(program, inputs, s)) for s in (slice(0, 2), slice(2, None))]
            whole = executable.run(inputs)
        assert_equal(whole, joined(parts), program, f"{backend.name}, {label}: run in two parts")


def check_fresh_start(backend: Backend) -> None:
    """Every run starts from the initial state."""
    for label, program, inputs in cases(backend, 4):
        with backend.compile(program) as executable:
            first, second = executable.run(inputs), executable.run(inputs)
        assert_equal(first, second, program, f"{backend.name}, {label}: second run")


def check_inputs_unchanged(backend: Backend) -> None:
    """A run does not write to the arrays it is given, and takes read-only ones of narrow types."""
    for label, program, inputs in cases(backend, 4):
        given = {name: _narrowest(array) for name, array in inputs.items()}
        for array in given.values():
            array.flags.writeable = False
        try:
            trace = _run(backend, program, given)
        except ValueError as error:
            raise AssertionError(f"{backend.name}, {label}: read-only inputs fail: {error}") from error
        assert_equal(run_oracle(program, inputs), trace, program, f"{backend.name}, {label}: narrow inputs")


def check_bad_inputs(backend: Backend) -> None:
    """Inputs of a wrong shape or beyond their width raise ``UsageError``."""
    _, program, inputs = cases(backend, 1)[0]
    name, array = next(iter(inputs.items()))
    high = program.inputs[0].limits[1]
    for what, wrong in (("shape", array[..., None]), ("value", np.full_like(array, high + 1))):
        with backend.compile(program) as executable:
            try:
                executable.run({**inputs, name: wrong})
            except UsageError:
                continue
        raise AssertionError(f"{backend.name}: inputs of a wrong {what} raised no UsageError")


def check_refuses_unknown_kinds(backend: Backend) -> None:
    """An operator that nobody knows is refused at compile time, by its name and kind."""
    text = ""
    try:
        backend.compile(with_stranger()).close()
    except RefusedError as refused:
        text = str(refused)
    assert text, f"{backend.name}: a program with a node of unknown kind 'stranger' compiled"
    for word in (f"'{backend.name}'", "'odd'", "stranger"):
        assert word in text, f"{backend.name}: the refusal does not say {word}: {text}"


def check_unknown_neurons(backend: Backend) -> None:
    """A neuron plugin's kind is refused by name, or runs with the plugin's own integers."""
    theta = np.array(2)
    neurons: tuple[SpikingNode, ...] = (
        Toggle("cell", u_bits=4),
        LateLif("cell", theta=theta, u_bits=4),
        Riser("cell", u_bits=4),
    )
    for node in neurons:
        _assert_runs_or_refuses(backend, with_neuron(node), f"neuron kind {node.kind}")


def check_graded_neurons(backend: Backend) -> None:
    """A graded kind, which puts out its potential, is refused by name, or runs with its own integers."""
    for what, program in graded_programs().items():
        _assert_runs_or_refuses(backend, program, f"a graded neuron, {what}")


def check_counted_spikes(backend: Backend) -> None:
    """A kind that puts out several spikes at a timestep is refused by name, or runs with its own integers."""
    for what, program in counted_programs().items():
        _assert_runs_or_refuses(backend, program, f"a neuron with several spikes a step, {what}")


def _assert_runs_or_refuses(backend: Backend, program: Program, what: str) -> None:
    """The neuron named ``cell`` runs with the oracle's integers and number of fires, or is refused by its name."""
    inputs, text = random_inputs(program, BATCH, seed=1), ""
    try:
        trace = _run(backend, program, inputs)
    except RefusedError as refused:
        text = str(refused)
    if text:
        assert "'cell'" in text, f"{backend.name}: the refusal does not name node 'cell': {text}"
        return
    expected = run_oracle(program, inputs)
    assert_equal(expected, trace, program, f"{backend.name}, {what}")
    counted = trace.counts.nodes.get("cell")
    fires, seen = counted.fires if counted else None, expected.counts.nodes["cell"].fires
    assert fires == seen, f"{backend.name}, {what}: node 'cell': counts say {fires} fires, and the oracle's {seen}"


def assert_equal(expected: Trace, got: Trace, program: Program, where: str) -> None:
    """Raise ``AssertionError`` naming ``where`` and the first difference, unless two traces are equal."""
    try:
        verdict = compare(expected, got, [node.name for node in program.order])
    except UsageError as error:
        raise AssertionError(f"{where}: {error}") from error
    assert verdict.identical, f"{where}: {verdict}\n{program}"
    for group, types in (("spikes", "uint8"), ("potentials", "int32"), ("outputs", "int32 int64")):
        for name, array in getattr(got, group).items():
            assert array.dtype in types.split(), f"{where}: {group} of '{name}' are {array.dtype}, not {types}"


def cases(backend: Backend, count: int = PROGRAMS) -> list[Case]:
    """Return random programs that ``backend`` accepts, half of them plain, with inputs."""
    try:
        found = accepted_programs(backend, count, Limits(), plain())
    except UsageError as error:
        raise AssertionError(f"{backend.name}: {error}") from error
    return [(f"program of seed {seed}", program, random_inputs(program, BATCH, seed)) for seed, program in found]


def _run(backend: Backend, program: Program, inputs: Mapping[str, IntArray]) -> Trace:
    with backend.compile(program) as executable:
        return executable.run(inputs)


def _samples(program: Program, inputs: Mapping[str, IntArray], part: slice) -> dict[str, IntArray]:
    direct = {node.name for node in program.inputs if node.coding == "direct"}
    return {name: array[part] if name in direct else array[:, part] for name, array in inputs.items()}


def _narrowest(array: IntArray) -> IntArray:
    return array.astype(np.result_type(np.min_scalar_type(array.min()), np.min_scalar_type(array.max())))


def _unavailable(backend: Backend) -> str | None:
    state = backend.availability()
    return None if state.ready else f"{backend.name}: {state.detail}; {state.remedy}"


backend_checks: Contract[Backend] = Contract(
    "backend",
    (
        check_described,
        check_equals_oracle,
        check_counts,
        check_unrecorded,
        check_batch_split,
        check_fresh_start,
        check_inputs_unchanged,
        check_bad_inputs,
        check_refuses_unknown_kinds,
        check_unknown_neurons,
        check_graded_neurons,
        check_counted_spikes,
    ),
    skip=_unavailable,
)
