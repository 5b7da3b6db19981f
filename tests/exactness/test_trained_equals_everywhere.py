"""What was trained is what runs: three widths, three seeds, with and without BatchNorm, on every backend."""

from __future__ import annotations

import pytest

from spikequant.nir_profile import read_program
from spikequant.oracle import run_oracle
from spikequant.registry import registry
from spikequant.runs import RunFolder, load_data, load_model, parse_recipe, train
from spikequant.runs.export import export_run, model_trace
from spikequant.verify import compare

NETWORKS = {
    "mlp": {"name": "mlp", "hidden": [64], "batch_norm": False},
    "mlp-bn": {"name": "mlp", "hidden": [64], "batch_norm": True},
    "cnn": {"name": "cnn", "channels": [8, 16], "strides": [2, 1], "batch_norm": False},
    "cnn-bn": {"name": "cnn", "channels": [8, 16], "strides": [2, 1], "batch_norm": True},
}
CASES = [(bits, seed, net) for bits in (2, 4, 8) for seed in (0, 1, 2) for net in ("mlp", "cnn-bn")]
CASES += [(bits, 0, net) for bits in (2, 4, 8) for net in ("mlp-bn", "cnn")]
SAMPLES = {"torch": None, "reference": 20, "lava": 8, "mint_rtl": 4}


@pytest.mark.parametrize(("bits", "seed", "network"), CASES)
def test_every_spike_and_state_is_equal(bits, seed, network, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train(_recipe(bits, seed, NETWORKS[network]), folder)
    assert result["accuracy"]["trained"] > 0.8, f"W{bits}U{bits} seed {seed} {network} hardly trained: {result}"

    export_run(folder, tmp_path / "model.nir")
    program = read_program(tmp_path / "model.nir")
    _, test = load_data(folder.recipe(), None)
    expected = run_oracle(program, test.x)
    assert (expected.predictions() == test.y).mean() == result["accuracy"]["trained"]
    assert str(compare(expected, model_trace(load_model(folder), test.x))).startswith("identical")

    for name, samples in SAMPLES.items():
        few = test.head(samples)
        with registry().make("backend", name, {}).compile(program) as executable:
            verdict = compare(run_oracle(program, few.x), executable.run(few.x))
        assert verdict.identical, f"{name}: {verdict}"
        assert verdict.states == sum(trace.size for trace in expected.potentials.values()) * len(few) // len(test)


def _recipe(bits, seed, network):
    table = {
        "seed": seed,
        "timesteps": 4,
        "data": {"name": "digits"},
        "network": network,
        "neuron": {"name": "mint-lif"},
        "quantizer": {"name": "mint", "bits": bits},
        "learner": {"name": "bptt", "lr": 5e-3, "batch_size": 64},
        "training": {"float_epochs": 4, "epochs": 6},
    }
    return parse_recipe(table, "test")
