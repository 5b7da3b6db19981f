"""export, run, verify, memory and energy on a trained model."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from spikequant.trace import Trace


def test_export_checks_the_integers_and_says_what_plain_nir_loses(spikequant, trained, tmp_path):
    answer = spikequant("export", trained, "--out", tmp_path / "m.nir", "--json")
    assert answer.code == 0
    said = json.loads(answer.out)
    assert said["identical"]
    assert said["samples"] == 256
    assert said["spikes"] == said["states"] == 3 * 256 * 24
    assert set(said["beyond_nir"]) == {"multi_bit_input", "saturation", "readout_sum"}
    assert [rule for rule, acted in said["beyond_nir"].items() if acted is not None] == ["saturation"]


def test_export_names_the_rules_that_it_cannot_count(spikequant, trained, tmp_path):
    said = spikequant("export", trained, "--out", tmp_path / "m.nir", "--samples", 8).out
    assert re.search(
        r"^beyond plain NIR: saturation acted [\d,]+ times on the calibration samples$", said, re.MULTILINE
    )
    assert "beyond plain NIR, not counted: multi_bit_input, readout_sum\n" in said


def test_run_prints_the_accuracy_that_training_reached(spikequant, trained):
    result = json.loads((trained / "result.json").read_text())
    answer = spikequant("run", trained / "model.nir", "--samples", 60, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["accuracy"] == result["accuracy"]["trained"]


def test_run_for_people(spikequant, trained):
    answer = spikequant("run", trained / "model.nir", "--backend", "reference", "--samples", 10)
    assert answer.code == 0
    assert re.search(r"^reference: accuracy \d+\.\d\d % \(\d+ of 10\)$", answer.out, re.MULTILINE)


@pytest.mark.parametrize(("backend", "samples"), [("reference", 60), ("torch", 60), ("lava", 5), ("mint_rtl", 5)])
def test_every_backend_is_identical(spikequant, trained, backend, samples):
    answer = spikequant("verify", trained / "model.nir", "--backend", backend, "--samples", samples)
    assert answer.err == ""
    spikes = f"{3 * samples * 24:,}"
    assert answer.out == (
        f"verify: {backend}: identical ({spikes} spikes, {spikes} states and {30 * samples:,} outputs compared)\n"
    )
    assert answer.code == 0


def test_the_training_model_itself_is_identical(spikequant, trained):
    answer = spikequant("verify", trained / "model.nir", "--trained", trained, "--json")
    said = json.loads(answer.out)
    assert said["identical"]
    assert said["spikes"] == 3 * 360 * 24


def test_a_planted_difference_is_found_and_named_and_exits_1(spikequant, trained, tmp_path):
    right, wrong = tmp_path / "right.npz", tmp_path / "wrong.npz"
    assert spikequant("run", trained / "model.nir", "--samples", 7, "--trace", right).code == 0
    trace = Trace.load(right)
    trace.potentials["lif1"][2, 4, 11] += 1
    trace.save(wrong)
    expected = int(trace.potentials["lif1"][2, 4, 11]) - 1
    answer = spikequant("verify", right, wrong)
    assert answer.code == 1
    assert answer.out == (
        f"verify: {wrong} against {right}: 1 differences (504 spikes, 504 states and 210 outputs compared);"
        f" first: node 'lif1', timestep 2, sample 4, element (11,): potential expected {expected}, got {expected + 1}\n"
    )
    assert spikequant("verify", right, right).code == 0


def test_a_difference_in_a_later_batch_keeps_its_sample_number(spikequant, trained, monkeypatch):
    from spikequant_reference import backend as reference

    original = reference.run_oracle
    calls = []

    def off_by_one(program, inputs):
        trace = original(program, inputs)
        calls.append(len(calls))
        if len(calls) == 2:
            trace.outputs["readout"][0, 1, 3] -= 1
        return trace

    monkeypatch.setattr(reference, "run_oracle", off_by_one)
    answer = spikequant(
        "verify", trained / "model.nir", "--backend", "reference", "--samples", 12, "--batch", 5, "--json"
    )
    assert answer.code == 1
    first = json.loads(answer.out)["first"]
    assert (first["node"], first["timestep"], first["sample"], first["element"]) == ("readout", 0, 6, [3])


def test_memory_in_words_and_json(spikequant, trained):
    said = json.loads(spikequant("memory", trained / "model.nir", "--json").out)
    assert said["weights_bits"] == (64 * 24 + 24 * 10) * 4
    assert "times smaller" in spikequant("memory", trained / "model.nir").out


def test_energy_names_table_and_assumption_with_every_figure(spikequant, trained, tmp_path):
    counts = tmp_path / "counts.json"
    spikequant("run", trained / "model.nir", "--samples", 10, "--counts", counts)
    answer = spikequant("energy", trained / "model.nir", "--counts", counts)
    assert answer.code == 0
    assert "table sata32" in answer.out
    assert "table horowitz45" in answer.out
    assert "multiplier used once per output and timestep" in answer.out
    assert "multiplier burning in every cycle" in answer.out
    said = json.loads(spikequant("energy", trained / "model.nir", "--counts", counts, "--json").out)
    assert set(said["tables"]) == {"sata32", "horowitz45"}


def test_counts_of_another_model_are_refused(spikequant, trained, tmp_path):
    counts = tmp_path / "counts.json"
    spikequant("run", trained / "model.nir", "--samples", 2, "--counts", counts)
    counts.write_text(counts.read_text().replace('"fc2"', '"fc9"'))
    answer = spikequant("energy", trained / "model.nir", "--counts", counts)
    assert answer.code == 2
    assert re.fullmatch(
        r"error: .* counts node 'fc9', which the model does not have; count the same model\n", answer.err
    )


def test_samples_that_do_not_fit_are_refused_by_name(spikequant, trained):
    answer = spikequant("run", trained / "model.nir", "--data", "mnist")
    assert answer.code == 2
    assert answer.err == "error: data set 'mnist' has samples of shape (1, 28, 28); the model takes (1, 8, 8)\n"


def test_a_trace_has_the_normative_arrays(spikequant, trained, tmp_path):
    spikequant("run", trained / "model.nir", "--samples", 4, "--trace", tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as archive:
        found = {key: (archive[key].dtype.str, archive[key].shape) for key in archive.files if key != "counts"}
    assert found == {
        "spikes/lif1": ("|u1", (3, 4, 24)),
        "potential/lif1": ("<i4", (3, 4, 24)),
        "output/readout": ("<i8", (3, 4, 10)),
    }
