"""The conformance kit catches backends that are deliberately broken, each by the check meant for it."""

from dataclasses import replace

import numpy as np
import pytest

from spikequant.backend import Executable
from spikequant.oracle import run_oracle
from spikequant.program import Lif, Program, SpikingNode
from spikequant.testing import Contract, backend_checks
from spikequant.testing.strangers import Gauge, Riser
from spikequant.trace import Trace
from spikequant_reference.backend import ReferenceBackend, ReferenceExecutable


def broken(run, **fields):
    """A reference backend whose executables run ``run(inner, inputs, record)``."""

    class Run(Executable):
        def __init__(self, program):
            self.program = program
            self.inner = ReferenceExecutable(program, "broken")

        def run(self, inputs, *, record=True):
            return run(self, inputs, record)

    body = {"name": "broken", "build": lambda self, program: Run(program), **fields}
    return type("Broken", (ReferenceBackend,), body)()


def honest(executable, inputs, record):
    return executable.inner.run(inputs, record=record)


def edited(**changes):
    """Change every node's arrays of a trace."""

    def run(executable, inputs, record):
        trace = honest(executable, inputs, record)
        for group, change in changes.items():
            trace = replace(trace, **{group: {k: change(v.copy()) for k, v in getattr(trace, group).items()}})
        return trace

    return run


def off_by_one(array):
    array.ravel()[-1:] ^= 1
    return array


def mutated(**fields):
    """Run the oracle on a program whose lif nodes have other fields."""

    def run(executable, inputs, record):
        program = executable.program
        nodes = tuple(
            replace(n, **{k: f(getattr(n, k)) for k, f in fields.items()}) if type(n) is Lif else n
            for n in program.nodes
        )
        trace = run_oracle(Program(nodes, program.edges, program.timesteps), inputs)
        counts = replace(trace.counts, backend="broken")
        return replace(trace, counts=counts) if record else Trace(outputs=trace.outputs, counts=counts)

    return run


def stateful(executable, inputs, record):
    executable.runs = getattr(executable, "runs", 0) + 1
    return edited(potentials=lambda a: a + (executable.runs > 1))(executable, inputs, record)


def writes_to_its_inputs(executable, inputs, record):
    for array in inputs.values():
        array[...] = array * 1
    return honest(executable, inputs, record)


def swallows_bad_inputs(executable, inputs, record):
    try:
        return honest(executable, inputs, record)
    except ValueError:
        return Trace()


def depends_on_the_batch(executable, inputs, record):
    trace = honest(executable, inputs, record)
    size = trace.counts.samples
    return replace(trace, potentials={k: v + (size != 5) for k, v in trace.potentials.items()})


def without_counts(executable, inputs, record):
    return replace(honest(executable, inputs, record), counts=replace(run_counts(executable, inputs), nodes={}))


def run_counts(executable, inputs):
    return honest(executable, inputs, True).counts


def wrong_name(executable, inputs, record):
    trace = honest(executable, inputs, record)
    return replace(trace, counts=replace(trace.counts, backend="other"))


def always_records(executable, inputs, record):
    return honest(executable, inputs, True)


def loses_outputs(executable, inputs, record):
    trace = honest(executable, inputs, record)
    return trace if record else replace(trace, outputs={k: v * 0 - 1 for k, v in trace.outputs.items()})


