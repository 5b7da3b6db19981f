"""Tables and lists in the texts agree with what is installed."""

import re

import pytest

from spikequant import __version__
from spikequant.program import (
    Add,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    Input,
    Lateral,
    Lif,
    PoolOr,
    PoolSum,
    Readout,
)
from spikequant.registry import registry
from spikequant.runs import read_recipe
from spikequant_mint.scaled_lif import ScaledLif
from spikequant_stdp.node import DiehlCook

CORE = (Input, Dense, Conv2d, PoolOr, PoolSum, Add, Lateral, Flatten, Concat, Lif, Readout)
KINDS = {kind.kind: kind for kind in CORE}
PLUGINS = {kind.kind: kind for kind in (ScaledLif, DiehlCook)}


def rows(text):
    """Cells of the rows of all tables, without code quotes."""
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]


def test_what_runs_where(page_of):
    section = page_of("README.md").text.split("## What runs where")[1].split("\n## ")[0]
    (_, *names), _, *table = rows(section)
    assert sorted(names) == [offer.name for offer in registry().of("backend")]
    assert [row[0] for row in table if row[0] in KINDS] == [row[0] for row in table if "plugin" not in row[0]]
    assert {row[0] for row in table} >= set(KINDS)
    assert [row[0].split("`")[-1] for row in table if "plugin" in row[0]] == ["diehl_cook", "scaled_lif"]
    for what, *marks in table:
        kind = KINDS.get(what) or PLUGINS[what.split("`")[-1]]
        for backend, mark in zip(names, marks, strict=True):
            runs = issubclass(kind, registry().get("backend", backend).supports)
            if backend == "lava" and kind not in KINDS.values():
                runs = backend in kind.implementations
            assert mark == ("yes" if runs else "no"), (what, backend)


def test_every_recipe_is_in_the_tutorial_with_its_bits_and_data(page_of):
    table = {row[0]: row for row in rows(page_of("docs/tutorial.md").text)}
    offers = registry().of("recipe")
    assert len(offers) >= 5
    for offer in offers:
        recipe = read_recipe(offer.value)
        _, _, bits, data = table[offer.name]
        options = recipe.quantizer.options
        assert bits == str(options.get("format", options.get("bits")))
        assert data.split(";")[0].lower() == recipe.data.name.replace("cifar10", "cifar-10")


@pytest.mark.parametrize("kind", ["recipe", "dataset", "network", "energy table", "backend"])
def test_the_changelog_names_everything_that_comes_along(page_of, kind):
    text = page_of("CHANGELOG.md").text
    assert [offer.name for offer in registry().of(kind) if f"`{offer.name}`" not in text] == []


def test_the_changelog_has_this_version_and_only_known_groups(page_of):
    text = page_of("CHANGELOG.md").text
    assert re.findall(r"^## \[(.+?)\]", text, re.M)[0] == __version__
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= {
        *("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }


def test_run_folder_files_are_those_of_a_real_run(page_of, explored):
    section = page_of("README.md").text.split("## Where results live")[1].split("\n## ")[0]
    named = {row[0] for row in rows(section)} - {"file"} - {row[0] for row in rows(section) if set(row[0]) <= {"-"}}
    assert named == {path.name for path in explored.iterdir() if not path.name.startswith(".")}


def test_make_targets_in_the_texts_exist(page, root):
    targets = set(re.findall(r"^([\w-]+):", (root / "Makefile").read_text("utf-8"), re.M))
    typed = [re.match(r"make ([\w-]+)\b(?!:)", quoted) for quoted in re.findall(r"`([^`\n]+)`", page.prose)]
    lines = [line for block in page.blocks for line in block.text.splitlines()]
    typed += [re.match(r"(?:\$ )?make ([\w-]+)\b(?!:)", line) for line in lines]
    assert {found[1] for found in typed if found} <= targets
