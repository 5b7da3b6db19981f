"""DECOLLE's nodes against its equations in exact rationals, node by node and as a whole network."""

from fractions import Fraction
from itertools import count
from math import floor

import numpy as np
import pytest

from spikequant import QFormat
from spikequant.counter_rng import RandomKey, uniforms
from spikequant.oracle import run_oracle
from spikequant.program import Dense, Input, Readout, chain
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.trace_node import DecolleTrace
from spikequant_decolle.winner_node import Winner

SIZE, STEPS, CASES = 3, 7, 250


class Rule:
    """Rounds rationals to grids as one layer does."""

    def __init__(self, rounding, overflow, seed):
        self.rounding, self.overflow, self.seed = rounding, overflow, seed
        self.overflows = set()

    def __call__(self, value, fmt, variable, t, element):
        step = Fraction(1, 2**fmt.frac_bits)
        code = floor(value / step)
        rest = value / step - code
        chance = Fraction(float(uniforms(RandomKey(self.seed, variable, t), np.array([element]))[0]))
        code += {"TR": False, "RN": rest >= Fraction(1, 2), "SR": chance < rest}[self.rounding.value]
        low, high = fmt.code_range
        if not low <= code <= high:
            self.overflows.add((t, element))
            code = (
                (code - low) % (high - low + 1) + low if self.overflow is Overflow.WRAP else max(low, min(high, code))
            )
        return code * step


def formats(rng, *fractions):
    """Formats with these fraction bits, narrow enough to overflow now and then."""
    return [QFormat(int(rng.integers(1, 4)), f, signed=bool(f == 0 or rng.random() < 0.7)) for f in fractions]


def rules(rng):
    return {
        "rounding": list(Rounding)[rng.integers(3)],
        "overflow": list(Overflow)[rng.integers(2)],
        "seed": int(rng.integers(-9, 9)),
    }


def decay(rng):
    """A multiplier, its shift, and the gain beside it: one minus the decay, one, or any."""
    shift = int(rng.integers(0, 9))
    code = int(rng.integers(0, (1 << shift) + 1))
    return code, shift, [(1 << shift) - code, 1 << shift, int(rng.integers(0, (1 << shift) + 1))][rng.integers(3)]


def trace_case(seed):
    rng = np.random.default_rng(seed)
    p_fmt, q_fmt = formats(rng, *(int(f) for f in rng.integers(0, 10, 2)))
    alpha, alpha_shift, p_gain = decay(rng)
    beta, beta_shift, q_gain = decay(rng)
    node = DecolleTrace(
        "trace",
        p_fmt=p_fmt,
        q_fmt=q_fmt,
        alpha=alpha,
        alpha_shift=alpha_shift,
        p_gain=p_gain,
        beta=beta,
        beta_shift=beta_shift,
        q_gain=q_gain,
        **rules(rng),
    )
    return node, rng.integers(0, rng.integers(2, 9), (STEPS, SIZE))


def traces(node, arriving, rule):
    """P and Q of every step: P(t) = Q_P(alpha P(t-1) + kP Q(t-1)), Q(t) = Q_Q(beta Q(t-1) + kQ S(t))."""
    alpha, k_p = (Fraction(code, 2**node.alpha_shift) for code in (node.alpha, node.p_gain))
    beta, k_q = (Fraction(code, 2**node.beta_shift) for code in (node.beta, node.q_gain))
    p, q = [Fraction(0)] * len(arriving[0]), [Fraction(0)] * len(arriving[0])
    sums = []
    for t, s in enumerate(arriving):
        p_sums = [alpha * a + k_p * b for a, b in zip(p, q, strict=True)]
        q_sums = [beta * b + k_q * int(x) for b, x in zip(q, s, strict=True)]
        p = [rule(value, node.p_fmt, "P", t, n) for n, value in enumerate(p_sums)]
        q = [rule(value, node.q_fmt, "Q", t, n) for n, value in enumerate(q_sums)]
        sums.append((p_sums, q_sums))
        yield p, q, sums[-1]


