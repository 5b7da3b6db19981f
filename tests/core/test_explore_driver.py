"""The driver: the outcome depends on nothing but outcomes; not on workers, groups, windows, stops or deaths."""

import gc
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "explore_support"
sys.path.insert(0, str(SUPPORT))

from explore_tables import BELONGS, TableEvaluator, axis, plan  # noqa: E402

from spikequant.errors import UsageError, WorkerError  # noqa: E402
from spikequant.explore import Explorer, Scheme, Store, read_exploration, walk  # noqa: E402
from spikequant.explore.executors import DaskCluster, InProcess, LocalProcesses  # noqa: E402
from spikequant.formats import FP32  # noqa: E402


def explored(path, evaluator=None, place=None, wanted=None, **changes):
    with Store.open(path, BELONGS) as store:
        return Explorer(wanted or plan(), evaluator or TableEvaluator(), store, place or InProcess(), **changes).run()


def rows(found):
    return [replace(evaluation, seconds=0.0) for evaluation in found.visited]


def directly(wanted, evaluator):
    """What the walk visits when every outcome is asked for on the spot."""
    visited = []
    for scheme in wanted.schemes:

        def passes(visit, scheme=scheme):
            (found,) = evaluator([wanted.setting(scheme, visit)])
            return wanted.meets(found.right, 900, found.samples)

        visits = list(walk(wanted.lengths, len(wanted.roundings), passes, wanted.search))
        visited += [wanted.setting(scheme, visit) for visit in visits]
    return visited


