"""The cocotb bench of an emitted folder executes the same commands and finds the same differences."""

import sys
from pathlib import Path

import pytest

from spikequant.exporter import export_to
from spikequant_mint_rtl.emission.exporter import MintRtlExporter
from spikequant_mint_rtl.toolchain import tools_here

sys.path.append(str(Path(__file__).parent))
from emission_programs import make, residual_program, with_word

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytestmark = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


def test_cocotb_runs_the_first_layer_by_default_and_names_differences(tmp_path):
    folder = tmp_path / "with a space"
    program, inputs = residual_program()
    export_to(MintRtlExporter(), program, inputs[:1], folder)
    python = f"PYTHON={sys.executable}"

    done = make(folder, "cocotb", python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical: 7680 values of 1 of 3 layers compared" in done.stdout

    done = make(folder, "cocotb", python, MINT_LAYERS="all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical: 9630 values of 3 of 3 layers compared" in done.stdout

    got, expected = with_word(folder / "layer00" / "rows.hex", 41, lambda word: word ^ 1)
    done = make(folder, "cocotb", python)
    assert done.returncode != 0
    difference = f"sample 0, timestep 1, output (1, 0, 0): potential expected {expected}, got {got}"
    assert f"layer 'first' (layer00), {difference}" in done.stdout

    (folder / "layer01" / "commands.txt").write_text("set forty 0\n")
    done = make(folder, "cocotb", python)
    assert done.returncode == 2
    place = "./layer01/commands.txt, line 1"
    assert f'error: {place}: REGISTER is "forty"; it must be a whole number 1..40\n' in done.stderr
    assert "rror 2" in done.stderr
