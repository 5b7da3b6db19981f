"""A trace survives its file, joins, and says what is wrong with a file that is none."""

import re

import numpy as np
import pytest

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