@pytest.mark.parametrize("search", ["paper", "repaired"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_visited_is_what_the_walk_visits(tmp_path, search, seed):
    evaluator, wanted = TableEvaluator(seed), plan(search=search)
    found = explored(tmp_path / "s", evaluator, wanted=wanted)
    assert [evaluation.setting for evaluation in found.visited] == directly(wanted, evaluator)
    assert found.complete
    assert 0 < len(found.candidates) < len(found.visited)
    assert all(found.baseline.right - e.right <= 20 for e in found.candidates)


@pytest.mark.parametrize("search", ["paper", "repaired"])
def test_group_size_and_window_change_nothing(tmp_path, search):
    wanted = plan(search=search)
    first = explored(tmp_path / "first", TableEvaluator(group_size=1), wanted=wanted)
    for size, window in [(2, 1), (4, 7), (64, 1024), (64, 5)]:
        other = explored(tmp_path / f"{size}-{window}", TableEvaluator(group_size=size), wanted=wanted, window=window)
        assert rows(other) == rows(first)


def test_the_number_of_processes_changes_nothing(tmp_path):
    first = explored(tmp_path / "1", TableEvaluator(group_size=1))
    for jobs in (2, 3):
        evaluator = TableEvaluator(group_size=3, seconds=0.002)
        assert rows(explored(tmp_path / str(jobs), evaluator, LocalProcesses(jobs))) == rows(first)


def test_one_by_one_nothing_is_evaluated_that_is_not_visited(tmp_path):
    found = explored(tmp_path / "s", TableEvaluator(group_size=1, counter=tmp_path / "keys"))
    evaluated = (tmp_path / "keys").read_text().splitlines()
    assert sorted(evaluated) == sorted({e.setting.key for e in found.visited} | {found.plan.float_setting.key})


def test_what_was_evaluated_ahead_in_vain_is_kept_but_not_visited(tmp_path):
    wanted = plan(axes=(axis("w", 1, (8, 6)), axis("V", 11, (8, 6, 1, 0)), axis("Vth", 11, (8, 1, 0))))
    found = explored(tmp_path / "s", TableEvaluator(group_size=64), wanted=wanted)
    with Store.read(tmp_path / "s") as store:
        assert len(store.evaluations) > len({e.setting.key for e in found.visited}) + 1
        assert rows(read_exploration(store)) == rows(found)


def test_a_complete_exploration_evaluates_nothing_again_and_a_wider_one_only_what_is_new(tmp_path):
    explored(tmp_path / "s", TableEvaluator(group_size=1, counter=tmp_path / "a"))
    again = explored(tmp_path / "s", TableEvaluator(group_size=1, counter=tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert again.complete
    wanted = plan(target=5.0)
    wider = explored(tmp_path / "s", TableEvaluator(group_size=1, counter=tmp_path / "c"), wanted=wanted)
    before, after = (set((tmp_path / name).read_text().splitlines()) for name in "ac")
    assert after
    assert not before & after
    assert rows(wider) == rows(explored(tmp_path / "t", wanted=wanted))


def test_settings_without_any_quantization_are_the_float_model_whatever_their_rounding(tmp_path):
    wanted = plan(
        axes=(replace(axis("w", 1, (8,)), levels=((FP32,),)), replace(axis("V", 11, (8,)), levels=((FP32,),)))
    )
    found = explored(tmp_path / "s", TableEvaluator(counter=tmp_path / "keys"), wanted=wanted)
    assert len(found.visited) == 6
    assert {e.setting.scheme for e in found.visited} == {Scheme.PTQ, Scheme.ITQ}
    assert (tmp_path / "keys").read_text().splitlines() == ["V=FP32 w=FP32"]


def test_progress_is_told_once_per_evaluation_and_ends_at_nothing_left(tmp_path):
    heard = []
    explored(tmp_path / "s", TableEvaluator(group_size=8), tell=heard.append)
    assert [tidings.done for tidings in heard] == list(range(1, len(heard) + 1))
    assert all(tidings.left >= 0 for tidings in heard)
    with Store.read(tmp_path / "s") as store:
        assert len(store.evaluations) == len(heard)


def test_nobody_within_the_target_names_the_nearest_and_what_it_takes(tmp_path):
    found = explored(tmp_path / "s", TableEvaluator(noise=1), wanted=plan(axes=(axis("w", 1, (3, 0)),), target=0.1))
    assert not found.candidates
    assert found.nearest is not None
    assert found.nearest.right == max(e.right for e in found.visited)
    assert replace(found.plan, target=found.drop(found.nearest)).meets(found.nearest.right, 900, 1000)
    assert not replace(found.plan, target=found.drop(found.nearest) - 0.1).meets(found.nearest.right, 900, 1000)


def run_script(store, table, jobs="1", seconds="0.004"):
    return subprocess.Popen(
        [sys.executable, str(SUPPORT / "explore_tables.py"), str(store), str(table), jobs, seconds],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def finish(*arguments):
    with run_script(*arguments) as process:
        process.communicate()
    return process.returncode


def kill(process):
    process.send_signal(signal.SIGKILL)
    with process:
        process.communicate()


def kept(store):
    with Store.read(store) as opened:
        return len(opened.evaluations)


def without_seconds(path):
    header, *lines = path.read_text().splitlines()
    column = header.split(",").index("seconds")
    return [[cell for k, cell in enumerate(line.split(",")) if k != column] for line in [header, *lines]]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed(tmp_path, jobs):
    chance, store, table = random.Random(7), tmp_path / "s.sqlite", tmp_path / "t.csv"
    counts = [0]
    for more in (1, 9, 3, 17, 5) if jobs == "1" else (2, 11):
        process = run_script(store, table, jobs, "0.01")
        assert process.stdout.readline() == "ready\n"
        while kept(store) < counts[-1] + more and process.poll() is None:
            time.sleep(0.003)
        time.sleep(chance.uniform(0.0, 0.03))
        kill(process)
        counts.append(kept(store))
    assert all(after >= before + 1 for before, after in pairwise(counts)), "nothing that was kept is lost"
    assert not table.exists(), "it was killed before its end"
    assert finish(store, table, jobs, "0") == 0
    undisturbed = tmp_path / "u.csv"
    assert finish(tmp_path / "u.sqlite", undisturbed, "1", "0") == 0
    assert without_seconds(table) == without_seconds(undisturbed)


def test_workers_end_with_a_killed_process(tmp_path):
    process = run_script(tmp_path / "s", tmp_path / "t", "2", "0.5")
    assert process.stdout.readline() == "ready\n"
    children: list[str] = []
    deadline = time.monotonic() + 60
    while len(children) < 3 and time.monotonic() < deadline:  # two workers and the resource tracker
        time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    time.sleep(2.0)
    kill(process)
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in children if alive(pid)]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def deadly_key():
    return plan().setting(Scheme.PTQ, next(iter(walk((1, 1, 1), 1, lambda _: True)))).key


def test_a_worker_that_dies_once_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SUPPORT))
    first = explored(tmp_path / "1")
    evaluator = TableEvaluator(deadly=deadly_key(), marker=tmp_path / "died")
    found = explored(tmp_path / "2", evaluator, LocalProcesses(2))
    assert (tmp_path / "died").exists()
    assert rows(found) == rows(first)


def test_a_worker_that_dies_again_is_an_error_that_names_the_candidate_and_keeps_the_rest(tmp_path):
    evaluator = TableEvaluator(deadly=deadly_key(), group_size=1)
    words = (
        rf"^a worker died twice over candidate '{deadly_key()}' \(.*\); it may have run out of memory:"
        r" give fewer --jobs; every finished evaluation is kept$"
    )
    with pytest.raises(WorkerError, match=words.replace("+", r"\+")):
        explored(tmp_path / "s", evaluator, LocalProcesses(2))
    with Store.read(tmp_path / "s") as store:
        assert plan().float_setting.key in store.evaluations
    assert rows(explored(tmp_path / "s")) == rows(explored(tmp_path / "t"))


def test_an_error_of_the_evaluation_itself_is_passed_on(tmp_path):
    class Refusing(TableEvaluator):
        def __call__(self, settings):
            raise UsageError("format Q1.30 is too wide")

    with pytest.raises(UsageError, match=r"^format Q1.30 is too wide$"):
        explored(tmp_path / "s", Refusing())


def test_a_dask_cluster_of_two_processes_gives_the_same(tmp_path):
    distributed = pytest.importorskip("distributed")
    first = explored(tmp_path / "1")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        place = DaskCluster(cluster.scheduler_address)
        assert place.slots == 2
        found = explored(tmp_path / "2", TableEvaluator(seconds=0.002), place)
    assert rows(found) == rows(first)


def test_a_dask_worker_that_always_dies_is_named(tmp_path):
    distributed = pytest.importorskip("distributed")
    import dask

    evaluator = TableEvaluator(deadly=deadly_key(), group_size=1)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        pytest.raises(WorkerError, match=r"^a worker died twice over candidate '"),
    ):
        explored(tmp_path / "s", evaluator, DaskCluster(cluster.scheduler_address))


def test_an_address_where_nobody_answers_is_refused():
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=r"^no Dask scheduler answers at 'tcp://127.0.0.1:9': "):
        DaskCluster("tcp://127.0.0.1:9", timeout_s=1)


