"""Every command works beside plugins that misbehave; each fault is one line that names its distribution."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from spikequant.registry import registry

QUANTIZERS = """
from spikequant import Quantizer, hookimpl

class Floats(Quantizer):
    name = "floats"
    def quantize(self, x, scale):
        return x / scale

class Lopsided(Quantizer):
    name = "lopsided"
    code_range = (-128, 128)
    def quantize(self, x, scale):
        return (x / scale).round().clamp(-128, 127).int()

class Raising(Quantizer):
    name = "raising"
    def __init__(self, bits=8):
        raise RuntimeError("no\\nmore")
    def quantize(self, x, scale):
        return x.int()

@hookimpl
def spikequant_quantizers():
    return [Floats, Lopsided, Raising]
"""
BACKENDS = """
from spikequant import Backend, Dataset, hookimpl

class Marked(Backend):
    name = "[/red]marked"
    summary = "[bold"
    supports = ()
    def build(self, program):
        raise NotImplementedError

class Demanding(Marked):
    name = "demanding"
    def __init__(self, needed):
        pass

class Unavailable(Marked):
    name = "unavailable"
    def availability(self):
        raise RuntimeError("[/red]boom\\nagain")

class Unreadable(Dataset):
    name = "unreadable"
    shape = (1, 8, 8)
    classes = 10
    def load(self, split, folders):
        raise OSError("disk")

@hookimpl
def spikequant_backends():
    return [Marked, Demanding, Unavailable]

@hookimpl
def spikequant_datasets():
    return [Unreadable]
"""
COMMAND = """
import click
from spikequant import hookimpl

@click.command("{name}")
def command():
    print("taken over")

@hookimpl
def spikequant_commands():
    return [command]
"""
LOUD = "raise ValueError('line [/red] [bold\\nmore')"


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Return a function that installs a plugin from its source; all are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def installed(name, source, points="[spikequant]\n{0} = {0}_module\n"):
        names.append(f"{name}_module")
        (tmp_path / f"{name}_module.py").write_text(source, encoding="utf-8")
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(points.format(name), encoding="utf-8")
        registry.cache_clear()
        return tmp_path

    yield installed
    registry.cache_clear()
    for name in names:
        sys.modules.pop(name, None)


def findings(spikequant):
    answer = spikequant("doctor", "--json")
    return answer.code, {finding["what"]: finding for finding in json.loads(answer.out)["findings"]}


def test_what_strangers_write_is_printed_as_it_is(add, spikequant):
    add("bad", BACKENDS)
    add("loud", LOUD)
    listed, examined = spikequant("plugins"), spikequant("doctor")
    assert listed.code == 0
    assert "[/red]marked" in listed.out
    assert " [bold " in listed.out
    assert "plugin 'loud' did not load: loud 1: ValueError: line [/red] [bold\n" in listed.out
    assert examined.code == 1
    assert "backend [/red]marked" in examined.out
    assert "[/red]boom" in examined.out


def test_the_doctor_reports_what_raises(add, spikequant):
    add("bad", BACKENDS)
    code, found = findings(spikequant)
    assert code == 1
    assert found["backend unavailable"]["detail"] == "RuntimeError: [/red]boom"
    assert found["backend demanding"]["detail"].startswith("TypeError: ")
    assert found["data unreadable"]["detail"] == "OSError: disk"
    for what in ("backend unavailable", "backend demanding", "data unreadable"):
        assert (found[what]["ready"], found[what]["remedy"]) == (False, "mend or uninstall bad 1")
    assert found["data digits"]["ready"]
    assert found["backend torch"]["ready"]


def test_a_command_that_takes_a_built_in_name_is_reported_and_changes_nothing(add, spikequant):
    add("thief", COMMAND.format(name="doctor"))
    text = "command name 'doctor' is built in and claimed by thief 1; the built-in one stays, uninstall the other"
    assert text in spikequant("plugins").out.splitlines()
    assert findings(spikequant)[1]["plugin names"]["detail"] == text


def test_a_command_that_two_claim_leaves_help_working_and_is_an_error_when_asked_for(add, spikequant):
    add("one", COMMAND.format(name="extra"))
    assert "extra" in spikequant("--help").out
    add("two", COMMAND.format(name="extra"))
    helped, asked = spikequant("--help"), spikequant("extra")
    assert (helped.code, "extra" in helped.out, "doctor" in helped.out) == (0, False, True)
    text = "error: command name 'extra' is claimed by one 1 and by two 1; uninstall one of them\n"
    assert (asked.code, asked.out, asked.err) == (2, "", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "floats",
            "quantizer 'floats' returned float32 codes; codes are integers, so end quantize() with .to(torch.int32)",
        ),
        (
            "lopsided",
            "quantizer 'lopsided': code_range is -128..128; 8 bits hold -128..127, so narrow it",
        ),
        ("raising", "quantizer 'raising' refuses its options: RuntimeError: no"),
    ],
)
def test_a_quantizer_that_breaks_its_contract_is_one_line(add, spikequant, trained, tmp_path, name, text):
    add("bad", QUANTIZERS)
    changes = ("quantizer.bits=8", f"quantizer.name={name}", "data.train_samples=20", "training.float_epochs=0")
    words = [word for change in changes for word in ("--set", change)]
    answer = spikequant("train", trained.parent / "small.toml", "--out", tmp_path / "run", *words)
    assert (answer.code, answer.err.splitlines()[-1]) == (2, f"error: {text}")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("words", [["plugins", "--json"], ["--help"]])
def test_a_damaged_line_of_a_stranger_stops_no_command(add, words):
    """In a process of its own: torch and pydantic read every distribution's entry points while they are imported."""
    folder = add("damaged", "", points="[spikequant]\ngarbage line\n")
    env = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "spikequant", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if "--json" in words:
        (failure,) = json.loads(done.stdout)["failures"]
        assert failure["from"] == "damaged 1"
        assert failure["reason"] == "its entry_points.txt is damaged; each line must be of the form NAME = MODULE"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("neuron.leak_shift=1.5", "neuron 'mint-lif': option 'leak_shift' is 1.5; it must be a whole number"),
        ("neuron.strict=maybe", "neuron 'mint-lif': option 'strict' is \"maybe\"; it must be true or false"),
        ("neuron.v_th=true", "neuron 'mint-lif': option 'v_th' is true; it must be a number"),
        ("learner.batch_size=1.5", "learner 'bptt': option 'batch_size' is 1.5; it must be a whole number"),
        (
            "network.hidden=[1.5]",
            "network 'mlp': option 'hidden' is [1.5]; it must be a list, each item a whole number",
        ),
        (
            "network.hidden=[true]",
            "network 'mlp': option 'hidden' is [true]; it must be a list, each item a whole number",
        ),
    ],
)
def test_options_of_a_recipe_are_checked_by_type(spikequant, trained, tmp_path, change, text):
    answer = spikequant("train", trained.parent / "small.toml", "--out", tmp_path / "run", "--set", change)
    assert (answer.code, answer.err) == (2, f"error: {text}\n")
    assert not (tmp_path / "run").exists()
