"""docs/command-line.md names every command, long option and JSON key, and no other; so do all other texts."""

import importlib.util
import itertools
import json
import re
import runpy
import shlex

import click
import nir
import numpy as np
import pytest

from spikequant.cli.main import program
from spikequant.registry import registry
from spikequant_mint_rtl.backend import MintRtlBackend

ANYWHERE = {"--help", "--version"}
NO_COMMANDS = {"digits"}  # "spikequant digits split 1 n" is the text that is hashed


def leaves(group, words=()):
    """Every command that is no group, under its words."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from leaves(command, (*words, name))
            else:
                yield " ".join((*words, name)), command


COMMANDS = dict(leaves(program))


def long_options(command):
    return {word for option in command.params for word in option.opts if word.startswith("--")}


def sections(page):
    """Text of each section of level 2, under its heading."""
    parts = re.split(r"^## (.+)$", page.text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture
def documented(page_of):
    return sections(page_of("docs/command-line.md"))


def test_every_command_has_a_section_and_no_other_command_has(documented):
    assert set(COMMANDS) == set(documented) - {"Exit codes", "Options that several commands share"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_long_option_is_in_the_table_of_its_command_and_no_other(documented, name):
    rows = re.findall(r"^\| (`--.*?) \|", documented[name], re.MULTILINE)
    named = [set(re.findall(r"--[a-z-]+", row)) for row in rows]
    assert set().union(*named) == long_options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_default_is_documented(documented, name):
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and option.show_default:
            value = option.default
            table = re.search(rf"^\| `{option.opts[0]}.*\|$", documented[name], re.MULTILINE)
            assert re.search(rf"default (`{value}`|{value}\b)|`{option.opts[0]} {value}`.*\(default\)", table[0])


def test_exit_codes_are_documented(documented):
    assert re.findall(r"^\| (\d+) \|", documented["Exit codes"], re.MULTILINE) == ["0", "1", "2", "130"]


SMALL_LIBRARY = "tests/backends/mint_rtl/activity_library.py"
WAVE_READY = MintRtlBackend().availability().ready and importlib.util.find_spec("pyverilator") is not None
LEVELS = ("--levels", "w=INT6,INT4", "--levels", "U=INT8")
SMALL = ("--set", "data.test_samples=9")
JSON_RUNS = {
    "activity": ["activity", "--liberty", "LIBRARY", "--bits", "2", "--inputs", "8", "--neurons", "1"],
    "area": ["area", "--bits", "2", "--parts", "paper"],
    "calibrate": ["calibrate", "EXPLORED"],
    "doctor": ["doctor"],
    "drift": ["drift", "RUN", "--samples", "4"],
    "energy": ["energy", "MODEL", "--samples", "4"],
    "explore": ["explore", "EXPLORED", *LEVELS],
    "export": ["export", "RUN", "--out", "OUT"],
    "fetch": ["fetch", "digits"],
    "import": ["import", "FLOATS", "--out", "OUT", "--data", "digits", "--timesteps", "2", *SMALL],
    "inspect": ["inspect", "FLOATS"],
    "lava setup": ["lava", "setup"],
    "lava status": ["lava", "status"],
    "memory": ["memory", "MODEL"],
    "plugins": ["plugins"],
    "quantize": ["quantize", "EXPLORED", "--out", "OUT", "--format", "w=INT3"],
    "report": ["report", "EXPLORED"],
    "run": ["run", "MODEL", "--samples", "4"],
    "select": ["select", "EXPLORED", "--max-drop", "100"],
    "significance": ["significance", "EXPLORED", *LEVELS],
    "train": ["train", "--resume", "--out", "RUN"],
    "verify": ["verify", "MODEL", "--samples", "4"],
    "wave": ["wave", "MODEL", "--out", "OUT", "--steps", "0", "--lanes", "0"],
}


def network_in_floats():
    """One layer of neurons without leak on the digits' 64 pixels."""
    ones = np.ones(10)
    nodes = {
        "input": nir.Input({"input": np.array([1, 8, 8])}),
        "flatten": nir.Flatten({"input": np.array([1, 8, 8])}, start_dim=0),
        "fc": nir.Linear(np.random.default_rng(1).normal(0, 0.2, (10, 64))),
        "neurons": nir.IF(r=ones, v_threshold=ones, v_reset=0 * ones),
        "output": nir.Output({"output": np.array([10])}),
    }
    return nir.NIRGraph(nodes, list(itertools.pairwise(nodes)))