@pytest.mark.parametrize("address", ["nowhere", "", "tcp://a:b", "foo://a:1"])
def test_an_address_of_another_form_is_refused_at_once(address, recwarn):
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=rf"^no Dask scheduler answers at '{re.escape(address)}': "):
        DaskCluster(address)
    gc.collect()
    assert not recwarn.list, "a client that was left half made"


def test_without_distributed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"^--dask needs the package 'distributed'; pip install 'spikequant\[dask\]'$"):
        DaskCluster("tcp://127.0.0.1:9")


INTERRUPTED = """
import os, signal, time
from spikequant.explore.executors import LocalProcesses

if __name__ == "__main__":
    place = LocalProcesses(2)
    try:
        place.open().submit(time.sleep, 0)
        time.sleep(0.3)
        os.killpg(0, signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        place.close()
        print("stopped")
"""


def test_ctrl_c_does_not_reach_processes_that_still_start(tmp_path):
    """The interrupt goes to the whole group, as a terminal's does; a worker hit by it would print its traceback."""
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, start_new_session=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("stopped\n", "", 0)


def test_closing_local_processes_ends_them_in_the_middle_of_work(tmp_path):
    place = LocalProcesses(1)
    future = place.open().submit(time.sleep, 600)
    while not future.running():
        time.sleep(0.05)
    time.sleep(3.0)
    started = time.monotonic()
    place.close()
    assert time.monotonic() - started < 20
    assert os.getpid()