CASES = {
    "spike off by one": (edited(spikes=off_by_one), "equals_oracle"),
    "potential off by one": (edited(potentials=off_by_one), "equals_oracle"),
    "output off by one": (edited(outputs=off_by_one), "equals_oracle"),
    "spikes as int64": (edited(spikes=lambda a: a.astype(np.int64)), "equals_oracle"),
    "fires above theta only": (mutated(theta=lambda theta: np.asarray(theta + 1)), "equals_oracle"),
    "leak always floors": (mutated(leak=lambda leak: replace(leak, rounding="floor")), "equals_oracle"),
    "leak always on read": (mutated(order=lambda _: "leak_on_read"), "equals_oracle"),
    "two's complement for all": (mutated(overflow=lambda _: "saturate"), "equals_oracle"),
    "reset always to zero": (mutated(reset=lambda reset: replace(reset, kind="zero")), "equals_oracle"),
    "no neuron bias": (mutated(bias=lambda _: None), "equals_oracle"),
    "keeps state": (stateful, "fresh_start"),
    "writes to its inputs": (writes_to_its_inputs, "inputs_unchanged"),
    "swallows bad inputs": (swallows_bad_inputs, "bad_inputs"),
    "depends on the batch": (depends_on_the_batch, "batch_split"),
    "no counts": (without_counts, "counts"),
    "counts of another backend": (wrong_name, "counts"),
    "records always": (always_records, "unrecorded"),
    "other outputs unrecorded": (loses_outputs, "unrecorded"),
}


@pytest.mark.parametrize(("run", "caught_by"), CASES.values(), ids=CASES)
def test_a_broken_backend_is_caught(run, caught_by):
    assert caught_by in backend_checks.failures(broken(run))


def test_the_same_backend_unbroken_passes():
    assert backend_checks.failures(broken(honest)) == {}


def test_a_backend_that_compiles_whatever_it_gets_is_caught():
    backend = broken(honest, refusals=lambda self, program: {})
    expected = "broken: a program with a node of unknown kind 'stranger' compiled"
    assert backend_checks.failures(backend)["refuses_unknown_kinds"] == expected


def test_a_backend_that_takes_every_neuron_for_a_lif_is_caught():
    def step_as_lif(executable, inputs, record):
        nodes = tuple(
            Lif(n.name, u_bits=n.u_bits, theta=np.array(2)) if n.kind in {"toggle", "late_lif"} else n
            for n in executable.program.nodes
        )
        return run_oracle(replace(executable.program, nodes=nodes), inputs)

    assert "unknown_neurons" in backend_checks.failures(broken(step_as_lif))


def loses_variables(executable, inputs, record):
    trace = honest(executable, inputs, record)
    return replace(trace, potentials={k: v for k, v in trace.potentials.items() if "." not in k})


def never_tells_the_time(executable, inputs, record):
    """Every timestep is taken for the first."""
    nodes = [timeless(node) if isinstance(node, Riser) else node for node in executable.program.nodes]
    return run_oracle(replace(executable.program, nodes=tuple(nodes)), inputs)


def timeless(node):
    advance = {"advance": lambda self, x, state, t: Riser.advance(self, x, state, 0)}
    return type("Timeless", (Riser,), advance)(node.name, u_bits=node.u_bits)


def starts_at_zero(executable, inputs, record):
    nodes = [from_zero(node) if isinstance(node, Riser) else node for node in executable.program.nodes]
    return run_oracle(replace(executable.program, nodes=tuple(nodes)), inputs)


def from_zero(node):
    return type("FromZero", (Riser,), {"initial": SpikingNode.initial})(node.name, u_bits=node.u_bits)


@pytest.mark.parametrize("run", [loses_variables, never_tells_the_time, starts_at_zero])
def test_a_backend_that_half_knows_neurons_with_several_variables_is_caught(run):
    assert "unknown_neurons" in backend_checks.failures(broken(run))


def carries_as_float32(executable, inputs, record):
    """What a graded neuron puts out loses its low bits on its way."""
    nodes = [coarse(node) if isinstance(node, Gauge) else node for node in executable.program.nodes]
    return run_oracle(replace(executable.program, nodes=tuple(nodes)), inputs)


def coarse(node):
    def advance(self, x, state, t):
        emitted, state, overflowed = Gauge.advance(self, x, state, t)
        return emitted.astype(np.float32).astype(np.int64), state, overflowed

    return type("Coarse", (Gauge,), {"advance": advance})(node.name, u_bits=node.u_bits)


