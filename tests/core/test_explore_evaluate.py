"""Evaluation of settings on a run: the candidate's recipe, what candidates share, and what goes wrong."""

import shutil
from dataclasses import replace

import pytest

from spikequant.cli import main
from spikequant.errors import PluginError, RunError, UsageError
from spikequant.explore import Scheme, Setting, memory_of
from spikequant.explore.evaluate import RunEvaluator, apply_setting, fingerprint, run_evaluator
from spikequant.explore.planning import Wish, make_plan
from spikequant.formats import FP32, IntFormat, QFormat
from spikequant.rounding import Rounding
from spikequant.runs import parse_recipe
from spikequant.runs.build import build_model

USNN = {
    "timesteps": 30,
    "data": {"name": "digits", "train_samples": 200, "test_samples": 100},
    "network": {"name": "diehl-cook", "neurons": 20},
    "neuron": {"name": "diehl-cook"},
    "quantizer": {"name": "qif"},
    "learner": {"name": "stdp"},
    "training": {"float_epochs": 1, "epochs": 0},
}


def setting(scheme=Scheme.PTQ, rounding=Rounding.RN, **formats):
    return Setting(scheme, rounding, tuple(formats.items()))


@pytest.fixture(scope="module")
def usnn(tmp_path_factory):
    import tomli_w

    folder = tmp_path_factory.mktemp("usnn")
    (folder / "r.toml").write_text(tomli_w.dumps(USNN), encoding="utf-8")
    main(["train", str(folder / "r.toml"), "--out", str(folder / "run")])
    return folder / "run"


def test_a_candidate_is_a_recipe(trained):
    start = RunEvaluator(trained).start()
    wanted = apply_setting(start.recipe, setting(w=IntFormat(2), U=IntFormat(6)), start.quantities)
    assert wanted.quantizer.options == {"bits": 2}
    assert wanted.neuron.options == {"bits": 6}
    assert (
        wanted.model_copy(update={"quantizer": start.recipe.quantizer, "neuron": start.recipe.neuron}) == start.recipe
    )


def test_each_quantity_adds_its_own_options():
    recipe = parse_recipe(USNN, "here")
    wanted = setting(rounding=Rounding.SR, w=QFormat(1, 5, signed=False), V=QFormat(11, 4), Vth=FP32)
    found = apply_setting(recipe, wanted, build_model(recipe).quantities)
    assert found.quantizer.options == {"format": "UQ1.5", "rounding": "SR"}
    assert found.neuron.options == {"V": "Q11.4", "Vth": "FP32", "rounding": "SR"}


def test_what_takes_no_format_is_refused():
    recipe = parse_recipe(USNN, "here")
    quantities = build_model(recipe).quantities
    with pytest.raises(UsageError, match=r"^quantity 'theta' takes no format from a plugin; those that do: w, V, Vth$"):
        apply_setting(recipe, setting(theta=QFormat(1, 6)), quantities)
    with pytest.raises(PluginError, match=r"^quantizer 'qif' cannot give 'w' the format INT4; "):
        apply_setting(recipe, setting(w=IntFormat(4)), quantities)


@pytest.mark.parametrize(
    ("w", "n", "ratio"),
    [(QFormat(1, 8), QFormat(11, 8), 3.1935), (QFormat(1, 6), FP32, 3.9400), (QFormat(1, 6), QFormat(11, 6), 3.9873)],
)
def test_the_networks_own_quantities_give_the_papers_memory(w, n, ratio):
    recipe = parse_recipe(
        {**USNN, "data": {"name": "mnist"}, "network": {"name": "diehl-cook", "neurons": 400}}, "here"
    )
    assert round(memory_of(setting(w=w, V=n, Vth=n), build_model(recipe).quantities).ratio, 4) == ratio


