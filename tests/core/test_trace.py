"""A trace survives its file, joins, and says what is wrong with a file that is none."""

import contextlib
import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest

from spikequant.counts import Counts
from spikequant.errors import UsageError
from spikequant.oracle import run_oracle
from spikequant.testing import random_inputs, random_program
from spikequant.trace import Trace, joined
from spikequant.verify import compare


@pytest.fixture
def trace():
    program = random_program(2)
    assert program.readouts
    return run_oracle(program, random_inputs(program, 4, seed=2))


def test_round_trip(trace, tmp_path):
    trace.save(tmp_path / "run.npz")
    again = Trace.load(tmp_path / "run.npz")
    assert compare(trace, again).identical
    assert again.counts == trace.counts
    for group in ("spikes", "potentials", "outputs"):
        before, after = getattr(trace, group), getattr(again, group)
        assert {name: array.dtype for name, array in after.items()} == {n: a.dtype for n, a in before.items()}


def test_the_file_holds_the_normative_arrays(trace, tmp_path):
    trace.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as archive:
        types = {key: str(archive[key].dtype) for key in archive.files if key != "counts"}
    wanted = {f"spikes/{name}": "uint8" for name in trace.spikes}
    wanted |= {f"potential/{name}": "int32" for name in trace.potentials}
    wanted |= {f"output/{name}": "int64" for name in trace.outputs}
    assert types == wanted


def test_saving_leaves_no_partial_file(trace, tmp_path):
    trace.save(tmp_path / "run.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_trace(content, tmp_path):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    message = rf"^{re.escape(str(path))} is not a trace: .*; write one with 'spikequant run --trace'$"
    with pytest.raises(UsageError, match=re.compile(message, re.DOTALL)):
        Trace.load(path)


def test_a_single_array_is_no_trace(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(UsageError, match=r"^.*one\.npy is not a trace: .*; write one with 'spikequant run --trace'$"):
        Trace.load(tmp_path / "one.npy")


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"^.*gone\.npz is not a trace: .*; write one with 'spikequant run --trace'$"):
        Trace.load(tmp_path / "gone.npz")


def test_joined_parts_are_the_whole():
    program = random_program(2, inputs=1, codings=("direct",))
    (x,) = random_inputs(program, 5, seed=1).values()
    whole, parts = run_oracle(program, x), [run_oracle(program, x[:2]), run_oracle(program, x[2:])]
    assert compare(whole, joined(parts)).identical
    assert joined(parts).counts == whole.counts


def test_joining_nothing():
    with pytest.raises(UsageError, match=r"^no trace to join; run at least one batch$"):
        joined([])


def test_predictions_need_a_readout():
    message = "^the trace holds no readout, so it has no predictions; add a readout node$"
    with pytest.raises(UsageError, match=message):
        Trace().predictions()
    with pytest.raises(UsageError, match=message):
        Trace(outputs={"a": np.zeros((1, 1, 2), int)}).predictions("b")


def saved(path, **arrays):
    """A trace file with these arrays, ``a__b`` standing for ``a/b``."""
    counts = np.array(json.dumps(Counts("none", 0).to_json()))
    np.savez(path, **{name.replace("__", "/"): array for name, array in {"counts": counts, **arrays}.items()})
    return path


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"spikes__a": np.array("text")}, "node 'a': spikes are of type <U4; a trace holds integers"),
        ({"spikes__a": np.zeros((2, 2))}, "node 'a': spikes are of type float64; a trace holds integers"),
        (
            {"output__a": np.array(3)},
            "node 'a': outputs have shape (); a trace holds (timesteps, samples, ...) of them",
        ),
        (
            {"potential__a": np.arange(3)},
            "node 'a': potentials have shape (3,); a trace holds (timesteps, samples, ...) of them",
        ),
        (
            {"spikes__a": np.zeros((4, 2, 3), int), "potential__a": np.zeros((3, 2, 3), int)},
            "node 'a': potentials have shape (3, 2, 3); every array of this trace begins with (4, 2)"
            " (timesteps, samples)",
        ),
        ({"weights__a": np.zeros((4, 2), int)}, "it holds an array 'weights/a', which no trace has"),
        ({"spikes": np.zeros((4, 2), int)}, "it holds an array 'spikes', which no trace has"),
        ({"counts": np.array("{}")}, "the counts: it is not a table of backend, samples, cycles, notes, nodes"),
    ],
)
def test_arrays_that_are_no_trace(tmp_path, arrays, why):
    path = saved(tmp_path / "t.npz", **arrays)
    with pytest.raises(
        UsageError, match=r"^\S+ is not a trace: .+; write one with 'spikequant run --trace'$"
    ) as caught:
        Trace.load(path)
    assert str(caught.value) == f"{path} is not a trace: {why}; write one with 'spikequant run --trace'"


def test_a_file_of_another_kind_is_named_in_our_words(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    message = (
        r"^\S+ is not a trace: it is damaged, or no .npz archive of arrays; write one with 'spikequant run --trace'$"
    )
    with pytest.raises(UsageError, match=message):
        Trace.load(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match=r"^\S+ is not a trace: Is a directory; write one with .*$"):
        Trace.load(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_trace_is_refused_or_read(trace, tmp_path, seed):
    """Whatever byte is wrong, nothing but our own error comes out."""
    path = tmp_path / "run.npz"
    trace.save(path)
    data = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for where in random.integers(0, len(data), 3):
        data[where] = int(random.integers(0, 256))
    path.write_bytes(bytes(data))
    with contextlib.suppress(UsageError):
        Trace.load(path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere/t.npz", "No such file or directory"),
        ("file/t.npz", "Not a directory"),
        ("folder", "Is a directory"),
    ],
)
def test_a_trace_that_cannot_be_written_leaves_nothing(trace, tmp_path, name, why):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=rf"^trace \S+ cannot be written: {why}; give another file$"):
        trace.save(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_the_old_trace(trace, tmp_path):
    path = tmp_path / "run.npz"
    trace.save(path)
    before = path.read_bytes()
    with limited_file_size(100), pytest.raises(UsageError, match=r"^trace \S+ cannot be written: File too large; .*$"):
        trace.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@contextlib.contextmanager
def limited_file_size(size):
    """No file may grow beyond ``size`` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_device_is_written_and_stays_a_device(trace):
    trace.save("/dev/null")
    assert Path("/dev/null").is_char_device()
