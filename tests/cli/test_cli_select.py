"""``spikequant select``: the choice, why, the front beside it; exit 1 when nobody meets the demand."""

import json
import re
import shlex

import pytest

from spikequant.explore import Evaluation, Plan, PlannedAxis, Scheme, Setting, Store, Visit
from spikequant.formats import FP32, QFormat
from spikequant.rounding import Rounding

WEIGHT = {FP32: "FP32", QFormat(1, 8): "Q1.8", QFormat(1, 6): "Q1.6", QFormat(1, 4): "Q1.4"}
RIGHT = {FP32: 870, QFormat(1, 8): 866, QFormat(1, 6): 862, QFormat(1, 4): 700}
PLAN = Plan((PlannedAxis("w", ("w",), tuple((fmt,) for fmt in WEIGHT)),), (Rounding.RN,), target=1.0)


def evaluation(fmt):
    setting = Setting(Scheme.PTQ, Rounding.RN, (("w", fmt),))
    return Evaluation(setting, RIGHT[fmt], 1000, 1000 * fmt.width, 32_000, 0.1)


def explored(run, formats=tuple(WEIGHT), name="default", plan=PLAN):
    (run / "explore").mkdir(parents=True, exist_ok=True)
    path = run / "explore" / f"{name}.sqlite"
    with Store.open(path, {"recipe": {}}) as store:
        store.set_meta("plan", plan.to_json())
        store.set_meta("weights", ["w"])
        store.add([evaluation(fmt) for fmt in formats])
    return path


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "my run"
    explored(folder)
    return folder


def test_the_store_is_what_an_exploration_leaves(run):
    """The plan visits exactly what the store holds."""
    settings = [PLAN.setting(Scheme.PTQ, Visit((level,), 0)) for level in range(4)]
    with Store.read(run / "explore" / "default.sqlite") as store:
        assert set(store.evaluations) == {setting.key for setting in settings}


def test_prints_choice_reason_command_and_front(spikequant, run):
    answer = spikequant("select", run)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:4] == [
        "FP32 accuracy: 87.00 % of 1,000 test samples; 4 settings evaluated, 3 to choose from",
        "chosen by reward: PTQ RN W(Q1.6)",
        "why: PTQ RN W(Q1.6): reward 0.8370 = accuracy 0.8620 - mu 0.1 x memory 0.2500 of FP32, the highest of 3;"
        " runner-up PTQ RN W(Q1.8): 0.0022 less",
        f"make it: spikequant quantize {shlex.quote(str(run))} --out FOLDER --format w=Q1.6 --rounding RN --scheme ptq",
    ]
    assert [line.split() for line in lines[6:]] == [
        ["PTQ", "RN", "W(Q1.4)", "70.00", "%", "6,000", "0.1875", "5.3333", "no"],
        ["*", "PTQ", "RN", "W(Q1.6)", "86.20", "%", "8,000", "0.2500", "4.0000", "yes"],
        ["PTQ", "RN", "W(Q1.8)", "86.60", "%", "10,000", "0.3125", "3.2000", "yes"],
        ["PTQ", "RN", "W(FP32)", "87.00", "%", "32,000", "1.0000", "1.0000", "yes"],
    ]


def test_the_float_model_needs_no_command(spikequant, run):
    answer = spikequant("select", run, "--max-drop", "0")
    assert f"make it: nothing to do, it is the float model of {run}" in answer.out.splitlines()
    assert json.loads(spikequant("select", run, "--max-drop", "0", "--json").out)["command"] is None


def test_json_holds_the_same(spikequant, run):
    answer = spikequant("select", run, "--json")
    assert (answer.code, answer.err) == (0, "")
    data = json.loads(answer.out)
    assert (data["chosen"]["label"], data["runner_up"]["label"]) == ("PTQ RN W(Q1.6)", "PTQ RN W(Q1.8)")
    assert data["chosen"]["formats"] == {"w": "Q1.6"}
    assert [row["memory_bits"] for row in data["front"]] == [6000, 8000, 10_000, 32_000]
    assert (data["run"], data["evaluated"], data["considered"]) == (str(run), 4, 3)
    assert data["command"].startswith("spikequant quantize ")


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["--mu", "0"], "FP32"),
        (["--mu", "0.05"], "Q1.8"),
        (["--mu", "1"], "Q1.6"),
        (["--mu", "9", "--all"], "Q1.4"),
        (["--selector", "reward", "--option", "mu=0.05"], "Q1.8"),
        (["--max-drop", "0.5"], "Q1.8"),
        (["--max-drop", "17"], "Q1.4"),
        (["--max-drop", "0"], "FP32"),
        (["--selector", "max-drop", "--option", "drop=0.5", "--option", "baseline=0.866"], "Q1.6"),
        (["--max-memory", "0.3"], "Q1.6"),
        (["--max-memory", "20%"], "Q1.4"),
        (["--max-memory", "10000"], "Q1.8"),
        (["--max-memory", "1"], "FP32"),
        (["--selector", "pareto"], "Q1.8"),
        (["--selector", "pareto", "--option", "point=small"], "Q1.6"),
        (["--selector", "pareto", "--option", "point=small", "--all"], "Q1.4"),
    ],
)
def test_each_demand_chooses(spikequant, run, words, label):
    answer = spikequant("select", run, *words, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["chosen"]["label"] == f"PTQ RN W({label})"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--max-memory", "0.1"],
            "none of 4 candidates is within 0.1 of FP32; the nearest is PTQ RN W(Q1.4): accuracy 70.00 % in 0.1875 of"
            " FP32, which takes 6,000 bits (0.1875 of FP32)",
        ),
        (
            ["--selector", "max-drop", "--option", "baseline=1", "--option", "drop=1"],
            "none of 4 candidates is within 1 point of FP32 (100.00 %); the nearest is PTQ RN W(FP32): accuracy 87.00 %"
            " in 1.0000 of FP32, which takes a drop of 13.00 points",
        ),
    ],
)
def test_nobody_meets_the_demand(spikequant, run, words, message):
    answer = spikequant("select", run, *words)
    assert (answer.code, answer.err) == (1, message + "\n")
    assert "chosen by" not in answer.out
    assert "W(Q1.4)" in answer.out
    answer = spikequant("select", run, *words, "--json")
    data = json.loads(answer.out)
    assert (answer.code, data["chosen"], data["runner_up"], data["command"]) == (1, None, None, None)
    assert data["why"] == message


