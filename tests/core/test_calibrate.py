"""Calibration: the range of every quantity of the float model, and the formats that follow (Q-SpiNN, Table I)."""

from __future__ import annotations

import json
import re
import resource
import shutil

import numpy as np
import pytest

from spikequant import calibrate as module
from spikequant.calibrate import CALIBRATION, SAMPLES, calibrate, calibrated
from spikequant.errors import RunError
from spikequant.format_choice import int_bits_for
from spikequant.model import as_input
from spikequant.report.results import read_calibration
from spikequant.runs import RunFolder, load_data, load_model, parse_recipe, train


@pytest.fixture
def run(trained_usnn, tmp_path):
    return RunFolder(shutil.copytree(trained_usnn, tmp_path / "run"))


@pytest.fixture
def mint(trained, tmp_path):
    return RunFolder(shutil.copytree(trained, tmp_path / "run"))


def rows(calibration):
    return {row.name: row for row in calibration.quantities}


def test_the_rows_are_those_of_table_1(run):
    found = rows(calibrate(run, samples=20))
    assert [(row.name, row.role, row.count) for row in found.values()] == [
        ("w", "variable", 64 * 30),
        ("V", "variable", 30),
        ("Vth", "variable", 30),
        ("Vreset", "constant", 30),
        ("theta", "constant", 30),
    ]
    assert (found["Vreset"].value, found["Vreset"].format, found["Vreset"].int_bits) == (-65.0, "Q7.0", 7)
    assert (found["theta"].value, found["theta"].format, found["theta"].int_bits) == (0.05, "Q1.6", 1)
    assert found["Vreset"].low is found["theta"].high is None
    assert (found["w"].format, found["w"].int_bits) == ("Q1.f", 1)
    assert found["Vth"].low == -52.0
    assert found["V"].format == f"Q{found['V'].int_bits}.f"
    assert all(row.description for row in found.values())


def test_ranges_are_what_the_float_model_shows_on_the_first_training_samples(run):
    found = rows(calibrate(run, samples=20))
    model, (data, _) = load_model(run, precision="float"), load_data(run.recipe(), None)
    seen = model.observe(as_input(data.x[:20]))
    for name in ("w", "V", "Vth"):
        assert (found[name].low, found[name].high) == seen.ranges[name]
        assert found[name].int_bits == int_bits_for(*seen.ranges[name])
    assert found["V"].high * 256 != round(found["V"].high * 256), "V is not quantized"


@pytest.mark.parametrize("at_once", [1, 7, 19])
def test_how_many_samples_run_at_once_changes_neither_ranges_nor_rates(run, monkeypatch, at_once):
    whole = calibrate(run, samples=20)
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    parts = calibrate(run, samples=20)
    assert parts.quantities == whole.quantities
    spikes = [np.rint(np.array(seen.rates_hz) * 50e-3 * 20).tolist() for seen in (whole, parts)]
    assert spikes[0] == spikes[1]
    assert parts.raster == whole.raster


def test_rates_are_spikes_per_second_and_the_raster_is_of_the_first_sample(run):
    found = calibrate(run, samples=8)
    model, (data, _) = load_model(run, precision="float"), load_data(run.recipe(), None)
    fired = model.observe(as_input(data.x[:8])).rates["exc"]
    assert found.rates_hz == tuple(float(rate) for rate in fired / (50 * 1e-3))
    steps, neurons = np.nonzero(model.observe(as_input(data.x[:1])).raster["exc"])
    assert (found.raster.step, found.raster.neuron, found.raster.timesteps) == (tuple(steps), tuple(neurons), 50)
    assert steps.size > 0


def test_histograms_cover_the_variables(run):
    found = calibrate(run, samples=8)
    assert sorted(found.histograms) == ["V", "Vth", "w"]
    for name, histogram in found.histograms.items():
        assert len(histogram.edges) == len(histogram.counts) + 1 == module.BINS + 1
        assert sum(histogram.counts) == {"V": 8 * 50 * 30, "Vth": 30, "w": 64 * 30}[name]
        assert (histogram.edges[0], histogram.edges[-1]) == ends_of(found, name)


def ends_of(calibration, name):
    """Return the range of the values, not of the threshold before adaptation."""
    row = rows(calibration)[name]
    return (calibration.histograms[name].edges[0] if name == "Vth" else row.low), row.high


def test_a_format_holds_what_the_models_rules_allow_not_only_what_was_seen(tmp_path, trained_usnn):
    table = RunFolder(trained_usnn).recipe().table()
    table["network"]["w_max"] = 3.0
    table["data"]["train_samples"] = 5
    folder = RunFolder(tmp_path)
    train(parse_recipe(table, "test"), folder)
    row = rows(calibrate(folder, samples=2))["w"]
    assert row.high < 1
    assert (row.int_bits, row.format) == (2, "Q2.f")


def test_a_chain_of_layers_has_weights_and_potentials(mint):
    found = calibrate(mint, samples=10)
    assert [(row.name, row.role, row.count) for row in found.quantities] == [
        ("w", "variable", 64 * 24 + 24 * 10),
        ("U", "variable", 24),
    ]
    model, (data, _) = load_model(mint, precision="float"), load_data(mint.recipe(), None)
    weights = np.concatenate([part.weight.detach().numpy().ravel() for part in model.weighted])
    row = rows(found)["w"]
    assert (row.low, row.high) == (float(weights.min()), float(weights.max()))
    potentials = model.observe(as_input(data.x[:10])).ranges["U"]
    assert (rows(found)["U"].low, rows(found)["U"].high) == potentials
    assert len(found.rates_hz) == 24


def test_it_is_kept_in_the_run_folder_and_read_back(run):
    found = calibrate(run, samples=8)
    assert read_calibration(run.path) == found
    content = json.loads((run.path / CALIBRATION).read_text())
    assert list(content) == ["samples", "quantities", "histograms", "rates_hz", "raster"]
    assert content["samples"] == 8


def test_what_was_calibrated_is_not_calibrated_again(run, monkeypatch):
    first = calibrated(run)
    assert first.samples == SAMPLES
    monkeypatch.setattr(module, "calibrate", lambda *_, **__: pytest.fail("it was calibrated again"))
    assert calibrated(run) == first


def test_fewer_samples_than_asked_for_are_all_there_are(run):
    assert calibrate(run, samples=10_000).samples == 120


def test_an_incomplete_run_is_refused(run):
    (run.path / "result.json").unlink()
    message = f"the run in {run.path} is not complete; continue it with 'spikequant train --resume'"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        calibrate(run)


def test_a_damaged_calibration_is_named_by_those_who_need_one(run):
    (run.path / CALIBRATION).write_text("{}")
    message = rf"^{re.escape(str(run.path / CALIBRATION))} is damaged: 'samples': .*; run 'spikequant calibrate' again$"
    with pytest.raises(RunError, match=message):
        calibrated(run)


def test_a_full_disk_is_said_and_leaves_the_old_calibration(run):
    calibrate(run, samples=2)
    before = (run.path / CALIBRATION).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    message = (
        rf"^{re.escape(str(run.path / CALIBRATION))} cannot be written: File too large; make room and run the command"
        r" again$"
    )
    try:
        with pytest.raises(RunError, match=message):
            calibrate(run, samples=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (run.path / CALIBRATION).read_bytes() == before
    assert not list(run.path.glob("*.part"))
