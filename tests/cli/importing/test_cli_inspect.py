"""``spikequant inspect``: what a file holds, printed as it is."""

from __future__ import annotations

import json


def test_nodes_edges_ports_and_findings_are_shown(spikequant, toy):
    answer = spikequant("inspect", toy, "--option", "gain=2")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:3] == [f"{toy}: toy 1, read by importer 'acme'", "input in: (1, 8, 8)", "output out: ?"]
    assert lines[3].strip() == "2 nodes, 1 edge"
    (row,) = [line for line in lines if line.startswith("│ first ")]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "first",
        "Linear",
        "(12)",
        "weight: float64 (12, 64)",
        "gain: 2.0",
    ]
    assert lines[-2:] == [
        "first -> second",
        "ambiguous: node 'first': [/red] which way to reset is not said",
    ]


def test_json_holds_the_same(spikequant, toy):
    said = json.loads(spikequant("inspect", toy, "--json").out)
    assert (said["format"], said["importer"], said["file"]) == ("toy 1", "acme", str(toy))
    assert said["nodes"][1] == {
        "name": "second",
        "kind": "Linear",
        "shape": [10],
        "parameters": {"weight": "float64 (10, 12)"},
        "settings": {"gain": "1.0"},
    }
    assert said["edges"] == [["first", "second"]]
    assert said["inputs"] == {"in": [1, 8, 8]}
    assert said["outputs"] == {"out": None}
    assert said["findings"] == [
        {"level": "ambiguous", "node": "first", "text": "[/red] which way to reset is not said"}
    ]


def test_what_is_no_file_of_the_format_is_one_line(spikequant, toy, rival, tmp_path):
    (tmp_path / "text.whole").write_text("text")
    answer = spikequant("inspect", tmp_path / "text.whole")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {tmp_path / 'text.whole'}: it is no archive; write it again\n"
    answer = spikequant("inspect", tmp_path)
    assert answer.err == f"error: {tmp_path}: it is a folder, not a file\n"
    answer = spikequant("inspect", toy, "--importer", "rival")
    assert answer.err == f"error: importer 'rival' returned a str for {toy}; it must be Inspection\n"


def test_a_program_of_our_own_is_pointed_out(spikequant, trained, tmp_path):
    model = tmp_path / "model.nir"
    assert spikequant("export", trained, model, "--samples", 2).code == 0
    answer = spikequant("inspect", model)
    assert answer.code == 0, answer.err
    assert answer.err.startswith("note: the file has a quantization profile; 'run' and 'verify' take its integers")
    assert "profile" not in answer.out
