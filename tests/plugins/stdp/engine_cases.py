"""Random small networks that together use every option of the engines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.rate_coding import RateCoding
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.engine.exactness import check
from spikequant_stdp.engine.parameters import Formats, Parameters, State

Case = tuple[Parameters, Formats, State, np.ndarray]


def random_cases(seed: int, count: int) -> Iterator[Case]:
    """Yield ``count`` cases that the engines accept: parameters, formats, state, images ``(n, inputs)``.

    Neurons spike in most of them. States are not on the grids of the formats, and some weights exceed ``w_max``.
    """
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        p = _parameters(rng)
        formats = _formats(rng, p)
        state = _state(rng, p)
        try:
            check(p, formats, state)
        except UsageError:
            continue
        made += 1
        yield p, formats, state, _images(rng, p)


def _one_of(rng: np.random.Generator, *choices):
    return choices[int(rng.integers(len(choices)))]


def _parameters(rng: np.random.Generator) -> Parameters:
    inputs = int(rng.integers(7, 61))
    w_max = _one_of(rng, 1.0, 1.0, 0.75, 2.0, 0.7)
    odd = rng.random() < 0.2
    return Parameters(
        inputs=inputs,
        neurons=_one_of(rng, 1, 2, 5, 16, 17, 32, 33, 40),
        timesteps=int(rng.integers(5, 41)),
        rest=-65.3 if odd else -65.0,
        reset=_one_of(rng, -65.0, -60.0, -70.0),
        threshold=_one_of(rng, -52.0, -60.0, -63.0),
        refractory=_one_of(rng, 0, 1, 5),
        tau_ms=_one_of(rng, 100.0, 100.0, 10.0),
        theta_plus=_one_of(rng, 0.05, 0.05, 1.3),
        tau_theta_ms=_one_of(rng, 1e7, 1e7, 200.0),
        inhibition=120.7 if odd else _one_of(rng, 120.0, 120.0, 9.0, 0.0),
        w_max=w_max,
        norm=float(inputs * w_max * rng.uniform(0.1, 0.9)),
        eta_pre=_one_of(rng, 1e-4, 3e-2),
        eta_post=_one_of(rng, 1e-2, 1e-2, 0.3),
        synapse=_one_of(rng, "current", "conductance"),
        tau_g_ms=_one_of(rng, 1.0, 5.0),
        rule=_one_of(rng, "pairwise", "weight-dependent"),
        mu=_one_of(rng, 0.0, 0.2, 0.5, 1.0, 1.7, 2.0, 10.0),
        coding=RateCoding(
            _one_of(rng, "poisson", "poisson", "poisson", "regular"), _one_of(rng, 128.0, 400.0, 900.0), seed=_seed(rng)
        ),
    )


def _seed(rng: np.random.Generator) -> int:
    """Return a seed, sometimes negative or large."""
    return int(rng.integers(-(2**62), 2**62))


def _formats(rng: np.random.Generator, p: Parameters) -> Formats:
    def maybe(fmt: QFormat) -> QFormat | None:
        return fmt if rng.random() < 0.6 else None

    fine = rng.random() < 0.15
    potential = maybe(QFormat(int(rng.integers(7, 12)), int(rng.integers(0, 13))))
    conductance = maybe(QFormat(int(rng.integers(4, 10)), int(rng.integers(0, 9)), signed=bool(rng.integers(2))))
    return Formats(
        w=maybe(QFormat(int(rng.integers(2)), 22 if fine else int(rng.integers(1, 9)), signed=bool(rng.integers(2)))),
        V=potential,
        Vth=maybe(QFormat(int(rng.integers(6, 11)), int(rng.integers(0, 9)))),
        g=conductance if p.synapse == "conductance" else None,
        rounding=_one_of(rng, *Rounding),
        overflow=_one_of(rng, Overflow.SATURATE, Overflow.SATURATE, Overflow.WRAP),
        weight_mode=_one_of(rng, "master", "stored"),
        seed=_seed(rng),
    )


def _state(rng: np.random.Generator, p: Parameters) -> State:
    w = rng.uniform(0, p.w_max, (p.inputs, p.neurons)).astype(np.float32)
    w[rng.random(w.shape) < 0.1] = 0.0
    w[rng.random(w.shape) < 0.02] = np.float32(1.2 * p.w_max)
    if rng.random() < 0.2:
        w[:, int(rng.integers(p.neurons))] = 0.0
    theta = rng.uniform(0, 3, p.neurons) if rng.random() < 0.5 else np.zeros(p.neurons)
    return State(w, theta.astype(np.float32), images=_one_of(rng, 0, 3, 70_000))


def _images(rng: np.random.Generator, p: Parameters) -> np.ndarray:
    images = rng.integers(0, 256, (int(rng.integers(1, 5)), p.inputs), dtype=np.uint8)
    images[rng.random(images.shape) < 0.3] = 0
    if rng.random() < 0.1:
        images[0] = 0
    return images
