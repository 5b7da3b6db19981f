"""What engines refuse, and in which words."""

import re
import sys

import numpy as np
import pytest

from spikequant.errors import BackendError, UsageError
from spikequant.formats import QFormat
from spikequant.rate_coding import RateCoding
from spikequant.rounding import Overflow
from spikequant_stdp import engine as engine_package
from spikequant_stdp.engine import Formats, Parameters, State, TorchEngine, engine


def refused(words):
    return pytest.raises(UsageError, match=f"^{re.escape(words)}$")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": 0}, "inputs is 0; it must be a whole number, at least 1"),
        ({"neurons": 2.0}, "neurons is 2.0; it must be a whole number, at least 1"),
        ({"timesteps": True}, "timesteps is True; it must be a whole number, at least 1"),
        ({"refractory": -1}, "refractory is -1; it must be a whole number, at least 0"),
        ({"tau_ms": 0.0}, "tau_ms is 0.0; it must be a finite number, positive"),
        ({"tau_g_ms": float("inf")}, "tau_g_ms is inf; it must be a finite number, positive"),
        ({"norm": "a"}, "norm is 'a'; it must be a finite number, positive"),
        ({"eta_post": -0.1}, "eta_post is -0.1; it must be a finite number, at least 0"),
        ({"rest": float("nan")}, "rest is nan; it must be a finite number"),
        ({"mu": 11.0}, "mu is 11.0; it must be a finite number, 0 to 10"),
        ({"synapse": "none"}, "synapse is 'none'; it must be one of current, conductance"),
        ({"rule": "hebb"}, "rule is 'hebb'; it must be one of pairwise, weight-dependent"),
        ({"refractory": 65536}, "refractory is 65536; it must be at most 65535"),
        ({"norm": 1e39}, "norm is 1e+39, which no float32 holds; it must be 1e+38 at most in magnitude"),
        (
            {"rule": "weight-dependent", "mu": 10, "w_max": 1e4},
            "mu is 10, and weights reach 10000, whose power no float32 holds; lower mu, w_max or norm",
        ),
        ({"dt_ms": 0.5}, "dt_ms is 0.5, and the coding's dt is 0.001 s; they must be equal"),
    ],
)
def test_parameters_say_what_they_must_be(options, words):
    with refused(words):
        Parameters(**{"inputs": 3, "neurons": 2, **options})


def test_a_shorter_step_goes_with_a_coding_of_that_step():
    assert Parameters(3, 2, dt_ms=0.5, coding=RateCoding(dt=5e-4)).decay == float(np.float32(np.exp(-0.005)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"w": "Q1.6"}, "format of w is Q1.6; it must be a Q format like Q1.6, or None for FP32"),
        ({"rounding": "up"}, "rounding is 'up'; it must be one of TR, RN, SR"),
        ({"overflow": "clip"}, "overflow is 'clip'; it must be one of saturate, wrap"),
        ({"weight_mode": "float"}, "weight_mode is 'float'; it must be one of master, stored"),
        ({"seed": 1.0}, "seed is 1.0; it must be a whole number"),
    ],
)
def test_formats_say_what_they_must_be(options, words):
    with refused(words):
        Formats(**options)


def run(formats=None, state=None, images=None, **options):
    p = Parameters(**{"inputs": 3, "neurons": 2, "timesteps": 4, **options})
    images = np.zeros((1, 3), dtype=np.uint8) if images is None else images
    state = state or State(np.zeros((3, 2), dtype=np.float32), np.zeros(2, dtype=np.float32))
    return TorchEngine().infer(p, [(formats or Formats(), state)], images)


@pytest.mark.parametrize(
    ("formats", "options", "words"),
    [
        (
            Formats(g=QFormat(8, 4)),
            {},
            "g has the format Q8.4, and a current synapse has no g; leave it out",
        ),
        (
            Formats(V=QFormat(8, 4)),
            {"synapse": "conductance"},
            "V has the format Q8.4 and g is FP32; give g a format too, since V's step uses it",
        ),
        (
            Formats(w=QFormat(1, 24)),
            {},
            "w has the format Q1.24 with 25 bits besides the sign; a float32 holds 24, so take fewer",
        ),
        (
            Formats(V=QFormat(8, 4)),
            {"rest": -65.5},
            "rest is -65.5, and V has the format Q8.4; it must be a whole number",
        ),
        (
            Formats(V=QFormat(6, 4)),
            {},
            "rest is -65.0, and V has the format Q6.4, -64.0..63.9375; give it more integer bits",
        ),
        (
            Formats(Vth=QFormat(11, 4, signed=False)),
            {},
            "threshold is -52.0, and Vth has the format UQ11.4, 0.0..2047.9375; give it more integer bits",
        ),
        (
            Formats(w=QFormat(0, 2), weight_mode="stored"),
            {"w_max": 0.7},
            "w_max is 0.7, and stored weights have the format Q0.2; it must be a multiple of its step",
        ),
        (
            Formats(w=QFormat(0, 6), weight_mode="stored", overflow=Overflow.WRAP),
            {},
            "w_max is 1.0, and stored weights of the format Q0.6, up to 0.984375, would wrap below 0; let them"
            " saturate, or give them more integer bits",
        ),
        (Formats(w=QFormat(0, 6, signed=False), weight_mode="stored", overflow=Overflow.WRAP), {}, None),
        (Formats(w=QFormat(1, 6), weight_mode="stored", overflow=Overflow.WRAP), {}, None),
        (
            Formats(V=QFormat(25, 0)),
            {"rest": -16777217.0},
            "rest is -16777217.0, and V has the format Q25.0; it must be 2**24 at most",
        ),
        (
            Formats(V=QFormat(11, 26)),
            {},
            "the step of V with V Q11.26 needs 54 bits to be exact, and 53 are there; take fewer bits",
        ),
        (
            Formats(V=QFormat(11, 26), w=QFormat(1, 6)),
            {},
            "the step of V with V Q11.26 and w Q1.6 needs 54 bits to be exact, and 53 are there; take fewer bits",
        ),
        (
            Formats(V=QFormat(11, 16), g=QFormat(10, 14)),
            {"synapse": "conductance"},
            None,
        ),
        (
            Formats(V=QFormat(11, 20), g=QFormat(10, 14)),
            {"synapse": "conductance"},
            "the step of V with V Q11.20 and g Q10.14 needs 56 bits to be exact, and 53 are there; take fewer bits",
        ),
        (
            Formats(Vth=QFormat(48, 0)),
            {},
            "the step of Vth with Vth Q48.0 needs 55 bits to be exact, and 53 are there; take fewer bits",
        ),
    ],
)
def test_formats_that_are_not_exact_are_refused_by_name(formats, options, words):
    if words is None:
        run(formats, **options)
        return
    with refused(words):
        run(formats, **options)