def neuron_case(seed):
    rng = np.random.default_rng(seed)
    v_fmt, r_fmt = formats(rng, *(int(f) for f in rng.integers(0, 9, 2)))
    gamma, gamma_shift, r_gain = decay(rng)
    x_frac = int(rng.integers(0, 16))
    vth = rng.integers(v_fmt.code_range[0], v_fmt.code_range[1] + 1, [(), (SIZE,)][rng.integers(2)]) // 2
    node = DecolleNeurons(
        "lif",
        v_fmt=v_fmt,
        r_fmt=r_fmt,
        gamma=gamma,
        gamma_shift=gamma_shift,
        r_gain=r_gain,
        rho=int(rng.integers(0, 300)),
        rho_shift=int(rng.integers(0, 9)),
        x_frac_bits=x_frac,
        vth=np.asarray(vth, np.int64),
        **rules(rng),
    )
    reach = 1 << (x_frac + int(rng.integers(0, 4)))
    return node, rng.integers(-reach // int(rng.integers(1, 9)), reach + 1, (STEPS, SIZE))


def fired(node, drive, rule):
    """S, V and R of every step: V = Q_V(x - rho R), S = [V >= Vth], R <- Q_R(gamma R + kR S); x are rationals."""
    gamma, k_r = (Fraction(code, 2**node.gamma_shift) for code in (node.gamma, node.r_gain))
    rho = Fraction(node.rho, 2**node.rho_shift)
    size = len(drive[0])
    vth = [Fraction(int(code), 2**node.v_fmt.frac_bits) for code in np.broadcast_to(node.vth, (size,))]
    r = [Fraction(0)] * size
    for t, x in enumerate(drive):
        v_sums = [a - rho * b for a, b in zip(x, r, strict=True)]
        v = [rule(value, node.v_fmt, "V", t, n) for n, value in enumerate(v_sums)]
        s = [int(a >= b) for a, b in zip(v, vth, strict=True)]
        r_sums = [gamma * a + k_r * b for a, b in zip(r, s, strict=True)]
        r = [rule(value, node.r_fmt, "R", t, n) for n, value in enumerate(r_sums)]
        yield s, v, r, (v_sums, r_sums)


def codes(values, fmt):
    """Values on the grid of ``fmt`` as its codes."""
    found = [value * 2**fmt.frac_bits for value in values]
    assert all(code.denominator == 1 for code in found)
    return [int(code) for code in found]


def inside(sums, limits, bits):
    """Whether sums lie within limits in units of ``2**-bits``."""
    return all(
        low <= value * 2**bit <= high
        for part, (low, high), bit in zip(sums, limits, bits, strict=True)
        for value in part
    )


@pytest.mark.parametrize("block", range(5))
def test_traces_are_their_equations_in_exact_rationals(block):
    overflows = 0
    for seed in range(block * CASES // 5, (block + 1) * CASES // 5):
        node, x = trace_case(seed)
        rule = Rule(node.rounding, node.overflow, node.seed)
        limits = node.sum_limits(int(x.min()), int(x.max()))
        fine = [fmt.frac_bits + bits for fmt, bits in zip((node.p_fmt, node.q_fmt), node.dropped_bits, strict=True)]
        state = node.initial(2, (SIZE,))
        for t, (p, q, sums) in enumerate(traces(node, x, rule)):
            emitted, state, over = node.advance(np.stack([x[t], x[t]]), state, t)
            for sample in (0, 1):
                found = [part[sample].tolist() for part in (emitted, *state, over)]
                told = [int((t, n) in rule.overflows) for n in range(SIZE)]
                assert found == [codes(p, node.p_fmt), codes(p, node.p_fmt), codes(q, node.q_fmt), told], (seed, t)
            assert inside(sums, limits, fine), seed
        overflows += len(rule.overflows)
    assert overflows > 9


@pytest.mark.parametrize("block", range(5))
def test_neurons_are_their_equations_in_exact_rationals(block):
    overflows, fires = 0, 0
    for seed in range(block * CASES // 5, (block + 1) * CASES // 5):
        node, x = neuron_case(seed)
        rule = Rule(node.rounding, node.overflow, node.seed)
        limits = node.sum_limits(int(x.min()), int(x.max()))
        fine = [node.fine_bits, node.r_fmt.frac_bits + node.gamma_shift]
        drive = [[Fraction(int(value), 2**node.x_frac_bits) for value in row] for row in x]
        state = node.initial(2, (SIZE,))
        for t, (s, v, r, sums) in enumerate(fired(node, drive, rule)):
            spikes, state, over = node.advance(np.stack([x[t], x[t]]), state, t)
            for sample in (0, 1):
                found = [part[sample].tolist() for part in (spikes, *state, over)]
                told = [int((t, n) in rule.overflows) for n in range(SIZE)]
                assert found == [s, codes(v, node.v_fmt), codes(r, node.r_fmt), told], (seed, t)
            assert inside(sums, limits, fine), seed
            fires += sum(s)
        overflows += len(rule.overflows)
    assert overflows > 9
    assert CASES // 5 * STEPS * SIZE * 0.1 < fires < CASES // 5 * STEPS * SIZE * 0.9


def network(seed):
    """Two dense layers with formats, constants and weights of their own; 4 inputs, 5 and 3 neurons, 3 classes."""
    rng, sizes, nodes = np.random.default_rng(seed), (4, 5, 3), []
    shared = rules(rng)
    for k, size, (p_fmt, q_fmt, r_fmt, v_fmt) in zip(
        count(1), sizes[1:], (formats(rng, 5, 6, 4, 5), formats(rng, 4, 4, 5, 6)), strict=False
    ):
        own = {**shared, "seed": shared["seed"] + k - 1}
        decays = {"alpha": 58, "alpha_shift": 6, "p_gain": 6, "beta": 50, "beta_shift": 6, "q_gain": 14}
        nodes.append(DecolleTrace(f"trace{k}", p_fmt=p_fmt, q_fmt=q_fmt, **decays, **own))
        nodes.append(Dense(f"fc{k}", rng.integers(-31, 32, (size, sizes[k - 1])), bits=6))
        nodes.append(
            DecolleNeurons(
                f"lif{k}",
                v_fmt=v_fmt,
                r_fmt=r_fmt,
                gamma=42,
                gamma_shift=6,
                r_gain=22,
                rho=64,
                rho_shift=6,
                x_frac_bits=4 + p_fmt.frac_bits,
                vth=rng.integers(0, 9, size),
                **own,
            )
        )
    score = Dense("score", rng.integers(-127, 128, (3, 3)))
    last = [
        Winner("winner", start=2),
        Dense("votes", np.eye(3, dtype=np.int64), bits=1, signed=False),
        Readout("readout"),
    ]
    return chain([Input("input", (4,), bits=3, coding="per_step"), *nodes, score, *last], 9)


@pytest.mark.parametrize("seed", range(12))
def test_a_network_gives_the_classes_of_its_equations(seed):
    """Each step is computed from the text alone: weighted sums of real traces with weights of four fraction bits."""
    program, x = network(seed), np.random.default_rng(seed).integers(0, 8, (9, 4, 4))
    found = run_oracle(program, x)
    node, fires = program.by_name, 0
    for sample in range(4):
        arriving = [list(map(int, row)) for row in x[:, sample]]
        for k in (1, 2):
            trace, cell = node[f"trace{k}"], node[f"lif{k}"]
            rule = Rule(trace.rounding, trace.overflow, trace.seed)
            series = [p for p, _, _ in traces(trace, arriving, rule)]
            weights = [[Fraction(int(code), 16) for code in row] for row in node[f"fc{k}"].codes]
            drive = [[sum(w * p for w, p in zip(row, ps, strict=True)) for row in weights] for ps in series]
            steps = list(fired(cell, drive, rule))
            arriving = [s for s, *_ in steps]
            assert found.spikes[f"lif{k}"][:, sample].tolist() == arriving
            assert found.potentials[f"trace{k}"][:, sample].tolist() == [codes(p, trace.p_fmt) for p in series]
            assert found.potentials[f"lif{k}"][:, sample].tolist() == [codes(v, cell.v_fmt) for _, v, _, _ in steps]
            fires += sum(map(sum, arriving))
        scores = [
            [sum(int(g) * s for g, s in zip(row, spikes, strict=True)) for row in node["score"].codes]
            for spikes in arriving
        ]
        winners = [row.index(max(row)) for row in scores][2:]
        assert found.predictions()[sample] == max(range(3), key=lambda c: (winners.count(c), -c))
    assert fires > 0
