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
from spikequant_mint_rtl.emission.bench.commands import read_commands
from spikequant_mint_rtl.emission.bench.program import BadFile, read_program
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
    """A bench that does not keep what the core wrote differs in the layer behind: nothing else feeds it."""
    source = copy / "bench" / "bench.cpp"
    text = source.read_text()
    assert text.count("place = word;") == 1
    source.write_text(text.replace("place = word;", ""))
    done = make(copy, "run")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].startswith('different: layer "block" (layer01), sample 0, timestep 0, output (')


def test_a_spoiled_line_of_rtl_is_found(copy):
    source = copy / "rtl" / "mint_pe.sv"
    text = source.read_text()
    assert text.count(">= ") >= 1
    source.write_text(re.sub(r"(\bfire\w*\s*=.*?)>= ", r"\1> ", text, count=1, flags=re.DOTALL))
    assert source.read_text() != text
    done = make(copy, "run")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].startswith('different: layer "first" (layer00), sample ')


def both_refuse(folder, message):
    """The C++ bench ends with exit code 2, and the Python bench says the same of the folder."""
    done = bench(folder)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert re.fullmatch(rf"error: {message}\n", done.stderr), done.stderr
    with pytest.raises(BadFile) as refused:
        check_whole(folder)
    assert done.stderr == f"error: {refused.value}\n"


def check_whole(folder):
    program = read_program(folder)
    for index in range(len(program.layers)):
        read_commands(program, index)


def test_the_python_bench_finds_nothing_wrong_with_a_whole_folder(residual):
    check_whole(residual)


def edited(path, find, replace):
    """Change the first match in a file."""
    text = path.read_text()
    assert re.search(find, text, re.MULTILINE), find
    path.write_text(re.sub(find, replace, text, count=1, flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("rows", lambda path: path.unlink(), r"cannot read \./layer01/rows\.hex"),
        ("rows", lambda path: path.write_text("00000000\n"), r"\./layer01/rows\.hex holds 1 words; it must hold \d+"),
        (
            "rows",
            lambda path: path.write_text("00000000\n0z\n"),
            r'\./layer01/rows\.hex, line 2: the word is "0z"; it must be 8 hexadecimal digits',
        ),
        ("weight00", lambda path: path.write_text(""), r"\./layer01/weight00\.hex holds 0 words; it must hold \d+"),
        (
            "weight00",
            lambda path: path.write_text(path.read_text()[:-9]),
            r"\./layer01/weight00\.hex holds \d+ words; it must hold \d+",
        ),
        (
            "weight00",
            lambda path: path.write_text(path.read_text()[:-2]),
            r'\./layer01/weight00\.hex, line \d+: the word is "\w{7}"; it must be 8 hexadecimal digits',
        ),
    ],
)
def test_a_damaged_image_is_no_difference(copy, name, spoil, message):
    spoil(copy / "layer01" / f"{name}.hex")
    both_refuse(copy, message)


