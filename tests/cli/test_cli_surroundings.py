"""plugins, doctor, fetch, help and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

CONTRACTS = {"quantizer", "neuron", "learner", "selector", "backend"}


def test_every_contract_has_a_bundled_inhabitant_and_nothing_failed(spikequant):
    said = json.loads(spikequant("plugins", "--json").out)
    assert {row["kind"] for row in said["plugins"]} >= CONTRACTS
    assert said["failures"] == []
    assert said["conflicts"] == []
    assert {row["name"] for row in said["plugins"] if row["kind"] == "backend"} == {
        "lava",
        "mint_rtl",
        "reference",
        "torch",
    }


def test_plugins_for_people(spikequant):
    answer = spikequant("plugins")
    assert answer.code == 0
    assert "MINT" in answer.out


def test_the_doctor_finds_every_backend_ready(spikequant):
    answer = spikequant("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(answer.out)["findings"]}
    assert answer.code == 0
    assert findings["data digits"]["ready"]
    for name in ("lava", "mint_rtl", "reference", "torch"):
        assert findings[f"backend {name}"]["ready"], findings[f"backend {name}"]


def test_the_doctor_says_what_is_lost_and_exits_1(spikequant, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEQUANT_LAVA_HOME", str(tmp_path / "none"))
    answer = spikequant("doctor", "--json")
    lava = next(f for f in json.loads(answer.out)["findings"] if f["what"] == "backend lava")
    assert answer.code == 1
    assert not lava["ready"]
    assert lava["remedy"] == "run 'spikequant lava setup'"
    assert lava["lost"] == "--backend lava"


def test_the_doctor_says_what_is_lost_without_a_c_compiler(spikequant, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    findings = json.loads(spikequant("doctor", "--json").out)["findings"]
    compiler = next(finding for finding in findings if finding["what"] == "C compiler")
    assert not compiler["ready"]
    assert compiler["lost"] == "speed: native kernels of plugins; torch computes the same"
    assert compiler["remedy"] == "install a C compiler (Debian: apt-get install gcc)"


def test_an_embedded_data_set_needs_no_download(spikequant, tmp_path):
    answer = spikequant("fetch", "digits", "--data-dir", tmp_path, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["files"] == []


def test_an_unknown_name_is_answered_with_the_known_ones(spikequant):
    answer = spikequant("fetch", "nothing")
    assert answer.code == 2
    assert answer.err.startswith("error: dataset 'nothing' is not installed; known: ")


def test_an_unknown_command_or_option_exits_2(spikequant):
    assert spikequant("frobnicate").code == 2
    assert spikequant("plugins", "--frobnicate").code == 2


def test_the_installed_command_runs():
    done = subprocess.run(
        [sys.executable, "-m", "spikequant", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("spikequant, version ")


def test_what_the_system_refuses_is_one_line(spikequant, monkeypatch):
    def refuse():
        raise PermissionError(13, "Permission denied", "/somewhere/private")

    monkeypatch.setattr("spikequant.cli.plugins.registry", refuse)
    answer = spikequant("plugins")
    assert answer.code == 2
    assert answer.err == "error: /somewhere/private: Permission denied\n"
