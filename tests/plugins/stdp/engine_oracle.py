"""The engines' specification once more: dense, one image at a time, quantized variables in exact rationals.

Nothing of the engine is used but its plain data classes.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from spikequant.counter_rng import RandomKey, uniforms

F = np.float32
ROUNDING_ELEMENTS = np.arange(1 << 13)


def grid(x, fmt, formats, tensor, draw, element):
    """One rounding of a rational or float to a format's grid, and its overflow."""
    ratio = Fraction(x) * 2**fmt.frac_bits
    code = math.floor(ratio)
    rest = ratio - code
    if formats.rounding == "RN":
        code += rest >= Fraction(1, 2)
    elif formats.rounding == "SR":
        code += Fraction(chance(formats.seed, tensor, draw, element)) < rest
    low, high = fmt.code_range
    code = min(max(code, low), high) if formats.overflow == "saturate" else (code - low) % (high - low + 1) + low
    return Fraction(code, 2**fmt.frac_bits)


_drawn: dict = {}


def chance(seed, tensor, draw, element):
    key = (seed, tensor, draw)
    if key not in _drawn:
        if len(_drawn) > 64:
            _drawn.clear()
        _drawn[key] = uniforms(RandomKey(seed, tensor, draw), ROUNDING_ELEMENTS)
    return float(_drawn[key][element])


def decay(tau, dt):
    return F(math.exp(-dt / tau))


def fraction_decay(tau, dt):
    return Fraction(math.floor(math.exp(-dt / tau) * 65536 + 0.5), 65536)