def test_candidates_evaluated_together_come_out_as_one_by_one(usnn):
    evaluator = run_evaluator(usnn)
    assert evaluator.weights == ("w",)
    assert evaluator.group_size > 1
    settings = [
        setting(rounding=Rounding.SR, w=QFormat(1, 3), V=V, Vth=Vth)
        for V in (FP32, QFormat(11, 3), QFormat(11, 0))
        for Vth in (FP32, QFormat(11, 1))
    ]
    assert len({evaluator.group(s) for s in settings}) == 1
    together = evaluator(settings)
    alone = [evaluator([one])[0] for one in settings]
    assert [e.right for e in together] == [e.right for e in alone]
    assert len({e.right for e in together}) > 1
    assert [e.setting for e in together] == settings


def test_itq_is_evaluated_alone(usnn):
    evaluator = run_evaluator(usnn)
    one, other = (setting(Scheme.ITQ, w=QFormat(1, 3), V=V, Vth=FP32) for V in (FP32, QFormat(11, 3)))
    assert evaluator.group(one) != evaluator.group(other)


def test_an_evaluation_repeats(usnn):
    evaluator = run_evaluator(usnn)
    for scheme in Scheme:
        wanted = [setting(scheme, Rounding.SR, w=QFormat(1, 4), V=QFormat(11, 4), Vth=QFormat(11, 4))]
        one, two = (replace(evaluator(wanted)[0], seconds=0.0) for _ in range(2))
        assert one == two


def test_the_default_levels_are_the_papers_where_the_plugins_take_them(usnn, trained):
    plan = make_plan(run_evaluator(usnn).start(), Wish())
    assert plan.lengths == (9, 9, 9)
    assert [axis.name for axis in plan.axes] == ["w", "V", "Vth"]
    assert [fmt.frac_bits for (fmt,) in plan.axes[0].levels] == [16, 14, 12, 10, 8, 6, 4, 2, 0]
    assert plan.roundings == (Rounding.TR, Rounding.RN, Rounding.SR)
    mint = make_plan(run_evaluator(trained).start(), Wish())
    assert mint.lengths == (3, 3)
    assert mint.roundings == (Rounding.RN,)


def test_what_has_no_levels_stays_float_inside_all_others(usnn):
    plan = make_plan(run_evaluator(usnn).start(), Wish(levels=(("V", (4, 2)),)))
    assert [(axis.name, axis.levels[0]) for axis in plan.axes[1:]] == [("w", (FP32,)), ("Vth", (FP32,))]
    assert plan.axes[0].name == "V"


def test_training_that_runs_away_is_a_failed_candidate_and_stops_nothing(trained, monkeypatch):
    evaluator = RunEvaluator(trained)
    start = evaluator.start()
    learner = {"name": "bptt", "lr": 1e30, "batch_size": 32}
    wild = start.recipe.model_copy(update={"learner": parse_recipe({**USNN, "learner": learner}, "here").learner})
    monkeypatch.setattr(RunEvaluator, "start", lambda self: replace(start, recipe=wild))
    (found,) = evaluator([setting(Scheme.ITQ, w=IntFormat(4), U=IntFormat(4))])
    assert (found.right, found.samples) == (0, 60)
    assert isinstance(found.notes["ran_away"], str)


def test_a_run_without_a_float_model_is_refused(trained, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text((trained.parent / "small.toml").read_text().replace("float_epochs = 1", "float_epochs = 0"))
    main(["train", str(recipe), "--out", str(tmp_path / "run")])
    with pytest.raises(UsageError, match=r"^the run in \S+ trained no float model: its training.float_epochs is 0; "):
        run_evaluator(tmp_path / "run")


def test_a_float_model_of_another_recipe_is_refused(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    text = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(text.replace("timesteps = 3", "timesteps = 4"))
    with pytest.raises(RunError, match=r"was changed since \S+ was made: 'timesteps'"):
        run_evaluator(run)


def test_a_fingerprint_follows_data_and_model(trained):
    whole = fingerprint(RunEvaluator(trained).start())
    part = fingerprint(RunEvaluator(trained, test_samples=50).start())
    assert whole == fingerprint(RunEvaluator(trained).start())
    assert {name for name in whole if whole[name] != part[name]} == {"samples", "data"}
