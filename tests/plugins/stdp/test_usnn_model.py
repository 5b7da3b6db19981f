"""The U-SNN as a model: what it records is the oracle of its program; what it gets right depends on nothing else."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from spikequant import Quantizer
from spikequant.errors import UsageError
from spikequant.formats import FP32, IntFormat
from spikequant.model import Model, as_input
from spikequant.nir_profile import read_program, write_program
from spikequant.oracle import run_oracle
from spikequant.program_inputs import program_inputs
from spikequant.registry import node_kinds
from spikequant.runs.export import model_trace
from spikequant.verify import compare
from spikequant_mint.quantizers import Mint
from spikequant_qif.quantizer import Qif
from spikequant_stdp.engine import Formats
from spikequant_stdp.votes import classes_of

SAMPLES = 16
CONDUCTANCE = {"synapse": "conductance", "tau_g_ms": 5.0, "g": "Q4.6"}


def changes(rounding, w, neuron=None, overflow="saturate"):
    rule = {"rounding": rounding, "overflow": overflow}
    return {"quantizer": {"format": w, **rule, "seed": 3}, "neuron": {**(neuron or {}), **rule}}


def assert_exact(model, x, program=None):
    """Every spike, state, vote and class of ``model`` is the oracle's of its program; returns the oracle's trace."""
    program = program or model.lower()
    expected = run_oracle(program, program_inputs(program, x.astype(np.int64)))
    verdict = compare(expected, model_trace(model, x))
    assert verdict.identical, str(verdict)
    assert np.array_equal(model.predict(as_input(x)), expected.predictions())
    return expected


@pytest.mark.parametrize(
    ("rounding", "w", "neuron"),
    [
        *itertools.product(("TR", "RN", "SR"), ("Q1.8", "UQ0.6"), ({}, CONDUCTANCE)),
        ("RN", "Q1.3", {"V": "Q9.2", "Vth": "Q7.1"}),
        ("SR", "UQ1.4", {**CONDUCTANCE, "V": "Q9.2", "Vth": "Q6.0", "g": "UQ3.2"}),
        ("RN", "Q1.8", {"refractory": 0, "reset": -60}),
    ],
)
def test_what_it_records_is_the_oracle_of_its_program(usnn, rounding, w, neuron):
    model = usnn.quantized(**changes(rounding, w, neuron))
    trace = assert_exact(model, usnn.digits()[1].x[:SAMPLES])
    assert trace.spikes["exc"].sum() > SAMPLES


def test_overflow_wraps_in_the_model_as_in_its_program(usnn):
    model = usnn.quantized(**changes("RN", "Q1.8", {"V": "Q7.3", "Vth": "Q6.4"}, "wrap"))
    trace = assert_exact(model, usnn.digits()[1].x[:SAMPLES])
    assert trace.counts.saturations > 0


@pytest.mark.parametrize("neuron", [{}, CONDUCTANCE], ids=["current", "conductance"])
def test_the_program_survives_its_file(usnn, tmp_path, neuron):
    model, path = usnn.quantized(**changes("SR", "UQ0.6", neuron)), tmp_path / "m.nir"
    write_program(model.lower(provenance={"data": "digits"}), path, {}, kinds=node_kinds())
    program = read_program(path, kinds=node_kinds())
    assert program.provenance["data"] == "digits"
    assert_exact(model, usnn.digits()[1].x[:4], program)


def test_the_timestep_of_the_program_is_the_models_or_the_given_one(usnn):
    model = usnn.quantized(network={"dt_ms": 0.5})
    assert model.dt == model.lower().dt == 0.5e-3
    assert model.lower(dt=2e-3).dt == 2e-3


def test_a_net_that_never_spikes_says_the_first_class_and_can_be_exported(usnn):
    model = usnn.untrained(neuron={"v_th": 900})
    split = usnn.digits()[1]
    model.learned(split.y, split.x)
    assert not model.votes.any()
    assert set(model.predict(as_input(split.x)).tolist()) == {0}
    model.quantize(lambda: Qif("Q1.8"))
    trace = assert_exact(model, split.x[:SAMPLES])
    assert not trace.spikes["exc"].any()


def test_floats_are_not_touched_by_the_formats_that_are_to_come(usnn):
    x = as_input(usnn.digits()[1].x)
    coarse = usnn.floats(neuron={"V": "Q8.0", "Vth": "Q8.0"}, quantizer={"format": "Q1.1"})
    assert coarse.formats == Formats()
    assert np.array_equal(coarse.predict(x), usnn.floats().predict(x))


def test_fp32_in_every_place_computes_as_floats_do(usnn):
    x = as_input(usnn.digits()[1].x)
    model = usnn.quantized(neuron={"V": "FP32", "Vth": "FP32"}, quantizer={"format": "FP32"})
    assert model.precision == "integer"
    assert np.array_equal(model.predict(x), usnn.floats().predict(x))


def test_a_class_is_the_vote_of_the_spikes_that_were_recorded(usnn):
    model, x = usnn.quantized(), usnn.digits()[1].x[:SAMPLES]
    spikes = model.record(as_input(x)).spikes["exc"].sum(dim=0).numpy()
    assert np.array_equal(model.predict(as_input(x)), classes_of(spikes, model.votes))


def candidates(usnn):
    formats = [("Q1.8", "Q11.8"), ("Q1.8", "Q9.1"), ("Q1.2", "Q9.1"), ("UQ0.3", "Q11.8"), ("FP32", "Q11.4")]
    models = [
        usnn.quantized(**changes(rounding, w, {"V": v}))
        for (w, v), rounding in itertools.product(formats, ("TR", "SR"))
    ]
    return [usnn.floats(), *models]


def test_what_a_model_gets_right_does_not_depend_on_the_others(usnn):
    data, models = usnn.digits()[1], candidates(usnn)
    alone = [model.right([model], data)[0] for model in models]
    assert len(set(alone)) > 3
    assert type(models[0]).right(models, data) == alone
    assert type(models[0]).right(models[::-1], data) == alone[::-1]
    assert [int(np.count_nonzero(m.predict(as_input(data.x)) == data.y)) for m in models] == alone
    assert Model.right.__func__(type(models[0]), models, data) == alone


def test_models_of_other_weights_may_be_among_them(usnn):
    data, models = usnn.digits()[1], [usnn.quantized() for _ in range(3)]
    models[1].w.copy_(models[1].w.flip(0))
    models[2].theta.add_(3.0)
    alone = [model.right([model], data)[0] for model in models]
    assert len(set(alone)) == 3
    assert type(models[0]).right(models, data) == alone


def test_stochastic_rounding_has_the_quantizers_seed(usnn):
    models = [
        usnn.quantized(quantizer={"format": "Q1.3", "rounding": "SR", "seed": seed}, neuron={"rounding": "SR"})
        for seed in (3, 4)
    ]
    assert [model.formats.seed for model in models] == [3, 4]
    codes = [next(node.codes for node in model.lower().nodes if node.name == "fc") for model in models]
    assert not np.array_equal(*codes)


def test_nor_on_how_many_samples_run_at_once(usnn, monkeypatch):
    data, models = usnn.digits()[1], candidates(usnn)[:3]
    whole = type(models[0]).right(models, data)
    monkeypatch.setattr("spikequant_stdp.model.MOST_COUNTS", 7 * 3 * 24)
    told = []
    assert type(models[0]).right(models, data, lambda *at: told.append(at)) == whole
    assert told == sorted(told)
    assert told[-1] == (len(data), len(data))
    assert len(told) == 9
    apart = [models[0].predict(as_input(data.x[i : i + 1]))[0] for i in range(10)]
    assert np.array_equal(models[0].predict(as_input(data.x[:10])), apart)


def test_models_of_other_constants_are_run_one_by_one(usnn):
    data = usnn.digits()[1]
    models = [usnn.quantized(), usnn.quantized(neuron={"refractory": 9}), usnn.quantized(seed=6)]
    assert models[0].right(models, data) == [model.right([model], data)[0] for model in models]
    assert type(models[0]).right([], data) == []


def test_running_candidates_changes_none_of_them(usnn):
    models = candidates(usnn)[:4]
    before = [{name: value.clone() for name, value in model.state_dict().items()} for model in models]
    type(models[0]).right(models, usnn.digits()[1])
    for model, kept in zip(models, before, strict=True):
        assert all(value.equal(kept[name]) for name, value in model.state_dict().items())


def test_its_buffers_hold_all_of_the_engines_state(usnn):
    model, fresh = usnn.quantized(), usnn.untrained()
    fresh.load_state_dict(model.state_dict())
    fresh.quantize(lambda: Qif("Q1.8"))
    assert np.array_equal(fresh.state.w, model.state.w)
    assert np.array_equal(fresh.state.theta, model.state.theta)
    assert fresh.state.images == model.state.images == 80
    assert fresh.state.theta.dtype == np.float64
    assert usnn.floats().state.theta.dtype == np.float32
    assert set(model.state_dict()) == {"w", "theta", "rates", "images"}


def test_the_state_is_a_copy(usnn):
    model = usnn.floats()
    model.state.w[:] = 0
    model.state.theta[:] = 0
    assert model.state.w.any()
    assert model.state.theta.any()


@pytest.mark.parametrize(("synapse", "names"), [("current", "w V Vth"), ("conductance", "w V Vth g")])
def test_its_quantities_are_those_of_table_1(usnn, synapse, names):
    found = usnn.untrained(neuron={"synapse": synapse, "theta_plus": 0.1, "reset": -60}).quantities
    assert [q.name for q in found if q.role == "variable"] == names.split()
    assert [(q.name, q.value) for q in found if q.role == "constant"] == [("Vreset", -60), ("theta", 0.1)]
    assert [q.count for q in found] == [64 * 24] + [24] * (len(found) - 1)
    assert [q.part for q in found if q.role == "variable"] == ["quantizer"] + ["neuron"] * (len(names.split()) - 1)
    assert found[0].allowed == (0.0, 1.0)


class OtherFormat(Quantizer):
    name = "other"
    fmt = IntFormat(4)

    def quantize(self, x, scale):
        raise NotImplementedError


MISMATCH = "; set them alike in [quantizer] and [neuron]"


@pytest.mark.parametrize(
    ("quantizer", "neuron", "message"),
    [
        (
            OtherFormat,
            {},
            "quantizer 'other' gives the weights INT4; network diehl-cook takes Qi.f, so set quantizer.name to 'qif'",
        ),
        (
            Mint,
            {},
            "quantizer 'mint' gives the weights INT8; network diehl-cook takes Qi.f, so set quantizer.name to 'qif'",
        ),
        (
            lambda: Qif("Q1.8", "TR"),
            {},
            "weights have the rounding and overflow TR, saturate, and the neuron's variables RN, saturate" + MISMATCH,
        ),
        (
            lambda: Qif("Q1.8", overflow="wrap"),
            {"V": "FP32"},
            "weights have the rounding and overflow RN, wrap, and the neuron's variables RN, saturate" + MISMATCH,
        ),
        (
            lambda: Qif("Q1.8"),
            {"V": "Q5.8"},
            "rest is -65.0, and V has the format Q5.8, -32.0..31.99609375; give it more integer bits",
        ),
        (
            lambda: Qif("Q1.8"),
            {"synapse": "conductance"},
            "V has the format Q11.8 and g is FP32; give g a format too, since V's step uses it",
        ),
        (
            lambda: Qif("Q1.8"),
            {"g": "Q3.3"},
            "g has the format Q3.3, and a current synapse has no g; leave it out",
        ),
    ],
)
def test_formats_that_do_not_go_together_are_refused(usnn, quantizer, neuron, message):
    model = usnn.untrained(neuron=neuron)
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        model.quantize(quantizer)
    assert model.precision == "float"
    assert model.formats == Formats()


def test_float_ends_are_refused(usnn):
    message = "^training.ends is 'float'; this network has one layer, so set it to 'integer'$"
    with pytest.raises(UsageError, match=message):
        usnn.untrained().quantize(lambda: Qif("Q1.8"), ends="float")


def test_the_rounding_of_one_part_is_enough_where_the_other_is_fp32(usnn):
    weights = usnn.quantized(quantizer={"rounding": "TR", "overflow": "wrap"}, neuron={"V": "FP32", "Vth": "FP32"})
    assert (weights.formats.rounding.value, weights.formats.overflow.value) == ("TR", "wrap")
    neurons = usnn.quantized(quantizer={"format": "FP32"}, neuron={"rounding": "SR"})
    assert neurons.formats.rounding.value == "SR"


@pytest.mark.parametrize("what", ["record", "lower"])
def test_floats_are_neither_recorded_nor_lowered(usnn, what):
    model = usnn.floats()
    call = model.lower if what == "lower" else lambda: model.record(as_input(usnn.digits()[1].x[:1]))
    message = rf"^{what}\(\) needs integers, and the model computes in floats; quantize\(\) it first$"
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"quantizer": {"format": "FP32"}}, "w"),
        ({"neuron": {"V": "FP32"}}, "V"),
        ({"neuron": {"Vth": "FP32"}}, "Vth"),
        ({"neuron": {"V": "FP32", "Vth": "FP32"}}, "V, Vth"),
        ({"neuron": {"V": "FP32", "synapse": "conductance"}}, "V, g"),
    ],
)
@pytest.mark.parametrize("what", ["record", "lower"])
def test_nor_is_a_variable_that_stayed_fp32(usnn, what, changed, names):
    model = usnn.quantized(**changed)
    call = model.lower if what == "lower" else lambda: model.record(as_input(usnn.digits()[1].x[:1]))
    message = rf"^{what}\(\) needs integers, and {names} is FP32; give each a format like Q11.8$"
    with pytest.raises(UsageError, match=message):
        call()


def test_fp32_is_what_the_quantizer_says_for_no_format(usnn):
    assert Qif("FP32").fmt == FP32
    assert usnn.quantized(quantizer={"format": "FP32"}).formats.w is None
