"""Damaged and hostile lava-dl files end in one clear line or a program, never in anything else."""

import resource
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lava_dl_files import conv, dense, write

from spikequant.errors import SpikequantError, UsageError
from spikequant.importer import ImportedProgram, Inspection
from spikequant_lava_dl.importer import LavaDlImporter

MEMORY = 300 << 20
SECONDS = 10.0


@pytest.fixture
def whole(tmp_path):
    layers = [conv(np.ones((2, 1, 2, 2)), (2, 3, 3)), {"type": "flatten", "shape": [18, 1, 1]}, dense(np.ones((3, 18)))]
    return write(tmp_path / "whole.net", *layers, Ts=1, tSample=8).read_bytes()


def outcome(path):
    """Read and inspect; return what came of both, and fail if it is anything but a result or an error of ours."""
    begin, found = time.perf_counter(), []
    importer = LavaDlImporter(input_shape="1x4x4")
    for act in (importer.inspect, importer.read):
        try:
            found.append(act(path))
        except SpikequantError as error:
            text = str(error)
            assert "\n" not in text
            assert text.startswith(str(path)), text
            found.append(error)
    assert time.perf_counter() - begin < SECONDS
    return found


def test_the_whole_file_is_a_program(whole, tmp_path):
    (tmp_path / "a.net").write_bytes(whole)
    inspected, read = outcome(tmp_path / "a.net")
    assert isinstance(inspected, Inspection)
    assert isinstance(read, ImportedProgram)


def test_truncated_files_are_refused(whole, tmp_path):
    path = tmp_path / "a.net"
    for length in np.linspace(0, len(whole) - 1, 150).astype(int):
        path.write_bytes(whole[:length])
        assert all(isinstance(found, SpikequantError) for found in outcome(path)), length


def test_flipped_bytes_end_in_a_line_or_a_program(whole, tmp_path):
    path, rng = tmp_path / "a.net", np.random.default_rng(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), int(rng.integers(1, 4))):
            content[place] ^= int(rng.integers(1, 256))
        path.write_bytes(content)
        found = outcome(path)
        refused += isinstance(found[1], SpikequantError)
        assert isinstance(found[0], (Inspection, SpikequantError))
        assert isinstance(found[1], (ImportedProgram, SpikequantError))
    assert refused > 30
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before < MEMORY


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda file: None, "it has no group 'layer', so no layers; export the network with export_hdf5\\(\\)"),
        (lambda file: file.create_group("layer/1"), "its layers are 1; they must be 0, 1, 2 and so on, at most 1000"),
        (lambda file: file.create_group("layer/0"), "layer 0: type is missing; it must be text"),
        (lambda file: file.__setitem__("layer/0", 3), "layer 0: it is no group of fields; export the network again"),
        (
            lambda file: file.__setitem__("layer/0", h5py.ExternalLink("b.net", "x")),
            ".* is a link to elsewhere; a .net .*",
        ),
        (
            lambda file: file.create_dataset("layer/0/weight", (1 << 34,), "f4", chunks=(1 << 16,)),
            ".*damaged.*|.*over the limit.*",
        ),
        (lambda file: file.__setitem__("layer/0/type", "x\nError: \x1b[31m"), r"layer 0 \(.*\): .*"),
    ],
)
def test_hostile_files_are_refused(make, text, tmp_path):
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(SpikequantError, match=f"^{path}: {text}$") as caught:
        LavaDlImporter().read(path)
    assert str(caught.value).isprintable()


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "a.net").write_text("no network")
    for path, text in (
        (tmp_path / "a.net", "it is not an HDF5 file, and a .net file is one; export the network again"),
        (tmp_path / "b.net", "there is no such file"),
        (tmp_path, "it is a folder, not a file"),
    ):
        with pytest.raises(UsageError, match=f"^{path}: {text}$"):
            LavaDlImporter().read(path)
