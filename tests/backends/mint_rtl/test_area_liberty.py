"""Areas with a user's Liberty library, whatever its file is called; and what is said when it will not do."""

import gzip
import re
import shutil

import pytest

from spikequant.errors import BackendError, UsageError
from spikequant_mint_rtl.area import circuit
from spikequant_mint_rtl.area.circuit import Circuit, circuit_area
from spikequant_mint_rtl.area.study import area_study
from spikequant_mint_rtl.area.tables import report_text
from spikequant_mint_rtl.area.technology import SPAD_UM2_32NM, read_technology
from spikequant_mint_rtl.area.yosys import yosys_here, yosys_version

pytestmark = pytest.mark.skipif(not yosys_here().ready, reason=f"area: {yosys_here().detail}")

AREAS = {"INV": 1.0, "BUF": 1.5, "NAND2": 2.0, "NOR2": 2.5, "DFF": 10.0, "DFFR": 12.0}
GATES = {"INV": "!A", "BUF": "A", "NAND2": "!(A&B)", "NOR2": "!(A|B)"}
ELEMENT = Circuit("mint_pe", (("WeightBits", 2), ("PotentialBits", 2), ("AccBits", 16)))


def gate(name):
    pins = "".join(f"pin({pin}) {{ direction : input; }}\n" for pin in ("A", "B") if pin in GATES[name])
    output = f'pin(Y) {{ direction : output; function : "{GATES[name]}"; }}'
    return f"cell({name}) {{ area : {AREAS[name]};\n{pins}{output} }}\n"


def flop(name):
    reset = 'clear : "!R";' if name == "DFFR" else ""
    pin = "pin(R) { direction : input; }\n" if name == "DFFR" else ""
    return (
        f'cell({name}) {{ area : {AREAS[name]};\nff(IQ, IQN) {{ clocked_on : "C"; next_state : "D"; {reset} }}\n'
        f"{pin}pin(C) {{ direction : input; clock : true; }}\npin(D) {{ direction : input; }}\n"
        'pin(Q) { direction : output; function : "IQ"; } }\n'
    )


def library(*flops):
    return "library(tiny) {\n" + "".join(map(gate, GATES)) + "".join(map(flop, flops)) + "}\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("area")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "tiny.lib"
    path.write_text(library("DFF", "DFFR"))
    return path


def test_area_is_the_sum_of_the_librarys_cells(tiny, cache):
    report = area_study([2], ["paper"], read_technology(tiny), headroom=14, cache=cache)
    row = report.row("paper", 2, "mint")
    flops = 16 + 2 + 1  # accumulator, potential and fired
    assert row.logic > flops * AREAS["DFFR"]
    assert (row.logic * 2).is_integer()
    assert report.saved("paper", 2) > 0.85
    assert "um^2, tiny, pyosys" in report_text(report)


def test_memories_scale_with_the_node(tiny, cache):
    report = area_study([2], ["paper"], read_technology(tiny, 45), headroom=14, cache=cache)
    row = report.row("paper", 2, "mint")
    assert report.total(row) == row.logic + SPAD_UM2_32NM * (45 / 32) ** 2
    assert "(45/32)^2" in report_text(report)


@pytest.mark.parametrize(
    "name",
    ["two words.lib", "-rf.lib", "a;shell echo hit>hit;.lib", "q\"uo'te.lib", "new\nline.lib", "$(touch hit).lib.gz"],
)
def test_no_file_name_reaches_the_synthesis_script(tiny, cache, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content = tiny.read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    technology = read_technology((tmp_path / name).relative_to(tmp_path))
    assert circuit_area(ELEMENT, technology, cache / "names" / str(len(name))) == circuit_area(
        ELEMENT, read_technology(tiny), cache
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_no_folder_name_reaches_a_shell(tiny, cache, tmp_path, monkeypatch):
    hostile = tmp_path / "a b $(touch hit)"
    hostile.mkdir()
    monkeypatch.setenv("TMPDIR", str(hostile))
    assert circuit_area(ELEMENT, read_technology(tiny), hostile) == circuit_area(ELEMENT, read_technology(tiny), cache)
    assert all(path.name.startswith("area-") for path in hostile.iterdir())
    assert list(tmp_path.iterdir()) == [hostile]


def test_a_library_without_a_needed_flip_flop_is_refused(tmp_path, cache):
    path = tmp_path / "few.lib"
    path.write_text(library("DFF"))
    with pytest.raises(
        BackendError,
        match=r"^mint_pe in 'tiny': Yosys: FF mint_pe\..* dffs with async set or reset are not supported; "
        r"give a library with an inverter, a buffer, gates and a flip-flop with asynchronous reset$",
    ):
        circuit_area(ELEMENT, read_technology(path), cache)
    assert not list(cache.glob("building-*"))


def test_a_damaged_library_is_refused_with_yosys_words(tmp_path, cache):
    path = tmp_path / "bad.lib"
    path.write_text("library(bad) {\n cell(X { area\n")
    with pytest.raises(BackendError, match=r"^mint_pe in 'bad': Yosys: .+; give a library with"):
        circuit_area(ELEMENT, read_technology(path), cache)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"cannot be read: No such file or directory; give a \.lib or \.lib\.gz file"),
        (b"\x1f\x8b\x08nonsense", r"cannot be read: .+; give a \.lib or \.lib\.gz file"),
        (b"module x; endmodule\n", r"holds no 'library \(NAME\)'; give a Liberty file \(\.lib or \.lib\.gz\)"),
    ],
)
def test_a_file_that_is_no_library_is_refused(tmp_path, content, words):
    path = tmp_path / "x.lib"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"^--liberty {re.escape(str(path))} {words}$"):
        read_technology(path)


def test_a_node_without_a_library_is_refused():
    with pytest.raises(UsageError, match=r"^--node is the feature size of a Liberty library; give --liberty FILE too$"):
        read_technology(None, 45)


def test_without_pyosys_the_command_that_installs_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.metadata.version", _missing)
    with pytest.raises(
        BackendError,
        match=r"^area needs the synthesis tool Yosys, which is not installed; pip install 'spikequant\[formal\]'$",
    ):
        circuit_area(ELEMENT, read_technology(None), tmp_path)


def test_a_changed_source_is_synthesized_anew(tmp_path, monkeypatch):
    rtl = tmp_path / "rtl"
    shutil.copytree(circuit.RTL, rtl)
    monkeypatch.setattr(circuit, "RTL", rtl)
    before = circuit_area(ELEMENT, read_technology(None), tmp_path / "cache")
    element = rtl / "mint_pe.sv"
    element.write_text(element.read_text().replace("acc_q + addend_i", "acc_q"))
    assert circuit_area(ELEMENT, read_technology(None), tmp_path / "cache") < before
    assert len(list((tmp_path / "cache").glob("area-*.json"))) == 2


def test_the_synthesis_tool_is_the_one_the_project_names():
    assert int(yosys_version().split(".")[1]) >= 70


def _missing(name):
    import importlib.metadata

    raise importlib.metadata.PackageNotFoundError(name)
