"""The store: one SQLite file that keeps every evaluation from the moment it is finished.

Rows are committed one group at a time, in WAL mode with ``synchronous = FULL``: a process killed at any moment
loses what it was computing and nothing else. The table ``meta`` says what the evaluations belong to.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from spikequant.errors import StoreError, one_line
from spikequant.explore.evaluation import Evaluation
from spikequant.explore.setting import Setting
from spikequant.files import reason
from spikequant.runs.recipe import differing_keys

SCHEMA = 1
MAGIC = b"SQLite format 3\0"
APPLICATION = 0x53504B51
"""SQLite's application id of such a file: ``SPKQ``."""
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE evaluations (
  key TEXT PRIMARY KEY,
  setting TEXT NOT NULL,
  "right" INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  memory_bits INTEGER NOT NULL,
  reference_bits INTEGER NOT NULL,
  seconds REAL NOT NULL,
  notes TEXT NOT NULL
) WITHOUT ROWID;
"""
_COLUMNS = '"key", setting, "right", samples, memory_bits, reference_bits, seconds, notes'
WHAT = {
    "schema": "the layout of the store",
    "version": "the version of spikequant",
    "recipe": "the recipe",
    "seed": "the seed",
    "model": "the float model",
    "data": "the data",
    "samples": "the number of test samples",
}
"""What a store belongs to, with words for errors."""


@dataclass
class Store:
    """An open store; use it as a context manager.

    Attributes:
        path: The file.
        evaluations: Everything in it, by key.
    """

    path: Path
    connection: sqlite3.Connection
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    lock: FileLock | None = None

    @classmethod
    def open(cls, path: Path, belongs: Mapping[str, Any]) -> Store:
        """Open the store at ``path`` for writing, or make one.

        Args:
            path: The file; its folder must be there.
            belongs: What the evaluations depend on, by the names in :data:`WHAT`; plain JSON data. ``schema``
                is filled in.

        Raises:
            StoreError: It is damaged, in use, on a full disk, or belongs to something else: the message says in what.
        """
        lock = _locked(path)
        try:
            with _explained(path):
                if path.exists():
                    _check_is_database(path)
                connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
            store = cls(path, connection, lock=lock)
        except BaseException:
            lock.release()
            raise
        try:
            store._prepare({"schema": SCHEMA, **json.loads(json.dumps(belongs))})
            store._load()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open the store at ``path`` for reading only, also while another process writes to it.

        Raises:
            StoreError: It is missing or damaged, or of another layout.
        """
        if not path.is_file():
            raise StoreError(f"store {path} is not there; make one with 'spikequant explore'")
        with _explained(path):
            connection = _connected_to_read(path)
        store = cls(path, connection)
        try:
            store._check_layout()
            store._load()
        except BaseException:
            store.close()
            raise
        return store

    def add(self, evaluations: Sequence[Evaluation], keys: Sequence[str] | None = None) -> None:
        """Keep finished evaluations, on disk when this returns.

        Raises:
            StoreError: The disk is full or gone; what was there before stays.
        """
        named = dict(zip(keys or [e.setting.key for e in evaluations], evaluations, strict=True))
        rows = [(key, *_row(evaluation)) for key, evaluation in named.items()]
        with self._transaction():
            self.connection.executemany(f"INSERT OR REPLACE INTO evaluations VALUES ({_marks(8)})", rows)
        self.evaluations.update(named)

    def set_meta(self, name: str, value: Any) -> None:
        """Keep plain JSON data under a name."""
        with self._transaction():
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def meta(self, name: str) -> Any:
        """Return what :meth:`set_meta` kept; ``None`` if nothing was.

        Raises:
            StoreError: The file is damaged.
        """
        with _explained(self.path):
            row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return None if row is None else json.loads(row[0])

    def close(self) -> None:
        """Close the file and let others have it."""
        self.connection.close()
        if self.lock is not None:
            self.lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _explained(self.path, len(self.evaluations)):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _prepare(self, belongs: Mapping[str, Any]) -> None:
        with _explained(self.path):
            new = self._is_empty()
            if not new:
                self._check_layout()
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
        if not new:
            self._check_belongs(belongs)
            return
        with self._transaction():
            for statement in _TABLES.split(";"):
                self.connection.execute(statement)
            self.connection.execute(f"PRAGMA application_id = {APPLICATION}")
            for name, value in belongs.items():
                self.connection.execute("INSERT INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def _check_layout(self) -> None:
        with _explained(self.path):
            if self._is_empty():
                raise StoreError(f"store {self.path} is empty; run 'spikequant explore'")
            if self.connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise StoreError(f"{self.path} is an SQLite file of another program; give another --store")
            problem = self.connection.execute("PRAGMA quick_check").fetchone()[0]
            if problem != "ok":
                raise _damaged(self.path, problem)
        if (schema := self.meta("schema")) != SCHEMA:
            raise StoreError(
                f"store {self.path} has layout {schema!r:.20}, and this version of spikequant reads layout {SCHEMA};"
                " give another --store"
            )

    def _is_empty(self) -> bool:
        """Return whether the file was only just made, or its making was cut short."""
        tables: int = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return tables == 0

    def _check_belongs(self, belongs: Mapping[str, Any]) -> None:
        differing = []
        for name, now in belongs.items():
            before = self.meta(name)
            keys = differing_keys(before, now)
            if not keys:
                continue
            what = WHAT.get(name, name)
            if isinstance(before, dict) and isinstance(now, dict):
                differing.append(f"{what} ({one_line(', '.join(repr(key) for key in keys))})")
            elif name in ("model", "data"):
                differing.append(what)
            else:
                differing.append(f"{what} (there {before!r:.40}, here {now!r:.40})")
        if differing:
            raise StoreError(
                f"store {self.path} belongs to another exploration; what differs: {'; '.join(differing)};"
                " give another --store, or go back to what it was made with"
            )

    def _load(self) -> None:
        with _explained(self.path):
            rows = self.connection.execute(f"SELECT {_COLUMNS} FROM evaluations").fetchall()
            self.evaluations.update((row[0], _evaluation(row)) for row in rows)


def _connected_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that writes nothing; in a folder that cannot be written nobody else writes either."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=10.0)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(f"{address}&immutable=1", uri=True)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check_is_database(path: Path) -> None:
    """Refuse a file of another kind; SQLite takes one of less than a page for a new database and overwrites it."""
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head and head != MAGIC:
        raise _damaged(path, "file is not a database")


def _locked(path: Path) -> FileLock:
    """Return the lock that one writing process holds; the system frees it however that process ends."""
    if not path.parent.is_dir():
        raise StoreError(f"store {path} cannot be made: its folder is not there; make it first")
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"store {path} is in use by another process; wait for it, or give another --store") from error
    except OSError as error:
        raise StoreError(
            f"store {path} cannot be locked: {reason(error)}; make its folder writable, or give another"
        ) from error
    return lock


