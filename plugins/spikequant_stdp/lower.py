"""A trained Diehl-Cook network with quantized variables as an integer program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikequant.errors import UsageError
from spikequant.formats import QFormat
from spikequant.memory import signed_bits
from spikequant.program import (
    Add,
    Dense,
    Edge,
    Input,
    IntArray,
    Lateral,
    Leak,
    Lif,
    Program,
    Readout,
    integers,
)
from spikequant_stdp.engine.parameters import CONDUCTANCE_SCALE, EXCITATORY_REVERSAL, Formats, Parameters, State
from spikequant_stdp.engine.quantize import quantized_theta, quantized_weights
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_rules import Conductance

EDGES = (
    Edge("input", "fc"),
    Edge("fc", "sum"),
    Edge("lateral", "sum"),
    Edge("sum", "exc"),
    Edge("exc", "inh", delayed=True),
    Edge("inh", "lateral", delayed=True),
    Edge("exc", "votes"),
    Edge("votes", "readout"),
)


def usnn_program(
    parameters: Parameters, formats: Formats, state: State, votes: IntArray, provenance: Mapping[str, Any]
) -> Program:
    r"""Lower a network to ``input, fc, sum, exc, votes, readout`` with lateral inhibition by delayed edges.

    A spike of ``exc`` at t reaches ``inh`` at t + 1 and, through ``lateral``, all other neurons at t + 2. The
    program's input at t is what spiked in the image at t - 1 (nothing at 0), the delay of the first synapse.
    With current steps the lateral code is ``-inhibition``; with a conductance it marks one inhibitor beyond
    all that the weights can sum up to, as :class:`~spikequant_stdp.node.Conductance` says.

    Args:
        parameters: Constants of the network.
        formats: A format for w, V and Vth, and for g with a conductance synapse.
        state: Weights and thetas; what is not on the grid yet is rounded onto it.
        votes: Integer weights ``(classes, neurons)`` of the spikes for the classes.
        provenance: Where the program comes from.

    Raises:
        UsageError: A variable is FP32, a constant is not on the grid it must lie on, or an array has another shape.
        ProgramError: The formats together need more than 63 bits, or V cannot hold rest or reset.
    """
    w, v, vth = (_format(formats, name) for name in ("w", "V", "Vth"))
    codes = _codes("w", quantized_weights(formats, _weights(parameters, state)), w)
    fc = Dense("fc", np.ascontiguousarray(codes.T), bits=w.width, lsb=np.array(w.step), signed=w.signed)
    synapse, lateral = _synapse(parameters, formats, fc.codes, w)
    theta = np.asarray(quantized_theta(parameters, formats, state.theta), np.float64)
    exc = DiehlCook(
        "exc",
        vth=_codes("Vth", parameters.threshold + theta, vth),
        vth_frac_bits=vth.frac_bits,
        fmt=v,
        x_frac_bits=w.frac_bits,
        rest=_whole("rest", parameters.rest),
        reset=_whole("reset", parameters.reset),
        refractory=parameters.refractory,
        decay=parameters.decay_code,
        rounding=formats.rounding,
        overflow=formats.overflow,
        seed=_signed(formats.seed),
        synapse=synapse,
    )
    nodes = (
        Input("input", (parameters.inputs,), bits=1, coding="per_step"),
        fc,
        Lateral("lateral", lateral),
        Add("sum"),
        exc,
        Lif("inh", u_bits=2, theta=np.ones((), np.int64), leak=Leak()),
        _votes(votes, parameters.neurons),
        Readout("readout"),
    )
    return Program(nodes, EDGES, parameters.timesteps, parameters.dt_ms * 1e-3, provenance)


def _format(formats: Formats, name: str) -> QFormat:
    fmt: QFormat | None = getattr(formats, name)
    if fmt is None:
        example = "Q1.8" if name == "w" else "Q11.8"
        raise UsageError(
            f"{name} is FP32, and an integer program holds no floats; quantize {name}, for example as {example}"
        )
    return fmt


def _weights(parameters: Parameters, state: State) -> np.ndarray[Any, np.dtype[np.float32]]:
    if state.w.shape != (parameters.inputs, parameters.neurons):
        raise UsageError(
            f"the weights have the shape {state.w.shape}; {parameters.inputs} inputs and {parameters.neurons} neurons"
            f" need ({parameters.inputs}, {parameters.neurons})"
        )
    return state.w


def _codes(name: str, values: np.ndarray[Any, Any], fmt: QFormat) -> IntArray:
    """Return the codes of values that lie on the grid of ``fmt``."""
    codes = np.asarray(values, np.float64) / fmt.step
    low, high = fmt.code_range
    if not np.array_equal(codes, np.floor(codes)) or codes.min() < low or codes.max() > high:
        raise UsageError(f"{name} has values that {fmt} does not hold; quantize the state with the same formats")
    return codes.astype(np.int64)


def _synapse(parameters: Parameters, formats: Formats, codes: IntArray, w: QFormat) -> tuple[Conductance | None, int]:
    """Return the conductance synapse, if there is one, and the lateral code."""
    if parameters.synapse == "current":
        return None, -_scaled("inhibition", parameters.inhibition, w.frac_bits)
    sums = (int(np.minimum(codes, 0).sum(axis=1).min()), int(np.maximum(codes, 0).sum(axis=1).max()))
    synapse = Conductance(
        fmt=_format(formats, "g"),
        decay=parameters.g_decay_code,
        e_exc=_whole("the excitatory reversal potential", EXCITATORY_REVERSAL),
        shift=round(-np.log2(CONDUCTANCE_SCALE)),
        inhibition=_whole("inhibition", parameters.inhibition),
        count_bit=signed_bits(*sums),
    )
    return synapse, -(1 << synapse.count_bit)


def _votes(votes: IntArray, neurons: int) -> Dense:
    """Return the layer of the votes, no wider than they are; they are 0..255 from training."""
    codes = integers(votes)
    if codes.ndim != 2 or codes.shape[1] != neurons or not codes.size:
        raise UsageError(f"votes have the shape {codes.shape}; they must be (classes, {neurons})")
    low, high = int(codes.min()), int(codes.max())
    if low < 0:
        return Dense("votes", codes, bits=signed_bits(low, high))
    return Dense("votes", codes, bits=max(high.bit_length(), 1), signed=False)


def _whole(name: str, value: float) -> int:
    return _scaled(name, value, 0)


def _scaled(name: str, value: float, frac_bits: int) -> int:
    code = value * 2.0**frac_bits
    if code != np.floor(code):
        grid = "a whole number" if frac_bits == 0 else f"a multiple of 2**-{frac_bits}"
        raise UsageError(f"{name} is {value:g}; an integer program needs {grid}")
    return int(code)


def _signed(seed: int) -> int:
    """Return the seed of the same random numbers within 64 bits, which a file can keep."""
    return (seed + (1 << 63)) % (1 << 64) - (1 << 63)
