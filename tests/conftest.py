"""What the whole suite shares: the command line as a function, and one small trained run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spikequant.cli import main


@dataclass(frozen=True)
class Answer:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str


Spikequant = Callable[..., Answer]


EXCUSED = ("CUDA", "SPIKEQUANT_DATA")
"""What ``make test`` may lack: a GPU, and data sets that are not embedded. No tool, no backend."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Fail a skipped test where skips are forbidden."""
    report = yield
    return _without_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Fail a skipped file where skips are forbidden."""
    report = yield
    return _without_skip(report)


def _without_skip(report):
    forbidden = report.skipped and not hasattr(report, "wasxfail") and os.environ.get("SPIKEQUANT_NO_SKIP")
    if forbidden and not any(excuse in str(report.longrepr) for excuse in EXCUSED):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing but {' or '.join(EXCUSED)} may be missing here: {report.longrepr}"
    return report


@pytest.fixture
def spikequant(capfd: pytest.CaptureFixture[str]) -> Spikequant:
    """Return a function that runs the command line in this process."""

    def run(*words: object) -> Answer:
        capfd.readouterr()
        code = 0
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with a small trained network and its ``model.nir``; do not write into it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    recipe = folder.parent / "small.toml"
    recipe.write_text(SMALL, encoding="utf-8")
    main(["train", str(recipe), "--out", str(folder)])
    main(["export", str(folder)])
    return folder


@pytest.fixture(scope="session")
def trained_usnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with a small unsupervised network and its ``model.nir``; do not write into it."""
    folder = tmp_path_factory.mktemp("trained_usnn") / "run"
    recipe = folder.parent / "usnn.toml"
    recipe.write_text(USNN, encoding="utf-8")
    main(["train", str(recipe), "--out", str(folder)])
    main(["export", str(folder), "--samples", "20"])
    return folder


USNN = """
seed = 3
timesteps = 50
[data]
name = "digits"
train_samples = 120
test_samples = 60
[network]
name = "diehl-cook"
neurons = 30
norm = 8.0
rate_hz = 250.0
engine = "torch"
[neuron]
name = "diehl-cook"
V = "Q11.8"
Vth = "Q11.8"
[quantizer]
name = "qif"
format = "Q1.8"
[learner]
name = "stdp"
[training]
float_epochs = 1
epochs = 0
"""

SMALL = """
timesteps = 3
[data]
name = "digits"
train_samples = 400
test_samples = 60
[network]
name = "mlp"
hidden = [24]
[neuron]
name = "mint-lif"
[quantizer]
name = "mint"
bits = 4
[learner]
name = "bptt"
lr = 5e-3
batch_size = 32
[training]
float_epochs = 1
epochs = 2
"""
