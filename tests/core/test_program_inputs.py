"""From samples to what a program's input takes: direct values, or spikes that arrive a step after they were sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from spikequant.cli.common import MOST_INPUTS, batch_size
from spikequant.errors import UsageError
from spikequant.nir_profile import read_program, write_program
from spikequant.program import Dense, Flatten, Input, Readout, chain
from spikequant.program_inputs import CODING_KEY, DATA_OPTIONS_KEY, coded, data_options, program_inputs
from spikequant.rate_coding import RateCoding

CODING = RateCoding("regular", rate_hz=500.0, peak=15)
X = np.array([[[15, 0], [8, 1]], [[0, 15], [15, 0]]])


def program(coding="per_step", shape=(4,), timesteps=5, provenance=None):
    bits = 1 if coding == "per_step" else 4
    nodes = [Input("input", shape, bits=bits, coding=coding), Dense("fc", np.ones((2, 4), int), bits=2)]
    return chain([*nodes, Readout("readout")], timesteps=timesteps, provenance=coded(CODING) | (provenance or {}))


def test_a_direct_input_takes_the_samples():
    flat = X.reshape(len(X), -1)
    assert program_inputs(program("direct"), flat) is flat
    assert np.array_equal(program_inputs(program("direct"), X), flat)
    other = np.zeros((2, 5), np.int64)  # of another size: the executor refuses it by name
    assert program_inputs(program("direct"), other) is other


def test_spikes_arrive_one_step_after_they_were_sent_and_none_at_first():
    found = program_inputs(program(), X)
    sent = CODING.spikes(X, 5).reshape(5, 2, 4)
    assert found.dtype == np.int64
    assert not found[0].any()
    assert np.array_equal(found[1:], sent[:-1])
    # half a spike per step at 15: sent at 1, 3; arriving at 2, 4
    assert found[:, 0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]]


def test_the_samples_keep_their_places_and_their_spikes_in_any_batch():
    poisson = program(provenance=coded(replace(CODING, kind="poisson", seed=4)))
    whole = program_inputs(poisson, X)
    assert np.array_equal(program_inputs(poisson, X[::-1]), whole[:, ::-1])
    assert np.array_equal(program_inputs(poisson, X[1:]), whole[:, 1:])
    assert np.array_equal(program_inputs(poisson, X.reshape(2, 4).astype(np.uint8)), whole)


def test_the_coding_travels_in_the_file(tmp_path):
    made, path = program(), tmp_path / "m.nir"
    write_program(made, path, {})
    read = read_program(path)
    assert read.provenance[CODING_KEY] == made.provenance[CODING_KEY] == json.dumps(CODING.to_json())
    assert np.array_equal(program_inputs(read, X), program_inputs(made, X))


def test_a_program_that_does_not_say_how_is_refused():
    message = (
        "input 'input' takes spikes per timestep, and the program does not say how to make them from samples (no"
        " 'rate_coding' in its provenance); give it spikes of shape (5, batch, 4), or samples of 5 frames of shape (4,)"
    )
    silent = replace(program(), provenance={})
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        program_inputs(silent, X)


def test_without_a_coding_samples_are_frames_and_arrive_in_their_own_step():
    frames = np.random.default_rng(0).integers(0, 2, (2, 5, 4)).astype(np.uint8)
    found = program_inputs(replace(program(), provenance={}), frames)
    assert found.shape == (5, 2, 4)
    assert all(np.array_equal(found[t, n], frames[n, t]) for t in range(5) for n in range(2))
    with pytest.raises(UsageError, match=r"or samples of 5 frames of shape \(4,\)$"):
        program_inputs(replace(program(), provenance={}), frames[:, :4])


@pytest.mark.parametrize("text", ["{", "[1]", "3", 7, "[" * 100_000])
def test_damaged_data_options_are_one_line(text):
    with pytest.raises(UsageError, match=r"^the program's 'data_options' is damaged: .+; export the model again$"):
        data_options({DATA_OPTIONS_KEY: text})


def test_data_options_are_kept_as_text_and_may_be_absent():
    assert data_options({}) == {}
    assert data_options({DATA_OPTIONS_KEY: '{"frame_ms": 5.0}'}) == {"frame_ms": 5.0}


FIELDS = CODING.to_json()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", ".*"),
        ("[1, 2]", "it is no table"),
        ("null", "it is no table"),
        ("3", "it is no table"),
        ("[" * 100_000, ".*"),
        ("{}", "rate coding has the fields ; it must have kind, rate_hz, dt, peak, seed"),
        (json.dumps({**FIELDS, "more": 1}), "rate coding has the fields .*more.*; it must have .*"),
        (json.dumps({**FIELDS, "kind": "loud"}), "rate coding: kind is 'loud'; it must be one of poisson, regular"),
        (json.dumps({**FIELDS, "peak": 0}), "rate coding: peak is 0; it must be a whole number, 1 to 255"),
        (json.dumps({**FIELDS, "rate_hz": 10**400}), ".*"),
        (json.dumps({**FIELDS, "rate_hz": 1e308, "dt": 1e308}), "rate coding: .*"),
        (json.dumps({**FIELDS, "seed": "x"}), "rate coding: seed is 'x'; it must be a whole number"),
    ],
)
def test_a_damaged_coding_is_one_line(text, why):
    message = rf"^the program's 'rate_coding' is damaged: {why}; export the model again$"
    with pytest.raises(UsageError, match=message) as caught:
        program_inputs(program(provenance={CODING_KEY: text}), X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((1, 4), 16), "rate coding: pixels reach 16..16; they must be 0 to 15"),
        (np.full((1, 4), -1), "rate coding: pixels reach -1..-1; they must be 0 to 15"),
        (np.ones((1, 3, 3), int), "samples have the shape (3, 3); input 'input' takes (4,)"),
    ],
)
def test_samples_that_the_input_does_not_take_are_refused(x, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        program_inputs(program(), x)


def test_long_trains_of_spikes_are_run_in_small_batches():
    long = program(timesteps=1000)
    assert batch_size(program("direct"), 500) == 500
    assert batch_size(long, 10**6) == MOST_INPUTS // 4000
    assert batch_size(long, 7) == 7
    wide = chain([Input("input", (1 << 25,), bits=1, coding="per_step"), Readout("readout")], timesteps=2)
    assert batch_size(wide, 500) == 1


def test_frames_of_another_shape_with_as_many_elements_are_reshaped():
    """(timesteps, channels, length) for an input of maps (channels, 1, length)."""
    nodes = [Input("input", (2, 1, 3), coding="per_step"), Flatten("flatten"), Dense("fc", np.ones((2, 6), int))]
    made = chain([*nodes, Readout("readout")], timesteps=4)
    frames = np.arange(5 * 4 * 2 * 3).reshape(5, 4, 2, 3)
    found = program_inputs(made, frames)
    assert found.shape == (4, 5, 2, 1, 3)
    assert np.array_equal(found[:, :, :, 0], np.moveaxis(frames, 0, 1))
    with pytest.raises(UsageError, match=r"or samples of 4 frames of shape \(2, 1, 3\)$"):
        program_inputs(made, frames[..., :2])
