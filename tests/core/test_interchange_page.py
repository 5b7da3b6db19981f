"""docs/interchange.md shows what was recorded, and nothing was edited by hand."""

import doctest
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("interchange_table", ROOT / "benchmarks" / "interchange" / "table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_recorded_results(table):
    text = table.PAGE.read_text()
    assert table.page(text, table.load()) == text


def test_a_cell_changed_by_hand_is_found(table):
    text = table.PAGE.read_text()
    changed = text.replace("| identical |", "| 1 of 2 differ |", 1)
    assert changed != text
    assert table.page(changed, table.load()) == text


def test_every_tool_has_its_tables(table):
    made = table.tables(table.load())
    assert set(made) == {"plain", "profile", "snntorch", "norse", "spikingjelly", "sinabs"}
    assert all(len(lines) > 5 for lines in made.values())


def test_the_examples_of_the_table_hold(table):
    assert doctest.testmod(table).failed == 0


def test_the_versions_are_those_of_the_pins(table):
    pins = "".join((ROOT / "benchmarks" / "peers" / f"interchange-{part}.txt").read_text() for part in "ab")
    for key, tool in table.load()["tools"].items():
        assert f"\n{key}=={tool['version']}\n" in pins