@contextmanager
def _explained(path: Path, kept: int | None = None) -> Iterator[None]:
    """Turn SQLite's errors, and rows that are not ours, into a ``StoreError``."""
    safe = "" if kept is None else f"; the {kept} evaluations in it are safe"
    try:
        yield
    except sqlite3.OperationalError as error:
        words = one_line(error)
        if "malformed" in words:
            raise _damaged(path, words) from error
        if "full" in words or "disk I/O" in words:
            raise StoreError(
                f"store {path} cannot grow: {words}{safe}; make room and run the same command again"
            ) from error
        if "locked" in words:
            raise StoreError(f"store {path} is in use by another process: {words}{safe}; try again") from error
        raise StoreError(f"store {path} cannot be used: {words}{safe}; give another --store") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, one_line(error)) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        if isinstance(error, StoreError):
            raise
        raise _damaged(path, reason(error)) from error


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"store {path} is damaged: {one_line(why)}; restore it, or give another --store and start again")


def _row(evaluation: Evaluation) -> tuple[Any, ...]:
    return (
        json.dumps(evaluation.setting.to_json()),
        evaluation.right,
        evaluation.samples,
        evaluation.memory_bits,
        evaluation.reference_bits,
        evaluation.seconds,
        json.dumps(dict(evaluation.notes)),
    )


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    key, setting, right, samples, memory, reference, seconds, notes = row
    numbers = (right, samples, memory, reference)
    if any(type(number) is not int for number in numbers) or not 0 <= right <= samples or min(numbers[1:]) < 1:
        raise ValueError(f"evaluation {key!r:.60} holds numbers that cannot be")
    return Evaluation(Setting.from_json(json.loads(setting)), *numbers, float(seconds), dict(json.loads(notes)))


def _marks(count: int) -> str:
    return ", ".join("?" * count)
