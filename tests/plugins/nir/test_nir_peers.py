"""Files that snnTorch, Norse, SpikingJelly and Sinabs wrote run here as they ran there, with the documented rules."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spikequant.registry import registry

HERE = Path(__file__).parent / "peers"
RECORDED = json.loads((Path(__file__).parents[3] / "benchmarks" / "interchange" / "recorded.json").read_text())
CASES = [
    (tool, name, cell)
    for tool, cells in RECORDED["inward"].items()
    for name, cell in cells.items()
    if "not written" not in cell
]


def differing(tool, name, rules, folder):
    """Number of spikes that differ from the tool's, of each layer, and how many the tool counted."""
    with zipfile.ZipFile(HERE / f"{tool}.zip") as archive:
        archive.extract(f"{name}.nir", folder)
        archive.extract(f"{name}.npz", folder)
    with np.load(folder / f"{name}.npz") as data:
        x, expected = data["x"].astype(np.float32), {key: data[key] for key in data.files if key != "x"}
    model = registry().make("importer", "nir", rules).read(folder / f"{name}.nir")
    trace = model.run(dict.fromkeys(model.input_shapes, x))
    differ = {}
    for (key, spikes), got in zip(expected.items(), trace.spikes.values(), strict=True):
        assert got.shape == spikes.shape
        differ[key] = int((got != spikes).sum())
    return differ, [int(spikes.sum()) for spikes in expected.values()]


@pytest.mark.parametrize(("tool", "name", "cell"), CASES, ids=[f"{tool}-{name}" for tool, name, _ in CASES])
def test_a_network_runs_as_in_the_tool_that_wrote_it(tool, name, cell, tmp_path):
    differ, counted = differing(tool, name, cell["rules"], tmp_path)
    assert min(counted) > 50
    if any(cell["here"]["layers"].values()):
        assert differ[next(iter(differ))] > 0  # else the page must be written again
    else:
        assert not any(differ.values())


def test_most_networks_of_every_tool_are_identical():
    kept = {
        tool: [cell for name, cell in cells.items() if "here" in cell] for tool, cells in RECORDED["inward"].items()
    }
    same = {tool: sum(not any(cell["here"]["layers"].values()) for cell in cells) for tool, cells in kept.items()}
    assert {tool: (same[tool], len(cells)) for tool, cells in kept.items()} == {
        "snntorch": (12, 13),
        "norse": (3, 4),
        "spikingjelly": (6, 7),
        "sinabs": (6, 7),
    }


@pytest.mark.parametrize(
    ("tool", "name", "wrong"),
    [
        ("snntorch", "leaky_subtract", {"reset_delay": 0}),
        ("snntorch", "leaky_subtract", {"reset": "zero"}),
        ("snntorch", "synaptic_zero", {"reset_delay": 0}),
        ("norse", "lif_box", {"dt": 5e-7}),
        ("spikingjelly", "lif", {"dt": 5e-5}),
        ("sinabs", "iaf", {"most_spikes": 1}),
        ("sinabs", "iaf_with_floor", {"v_min": -2.0}),
        ("sinabs", "lif", {"integrate": "euler"}),
    ],
)
def test_another_rule_gives_other_spikes(tool, name, wrong, tmp_path):
    rules = RECORDED["inward"][tool][name]["rules"]
    differ, _ = differing(tool, name, rules | wrong, tmp_path)
    assert sum(differ.values()) > 0