class Oracle:
    """One network; ``run`` simulates an image's input spikes, learning or not."""

    def __init__(self, p, formats, state, learning):
        self.p, self.f, self.learning = p, formats, learning
        self.images = state.images
        self.w = state.w.copy()
        self.vanished = self.updates = 0
        self.stored = learning and formats.w and formats.weight_mode == "stored"
        if formats.w and (self.stored or not learning):
            self.w = self.each(self.w, formats.w, "w_ptq", 0)
        if formats.Vth:
            self.theta = [
                grid(Fraction(p.threshold) + Fraction(float(v)), formats.Vth, formats, "Vth_ptq", 0, j)
                - Fraction(p.threshold)
                for j, v in enumerate(state.theta)
            ]
        else:
            self.theta = state.theta.astype(F)

    def each(self, w, fmt, tensor, draw, where=None):
        """Round the elements of a matrix of weights that ``where`` selects."""
        out = w.copy()
        for i, j in np.ndindex(w.shape):
            if where is None or where[i, j]:
                out[i, j] = F(float(grid(float(w[i, j]), fmt, self.f, tensor, draw, i * w.shape[1] + j)))
        return out

    def run(self, spikes):
        """Return the arrays of :class:`Recorded` for one image, ``(timesteps, neurons)``."""
        p, f, n = self.p, self.f, self.p.neurons
        self.v = [Fraction(p.rest)] * n if f.V else np.full(n, p.rest, F)
        self.g = [Fraction(0)] * n if f.g else np.zeros(n, F)
        refr, fired = [0] * n, []
        self.pre, self.post = np.zeros(p.inputs, F), np.zeros(n, F)
        steps = []
        for t in range(p.timesteps):
            self.draw = (self.images * p.timesteps if self.learning else 0) + t
            acc = self.accumulated(np.flatnonzero(spikes[t - 1]) if t else [])
            before = fired[t - 2] if t >= 2 else None
            held = [before is not None and j != before for j in range(n)]
            self.advance(acc, held, [r <= 0 for r in refr])
            refr = [r - 1 for r in refr]
            crossed = self.cross()
            refr = [p.refractory if c else r for c, r in zip(crossed, refr, strict=True)]
            fired.append(crossed.index(True) if any(crossed) else None)
            if self.learning:
                self.learn(spikes[t].astype(bool), fired[t])
            steps.append(
                (
                    [j == fired[t] for j in range(n)],
                    [float(v) for v in self.v],
                    [max(r, 0) for r in refr],
                    [float(g) for g in self.g],
                )
            )
        if self.learning:
            self.normalise()
            self.images += 1
        return [np.array(column) for column in zip(*steps, strict=True)]

    def accumulated(self, arriving):
        if self.f.w is None:
            acc = np.zeros(self.p.neurons, F)
            for i in arriving:
                acc = acc + self.w[i]
            return acc
        n, out = self.p.neurons, [Fraction(0)] * self.p.neurons
        for i in arriving:
            for j in range(n):
                weight = float(self.w[i, j])
                if self.learning and not self.stored:
                    weight = grid(weight, self.f.w, self.f, "w", self.draw, i * n + j)
                out[j] += Fraction(weight)
        return out

    def advance(self, acc, held, free):
        p, f = self.p, self.f
        theta_kept = f.Vth or not self.learning
        if not theta_kept:
            self.theta = self.theta * decay(p.tau_theta_ms, p.dt_ms)
        single = np.array([F(float(a)) for a in acc], F)
        if p.synapse == "conductance":
            if f.g is None:
                self.g = self.g * decay(p.tau_g_ms, p.dt_ms) + single
            else:
                m = fraction_decay(p.tau_g_ms, p.dt_ms)
                self.g = [
                    grid(m * g + Fraction(a) if f.w else float(m * g) + float(a), f.g, f, "g", self.draw, j)
                    for j, (g, a) in enumerate(zip(self.g, acc, strict=True))
                ]
        if f.V is None:
            self.advance_float(single, held, free)
        else:
            self.v = [
                grid(self.exact(j, acc[j], held[j], free[j]), f.V, f, "V", self.draw, j) for j in range(p.neurons)
            ]

    def advance_float(self, acc, held, free):
        p, old = self.p, self.v
        leaked = decay(p.tau_ms, p.dt_ms) * (old - F(p.rest)) + F(p.rest)
        inhibition = np.where(held, F(p.inhibition), F(0))
        if p.synapse == "conductance":
            g = np.array([F(float(g)) for g in self.g], F)
            driven = (leaked + (g * (F(0) - old)) * F(2**-7)) - inhibition
        else:
            driven = leaked + (acc - inhibition)
        self.v = np.where(free, driven, leaked)

    def exact(self, j, acc, held, free):
        p, old = self.p, self.v[j]
        value = fraction_decay(p.tau_ms, p.dt_ms) * (old - Fraction(p.rest)) + Fraction(p.rest)
        if not free:
            return value
        inhibition = Fraction(p.inhibition) if held else 0
        if p.synapse == "conductance":
            return value + self.g[j] * (0 - old) / 128 - inhibition
        if self.f.w:
            return value + acc - inhibition
        return float(value) + (float(acc) - float(inhibition))

    def cross(self):
        p, f = self.p, self.f
        if f.Vth:
            crossed = [
                Fraction(float(v)) >= Fraction(p.threshold) + th for v, th in zip(self.v, self.theta, strict=True)
            ]
        else:
            firing = F(p.threshold) + self.theta
            crossed = [bool(float(v) >= float(limit)) for v, limit in zip(self.v, firing, strict=True)]
        for j in np.flatnonzero(crossed):
            self.v[j] = Fraction(p.reset) if f.V else F(p.reset)
            if self.learning and f.Vth:
                raised = Fraction(p.threshold) + self.theta[j] + Fraction(math.floor(p.theta_plus * 64 + 0.5), 64)
                self.theta[j] = grid(raised, f.Vth, f, "Vth", self.draw, int(j)) - Fraction(p.threshold)
            elif self.learning:
                self.theta[j] += F(p.theta_plus)
        return crossed

    def learn(self, arrived, winner):
        p, old, top = self.p, self.w, F(self.p.w_max)
        d = decay(p.tau_trace_ms, p.dt_ms)
        self.pre = np.where(arrived, F(1), self.pre * d)
        wins = np.arange(p.neurons) == winner
        self.post = np.where(wins, F(1), self.post * d)
        down = np.broadcast_to(self.post * F(p.eta_pre), old.shape)
        up = np.broadcast_to((self.pre * F(p.eta_post))[:, None], old.shape)
        if p.rule == "weight-dependent":
            down, up = down * self.power(old), up * self.power(top - old)
        asked = (old - np.where(arrived[:, None], down, F(0))) + np.where(wins[None], up, F(0))
        new = np.minimum(np.maximum(asked, F(0)), top)
        touched = arrived[:, None] | wins[None]
        if self.stored:
            kept = self.each(new, self.f.w, "w", self.draw, touched)
            changes = touched & (new != old)
            self.updates += int(changes.sum())
            self.vanished += int((changes & (kept == old)).sum())
            new = kept
        self.w = new

    def power(self, x):
        x, mu, top = np.maximum(x, F(0)), self.p.mu, F(self.p.w_max)
        if mu in (0.0, 0.5, 1.0, 2.0):
            return {0.0: np.ones_like(x), 0.5: np.sqrt(x), 1.0: x, 2.0: x * x}[mu]
        k = np.minimum(np.floor(x / top * F(4096) + F(0.5)).astype(int), 4096)
        table = np.array([F((n / 4096 * self.p.w_max) ** mu) for n in range(4097)], F)
        return table[k]

    def normalise(self):
        for j in range(self.p.neurons):
            total = F(0)
            for value in self.w[:, j]:
                total = total + value
            with np.errstate(divide="ignore", over="ignore"):
                factor = F(self.p.norm) / total
            if np.isfinite(factor):
                self.w[:, j] = self.w[:, j] * factor
        if self.stored:
            self.w = self.each(self.w, self.f.w, "norm", self.images)