WHOLE = r"it must be a whole number"


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        (r"^set", "bogus", r'the command is "bogus"; it must be one of load, set, .*'),
        (r"^set .*", "set", r"set is followed by 0 words; it must be by 3: REGISTER VALUE \.\.\."),
        (r"^set .*", "set forty 0", rf'REGISTER is "forty"; {WHOLE} 1\.\.40'),
        (r"^set .*", "set 400 0", rf'REGISTER is "400"; {WHOLE} 1\.\.40'),
        (r"^set .*", "set 0 1", rf'REGISTER is "0"; {WHOLE} 1\.\.40'),
        (r"^set .*", "set 40", r"the last REGISTER has no VALUE; words must be in pairs"),
        (r"^set .*", "set 40 4294967296", rf'VALUE is "4294967296"; {WHOLE} 0\.\.4294967295'),
        (r"^set .*", "set 40 0x1", rf'VALUE is "0x1"; {WHOLE} 0\.\.4294967295'),
        (r"^load 1 ", "load 9 ", rf'MEMORY is "9"; {WHOLE} 1\.\.4'),
        (r"^load 1 \d+", "load 1 4294967000", rf'ADDRESS is "4294967000"; {WHOLE} 0\.\.\d+'),
        (r"^load 1 (\d+) \d+", r"load 1 \1 99999999", rf'WORDS is "99999999"; {WHOLE} 1\.\.\d+'),
        (r"^(load .*)", r"\1 more", r"load is followed by 5 words; it must be by 4: MEMORY ADDRESS WORDS FILE"),
        (r"^(load .*) \S+$", r"\1 ../program.txt", r'FILE is "\.\./program\.txt"; it must be a name without /'),
        (r"^gather \d+", "gather 77", rf'BUFFER is "77"; {WHOLE} 0\.\.2'),
        (r"^gather \d+", "gather 2", r'BUFFER is "2"; it must be an input, or written by a layer before this one'),
        (r"^gather (\d+ \d+ \d+) \d+ \d+", r"gather \1 -5 8", rf'Y is "-5"; {WHOLE} 0\.\.4'),
        (
            r"^gather (\d+ \d+ \d+) \d+ \d+",
            r"gather \1 4 18446744073709551615",
            rf'HEIGHT is "18446744073709551615"; {WHOLE} 0\.\.0',
        ),
        (r"^gather (.*) \d+$", r"gather \1", r"gather is followed by 8 words; it must be by 9: BUFFER SAMPLE .*"),
        (r"^(run .*)", r"\1 0", r"run is followed by 9 words; it must be by 8: LIMIT SAMPLE TILE .*"),
        (r"^run \d+ 0", "run 1 2", rf'SAMPLE is "2"; {WHOLE} 0\.\.1'),
        (r"^run (\d+) 1", r"run \1 0", r"some of the outputs were put out before; each must be once"),
        (r"^scatter 0 \d+", "scatter 0 999999999", rf'ADDRESS is "999999999"; {WHOLE} 0\.\.\d+'),
        (
            r"^scatter 0 \d+",
            "scatter 0 16383",
            r'the number of words from address 16383 is "\d+"; it must be at most 1, .*',
        ),
        (r"^scatter 1", "scatter 0", r"some of the words were taken before; each must be once"),
        (r"^run \d+", "run 1.5", rf'LIMIT is "1\.5"; {WHOLE} 1\.\.9223372036854775807'),
    ],
)
def test_a_damaged_command_is_named_with_its_line(copy, find, replace, message):
    commands = copy / "layer01" / "commands.txt"
    before = commands.read_text().splitlines()
    edited(commands, find, replace)
    after = commands.read_text().splitlines()
    number = next(i for i, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1])
    both_refuse(copy, rf"\./layer01/commands\.txt, line {number}: {message}")


@pytest.mark.parametrize("kind", ["load", "set", "gather", "run", "scatter"])
def test_a_lost_command_is_noticed(copy, kind):
    edited(copy / "layer01" / "commands.txt", rf"^{kind} .*\n", "")
    both_refuse(copy, r"\./layer01/commands\.txt holds \d+ commands; it must hold \d+")


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        (r"^layer .*classes.*\n", "", r' has 2 lines "layer"; they must be 3, as its line "program" says'),
        (r"^buffer .*block.*\n", "", r', line \d+: BUFFER is "2"; it must be a whole number 0\.\.1'),
        (r"^program .*\n", "", r', line 2: the line is "core"; it must be program, which comes first'),
        (r"^program (.*)", r"program \1 1", r", line 2: program is followed by 6 words; it must be by 5: T S .*"),
        (r"^layer 0", "layer 1", r', line \d+: CORE is "1"; it must be a whole number 0\.\.0'),
        (r"readout", "reading", r', line \d+: the kind of neurons is "reading"; it must be spiking or readout'),
        (r'"first"', '"first', r', line \d+: the name is ""first"; it must be closed by a quotation mark'),
        (r"(?s)\A.*\Z", "", r' has no line "program"; it must begin with one'),
    ],
)
def test_a_damaged_program_is_refused(copy, find, replace, message):
    edited(copy / "program.txt", find, replace)
    both_refuse(copy, rf"\./program\.txt{message}")


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
