"""Coverage files are read as Verilator writes them, and too little is an error with file and line."""

from itertools import islice

import pytest

from spikequant.errors import BackendError
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import RTL
from spikequant_mint_rtl.coverage.points import by_file, merged, parse_point, read_points
from spikequant_mint_rtl.coverage.programs import all_cases, directed, plain_lif
from spikequant_mint_rtl.coverage.report import missed, progress, table, too_low


def row(kind, line, lines, count, comment="block", file="rtl/mint_regs.sv", column=5):
    fields = {"f": file, "l": line, "n": column, "page": f"v_{kind}/mint_regs", "o": comment, "S": lines, "h": "TOP.x"}
    body = "".join(f"\x01{key}\x02{value}" for key, value in fields.items() if value != "")
    return f"C '{body}' {count}\n"


def written(path, *rows):
    path.write_text("# SystemC::Coverage-3\n" + "".join(rows), "utf-8")
    return path


def test_a_line_counts_when_any_point_on_it_was_passed(tmp_path):
    counts = read_points(
        written(
            tmp_path / "a.dat",
            row("line", 10, "10-12,14", 3),
            row("branch", 12, "12-13", 0, "else"),
            row("branch", 20, "20", 0, "if"),
            row("toggle", 5, "", 1, "a[0]:0->1"),
            row("toggle", 5, "", 0, "a[0]:1->0"),
        )
    )
    (one,) = by_file(counts)
    assert (one.file, one.lines, one.points, one.toggles) == ("mint_regs.sv", (4, 6), (1, 3), (1, 2))
    assert [(point.line, point.comment) for point in one.missed] == [(12, "else"), (20, "if")]
    assert too_low([one], 0.6) == []
    assert too_low([one]) == ["mint_regs.sv: 66.7 % of the lines covered; at least 95 % are needed"]
    row_shown = " ".join(table([one])[1].split())
    assert row_shown == "mint_regs.sv 66.7 % (4 of 6) 33.3 % (1 of 3) 50.0 % (1 of 2)"


def test_runs_add_up(tmp_path):
    first = read_points(written(tmp_path / "a.dat", row("line", 1, "1", 0), row("line", 2, "2", 1)))
    second = read_points(written(tmp_path / "b.dat", row("line", 1, "1", 5), row("line", 2, "2", 1)))
    assert sorted(merged([first, second]).values()) == [2, 5]
    assert by_file(merged([first, second]))[0].missed == ()


def test_instances_of_a_module_add_up_within_a_file(tmp_path):
    path = written(tmp_path / "a.dat", row("line", 1, "1", 2), row("line", 1, "1", 3))
    assert list(read_points(path).values()) == [5]


def test_what_was_missed_is_shown_with_its_text(tmp_path):
    (tmp_path / "mint_regs.sv").write_text("one\n  two  \n", "utf-8")
    files = by_file(read_points(written(tmp_path / "a.dat", row("branch", 2, "2", 0, "else"))))
    assert missed(files, tmp_path) == ["mint_regs.sv:2: else: two"]


def test_another_file_is_no_coverage_file(tmp_path):
    (tmp_path / "a.dat").write_text("hello\n", "utf-8")
    with pytest.raises(BackendError, match=r"^.*a\.dat begins with 'hello'; a coverage file begins with '# SystemC"):
        read_points(tmp_path / "a.dat")


def test_a_file_name_with_quotes_and_spaces_is_read():
    point, count = parse_point(row("line", 7, "7", 12, file="a b'/it's.sv").rstrip())
    assert (point.file, point.line, count) == ("it's.sv", 7, 12)


def test_the_programs_are_what_the_backends_run():
    mint, baseline = MintRtlBackend(), MintRtlBackend(lanes="uq")
    cases = list(islice(all_cases(8), 40))
    assert {(case.zero_skip, case.uq) for case in cases} == {(a, b) for a in (True, False) for b in (True, False)}
    for case in cases:
        assert (baseline if case.uq else mint).refusals(case.program) == {}, case.name
    assert len(list(directed(plain_lif))) == 4


def test_progress_counts_and_tells_the_runs_of_a_program_apart():
    cases = list(all_cases(4))
    said = [progress(number, len(cases), case) for number, case in enumerate(cases, 1)]
    assert said[0].startswith(f"1 of {len(cases)}: {cases[0].name}, mint lanes, ")
    assert said[-1] == f"{len(cases)} of {len(cases)}: wide per_step scaled_lif, uq lanes, every input: identical"
    assert len({text.partition(": ")[2] for text in said}) == len(cases)


@pytest.mark.skipif(not MintRtlBackend().availability().ready, reason="mint_rtl: verilator or g++ is missing")
def test_one_program_on_a_core_that_counts():
    """The whole tool is ``make rtl-coverage``; here one program, which cannot reach the baseline's lanes."""
    from spikequant_mint_rtl.config import CoreConfig
    from spikequant_mint_rtl.coverage.covered import covered_core
    from spikequant_mint_rtl.coverage.report import host_accesses

    files = {one.file: one for one in by_file(host_accesses(covered_core(CoreConfig(acc_bits=16))))}
    assert set(files) >= {path.name for path in RTL.glob("mint_*.sv")} - {"mint_pkg.sv"}
    assert 0.2 < files["mint_regs.sv"].line_share < 1
    assert files["mint_pe.sv"].line_share < 0.95
    assert any("mint_ctrl.sv" in line for line in too_low(list(files.values())))
