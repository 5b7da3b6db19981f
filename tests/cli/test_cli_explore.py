"""``spikequant explore`` on a real run: MINT bit widths of a network trained by backpropagation through time."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from spikequant.explore import Store, read_exploration
from spikequant.formats import IntFormat

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
from spikequant.cli import main
main()
"""

MINT = ("--levels", "w=INT8,INT4,INT2", "--levels", "U=INT8,INT4,INT2")


@pytest.fixture(scope="module")
def shared(trained, tmp_path_factory):
    run = tmp_path_factory.mktemp("explore") / "run"
    shutil.copytree(trained, run)
    return run


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def table(path):
    with path.open(newline="") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def test_ptq_and_itq_of_a_bptt_net_over_mint_bit_widths(spikequant, shared, tmp_path):
    path = tmp_path / "t.csv"
    answer = spikequant("explore", shared, *MINT, "--scheme", "both", "--target", "20", "--csv", path)
    assert answer.code == 0, answer.err
    rows = table(path)
    assert re.search(rf"^{len(rows)} settings visited, \d+ within 20 points", answer.out, re.MULTILINE)
    assert {row["scheme"] for row in rows} == {"PTQ", "ITQ"}
    assert {row["rounding"] for row in rows} == {"RN"}
    assert rows[0]["label"] == "W(INT8)-N(INT8)"
    weights, neurons = 64 * 24 + 24 * 10, 24
    for row in rows:
        bits = int(row["format_w"][3:]) * weights + int(row["format_U"][3:]) * neurons
        assert int(row["memory_bits"]) == bits
        assert int(row["reference_bits"]) == 32 * (weights + neurons)
        assert row["meets_target"] == str(100 * int(row["right"]) >= 100 * baseline(shared) - 20 * 60)
    assert json.loads(next(row for row in rows if row["scheme"] == "ITQ")["notes"])["loss"] > 0
    with Store.read(shared / "explore" / "default.sqlite") as store:
        assert len(read_exploration(store).visited) == len(rows)


def baseline(run):
    with Store.read(run / "explore" / "default.sqlite") as store:
        return read_exploration(store).baseline.right


def test_the_baseline_is_the_float_accuracy_of_the_run(shared, spikequant):
    answer = spikequant("explore", shared, *MINT, "--target", "50", "--json")
    result = json.loads((shared / "result.json").read_text())
    found = json.loads(answer.out)
    assert found["baseline"] == {"accuracy": result["accuracy"]["float"], "samples": 60}
    assert found["complete"]


def test_an_itq_candidate_in_the_formats_of_the_run_is_the_trained_run(shared, spikequant):
    spikequant("explore", shared, *MINT, "--scheme", "itq", "--target", "100")
    with Store.read(shared / "explore" / "default.sqlite") as store:
        itq = [e for e in read_exploration(store).visited if dict(e.setting.formats) == {"w": INT4, "U": INT4}]
    assert [e.accuracy for e in itq] == [json.loads((shared / "result.json").read_text())["accuracy"]["trained"]]


INT4 = IntFormat(4)


def test_workers_change_nothing(spikequant, run, tmp_path):
    pytest.importorskip("distributed")
    import distributed

    first, second, third = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    words = ("explore", run, *MINT, "--scheme", "both", "--target", "10")
    assert spikequant(*words, "--csv", first).code in (0, 1)
    assert spikequant(*words, "--csv", second, "--jobs", "2", "--name", "two").code in (0, 1)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert spikequant(*words, "--csv", third, "--dask", address, "--name", "dask").code in (0, 1)
    assert table(first) == table(second) == table(third)


def test_scratch_is_another_training_and_lives_beside_the_finetuned_one(spikequant, shared):
    words = (
        "explore",
        shared,
        "--levels",
        "w=INT4",
        "--levels",
        "U=INT4",
        "--scheme",
        "itq",
        "--target",
        "100",
        "--json",
    )
    finetuned, scratch = (json.loads(spikequant(*words, *more).out) for more in ((), ("--itq", "scratch")))
    assert finetuned["candidates"][0]["scratch"] is False
    assert scratch["candidates"][0]["scratch"] is True
    assert scratch["candidates"][0]["notes"] != finetuned["candidates"][0]["notes"]


def test_fraction_bits_take_their_integer_bits_from_the_calibration(spikequant, run):
    recipe = (run / "recipe.toml").read_text()
    answer = spikequant("explore", run, "--levels", "w=8,6")
    assert answer.code == 2
    assert answer.err == (
        "error: quantizer 'mint' cannot give 'w' the format "
        f"{re.search('format (Q[0-9]+.8)', answer.err)[1]} with TR; it takes INT2, INT3 and so on, with RN\n"
    )
    assert (run / "calibration.json").is_file()
    assert (run / "recipe.toml").read_text() == recipe


