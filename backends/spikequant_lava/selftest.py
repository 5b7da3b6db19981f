"""Prove that a fresh environment computes the right integers before it counts as complete."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikequant.errors import BackendError
from spikequant.oracle import run_oracle
from spikequant.program import Conv2d, Dense, Flatten, Input, Lif, Program, Readout, chain
from spikequant.verify import compare
from spikequant_lava.backend import LavaExecutable


class SelfTestError(BackendError):
    """The environment was installed, and computes wrong numbers."""


def check(python: Path) -> None:
    """Run hand-computed numbers and two networks on Lava.

    Args:
        python: The interpreter that has Lava.

    Raises:
        SelfTestError: Some integer differs.
        BackendError: Lava did not run.
    """
    _check_by_hand(python)
    for program in (_dense_network(), _conv_network()):
        low, high = program.input.limits
        inputs = np.random.default_rng(1).integers(low, high + 1, (3, *program.input.shape))
        verdict = compare(run_oracle(program, inputs), LavaExecutable(program, python).run(inputs))
        if not verdict.identical:
            raise SelfTestError(f"Lava does not compute what the oracle does: {verdict}; please report this")


def _check_by_hand(python: Path) -> None:
    """MINT's neuron, theta 5, input 3 at every step: H = 3, 3 + 1, 3 + 2 (fires), 3."""
    nodes = [Input("input", (1,)), Dense("fc", np.ones((1, 1), np.int64)), Lif("lif", u_bits=4, theta=np.array(5))]
    trace = LavaExecutable(chain(nodes, timesteps=4), python).run(np.array([[3]]))
    got = trace.spikes["lif"].ravel().tolist(), trace.potentials["lif"].ravel().tolist()
    if got != ([0, 0, 1, 0], [3, 4, 0, 3]):
        raise SelfTestError(f"Lava gives spikes {got[0]} and potentials {got[1]}, not [0, 0, 1, 0] and [3, 4, 0, 3]")


def _dense_network() -> Program:
    codes = np.random.default_rng(2).integers(-7, 8, (12, 9))
    nodes = [
        Input("input", (9,), bits=1),
        Dense("fc1", codes, bits=4),
        Lif("lif", u_bits=4, theta=np.array(6)),
        Dense("fc2", codes[:3, :].repeat(2, axis=1)[:, :12], bits=4, bias=np.array([1, 0, -1])),
        Readout("out"),
    ]
    return chain(nodes, timesteps=5)


def _conv_network() -> Program:
    rng = np.random.default_rng(3)
    nodes = [
        Input("input", (2, 6, 5)),
        Conv2d("conv", rng.integers(-2, 3, (4, 2, 3, 3)), stride=(2, 1), padding=(1, 0)),
        Lif("lif", theta=np.array([100, 200, 300, 400])),
        Flatten("flatten"),
        Dense("fc", rng.integers(-128, 128, (3, 36))),
        Readout("out"),
    ]
    return chain(nodes, timesteps=3)
