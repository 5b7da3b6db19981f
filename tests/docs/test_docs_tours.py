"""What the texts show of whole tours is what the commands print: all of it is whole numbers."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from spikequant.registry import registry

TOURS = {"README.md": "## The smallest network\n", "docs/exploration.md": "# Exploration: which formats are enough\n"}


def commands(text):
    """Each command of the console blocks, and the pattern of what is shown of its output."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ spikequant ", block, flags=re.MULTILINE)[1:]:
            words, *shown = part.rstrip("\n").split("\n")
            pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line.rstrip()) + "\n" for line in shown)
            yield shlex.split(words), pattern


def prints(pattern, answer):
    """Whether the text is all of stdout, or all of stderr and stdout."""
    outputs = (answer.out, answer.err + answer.out)
    return any(re.fullmatch(pattern, re.sub(r" +$", "", output, flags=re.MULTILINE)) for output in outputs)


@pytest.mark.parametrize("name", TOURS)
def test_the_tour_prints_what_the_page_shows(page_of, spikequant, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text = page_of(name).text.split(TOURS[name])[1]
    tour = list(commands(text.split("\n## What is exact")[0]))
    assert len(tour) >= 9
    for words, pattern in tour:
        if "lava" in words and not registry().make("backend", "lava", {}).availability().ready:
            continue
        answer = spikequant(*words)
        assert answer.code == 0, answer.err
        assert prints(pattern, answer), f"{words}\n{answer.err}{answer.out}"


def test_the_tour_of_a_network_from_elsewhere(page_of, spikequant, tmp_path, monkeypatch):
    data = Path(os.environ.get("SPIKEQUANT_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (data / "nir" / "valid" / "brandy_100.nir").is_file():
        pytest.skip("needs nir/valid/brandy_100.nir in SPIKEQUANT_DATA")
    monkeypatch.setenv("SPIKEQUANT_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    shutil.copy(data / "nir" / "valid" / "brandy_100.nir", tmp_path)
    text = page_of("docs/imported-networks.md").text.split("## From Python")[0]
    tour = list(commands(text))
    assert len(tour) == 8
    for words, pattern in tour:
        answer = spikequant(*words)
        assert answer.code == 0, answer.err
        assert prints(pattern, answer), f"{words}\n{answer.err}{answer.out}"


@pytest.mark.parametrize("shown", ["other\n", "one\n...\nthree\n", "one\n", "two\n", "two\n...\n"])
def test_another_output_is_seen(shown):
    class Answer:
        out, err = "one\ntwo\n", ""

    ((words, pattern),) = commands(f"```console\n$ spikequant doctor\n{shown}```\n")
    assert words == ["doctor"]
    assert not prints(pattern, Answer)
    assert prints(next(commands("```console\n$ spikequant doctor\none\n...\n```\n"))[1], Answer)