def test_every_command_with_json_is_tried():
    assert set(JSON_RUNS) == {name for name, command in COMMANDS.items() if "--json" in long_options(command)}


@pytest.mark.parametrize("name", JSON_RUNS)
def test_every_json_key_is_documented_and_no_other(documented, spikequant, trained, explored, tmp_path, root, name):
    if name in ("activity", "area"):
        pytest.importorskip("pyosys")
    if name == "wave" and not WAVE_READY:
        pytest.skip("mint_rtl: verilator, g++ or pyverilator is missing")
    places = {"MODEL": trained / "model.nir", "RUN": trained, "EXPLORED": explored, "OUT": tmp_path / "out"}
    places["FLOATS"] = tmp_path / "floats.nir"
    nir.write(places["FLOATS"], network_in_floats())
    places["LIBRARY"] = tmp_path / "small.lib"
    places["LIBRARY"].write_text(runpy.run_path(str(root / SMALL_LIBRARY))["library"]())
    answer = spikequant(*(places.get(word, word) for word in JSON_RUNS[name]), "--json")
    assert answer.code in (0, 1), answer.err
    words = re.search(r"^JSON: (.*?)(?:\n\n|\Z)", documented[name], re.MULTILINE | re.DOTALL)[1]
    outside = re.sub(r"\((?:[^()]|\([^()]*\))*\)", "", words).split("`first` (")[0]
    assert set(re.findall(r"`(\w+)`", outside)) == set(json.loads(answer.out))


def lines_of(page):
    """Every command line that a page shows in a fenced block."""
    for block in page.blocks:
        for line in block.text.splitlines():
            found = re.match(r"(?:\$ )?spikequant (.+)", line)
            if found and block.language in ("", "console", "sh", "bash"):
                yield shlex.split(found[1], comments=True)


def parse(words):
    """Let click read a command line, without running it; wrong ones raise."""
    group, words = program, list(words)
    while isinstance(group, click.Group):
        with click.Context(group, info_name="spikequant") as context:
            name, command, words = group.resolve_command(context, words)
        group = command
    return name, group.make_context(name, words).params


def test_command_lines_in_blocks_can_be_typed(page):
    recipes = {offer.name for offer in registry().of("recipe")}
    backends = {offer.name for offer in registry().of("backend")}
    for words in lines_of(page):
        name, given = parse(words)
        recipe = given.get("recipe")
        assert name != "train" or not recipe or recipe.endswith(".toml") or recipe in recipes, words
        assert given.get("backend", "torch") in backends, words


@pytest.mark.parametrize("words", [["verify"], ["run", "a.nir", "--bogus"], ["bogus"], ["memory", "a", "--batch", "0"]])
def test_a_wrong_command_line_is_seen(words):
    with pytest.raises(click.UsageError):
        parse(words)


def test_commands_and_options_in_prose_exist(page):
    everything = ANYWHERE.union(*(long_options(command) for command in COMMANDS.values()))
    for quoted in re.findall(r"`([^`\n]+)`", page.prose):
        found = re.match(r"spikequant ([a-z]+(?: (?:setup|status))?)", quoted)
        if found and found[1] not in NO_COMMANDS:
            assert found[1] in {*COMMANDS, "lava"}, quoted
            allowed = long_options(COMMANDS.get(found[1], click.Command("none"))) | ANYWHERE
            assert set(re.findall(r"--[a-z-]+", quoted)) <= allowed, quoted
        elif re.match(r"--[a-z]", quoted):
            assert set(re.findall(r"(?<!\S)--[a-z-]+", quoted)) <= everything, quoted


def test_the_demo_types_what_can_be_typed(root):
    lines = re.findall(r"do_it (.+)", (root / "examples" / "demo.sh").read_text("utf-8"))
    assert len(lines) >= 10
    for line in lines:
        parse(shlex.split(re.sub(r"\$\w+", "1", line)))
