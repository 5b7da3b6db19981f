"""The trace of a run in floats: written, read, joined, and refused where it is none."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spikequant import FloatTrace
from spikequant.counts import Counts
from spikequant.errors import UsageError
from spikequant.float_trace import joined_floats
from spikequant.trace import Trace


def trace(batch=3, seed=0):
    random = np.random.default_rng(seed)
    return FloatTrace(
        {"lif": random.integers(0, 4, (5, batch, 2, 2)).astype(np.uint8)},
        {"lif": random.normal(size=(5, batch, 2, 2)).astype(np.float32), "lif.current": np.zeros((5, batch, 4), "f4")},
        {"out": random.normal(size=(5, batch, 4)).astype(np.float32)},
    )


def groups(found):
    return {**found.spikes, **{f"p/{k}": v for k, v in found.potentials.items()}, **found.outputs}


def same(one, two):
    one, two = groups(one), groups(two)
    return list(one) == list(two) and all(one[k].dtype == two[k].dtype and np.array_equal(one[k], two[k]) for k in one)


def test_what_is_saved_is_loaded(tmp_path):
    trace().save(tmp_path / "t.npz")
    assert same(FloatTrace.load(tmp_path / "t.npz"), trace())
    with np.load(tmp_path / "t.npz") as archive:
        assert archive.files == ["spikes/lif", "potential/lif", "potential/lif.current", "output/out"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]


def test_batches_are_joined_in_order():
    whole = trace(5)
    parts = [
        FloatTrace(*({k: v[:, part] for k, v in g.items()} for g in (whole.spikes, whole.potentials, whole.outputs)))
        for part in (slice(0, 2), slice(2, 5))
    ]
    assert same(joined_floats(parts), whole)
    with pytest.raises(UsageError, match=r"^no trace to join; run at least one batch$"):
        joined_floats([])


def test_a_class_is_the_largest_sum_and_the_lowest_of_a_tie():
    out = np.array([[[0, 2, 0], [1, 1, 0]], [[1, 0, 0], [0, 0, 1]]], np.float32)
    found = FloatTrace(outputs={"a": out, "b": -out})
    assert found.predictions().tolist() == [1, 0]
    assert found.predictions("b").tolist() == [2, 0]
    with pytest.raises(UsageError, match=r"^the trace holds no output 'c'; it has: a, b$"):
        found.predictions("c")


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"spikes/a": np.zeros((2, 1), np.int64)}, "'spikes/a' is int64 (2, 1); spikes are uint8"),
        ({"output/a": np.zeros(3)}, "'output/a' is float64 (3,); spikes are uint8"),
        (
            {"output/a": np.zeros((3, 1)), "output/b": np.zeros((2, 1))},
            "'output/b' is float64 (2, 1); spikes are uint8",
        ),
        ({"other": np.zeros((3, 1))}, "it holds an array 'other', which no trace in floats has"),
        ({"output/": np.zeros((3, 1))}, "it holds an array 'output/', which no trace in floats has"),
    ],
)
def test_arrays_that_are_no_trace_are_refused(tmp_path, arrays, why):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 't.npz'} is not a trace in floats: {why}")):
        FloatTrace.load(tmp_path / "t.npz")


def test_a_trace_of_integers_and_other_files_are_refused(tmp_path):
    Trace(counts=Counts("x", 1)).save(tmp_path / "whole.npz")
    (tmp_path / "text.npz").write_text("text")
    trace().save(tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:-30])
    for name in ("whole.npz", "text.npz", "cut.npz", "missing.npz"):
        with pytest.raises(
            UsageError, match=r"^\S+ is not a trace in floats: .*; write one with 'spikequant run --trace'$"
        ):
            FloatTrace.load(tmp_path / name)
    with pytest.raises(UsageError, match=r"cannot be written: Is a directory; give another file$"):
        trace().save(tmp_path)


def test_every_flipped_byte_is_an_error_or_a_trace(tmp_path):
    path = tmp_path / "t.npz"
    trace(1).save(path)
    whole, random = path.read_bytes(), np.random.default_rng(3)
    for _ in range(300):
        content = bytearray(whole)
        content[int(random.integers(len(content)))] ^= int(random.integers(1, 256))
        path.write_bytes(content)
        try:
            assert isinstance(FloatTrace.load(path), FloatTrace)
        except UsageError:
            continue
