"""The example of docs/accelerator.md: its counters, and where it says the cycles went."""

import re

import numpy as np
import pytest

from spikequant.oracle import run_oracle
from spikequant.verify import compare
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.simulator import COUNTERS, Simulator

pytestmark = pytest.mark.skipif(
    not MintRtlBackend().availability().ready, reason=f"mint_rtl: {MintRtlBackend().availability().detail}"
)
LAYERS = ("lif", "out")


@pytest.fixture
def example(page_of):
    """The section's text, and what its code leaves behind, with the counters of each pass."""
    text = page_of("docs/accelerator.md").text.split("### An example")[1].split("\n## ")[0]
    return text, re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture
def run(example, monkeypatch):
    seen = []
    read = Simulator.counters
    monkeypatch.setattr(Simulator, "counters", lambda core: seen.append(read(core)) or seen[-1])
    names = {}
    exec(example[1], names)
    return names, dict(zip(LAYERS, seen, strict=True))


def rows(text, head):
    found = re.search(rf"^\| {head} \|.*\n\|[-| ]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def test_counters_are_those_of_the_page(example, run):
    names, counters = run
    shown = rows(example[0], "counter")
    assert {row[0] for row in shown} <= set(COUNTERS)
    for name, lif, _, out, _ in shown:
        assert (counters["lif"][name], counters["out"][name]) == (int(lif), int(out)), name
    zero = set(COUNTERS) - {row[0] for row in shown}
    assert {counters[layer][name] for layer in LAYERS for name in zero} == {0}
    printed = re.search(r"print\(.*\)  # (\d+)$", example[1], re.MULTILINE)[1]
    assert int(printed) == names["trace"].counts.cycles == sum(counters[layer]["cycles"] for layer in LAYERS)


def test_the_example_is_exact(run):
    names, _ = run
    assert compare(run_oracle(names["program"], names["spikes"]), names["trace"]).identical


def test_cycles_went_where_the_page_says(example, run):
    names, counters = run
    spent = rows(example[0], "spent on")
    for column, layer in ((1, "lif"), (2, "out")):
        *parts, total = (re.sub(r" x ", " * ", row[column]).split("= ")[-1] for row in spent)
        assert sum(eval(part) for part in parts) == int(total) == counters[layer]["cycles"]
    empty = 0
    padded = np.pad(names["spikes"], ((0, 0), (0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
    for y in range(4):
        for x in range(4):
            taps = padded[:, 0, :, y : y + 3, x : x + 3]
            words = np.stack([taps[:, :32].max(axis=1), taps[:, 32:].max(axis=1)])
            empty += int((words == 0).sum())
    assert [int(row[1]) for row in spent if "empty" in row[0]] == [empty]


def test_without_zero_skipping_it_takes_the_cycles_of_the_page(example, run):
    names, _ = run
    with MintRtlBackend(zero_skip=False).compile(names["program"]) as executable:
        cycles = executable.run(names["spikes"]).counts.cycles
    assert int(re.search(r"Without zero-skipping both take ([\d,]+) cycles", example[0])[1].replace(",", "")) == cycles


def test_bits_of_weights_are_those_of_the_counts(example, run):
    names, _ = run
    moved = {(item.level, item.what): item.bits for item in names["trace"].counts.nodes["conv"].traffic}
    assert f"= {moved['dram', 'weights']:,} bits of `dram weights`" in example[0]
