"""Results of calibrate and significance are read strictly, and damage is named with its place."""

import json
import re
from dataclasses import asdict

import pytest

from spikequant.errors import RunError
from spikequant.report.results import (
    Calibration,
    Histogram,
    Raster,
    SeenQuantity,
    Significance,
    SignificanceRow,
    read_calibration,
    read_significance,
)

SEEN = Calibration(
    100,
    (
        SeenQuantity("V", "variable", 400, low=-887.29, high=1250.18, int_bits=11, format="Q11.f", description="mV"),
        SeenQuantity("Vreset", "constant", 400, value=-65.0, int_bits=7, format="Q7.0"),
    ),
    {"V": Histogram((0.0, 1.0, 2.0), (3.0, 4.0))},
    (1.5, 0.0),
    Raster((0, 1), (5, 6), 250),
)
MEASURED = Significance(0.87, (SignificanceRow("w", "Q1.6", 6, "SR", 0.86),), ("w",))


def write(folder, name, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_was_written_is_read(tmp_path):
    write(tmp_path, "calibration.json", asdict(SEEN))
    write(tmp_path, "significance.json", asdict(MEASURED))
    assert read_calibration(tmp_path) == SEEN
    assert read_significance(tmp_path) == MEASURED


def test_nothing_there_is_none(tmp_path):
    assert read_calibration(tmp_path) is None
    assert read_significance(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"samples": "many"}, "'samples': input should be a valid integer"),
        ({"samples": None}, "'samples': input should be a valid integer"),
        ({"rates_hz": [1.0, "x"]}, "'rates_hz.1': input should be a valid number"),
        ({"quantities": [{"name": "V"}]}, "'quantities.0.role': field required"),
        ({"quantities": 3}, "'quantities': input should be a valid array"),
        (
            {"quantities": [{"name": "V", "role": "variable", "count": 1, "low": 2.0}]},
            "the range of 'V' is 2.0 to None",
        ),
        (
            {"quantities": [{"name": "V", "role": "variable", "count": 1, "low": 2.0, "high": 1.0}]},
            "the range of 'V' is 2.0 to 1.0",
        ),
        ({"histograms": {"V": {"edges": [0.0], "counts": [1.0]}}}, "histogram 'V' has 1 edges for 1 counts"),
        ({"raster": {"neuron": [1], "step": [], "timesteps": 2}}, "the raster's neurons and steps differ in number"),
    ],
)
def test_a_damaged_calibration_is_named_with_its_place(tmp_path, change, where):
    write(tmp_path, "calibration.json", {**asdict(SEEN), **change})
    message = f"{tmp_path / 'calibration.json'} is damaged: {where}; run 'spikequant calibrate' again"
    with pytest.raises(RunError, match=f"^{re.escape(message)}$"):
        read_calibration(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"baseline": NaN, "rows": []}', "\x00\xff", "[" * 100_000])
def test_no_text_at_all_passes(tmp_path, text):
    write(tmp_path, "significance.json", text)
    with pytest.raises(RunError, match=r"significance.json is damaged: '.*; run 'spikequant significance' again$"):
        read_significance(tmp_path)


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "calibration.json").mkdir()
    with pytest.raises(RunError, match=r"calibration.json cannot be read: Is a directory$"):
        read_calibration(tmp_path)
