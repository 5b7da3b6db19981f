"""Thousands of damaged files: each is refused on one line or read, in bounded time and memory.

A few hundred are read here; SPIKEQUANT_FUZZ=5000 reads so many of each way. The program that does it is nir_fuzz.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nir_files import REJECTED, VALID, affine, conv2d, cubalif, graph, if_, lif, line, linear, sink, source, written

COUNT = int(os.environ.get("SPIKEQUANT_FUZZ", "120"))
SECONDS = 20
"""For one file, on a machine that does other things too; most take milliseconds."""
MIB = 3000
SMALL = 300_000


def own_files(folder):
    inner = graph(
        {"input": source(3), "lif": cubalif(3), "w": linear(3, 3), "output": sink(3)},
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )
    maps = line(source(2, 6, 6), conv2d(4, 2, shape=(6, 6)), if_(4, 4, 4), sink(4, 4, 4))
    dense = line(source(2), affine(3, 2), inner, lif(3), sink(3))
    return [written(folder / f"{name}.nir", net) for name, net in (("maps", maps), ("dense", dense))]


@pytest.mark.parametrize(("way", "seed"), [("bytes", 0), ("edits", 0)])
def test_damaged_files_are_refused_or_read_in_bounded_time_and_memory(way, seed, tmp_path):
    files = [*own_files(tmp_path), *(path for path in (*VALID, *REJECTED) if path.stat().st_size < SMALL)]
    program = [sys.executable, Path(__file__).with_name("nir_fuzz.py"), way, str(seed), str(COUNT), str(SECONDS)]
    done = subprocess.run([*program, *files], capture_output=True, text=True, check=False, timeout=60 + COUNT * 2)
    last = done.stderr.splitlines()[-1] if done.stderr else "nothing"
    assert done.returncode == 0, f"the reader died with {done.returncode} on case {last}"
    result = json.loads(done.stdout)
    assert result["failures"] == []
    assert sum(result["outcomes"].values()) == COUNT
    assert result["outcomes"]["refused"] > COUNT / 3
    assert result["outcomes"]["read"] > COUNT / 60
    assert result["peak_mib"] < MIB
