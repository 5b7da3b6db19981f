"""The store of evaluations: what is kept, what is refused, and what is said of a full disk or a neighbour."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "explore_support"
sys.path.insert(0, str(SUPPORT))

from explore_tables import BELONGS, TableEvaluator, plan  # noqa: E402

from spikequant.errors import StoreError  # noqa: E402
from spikequant.explore import Explorer, Scheme, Store, Visit, read_exploration  # noqa: E402

NOBODY = 65534


def evaluations(count=3):
    settings = [plan().setting(Scheme.PTQ, Visit((0, k, 0), 1)) for k in range(count)]
    return TableEvaluator(group_size=count)(settings)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def test_what_was_added_is_there_after_opening_again(path):
    rows = evaluations()
    with Store.open(path, BELONGS) as store:
        store.add(rows)
        store.set_meta("plan", {"a": [1]})
    with Store.open(path, BELONGS) as again:
        assert sorted(again.evaluations.values(), key=str) == sorted(rows, key=str)
        assert again.meta("plan") == {"a": [1]}
        assert again.meta("nothing") is None


def test_a_reader_sees_what_a_writer_keeps_while_it_still_writes(path):
    with Store.open(path, BELONGS) as store:
        store.add(evaluations())
        with Store.read(path) as reader:
            assert reader.evaluations == store.evaluations


def test_commits_are_synchronous_and_survive_the_process(path):
    with Store.open(path, BELONGS) as store:
        assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"version": "0.2.0"}, r"the version of spikequant \(there '0\.1\.0', here '0\.2\.0'\)"),
        ({"recipe": {"seed": 1, "data": {"name": "none"}}}, r"the recipe \('seed'\)"),
        ({"recipe": {"seed": 0, "data": {"name": "digits"}}}, r"the recipe \('data\.name'\)"),
        ({"data": "1"}, r"the data"),
        ({"samples": 10}, r"the number of test samples \(there 1000, here 10\)"),
        ({"seed": 4}, r"the seed \(there 0, here 4\)"),
        ({"version": "2", "data": "1"}, r"the version of spikequant \(there '0\.1\.0', here '2'\); the data"),
    ],
)
def test_a_store_of_something_else_is_refused_by_what_differs(path, changes, what):
    with Store.open(path, BELONGS) as store:
        store.add(evaluations())
    before = path.read_bytes()
    words = rf"^store \S+ belongs to another exploration; what differs: {what}; give another --store, or go back .*$"
    with pytest.raises(StoreError, match=words):
        Store.open(path, {**BELONGS, **changes})
    assert path.read_bytes() == before
    Store.open(path, BELONGS).close()


def test_another_layout_is_refused(path):
    Store.open(path, BELONGS).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE meta SET value = '7' WHERE name = 'schema'")
    raw.close()
    with pytest.raises(StoreError, match=r"^store \S+ has layout 7, and this version of spikequant reads layout 1; "):
        Store.open(path, BELONGS)


def test_an_sqlite_file_of_another_program_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE songs (name TEXT)")
    raw.close()
    before = path.read_bytes()
    for attempt in (lambda: Store.open(path, BELONGS), lambda: Store.read(path)):
        with pytest.raises(
            StoreError, match=r"store\.sqlite is an SQLite file of another program; give another --store$"
        ):
            attempt()
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_damaged(path):
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(
        StoreError, match=r"^store \S+ is damaged: file is not a database; restore it, or give another "
    ):
        Store.open(path, BELONGS)


def test_a_small_file_of_another_kind_is_left_alone(path):
    """SQLite itself takes it for a database that is still empty, and writes over it."""
    path.write_text("notes of mine")
    with pytest.raises(StoreError, match=r"is damaged: file is not a database; .*another --store"):
        Store.open(path, BELONGS)
    assert path.read_text() == "notes of mine"


@contextmanager
def unprivileged():
    """Be nobody for a while where the tests run as root, who may write anywhere."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_store_in_a_folder_that_cannot_be_written_is_read():
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "default.sqlite"
        with Store.open(path, BELONGS) as store:
            store.set_meta("plan", 1)
        Path(place).chmod(0o555)
        try:
            with unprivileged():
                assert not os.access(place, os.W_OK)
                with Store.read(path) as store:
                    assert store.meta("plan") == 1
        finally:
            Path(place).chmod(0o755)


