"""A network of another tool with leaks, imported for the multiplier-free hardware: what its leak became is said."""

import json

import nir
import numpy as np
import pytest


@pytest.fixture
def leaky(tmp_path):
    """Write a network for digits whose leak is no power of two."""
    random = np.random.default_rng(0)
    ones = np.ones(10, np.float32)
    nodes = {
        "input": nir.Input({"input": np.array([64])}),
        "fc": nir.Affine(random.normal(0, 0.3, (10, 64)).astype(np.float32), np.zeros(10, np.float32)),
        "lif": nir.LIF(tau=ones * 2.5e-4, r=ones * 2.5, v_leak=ones * 0, v_threshold=ones, v_reset=ones * 0),
        "output": nir.Output({"output": np.array([10])}),
    }
    graph = nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), ("lif", "output")])
    nir.write(tmp_path / "leaky.nir", graph)
    return tmp_path / "leaky.nir"


def test_a_leak_rounded_to_a_shift_is_reported_with_its_drop(spikequant, leaky, tmp_path):
    def run(*words):
        answer = spikequant(*words)
        assert answer.code == 0, answer.err
        return answer.out

    rules = ("--dt", 1e-4, "--reset", "zero", "--data", "digits", "--timesteps", 4)
    shift = ("--set", "neuron.leak=shift", "--set", "quantizer.name=mint", "--set", "neuron.V=INT8")
    replaced = ("--set", "quantizer.bits=4")
    output = run("import", leaky, "--out", tmp_path / "run", *rules, *shift, *replaced)
    assert "note: node 'lif': its decay of 0.6 became 0.5 (leak=shift)\n" in output
    assert "test accuracy, float: " in output
    assert "test accuracy, in the recipe's formats: " in output
    found = json.loads(run("quantize", tmp_path / "run", "--format", "w=INT8", "--out", tmp_path / "run8", "--json"))
    assert found["notes"] == ["node 'lif': its decay of 0.6 became 0.5 (leak=shift)"]
    text = run("export", tmp_path / "run8", "--samples", 8)
    assert "8 calibration samples: identical" in text
    assert "identical" in run("verify", tmp_path / "run8" / "model.nir", "--backend", "torch", "--samples", 20)