def test_arrays_that_do_not_fit_are_refused():
    w, theta = np.zeros((3, 2), dtype=np.float32), np.zeros(2, dtype=np.float32)
    with refused("state: w has the shape (2, 3); it must be (3, 2)"):
        run(state=State(w.T.copy(), theta))
    with refused("state: w is float64; it must be a writable float32 array in C order"):
        run(state=State(w.astype(np.float64), theta))
    with refused("state: theta has the shape (3,); it must be (2,)"):
        run(state=State(w, np.zeros(3, dtype=np.float32)))
    with refused("state: theta holds values that are NaN or infinite; they must be finite"):
        run(state=State(w, theta + np.float32(np.nan)))
    with refused("state: theta is int64; it must be float32 or float64"):
        run(state=State(w, np.zeros(2, dtype=np.int64)))
    with refused("state: images is -1; it must be at least 0"):
        run(state=State(w, theta, images=-1))
    with refused("images have the shape (1, 4); it must be (n, 3)"):
        run(images=np.zeros((1, 4), dtype=np.uint8))
    with refused(
        "rate coding: pixels are float64 of shape (1, 3); they must be whole numbers of shape (n, ...), 0 to 255"
    ):
        run(images=np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("spikes", "words"),
    [
        (np.zeros((1, 3, 3), dtype=np.uint8), "input spikes have the shape (1, 3, 3); it must be (n, 4, 3)"),
        (
            np.full((1, 4, 3), 2, dtype=np.uint8),
            "input spikes are uint8 with values other than 0 and 1; they must be 0 or 1",
        ),
    ],
)
def test_spikes_that_do_not_fit_are_refused(spikes, words):
    p = Parameters(3, 2, 4)
    state = State(np.zeros((3, 2), dtype=np.float32), np.zeros(2, dtype=np.float32))
    with refused(words):
        TorchEngine().infer_spikes(p, Formats(), state, spikes)
    with refused(words):
        TorchEngine().train_spikes(p, Formats(), state, spikes)


def test_an_engine_that_is_not_there_is_named():
    with refused("engine is 'cuda'; it must be one of auto, native, torch"):
        engine("cuda")


def test_auto_is_torch_with_one_line_on_stderr_where_native_cannot_be_built(monkeypatch, capsys):
    class Native:
        def __init__(self):
            raise BackendError("no C compiler was found; install cc")

    module = type(sys)("spikequant_stdp.engine.native")
    module.NativeEngine = Native
    monkeypatch.setitem(sys.modules, "spikequant_stdp.engine.native", module)
    monkeypatch.setattr(engine_package, "_warned", set())
    assert engine().name == "torch"
    assert engine("auto").name == "torch"
    line = "spikequant: the native engine is missing, torch does the same slower: no C compiler was found; install cc\n"
    assert capsys.readouterr().err == line
    with pytest.raises(BackendError, match=r"^no C compiler was found; install cc$"):
        engine("native")


def test_the_random_cases_cover_every_option(random_cases):
    cases = list(random_cases(0, 300))
    for name, count in (("synapse", 2), ("rule", 2), ("mu", 7), ("neurons", 8), ("refractory", 3)):
        assert len({getattr(p, name) for p, *_ in cases}) == count
    assert {p.coding.kind for p, *_ in cases} == {"poisson", "regular"}
    for name in ("w", "V", "Vth", "g"):
        given = [getattr(formats, name) is None for _, formats, *_ in cases]
        assert min(given.count(True), given.count(False)) >= 20
    for name, count in (("rounding", 3), ("overflow", 2), ("weight_mode", 2)):
        assert len({getattr(formats, name) for _, formats, *_ in cases}) == count
    inexact = [p.inputs << f.w.int_bits + f.w.frac_bits >= 2**24 for p, f, *_ in cases if f.w]
    assert inexact.count(True) >= 5
