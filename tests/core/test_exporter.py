"""Exported folders appear whole or not at all."""

import numpy as np
import pytest

from spikequant import Exporter
from spikequant.errors import RefusedError, UsageError
from spikequant.exporter import check_target, export_to
from spikequant.program import Dense, Input, Lif, chain

PROGRAM = chain([Input("x", (1,)), Dense("fc", np.array([[1]])), Lif("lif", theta=np.array(1))], 1)
INPUTS = np.array([[1]])


class Writes(Exporter):
    name = "writes"

    def __init__(self, error=None):
        self.error = error

    def export(self, program, inputs, folder):
        assert list(folder.iterdir()) == []
        (folder / "first").write_text(f"{len(program.nodes)} nodes")
        (folder / "inside").mkdir()
        if self.error is not None:
            raise self.error
        (folder / "inside" / "second").write_text(f"{len(inputs)} samples")
        return ["two files"]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_missing_or_empty_is_made(tmp_path, there):
    target = tmp_path / "out"
    if there:
        target.mkdir()
    assert export_to(Writes(), PROGRAM, INPUTS, target) == ["two files"]
    assert (target / "first").read_text() == "3 nodes"
    assert (target / "inside" / "second").read_text() == "1 samples"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_folder_is_readable_as_any_other(tmp_path):
    (tmp_path / "plain").mkdir()
    export_to(Writes(), PROGRAM, INPUTS, tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RefusedError("no"), ValueError("odd")])
def test_nothing_is_left_when_writing_ends_early(tmp_path, error):
    with pytest.raises(type(error)):
        export_to(Writes(error), PROGRAM, INPUTS, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_disk_names_the_folder(tmp_path):
    with pytest.raises(UsageError, match=r"^folder .*out cannot be written: No space left on device; give another$"):
        export_to(Writes(OSError(28, "No space left on device")), PROGRAM, INPUTS, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in (tmp_path, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(UsageError, match=r"^.* exists and is no empty folder; delete it or give another$"):
            check_target(target)


def test_folders_above_are_made_and_a_file_above_is_refused_first(tmp_path):
    check_target(tmp_path / "none" / "out")
    assert list(tmp_path.iterdir()) == []
    export_to(Writes(), PROGRAM, INPUTS, tmp_path / "none" / "out")
    assert (tmp_path / "none" / "out").is_dir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"^folder .*/file/out cannot be written: Not a directory; .*$"):
        check_target(tmp_path / "file" / "out")
