"""export --to: programs for other people's tools."""

import json

import pytest

from spikequant.registry import registry
from spikequant_mint_rtl.toolchain import tools_here

needs_tools = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


@needs_tools
def test_a_nir_file_becomes_a_folder(spikequant, trained, tmp_path):
    folder = tmp_path / "rtl"
    answer = spikequant("export", trained / "model.nir", "--to", "mint-rtl", folder)
    assert answer.err == ""
    assert answer.out.startswith("simulated accelerator against oracle on 1 sample: identical (")
    assert answer.out.endswith(f"to compare again, with Verilator and g++ alone: make run\nwritten: {folder}\n")
    assert answer.code == 0
    assert (folder / "Makefile").is_file()


@needs_tools
def test_a_run_folder_too_with_samples_and_options(spikequant, trained, tmp_path):
    words = ("--to", "mint-rtl", "--out", tmp_path / "rtl", "--samples", 3, "--split", "train", "--data", "digits")
    answer = spikequant("export", trained, *words, "--option", "zero_skip=false", "--json")
    said = json.loads(answer.out)
    assert (said["folder"], said["to"], said["samples"]) == (str(tmp_path / "rtl"), "mint-rtl", 3)
    written = json.loads((tmp_path / "rtl" / "parameters.json").read_text())
    assert (written["samples"], written["zero_skip"]) == (3, False)
    assert written["provenance"]["data"] == "digits"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "bogus", "DIR"], "exporter 'bogus' is not installed; known: mint-rtl, nir"),
        (["--to", "mint-rtl"], "--to mint-rtl needs the folder to make; give it behind the model"),
        (["DIR", "--out", "DIR"], "the destination is given twice, as DIR and as --out DIR; give one"),
        (["--split", "test"], "--split is for the exporters of plugins; leave it out with --to nir"),
        (["--option", "a=1"], "--option is for the exporters of plugins; leave it out with --to nir"),
        (["--to", "mint-rtl", "RUN"], "RUN exists and is no empty folder; delete it or give another"),
        (["--to", "mint-rtl", "DIR", "--option", "lanes=x"], "lanes is 'x'; it must be one of mint, uq"),
    ],
)
def test_wrong_use_is_said_before_anything_runs(spikequant, trained, tmp_path, words, message):
    places = {"DIR": str(tmp_path / "dir"), "RUN": str(trained)}
    answer = spikequant("export", trained / "model.nir", *(places.get(word, word) for word in words))
    for name, place in places.items():
        message = message.replace(name, place)
    assert answer.code == 2
    assert answer.err.rstrip("\n").endswith(message)
    assert list(tmp_path.iterdir()) == []


def test_nir_can_be_named_and_its_file_given_behind_the_run(spikequant, trained, tmp_path):
    answer = spikequant("export", trained, tmp_path / "m.nir", "--to", "nir", "--samples", 8)
    assert answer.code == 0
    assert answer.out.endswith(f"written: {tmp_path / 'm.nir'}\n")


def test_exporters_are_listed(spikequant):
    rows = json.loads(spikequant("plugins", "--json").out)["plugins"]
    assert [row["name"] for row in rows if row["kind"] == "exporter"] == ["mint-rtl"]
    assert [offer.name for offer in registry().of("exporter")] == ["mint-rtl"]