def emits_spikes(executable, inputs, record):
    """A graded neuron's values go on as spikes; only its potential is right."""
    nodes = [spiking(node) if isinstance(node, Gauge) else node for node in executable.program.nodes]
    return run_oracle(replace(executable.program, nodes=tuple(nodes)), inputs)


def spiking(node):
    def advance(self, x, state, t):
        emitted, state, overflowed = Gauge.advance(self, x, state, t)
        return (emitted != 0).astype(np.int64), state, overflowed

    return type("Spiking", (Gauge,), {"advance": advance})(node.name, u_bits=node.u_bits)


def records_spikes_too(executable, inputs, record):
    trace = honest(executable, inputs, record)
    graded = [node.name for node in executable.program.spiking if node.graded and record]
    return replace(trace, spikes={**trace.spikes, **{n: (trace.potentials[n] != 0).astype("u1") for n in graded}})


def counts_the_sum(executable, inputs, record):
    """Fires of a graded neuron are taken for the sum of what it puts out."""
    trace = honest(executable, inputs, record)
    nodes = dict(trace.counts.nodes)
    if "cell" in nodes and record:
        nodes["cell"] = replace(nodes["cell"], fires=int(abs(trace.potentials["cell"].astype(int)).sum()))
    return replace(trace, counts=replace(trace.counts, nodes=nodes))


@pytest.mark.parametrize("run", [carries_as_float32, emits_spikes, records_spikes_too, counts_the_sum])
def test_a_backend_that_half_knows_graded_neurons_is_caught(run):
    assert "graded_neurons" in backend_checks.failures(broken(run))


def test_a_backend_may_refuse_graded_neurons_by_name_and_only_so():
    named = broken(honest, refusal=lambda self, program, node: "puts out values" if node.name == "cell" else None)
    assert "graded_neurons" not in backend_checks.failures(named)
    other = broken(honest, refusal=lambda self, program, node: "no" if node.name == "input" else None)
    assert backend_checks.failures(other)["graded_neurons"].startswith("broken: the refusal does not name node 'cell'")


def test_a_backend_without_a_summary_is_caught():
    failures = backend_checks.failures(broken(honest, summary=""))
    assert failures == {"described": "Broken.summary is ''; it must be a text"}


def test_a_backend_that_refuses_nearly_everything_is_told_so():
    backend = broken(honest, refusal=lambda self, program, node: "not today")
    assert backend_checks.failures(backend)["equals_oracle"] == (
        "broken: 0 of 2000 random programs were accepted, and 16 are needed; widen the limits"
    )


def test_a_failure_names_the_first_difference():
    message = backend_checks.failures(broken(edited(potentials=off_by_one)))["equals_oracle"]
    assert message.startswith("broken, program of seed 0: ")
    assert ": potential expected " in message


def test_expected_failures_must_name_a_check():
    message = "^number_checks has no check 'negative'; it has positive$"
    with pytest.raises(ValueError, match=message):
        Contract("number", [check_positive])(1, expected_failures={"negative": "why"})


def test_nothing_to_check():
    with pytest.raises(ValueError, match=r"^number_checks was given nothing to check; pass one number or more$"):
        Contract("number", [check_positive])()


def check_positive(number):
    assert number > 0, f"number {number} is not positive"


@Contract("number", [check_positive])(-1, expected_failures={"positive": "negative numbers are negative"})
def test_an_expected_failure_is_marked_with_its_reason(number, check):
    check(number)


def test_subjects_that_cannot_run_here_are_skipped_with_the_reason():
    checks = Contract("number", [check_positive], skip=lambda number: f"{number} is missing its tool")

    def decorated(number, check):
        check(number)

    (mark,) = checks(7)(decorated).pytestmark
    assert [case.marks[0].kwargs["reason"] for case in mark.args[1]] == ["7 is missing its tool"]
