"""The emitted folder compares itself with the oracle, on a machine that has make, g++ and Verilator only."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from spikequant.exporter import export_to
from spikequant.oracle import run_oracle
from spikequant_mint_rtl.emission.exporter import MintRtlExporter
from spikequant_mint_rtl.toolchain import tools_here

sys.path.append(str(Path(__file__).parent))
from emission_programs import NARROW, bench, make, narrow_program, residual_program, with_word

pytestmark = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """A folder that was emitted, moved to a path with spaces, and built there."""
    program, inputs = residual_program()
    folder = tmp_path_factory.mktemp("emitted")
    said = export_to(MintRtlExporter(), program, inputs, folder / "here")
    assert said[0].startswith("simulated accelerator against oracle on 2 samples: identical (")
    moved = folder / "far away" / "it's another place"
    moved.parent.mkdir()
    (folder / "here").rename(moved)
    done = make(moved, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    (moved / "said.txt").write_text(done.stdout)
    return moved


@pytest.fixture
def copy(residual, tmp_path):
    """A copy of the built folder, to be spoiled."""
    return Path(shutil.copytree(residual, tmp_path / "copy"))


def test_everything_is_identical_in_the_moved_folder(residual):
    said = (residual / "said.txt").read_text()
    spikes, outputs = 2 * 3 * (40 * 64 + 40 * 16), 2 * 3 * 10
    words = 2 * 3 * (16 * 2 + 16 * 2)
    cycles = json.loads((residual / "parameters.json").read_text())["cycles_when_exported"]
    assert said.splitlines()[-1] == (
        f"identical: {spikes} spikes, {spikes} potentials, {outputs} outputs and {words} words of spikes"
        f" of 3 layers compared, {cycles} cycles"
    )


def test_the_expected_values_are_the_oracles(residual):
    program, inputs = residual_program()
    trace = run_oracle(program, inputs)
    rows = np.array([int(line, 16) for line in (residual / "layer01" / "rows.hex").read_text().split()], np.uint32)
    expected = trace.potentials["block"].transpose(1, 3, 4, 0, 2)
    assert (rows.view(np.int32) == expected.reshape(-1)).all()
    assert 0 < trace.spikes["block"].mean() < 1


def test_a_spoiled_expected_potential_is_named(copy):
    sample, y, x, t, channel = 1, 2, 3, 2, 39
    index = (((sample * 4 + y) * 4 + x) * 3 + t) * 40 + channel
    got, expected = with_word(copy / "layer01" / "rows.hex", index, lambda word: word ^ 1)
    done = bench(copy)
    assert (done.returncode, done.stdout) == (
        1,
        'different: layer "block" (layer01), sample 1, timestep 2, output (39, 2, 3):'
        f" potential expected {expected}, got {got}\n",
    )


def test_a_spoiled_expected_output_is_named(copy):
    got, expected = with_word(copy / "layer02" / "rows.hex", 59, lambda word: word + 3)
    assert bench(copy).stdout == (
        'different: layer "classes" (layer02), sample 1, timestep 2, output (9, 0, 0):'
        f" output expected {expected}, got {got}\n"
    )


def test_a_spoiled_expected_spike_is_named(copy):
    old, _ = with_word(copy / "layer00" / "fired.hex", 1, lambda word: word ^ 1 << 7)
    assert bench(copy).stdout == (
        'different: layer "first" (layer00), sample 0, timestep 0, output (39, 0, 0):'
        f" spike expected {1 - (old >> 7 & 1)}, got {old >> 7 & 1}\n"
    )


def test_a_spoiled_pooled_map_is_named(copy):
    old, _ = with_word(copy / "layer00" / "words.hex", 0, lambda word: word ^ 1 << 5)
    assert bench(copy).stdout == (
        'different: layer "first" (layer00), sample 0, timestep 0, output (5, 0, 0):'
        f" spike in memory expected {1 - (old >> 5 & 1)}, got {old >> 5 & 1}\n"
    )


@pytest.mark.parametrize(
    ("layer", "name", "feeds"), [(0, "first", None), (1, "block", "first"), (2, "classes", "block")]
)
def test_a_spoiled_weight_word_shows_in_its_own_layer(copy, layer, name, feeds):
    """The word belongs to an input channel that spikes at timestep 0 of sample 0, at the first place of the kernel."""
    program, inputs = residual_program()
    channel = 0
    if feeds is not None:
        spikes = run_oracle(program, inputs).spikes[feeds][0, 0]
        spikes = spikes[:, 0, 0] if name == "classes" else spikes.any(axis=(1, 2))
        channel = int(np.flatnonzero(spikes)[0])
    with_word(copy / f"layer0{layer}" / "weight00.hex", channel * 128 * 4 // 32, lambda word: word ^ 0x77777777)
    done = bench(copy)
    assert done.returncode == 1
    place = rf'layer "{name}" \(layer0{layer}\), sample \d, timestep \d, output \(\d, \d, \d\)'
    assert re.fullmatch(rf"different: {place}: \w+ expected -?\d+, got -?\d+\n", done.stdout)


def test_layers_are_fed_by_what_the_core_wrote(copy):
    """Without the commands that take spikes out of the core the layer behind differs: nothing else feeds it."""
    commands = copy / "layer00" / "commands.txt"
    kept = [line for line in commands.read_text().splitlines() if not line.startswith("scatter")]
    commands.write_text("\n".join(kept) + "\n")
    done = bench(copy)
    assert done.returncode == 1
    assert done.stdout.startswith('different: layer "block" (layer01), sample 0, timestep 0, output (')


def test_a_spoiled_line_of_rtl_is_found(copy):
    source = copy / "rtl" / "mint_pe.sv"
    text = source.read_text()
    assert text.count(">= ") >= 1
    source.write_text(re.sub(r"(\bfire\w*\s*=.*?)>= ", r"\1> ", text, count=1, flags=re.DOTALL))
    assert source.read_text() != text
    done = make(copy, "run")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].startswith('different: layer "first" (layer00), sample ')


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), r"error: cannot read ./layer01/rows.hex\n"),
        (lambda path: path.write_text("0\n"), r"error: ./layer01/rows.hex holds 1 words instead of \d+\n"),
        (lambda path: path.write_text("00000000\n0z\n"), r"error: ./layer01/rows.hex: word 1 is no number of .*\n"),
    ],
)
def test_a_damaged_file_is_no_difference(copy, spoil, message):
    spoil(copy / "layer01" / "rows.hex")
    done = bench(copy)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(message, done.stderr)


def test_a_command_that_is_none_is_named(copy):
    commands = copy / "layer01" / "commands.txt"
    commands.write_text("bogus 1\n" + commands.read_text())
    done = bench(copy)
    assert (done.returncode, done.stderr) == (2, 'error: ./layer01/commands.txt, line 1: cannot read "bogus 1"\n')


def test_names_of_nodes_are_data_only(residual):
    program, _ = residual_program()
    names = re.compile("|".join(rf'"{node.name}"' for node in program.nodes))
    emitted = [path for path in residual.rglob("*") if path.is_file() and "build" not in path.parts]
    found = {path.name for path in emitted if names.search(path.read_text(encoding="utf-8"))}
    assert found == {"program.txt", "parameters.json"}
    paths = " ".join(str(path.relative_to(residual)) for path in emitted)
    assert not re.search(r"\b(block|classes|image)\b", paths)


def test_passes_blocks_and_two_cores(tmp_path):
    program, inputs = narrow_program()
    export_to(MintRtlExporter(**NARROW), program, inputs, tmp_path / "narrow")
    cut = json.loads((tmp_path / "narrow" / "parameters.json").read_text())
    wide, scaled = cut["layers"]
    assert (wide["groups"], scaled["groups"]) == (2, 1)
    assert wide["passes"] > 9
    assert wide["blocks"] > 1
    assert [core["uq"] for core in cut["cores"]] == [False, True]
    done = make(tmp_path / "narrow", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f" of 2 layers compared, {cut['cycles_when_exported']} cycles\n" in done.stdout
