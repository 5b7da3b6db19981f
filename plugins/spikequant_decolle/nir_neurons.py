"""The neurons of a DECOLLE layer in a NIR file: a threshold in the graph, and every field in the metadata."""

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
from spikequant_decolle.neuron_node import DecolleNeurons
from spikequant_decolle.node_checks import check_threshold_shape

Float64 = NDArray[np.float64]


class NeuronsMapping:
    """``decolle`` as NIR's Threshold on the weighted sum of traces, in units of that sum.

    The threshold lies just under that of the node, so that NIR's ``>`` fires where ``>=`` does. The refractory state
    is not in the plain graph: its neurons fire as long as the sum is large.
    """

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the Threshold.

        Raises:
            NirError: float32 does not tell a threshold from the code before it.
            ProgramError: ``vth`` does not fit ``shape``.
        """
        cell = cast("DecolleNeurons", node)
        check_threshold_shape(cell, cell.vth, shape)
        codes = np.broadcast_to(_per_neuron(cell, len(shape)), shape)
        values = _just_under(codes.astype(np.float64) * _unit(cell), min(_unit(cell), 1.0) / 2).astype(np.float32)
        wrong = np.flatnonzero(_codes(cell, values) != codes)
        if wrong.size:
            raise NirError(
                f"node '{cell.name}' (decolle): threshold {codes.flat[wrong[0]]} of V's format {cell.v_fmt} is not"
                " exact as a NIR threshold; float32 has 24 bits, so use fewer bits for V"
            )
        return nir.Threshold(threshold=values)

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result."""
        cell = cast("DecolleNeurons", node)
        return {
            **format_fields("v", cell.v_fmt),
            **format_fields("r", cell.r_fmt),
            "gamma": cell.gamma,
            "gamma_shift": cell.gamma_shift,
            "r_gain": cell.r_gain,
            "rho": cell.rho,
            "rho_shift": cell.rho_shift,
            "x_frac_bits": cell.x_frac_bits,
            "vth": cell.vth,
            "rounding": cell.rounding.value,
            "overflow": cell.overflow.value,
            "seed": cell.seed,
        }

    def beyond_nir(self, node: SpikingNode) -> tuple[str, ...]:
        """Return the rules of a node that plain NIR cannot say."""
        cell = cast("DecolleNeurons", node)
        rules = {
            "refractory": cell.rho > 0 and cell.r_gain > 0,
            "rounding": cell.dropped_bits > 0 or cell.gamma_shift > 0,
            "saturation": cell.overflow is Overflow.SATURATE,
            "wrap": cell.overflow is Overflow.WRAP,
        }
        return tuple(rule for rule, holds in rules.items() if holds)

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node from its fields, its thresholds held against the graph's.

        Raises:
            NirError: A field is missing or out of its domain, or the halves disagree.
        """
        try:
            cell = _node(name, fields)
        except (ProgramError, UsageError) as error:
            raise NirError(f"{fields.owner}: its metadata makes no neuron ({error}); write the file again") from error
        if not isinstance(nir_node, nir.Threshold):
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a decolle must be a Threshold")
        derived = _codes(cell, np.asarray(nir_node.threshold))
        if (
            cell.vth.shape not in ((), derived.shape[:1], derived.shape)
            or not (derived == _per_neuron(cell, derived.ndim)).all()
        ):
            raise NirError(
                f"node '{name}': the thresholds of the graph are not vth of the metadata; the halves of the file"
                " disagree, so write it again from the program"
            )
        return cell


def _node(name: str, fields: Fields) -> DecolleNeurons:
    return DecolleNeurons(
        name,
        v_fmt=format_from(fields, "v"),
        r_fmt=format_from(fields, "r"),
        gamma=fields.integer("gamma"),
        gamma_shift=fields.integer("gamma_shift"),
        r_gain=fields.integer("r_gain"),
        rho=fields.integer("rho"),
        rho_shift=fields.integer("rho_shift"),
        x_frac_bits=fields.integer("x_frac_bits"),
        vth=fields.integers("vth"),
        rounding=choice_from(fields, "rounding", Rounding),
        overflow=choice_from(fields, "overflow", Overflow),
        seed=fields.integer("seed"),
    )


def _unit(cell: DecolleNeurons) -> float:
    """Return one code of V in units of the node's input."""
    return 2.0 ** (cell.x_frac_bits - cell.v_fmt.frac_bits)


def _per_neuron(cell: DecolleNeurons, ndim: int) -> NDArray[np.int64]:
    return cell.vth.reshape((-1,) + (1,) * (ndim - 1)) if cell.vth.ndim == 1 else cell.vth


def _just_under(exact: Float64, margin: float) -> Float64:
    """Return ``exact - margin`` where float32 holds it, else the float32 next below."""
    lower = exact - margin
    below = np.nextafter(exact.astype(np.float32), np.float32(-np.inf))
    return np.where(lower.astype(np.float32) == lower, lower, below)


def _codes(cell: DecolleNeurons, thresholds: NDArray[Any]) -> Float64:
    """Return the codes of V that thresholds of the graph stand for."""
    return np.ceil(thresholds.astype(np.float64) / _unit(cell))
