"""The study of DVS-Gesture, its recipe made small, on recordings written in the files that the set comes in."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

SMALL = (
    *("timesteps=40", "network.channels=[4,4,6]", "network.kernel=3", "network.burn_in=10"),
    *("learner.crop_steps=25", "learner.batch_size=6", "training.float_epochs=1", "training.epochs=1"),
    *("data.downsample=16", "learner.start_samples=6"),
)


def writers():
    path = Path(__file__).parents[1] / "events" / "recording_files.py"
    spec = importlib.util.spec_from_file_location("gesture_recording_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gestures(tmp_path_factory):
    """A folder as tonic unpacks it: 12 gestures to train on, 4 to test, each of one corner of the sensor."""
    folder, files = tmp_path_factory.mktemp("gestures"), writers()
    for split, users in (("ibmGestureTrain", (1, 2, 3)), ("ibmGestureTest", (24,))):
        for user in users:
            place = folder / split / f"user{user:02d}_led"
            place.mkdir(parents=True)
            for label in range(4):
                t, x, y, p = files.events(10 * user + label, 4000, width=64, height=64, span_us=90_000, step_us=1000)
                rows = (t, x + 64 * (label % 2), y + 64 * (label // 2), p)
                np.save(place / f"{label}.npy", files.gesture_npy(rows))
    return folder


def test_the_papers_study_runs_on_the_sets_own_files(spikequant, gestures, tmp_path):
    run, data = tmp_path / "run", ("--data-dir", gestures)
    changes = [word for change in SMALL for word in ("--set", change)]

    def ran(*words):
        answer = spikequant(*words)
        assert answer.code == 0, answer.err
        return answer.out

    ran("train", "dvs-gesture-decolle", *changes, "--out", run, *data)
    levels = ("--group", "N=P,Q,R,V", "--levels", "w=FP32,14,12", "--levels", "N=FP32,14,12")
    fig11 = ("--search", "curves", "--scheme", "both", "--target", "100", "--report", tmp_path / "fig11.html")
    found = json.loads(ran("explore", run, *levels, *fig11, "--json", *data))
    assert found["visited"] == 2 * 3 * (1 + 2 + 2 + 2)
    assert found["baseline"]["samples"] == 4
    report = (tmp_path / "fig11.html").read_text()
    assert all(words in report for words in ("w alone", "P, Q, R, V alone", "all together", "PTQ", "ITQ"))
    ran("select", run, "--mu", "0.1", "--all")
    exported = json.loads(ran("export", run, "--json", *data))
    assert exported["identical"]
    assert json.loads(ran("verify", run / "model.nir", "--backend", "lava", "--samples", "2", "--json", *data))[
        "identical"
    ]
