"""The traces of a DECOLLE layer in a NIR file: a leaky integrator of a leaky integrator, and every field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError, ProgramError, UsageError
from spikequant.nir_profile import Fields
from spikequant.nir_profile.format_fields import choice_from, format_fields, format_from
from spikequant.program import Shape, SpikingNode
from spikequant.rounding import Overflow, Rounding
from spikequant_decolle.trace_node import DecolleTrace


class TraceMapping:
    r"""``decolle_trace`` as NIR's CubaLI, which puts out its potential.

    Its current is Q and its potential P, both in codes. One Euler step of NIR's
    :math:`\tau_{syn} \dot I = -I + w_{in} S` and :math:`\tau_{mem} \dot v = (v_{leak} - v) + R I`, both lines seeing
    the state before the step, is the node's arithmetic without rounding and overflow.
    """

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the CubaLI.

        Raises:
            NirError: P or Q does not decay.
        """
        trace = cast("DecolleTrace", node)
        p_rate = _rate(trace, "alpha", trace.alpha, trace.alpha_shift)
        q_rate = _rate(trace, "beta", trace.beta, trace.beta_shift)
        p_unit, q_unit = 2.0**trace.p_fmt.frac_bits, 2.0**trace.q_fmt.frac_bits

        def full(value: float) -> NDArray[np.float32]:
            return np.full(shape, value, np.float32)

        return nir.CubaLI(
            tau_syn=full(dt / q_rate),
            tau_mem=full(dt / p_rate),
            r=full(trace.p_gain / (1 << trace.alpha_shift) / p_rate * p_unit / q_unit),
            v_leak=full(0.0),
            w_in=full(trace.q_gain / (1 << trace.beta_shift) / q_rate * q_unit),
        )

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result."""
        trace = cast("DecolleTrace", node)
        return {
            **format_fields("p", trace.p_fmt),
            **format_fields("q", trace.q_fmt),
            "alpha": trace.alpha,
            "alpha_shift": trace.alpha_shift,
            "beta": trace.beta,
            "beta_shift": trace.beta_shift,
            "p_gain": trace.p_gain,
            "q_gain": trace.q_gain,
            "rounding": trace.rounding.value,
            "overflow": trace.overflow.value,
            "seed": trace.seed,
        }

    def beyond_nir(self, node: SpikingNode) -> tuple[str, ...]:
        """Return the rules of a node that plain NIR cannot say: its rounding and what a full register does."""
        trace = cast("DecolleTrace", node)
        overflow = "wrap" if trace.overflow is Overflow.WRAP else "saturation"
        return ("rounding", overflow) if any(trace.dropped_bits) else (overflow,)

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node from its fields; the reader holds its CubaLI against the graph's.

        Raises:
            NirError: A field is missing or out of its domain, or the graph's node is of another class.
        """
        try:
            trace = DecolleTrace(
                name,
                p_fmt=format_from(fields, "p"),
                q_fmt=format_from(fields, "q"),
                alpha=fields.integer("alpha"),
                alpha_shift=fields.integer("alpha_shift"),
                beta=fields.integer("beta"),
                beta_shift=fields.integer("beta_shift"),
                p_gain=fields.integer("p_gain"),
                q_gain=fields.integer("q_gain"),
                rounding=choice_from(fields, "rounding", Rounding),
                overflow=choice_from(fields, "overflow", Overflow),
                seed=fields.integer("seed"),
            )
        except (ProgramError, UsageError) as error:
            raise NirError(f"{fields.owner}: its metadata makes no trace ({error}); write the file again") from error
        if not isinstance(nir_node, nir.CubaLI):
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a decolle_trace must be a CubaLI")
        return trace


def _rate(trace: DecolleTrace, name: str, code: int, shift: int) -> float:
    """Return what a trace loses in one step, as a part of itself."""
    if code == 1 << shift:
        raise NirError(
            f"node '{trace.name}' (decolle_trace): {name} is {code} / 2**{shift}, so nothing decays, and NIR's CubaLI"
            f" needs a finite time constant; set {name} below {1 << shift}"
        )
    return 1.0 - code / (1 << shift)