def test_parquet_holds_the_same_as_csv(spikequant, shared, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    spikequant("explore", shared, *MINT, "--csv", tmp_path / "t.csv", "--parquet", tmp_path / "t.parquet")
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [{k: str(v) for k, v in row.items() if k != "seconds"} for row in found] == table(tmp_path / "t.csv")
    assert isinstance(found[0]["accuracy"], float)


def test_without_pyarrow_the_extra_is_named_before_anything_runs(spikequant, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = spikequant("explore", run, *MINT, "--parquet", tmp_path / "t.parquet")
    assert answer.code == 2
    assert answer.err == "error: Parquet needs the package 'pyarrow'; pip install 'spikequant[parquet]'\n"
    assert not (run / "explore").exists()


def test_curves_and_their_report_are_one_command(spikequant, run, tmp_path):
    report = tmp_path / "curves.html"
    answer = spikequant("explore", run, *MINT, "--search", "curves", "--target", "100", "--report", report, "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["visited"] == 1 + 2 + 2 + 2
    text = report.read_text()
    assert "w alone (U at their finest)" in text
    assert "U alone (w at their finest)" in text
    assert "all together" in text


def test_a_device_that_is_not_there_is_named(spikequant, run):
    answer = spikequant("explore", run, *MINT, "--device", "nonsense")
    assert answer.code == 2
    assert re.fullmatch(r"error: device 'nonsense' cannot be used: .*; give --device cpu\n", answer.err)
    assert not (run / "explore").exists()


def test_without_the_report_extra_it_is_named_before_anything_runs(spikequant, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    answer = spikequant("explore", run, *MINT, "--report", tmp_path / "r.html")
    assert answer.code == 2
    assert re.fullmatch(
        r"error: reports need jinja2, .*; install it with pip install 'spikequant\[report\]'\n", answer.err
    )
    assert not (run / "explore").exists()


def test_nobody_within_the_target_is_exit_1_with_the_nearest_and_what_it_takes(spikequant, shared):
    words = ("explore", shared, "--levels", "w=INT2", "--levels", "U=INT2")
    answer = spikequant(*words, "--target", "0")
    assert answer.code == 1
    last = answer.err.splitlines()[-1]
    found = re.fullmatch(
        r"no setting is within 0 points of FP32 \(\d+\.\d\d %\); the nearest is PTQ RN W\(INT2\)-N\(INT2\) with"
        r" \d+\.\d\d %: it takes --target (\d+\.\d\d), or more bits, or --scheme itq",
        last,
    )
    assert found, last
    assert spikequant(*words, "--target", found[1]).code == 0
    assert spikequant(*words, "--target", str(float(found[1]) - 1.0)).code == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--levels", "w=INT2,INT4"],
            r"axis 'w': level INT4 comes after INT2; give the levels in descending precision",
        ),
        (["--levels", "w="], r"axis 'w' has no levels; .*"),
        (
            ["--levels", "V=INT4"],
            r"--levels 'V' is no quantity or group; known: w, U; a group is made with --group V=QUANTITY,QUANTITY",
        ),
        (["--group", "N=V"], r"--group 'N' names 'V'; what can be explored: w, U"),
        (["--levels", "w=INT4"], r"neuron 'mint-lif' cannot give 'U' the format FP32; it takes .*"),
        ([*MINT, "--roundings", "RN,XX"], r"--roundings 'RN,XX': 'XX' is not known; give some of TR, RN, SR"),
        ([*MINT, "--roundings", "SR"], r"quantizer 'mint' cannot give 'w' the format INT8 with SR; .*"),
        ([*MINT, "--target", "-1"], r"target is -1 points below FP32; it must be 0 to 100"),
        ([*MINT, "--target", "nan"], r"target is nan points below FP32; it must be 0 to 100"),
        ([*MINT, "--unsigned", "V"], r"--unsigned 'V' is no quantity that can be explored; they are: w, U"),
        ([*MINT, "--name", "../x"], r"--name '../x' is no plain name; use letters, digits, - and _"),
        ([*MINT, "--jobs", "2", "--dask", "tcp://x"], r"--jobs is for local processes and --dask for a cluster; .*"),
        ([*MINT, "--csv", "/nowhere/t.csv"], r"--csv /nowhere/t.csv cannot be written: .*; give another file"),
        ([*MINT, "--store", "/nowhere/s.sqlite"], r"store /nowhere/s.sqlite cannot be made: its folder is not .*"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(spikequant, run, words, message):
    answer = spikequant("explore", run, *words)
    assert answer.code == 2
    assert re.fullmatch(rf"error: {message}\n", answer.err)


def test_a_run_that_is_not_complete_is_refused(spikequant, run, tmp_path):
    (run / "result.json").unlink()
    answer = spikequant("explore", run, *MINT)
    assert (answer.code, answer.err.startswith("error: the run in ")) == (2, True)
    answer = spikequant("explore", tmp_path / "none", *MINT)
    assert (answer.code, "is not a run folder" in answer.err) == (2, True)


def test_a_store_of_another_recipe_is_refused(spikequant, run, trained, tmp_path):
    other = tmp_path / "other"
    recipe = trained.parent / "small.toml"
    assert spikequant("train", recipe, "--out", other, "--set", "timesteps=2", "--set", "training.epochs=1").code == 0
    store = tmp_path / "s.sqlite"
    assert spikequant("explore", run, *MINT, "--store", store, "--target", "50").code == 0
    answer = spikequant("explore", other, *MINT, "--store", store)
    assert answer.code == 2
    assert re.fullmatch(
        rf"error: store {store} belongs to another exploration; what differs: the recipe \('timesteps',"
        r" 'training.epochs'\); the float model; give another --store, or go back to what it was made with\n",
        answer.err,
    )
    answer = spikequant("explore", run, *MINT, "--store", store, "--test-samples", "30")
    assert "what differs: the number of test samples (there 60, here 30); the data; " in answer.err


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(run, tmp_path):
    words = ["explore", str(run), *MINT, "--scheme", "itq", "--jobs", "2", "--target", "100"]
    program = [sys.executable, "-c", INTERRUPTIBLE, *words]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "evaluated" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        started = time.monotonic()
        lines += process.stderr.readlines()
    assert process.returncode == 130, lines
    assert time.monotonic() - started < 60
    stopped = next(line for line in lines if line.startswith("stopped; "))
    kept = int(re.match(r"stopped; (\d+) evaluations are kept in \S+; run the same command to go on\n", stopped)[1])
    assert kept >= 1
    assert "Traceback" not in "".join(lines)
    with Store.read(run / "explore" / "default.sqlite") as store:
        assert len(store.evaluations) == kept