def test_an_exploration_without_candidates_names_the_nearest(spikequant, tmp_path):
    explored(
        tmp_path, (QFormat(1, 4), FP32), plan=Plan((PlannedAxis("w", ("w",), ((QFormat(1, 4),),)),), (Rounding.RN,))
    )
    answer = spikequant("select", tmp_path)
    assert answer.code == 1
    assert answer.err == (
        "none of 1 evaluated settings is within the exploration's target, 1 points below FP32 (87.00 %); the nearest is"
        " PTQ RN W(Q1.4) with 70.00 %, 17.00 points below; choose among all of them with --all, or explore with a"
        " larger --target\n"
    )
    assert spikequant("select", tmp_path, "--all").code == 0


def test_an_exploration_that_goes_on_is_told(spikequant, tmp_path):
    explored(tmp_path, (FP32, QFormat(1, 8)))
    answer = spikequant("select", tmp_path)
    assert answer.code == 0
    assert "the exploration has not ended; run 'spikequant explore' again to go on\n" in answer.out
    assert json.loads(spikequant("select", tmp_path, "--json").out)["complete"] is False


def test_stores_by_name_and_by_path(spikequant, tmp_path):
    explored(tmp_path / "a", name="fine")
    explored(tmp_path / "a", name="significance")
    answer = spikequant("select", tmp_path / "a")
    assert (answer.code, answer.err) == (
        2,
        f"error: {tmp_path / 'a'} holds no exploration named 'default'; give one with --name: fine\n",
    )
    assert spikequant("select", tmp_path / "a", "--name", "fine").code == 0
    assert spikequant("select", tmp_path / "b", "--store", tmp_path / "a" / "explore" / "fine.sqlite").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], r"error: nowhere holds no exploration; make one with 'spikequant explore nowhere'\n"),
        (["RUN", "--name", "other"], r"error: store .*other.sqlite is not there; make one with 'spikequant explore'\n"),
        (["RUN", "--store", "x.sqlite"], r"error: store x.sqlite is not there; make one with 'spikequant explore'\n"),
        (["RUN", "--selector", "nope"], r"error: selector 'nope' is not installed; known: .*reward.*\n"),
        (["RUN", "--option", "mu"], r"error: --option 'mu' is not of the form KEY=VALUE\n"),
        (["RUN", "--option", "nu=1"], r"error: selector 'reward' has no option 'nu'; its options are: mu\n"),
        (
            ["RUN", "--mu", "-1"],
            r"error: selector 'reward' refuses its options: .*mu is -1.0; it must not be negative\n",
        ),
        (["RUN", "--mu", "nan"], r"error: selector 'reward' refuses its options: .*mu is nan; it must be finite\n"),
        (["RUN", "--max-drop", "101"], r"error: selector 'max-drop' refuses .*drop is 101; it must be 0 to 100 .*\n"),
        (
            ["RUN", "--max-memory", "0"],
            r"error: selector 'max-memory' refuses .*ratio is 0; it must be more than 0 .*\n",
        ),
        (["RUN", "--mu", "1", "--max-drop", "1"], r"error: --mu, .* asked for together: reward, max-drop; give one\n"),
        (
            ["RUN", "--mu", "1", "--selector", "pareto"],
            r"error: --mu, .* asked for together: pareto, reward; give one\n",
        ),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(spikequant, run, words, message):
    answer = spikequant("select", *(run if word == "RUN" else word for word in words))
    assert answer.code == 2
    assert re.fullmatch(message, answer.err)


@pytest.mark.parametrize("bound", ["small", "1.5", "%", "1e9", "nan%x", ""])
def test_a_bound_that_is_none(spikequant, run, bound):
    answer = spikequant("select", run, "--max-memory", bound)
    assert answer.code == 2
    assert (
        f"{bound!r} is neither a ratio up to 1, nor a percentage such as 25%, nor a whole number of bits" in answer.err
    )


def test_a_damaged_store_is_one_line(spikequant, run):
    path = run / "explore" / "default.sqlite"
    path.write_bytes(b"no database" * 100)
    answer = spikequant("select", run)
    assert answer.code == 2
    assert re.fullmatch(r"error: store .*default.sqlite is damaged: .*\n", answer.err)
