"""Tables of docs/accelerator.md that repeat the RTL say what the RTL says; its pictures are those of their script."""

import re
import runpy

import pytest

from spikequant_mint_rtl.buffers import LANES, Buffers
from spikequant_mint_rtl.builder import RTL
from spikequant_mint_rtl.simulator import COUNTERS, Memory, Register

EVENTS = (  # what each counter adds in the register file, in the order of their names
    *("busy", "accumulate", "lanes", "row_read", "word_read", "word_write", "word_merge", "lanes", "shortcuts"),
    *("sum_read", "sum_write", "lanes", "fires", "saturations"),
)
KINDS = {"count_t": "count", "place_t": "place", "addr_t": "address"}


@pytest.fixture(scope="module")
def package():
    return (RTL / "mint_pkg.sv").read_text("utf-8")


@pytest.fixture(scope="module")
def registers():
    """The text of the register file."""
    return (RTL / "mint_regs.sv").read_text("utf-8")


@pytest.fixture
def table(page_of):
    """Return a function from the first cell of a table's head to its rows, without code quotes."""

    def rows(head):
        text = page_of("docs/accelerator.md").text
        found = re.search(rf"^\| {re.escape(head)} \|.*\n\|[-| ]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
        return [[cell.strip() for cell in line[1:-1].split("|")] for line in found[1].splitlines()]

    return rows


def quoted(cell):
    return cell.strip().strip("`")


def numbers(package, prefix):
    """Numbers of a package's constants, under the names behind ``prefix``."""
    found = re.findall(rf"logic \[\d:0\] {prefix}(\w+)\s*=\s*\d+'d(\d+);", package)
    return {name: int(number) for name, number in found}


def width(package, name):
    return int(re.search(rf"\b{name}\s*=\s*(\d+);", package)[1])


def test_registers_are_those_of_the_package(table, package):
    shown = {quoted(row[1]): int(row[0]) for row in table("register") if row[0].isdigit()}
    assert len(shown) > 40
    assert shown == numbers(package, "Reg")


def test_the_driver_knows_the_same_registers_and_memories(package):
    assert {name.replace("_", "").lower(): number for name, number in Register.__members__.items()} == {
        name.lower(): number for name, number in numbers(package, "Reg").items()
    }
    named = {"REGISTER" if name == "Reg" else name.upper(): number for name, number in numbers(package, "Sel").items()}
    assert dict(Memory.__members__) == named


def test_kinds_of_registers_are_their_widths(table, package, registers):
    written = re.findall(r"mint_pkg::Reg(\w+):\s+cfg_q\S+\s+<= (?:mint_pkg::)?(\w+)", registers)
    kinds = {name: KINDS.get(cast, "6 bits" if cast == "wdata_i" else cast) for name, cast in written}
    assert width(package, "TileWidth") == 6
    assert {quoted(row[1]): row[2] for row in table("register") if row[2]} == kinds
    assert [width(package, name) for name in ("CountWidth", "AddrWidth", "PlaceWidth")] == [16, 24, 18]


def test_flag_bits_are_those_of_the_register_file(table, package, registers):
    bits = {}
    for name, place in re.findall(r"cfg_q\.[\w.]*?(\w+)\s+<= wdata_i\[([^\]]+)\];", registers.split("RegTimesteps")[0]):
        low, _, size = place.partition("+:mint_pkg::")
        bits[name] = f"{low}..{int(low) + width(package, size) - 1}" if size else low
    shown = {quoted(row[1]): row[0] for row in table("flag bits")}
    assert len(shown) == 12
    assert shown == bits


def test_memories_of_the_host_port_are_those_of_the_package(table, package):
    assert {quoted(row[1]): int(row[0]) for row in table("`host_sel_i`")} == numbers(package, "Sel")


def test_counters_are_those_of_the_register_file(page_of, package, registers):
    section = page_of("docs/accelerator.md").text.split("## Counters")[1].split("### An example")[0]
    shown = [(quoted(name), int(number)) for number, name in re.findall(r"^\| (\d+) \| (`\w+`) \|", section, re.M)]
    first = numbers(package, "Reg")["Counters"]
    assert shown == [(name, first + 2 * i) for i, name in enumerate(COUNTERS)]
    added = dict(re.findall(r"counter_d\[(\d+)\] = counter_q\[\d+\] \+ 64'\(events_i\.(\w+)\);", registers))
    assert len(shown) == width(package, "NumCounters")
    assert added == {str(i): event for i, event in enumerate(EVENTS)}


def test_sizes_of_memories_are_those_of_the_buffers(page_of, table):
    sizes = Buffers()
    rows = {row[0]: " ".join(row[1:]) for row in table("memory")}
    assert f"{sizes.weight_bytes >> 10} KB" in rows["weights"]
    assert " / ".join(f"{sizes.weight_rows(bits):,}" for bits in (8, 4, 2)) in rows["weights"]
    assert f"{sizes.spike_bytes >> 10} KB" in rows["spikes"]
    assert f"{sizes.spike_words:,} words" in rows["spikes"]
    assert " / ".join(str(sizes.sum_rows(bits)) for bits in (16, 24, 32)) in rows["scratchpad"]
    assert f"{LANES} values" in rows["theta, bias"]


def test_states_are_those_of_the_controller(table):
    text = (RTL / "mint_ctrl.sv").read_text("utf-8")
    states = re.search(r"typedef enum logic \[3:0\] \{(.*?)\} state_e", text)[1].split(", ")
    shown = {name for row in table("state") for name in re.findall(r"`(\w+)`", row[0])}
    assert shown == set(states) - {"Idle"}


def test_pictures_are_what_their_script_draws(root, page_of):
    folder = root / "docs" / "accelerator"
    drawn = runpy.run_path(str(folder / "draw.py"))["PICTURES"]
    assert {path.stem for path in folder.glob("*.svg")} == set(drawn)
    for name, picture in drawn.items():
        text = (folder / f"{name}.svg").read_text("utf-8")
        assert text == picture().svg()
        assert f"(accelerator/{name}.svg)" in page_of("docs/accelerator.md").text
        assert "prefers-color-scheme: dark" in text
        assert set(re.findall(r"https?://[^\"' )]+", text)) == {"http://www.w3.org/2000/svg"}
