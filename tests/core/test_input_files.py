"""Arrays that a user gives for the inputs of a network: forms, names, and one line for what does not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.input_files import read_inputs


@pytest.fixture
def save(tmp_path):
    def write(array, name="x.npy"):
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("given", "shape", "wanted"),
    [
        ((5, 2, 3), (2, 3), (5, 1, 2, 3)),
        ((5, 4, 2, 3), (2, 3), (5, 4, 2, 3)),
        ((5, 6), (2, 3), (5, 1, 2, 3)),
        ((5, 2, 1, 3), (2, 3), (5, 1, 2, 3)),
        ((5, 4, 6), (2, 3), (5, 4, 2, 3)),
        ((5, 2, 3, 1), (1, 2, 3), (5, 1, 1, 2, 3)),
        ((5,), (1,), (5, 1, 1)),
        ((5, 4), (1,), (5, 4, 1)),
        ((5, 1), (1,), (5, 1, 1)),
        ((6, 6, 6), (6,), (6, 6, 6)),
        ((6, 6), (6,), (6, 1, 6)),
    ],
)
def test_time_comes_first_then_samples_if_there_are_any(save, given, shape, wanted):
    array = np.arange(np.prod(given)).reshape(given)
    found = read_inputs([save(array)], {"in": shape})["in"]
    assert found.shape == wanted
    assert np.array_equal(found.ravel(), array.ravel())


def test_a_table_has_one_row_per_timestep_after_headings(tmp_path):
    path = tmp_path / "x.csv"
    for text in ("a,b\n1,2.5\n-3,4e1\n\n", "1,2.5\n-3,40\n"):
        path.write_text(text)
        assert read_inputs([str(path)], {"in": (2,)})["in"].tolist() == [[[1.0, 2.5]], [[-3.0, 40.0]]]


def test_several_inputs_are_named_and_given_in_any_order(save):
    words = [f"b={save(np.ones((4, 3)), 'b.npy')}", f"a={save(np.zeros((4, 2)), 'a.npy')}"]
    found = read_inputs(words, {"a": (2,), "b": (3,)})
    assert {name: array.shape for name, array in found.items()} == {"a": (4, 1, 2), "b": (4, 1, 3)}
    assert list(found) == ["a", "b"]


def test_a_path_may_hold_an_equals_sign(save):
    path = save(np.ones((4, 3)), "k=v.npy")
    assert read_inputs([path], {"in": (3,)})["in"].shape == (4, 1, 3)


def test_what_does_not_fit_is_named(save, tmp_path):
    x = save(np.ones((4, 3)))
    for words, shapes, message in (
        ([x], {"in": (2,)}, f"--input {x} has the shape (4, 3); it must be (timesteps, 2) or (timesteps, batch, 2)"),
        ([], {"in": (2,)}, "input 'in' is not given; add --input in=FILE"),
        ([x], {"a": (3,), "b": (3,)}, f"--input {x}: the network has inputs a, b; say which: --input NAME=FILE"),
        ([f"a={x}"], {"a": (3,), "b": (3,)}, "input 'b' is not given; add --input b=FILE"),
        ([x, x], {"in": (3,)}, "input 'in' is given twice; give it once"),
        (
            [f"a={x}", f"b={save(np.ones((5, 3)), 'y.npy')}"],
            {"a": (3,), "b": (3,)},
            "the inputs differ in (timesteps, batch): a (4, 1), b (5, 1); give all the same",
        ),
    ):
        with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
            read_inputs(words, shapes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([["a"]]), "holds <U1 (1, 1); it must hold numbers over time"),
        (np.zeros((0, 3)), "holds float64 (0, 3); it must hold numbers over time"),
        (np.array(1.0), "holds float64 (); it must hold numbers over time"),
        (np.array([[np.nan]]), "holds numbers that are not finite in single precision; give finite ones"),
        (np.array([[1e300]]), "holds numbers that are not finite in single precision; give finite ones"),
        (np.array([[1j]]), "holds complex128 (1, 1); it must hold numbers over time"),
        (np.array([{}], object), "is no .npy or .csv of numbers"),
        (b"text", "is no .npy or .csv of numbers"),
        (b"", "is no .npy or .csv of numbers"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_holds_no_numbers_is_named(tmp_path, content, message):
    path = tmp_path / "x.npy"
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"^{re.escape(f'--input {path} {message}')}"):
        read_inputs([str(path)], {"in": (3,)})


@pytest.mark.parametrize("text", ["", "a,b\n", "1,2\n3\n", "1,2\nx,3\n", "1,\0\n"])
def test_a_table_of_something_else_is_named(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"^--input {re.escape(str(path))} "):
        read_inputs([str(path)], {"in": (2,)})


def test_an_archive_and_a_claim_of_more_than_the_file_holds_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(3))
    with pytest.raises(UsageError, match=r"is an archive of several arrays; give one array as .npy$"):
        read_inputs([str(tmp_path / "x.npz")], {"in": (3,)})
    with (tmp_path / "x.npy").open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(96))
    with pytest.raises(UsageError, match=r"is no .npy or .csv of numbers \(mmap length is greater than file size\)"):
        read_inputs([str(tmp_path / "x.npy")], {"in": (3,)})