def test_a_damaged_page_is_found(path):
    with Store.open(path, BELONGS) as store:
        rows = evaluations(3)
        for number in range(400):
            store.add([rows[0]], [f"key {number}"])
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\xa5" * (20480 - 8192)
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=r"^store \S+ is damaged: "):
        Store.open(path, BELONGS)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evaluations SET setting = '{}'",
        "UPDATE evaluations SET setting = 'no json'",
        "UPDATE evaluations SET notes = '[1'",
        'UPDATE evaluations SET "right" = -1',
        'UPDATE evaluations SET "right" = samples + 1',
        "UPDATE evaluations SET memory_bits = 0",
        "UPDATE evaluations SET samples = 'many'",
    ],
)
def test_rows_that_cannot_be_are_damage(path, change):
    with Store.open(path, BELONGS) as store:
        store.add(evaluations())
    with sqlite3.connect(path) as raw:
        raw.execute(change)
    raw.close()
    with pytest.raises(StoreError, match=r"^store \S+ is damaged: "):
        Store.open(path, BELONGS)
    with pytest.raises(StoreError, match=r"^store \S+ is damaged: "):
        Store.read(path)


def test_a_second_writer_is_refused_while_the_first_is_at_work(path):
    program = (
        "import sys; from pathlib import Path; from spikequant.explore import Store; from explore_tables import *\n"
    )
    program += "Store.open(Path(sys.argv[1]), BELONGS)"
    with Store.open(path, BELONGS) as store:
        words = subprocess.run(
            [sys.executable, "-c", program, path], cwd=SUPPORT, capture_output=True, text=True, check=False
        ).stderr
        assert f"store {path} is in use by another process; wait for it, or give another --store" in words
        store.add(evaluations())
    Store.open(path, BELONGS).close()


def test_a_transaction_of_another_program_is_named_as_such(path):
    with Store.open(path, BELONGS) as store:
        store.add(evaluations(1))
        store.connection.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        words = r"^store \S+ is in use by another process: .*locked; the 1 evaluations in it are safe; try again$"
        with pytest.raises(StoreError, match=words):
            store.add(evaluations())
        other.close()
        store.add(evaluations())


def test_a_missing_store_says_how_one_is_made(path):
    with pytest.raises(StoreError, match=r"is not there; make one with 'spikequant explore'$"):
        Store.read(path)
    with pytest.raises(StoreError, match=r"^store \S+ cannot be made: its folder is not there; make it first$"):
        Store.open(path.parent / "none" / "x.sqlite", BELONGS)


def test_a_store_without_an_exploration_says_so(path):
    with (
        Store.open(path, BELONGS) as store,
        pytest.raises(StoreError, match=r"holds no exploration yet; run 'spikequant"),
    ):
        read_exploration(store)


def test_a_damaged_plan_is_named(path):
    with Store.open(path, BELONGS) as store:
        Explorer(plan(), TableEvaluator(), store).run()
        store.set_meta("plan", {"axes": 3})
        with pytest.raises(StoreError, match=r"^store \S+ is damaged: its plan cannot be read"):
            read_exploration(store)


def test_a_full_disk_is_said_and_loses_nothing(path, tmp_path):
    """The limit is SQLite's own; what the system does when a file may not grow is the next test."""
    with Store.open(path, BELONGS) as store:
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        words = (
            r"^store \S+ cannot grow: database or disk is full; the \d+ evaluations in it are safe; make room and run"
        )
        with pytest.raises(StoreError, match=words):
            Explorer(plan(), TableEvaluator(), store).run()
        kept = dict(store.evaluations)
    assert kept
    with Store.open(path, BELONGS) as again:
        assert again.evaluations == kept
        resumed = Explorer(plan(), TableEvaluator(), again).run()
    with Store.open(tmp_path / "other.sqlite", BELONGS) as other:
        assert same(resumed, Explorer(plan(), TableEvaluator(), other).run())


def test_a_file_that_may_not_grow_is_said_and_loses_nothing(path):
    limited = "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))\n"
    limited += "from explore_tables import main\nmain(sys.argv[1], sys.argv[2], '1', '0')"
    done = subprocess.run(
        [sys.executable, "-c", limited, path, path.with_suffix(".csv")],
        cwd=SUPPORT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"StoreError: store {path} cannot grow: " in done.stderr
    assert "make room and run the same command again" in done.stderr
    with Store.open(path, BELONGS) as store:
        kept = dict(store.evaluations)
        assert kept
        assert read_exploration(store).complete is False
        assert Explorer(plan(), TableEvaluator(), store).run().complete
        assert {key: row.right for key, row in store.evaluations.items() if key in kept} == {
            key: row.right for key, row in kept.items()
        }


def test_what_is_kept_is_plain_text(path):
    with Store.open(path, BELONGS) as store:
        store.add(evaluations(1))
        key, setting = store.connection.execute("SELECT key, setting FROM evaluations").fetchone()
    assert key == "PTQ RN V=Q11.8 Vth=Q11.8 w=Q1.8"
    assert json.loads(setting)["formats"] == {"w": "Q1.8", "V": "Q11.8", "Vth": "Q11.8"}


def same(one, other):
    def rows(found):
        return [replace(evaluation, seconds=0.0) for evaluation in found.visited]

    return rows(one) == rows(other) and one.complete == other.complete
