"""What is built on the user's machine is there whole or not at all."""

import subprocess
import sys

import pytest

from spikequant.build_cache import make_once

STILL_AT_WORK = """
import sys
from itertools import count
from pathlib import Path
folder = Path(sys.argv[1])
try:
    for number in count():
        (folder / f"{number % 100}.o").write_bytes(bytes(4096))
        print(flush=True) if number == 0 else None
except OSError:
    sys.exit(3)
"""


def made(scratch):
    path = scratch / "made"
    path.write_text("whole")
    return path


def test_what_a_killed_build_left_goes_even_while_its_tools_still_write_there(tmp_path):
    left = tmp_path / "building-thing-left"
    left.mkdir()
    tool = subprocess.Popen([sys.executable, "-c", STILL_AT_WORK, left], stdout=subprocess.PIPE)
    tool.stdout.readline()
    make_once(tmp_path, tmp_path / "thing.so", made)
    assert (tmp_path / "thing.so").read_text() == "whole"
    assert not list(tmp_path.glob("building-*"))
    tool.communicate(timeout=60)
    assert tool.returncode == 3  # it could not go on


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError])
def test_an_ended_build_leaves_nothing(tmp_path, end):
    def ended(scratch):
        (scratch / "half").write_text("half")
        raise end

    with pytest.raises(end):
        make_once(tmp_path, tmp_path / "thing.so", ended)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["thing.so.lock"])
