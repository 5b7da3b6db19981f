"""The Diehl-Cook node in a NIR file: a plain LIF in the graph, and every field in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import nir
import numpy as np
from numpy.typing import NDArray

from spikequant.errors import NirError, ProgramError, UsageError
from spikequant.nir_profile import Fields
from spikequant.nir_profile.format_fields import choice_from, format_fields, format_from, word_from
from spikequant.program import Shape, SpikingNode
from spikequant.rounding import Overflow, Rounding
from spikequant_stdp.node import DiehlCook
from spikequant_stdp.node_checks import check_thresholds
from spikequant_stdp.node_rules import Conductance

Float32 = NDArray[np.float32]


class DiehlCookMapping:
    r"""``diehl_cook`` as NIR's LIF in codes of V: decay toward rest, a threshold per neuron, reset to a value.

    The threshold lies just under that of the node, so that NIR's ``>`` fires where ``>=`` does. A
    conductance is a current in the plain graph, :math:`g\,(E - V_{rest})\,2^{-shift}` without memory.
    """

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the LIF.

        Raises:
            NirError: Nothing decays, or float32 does not hold a threshold.
            ProgramError: ``vth`` does not fit ``shape``.
        """
        cell = cast("DiehlCook", node)
        rate = 1.0 - cell.decay / (1 << cell.decay_shift)
        if rate == 0.0:
            raise NirError(
                f"node '{cell.name}' (diehl_cook): its potential does not decay, and NIR's LIF needs a finite time"
                f" constant; set decay below {1 << cell.decay_shift}"
            )
        gain = 2.0 ** (cell.fmt.frac_bits - cell.x_frac_bits)
        if cell.synapse:
            gain *= (cell.synapse.e_exc - cell.rest) * 2.0**-cell.synapse.shift

        def full(value: float) -> Float32:
            return np.full(shape, value, np.float32)

        return nir.LIF(
            tau=full(dt / rate),
            r=full(gain / rate),
            v_leak=full(cell.rest << cell.fmt.frac_bits),
            v_reset=full(cell.reset << cell.fmt.frac_bits),
            v_threshold=_thresholds(cell, shape),
        )

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result."""
        cell = cast("DiehlCook", node)
        return {
            **format_fields("v", cell.fmt),
            "vth": cell.vth,
            "vth_frac_bits": cell.vth_frac_bits,
            "x_frac_bits": cell.x_frac_bits,
            "rest": cell.rest,
            "reset": cell.reset,
            "refractory": cell.refractory,
            "decay": cell.decay,
            "decay_shift": cell.decay_shift,
            "rounding": cell.rounding.value,
            "overflow": cell.overflow.value,
            "seed": cell.seed,
            "one_spike": cell.one_spike,
            **_synapse_fields(cell.synapse),
        }

    def beyond_nir(self, node: SpikingNode) -> tuple[str, ...]:
        """Return the rules of a node that plain NIR cannot say.

        >>> DiehlCookMapping().beyond_nir(DiehlCook("n"))
        ('refractory', 'one_spike', 'rounding', 'saturation')
        """
        cell = cast("DiehlCook", node)
        rules = {
            "refractory": cell.refractory > 0,
            "one_spike": cell.one_spike,
            "rounding": True,
            "saturation": cell.overflow is Overflow.SATURATE,
            "wrap": cell.overflow is Overflow.WRAP,
            "conductance": cell.synapse is not None,
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
        if not isinstance(nir_node, nir.LIF):
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a diehl_cook must be a LIF")
        scale = 2.0 ** (cell.vth_frac_bits - cell.fmt.frac_bits)
        derived = np.ceil(np.asarray(nir_node.v_threshold, np.float64) * scale)
        if cell.vth.shape not in ((), derived.shape) or not (derived == cell.vth).all():
            raise NirError(
                f"node '{name}': the thresholds of the graph are not vth of the metadata; the halves of the file"
                " disagree, so write it again from the program"
            )
        return cell


def _thresholds(cell: DiehlCook, shape: Shape) -> Float32:
    """Return the thresholds less half a step of theirs, in codes of V: exact, so that they come back by rounding up."""
    check_thresholds(cell, shape)
    vth = np.broadcast_to(cell.vth, shape)
    exact = (vth - 0.5) * 2.0 ** (cell.fmt.frac_bits - cell.vth_frac_bits)
    values: Float32 = exact.astype(np.float32)
    wrong = np.flatnonzero(values != exact)
    if wrong.size:
        raise NirError(
            f"node '{cell.name}' (diehl_cook): threshold {vth.flat[wrong[0]]} with {cell.vth_frac_bits} fraction bits"
            " is not exact as a NIR threshold; float32 has 24 bits, so use fewer fraction bits for Vth"
        )
    return values


def _synapse_fields(synapse: Conductance | None) -> dict[str, int | str | bool]:
    if synapse is None:
        return {"synapse": "current"}
    return {
        "synapse": "conductance",
        **format_fields("g", synapse.fmt),
        "g_decay": synapse.decay,
        "e_exc": synapse.e_exc,
        "g_shift": synapse.shift,
        "inhibition": synapse.inhibition,
        "count_bit": synapse.count_bit,
    }


def _node(name: str, fields: Fields) -> DiehlCook:
    return DiehlCook(
        name,
        vth=fields.integers("vth"),
        vth_frac_bits=fields.integer("vth_frac_bits"),
        fmt=format_from(fields, "v"),
        x_frac_bits=fields.integer("x_frac_bits"),
        rest=fields.integer("rest"),
        reset=fields.integer("reset"),
        refractory=fields.integer("refractory"),
        decay=fields.integer("decay"),
        decay_shift=fields.integer("decay_shift"),
        rounding=choice_from(fields, "rounding", Rounding),
        overflow=choice_from(fields, "overflow", Overflow),
        seed=fields.integer("seed"),
        one_spike=fields.flag("one_spike"),
        synapse=_synapse(fields),
    )


def _synapse(fields: Fields) -> Conductance | None:
    if word_from(fields, "synapse", ("current", "conductance")) == "current":
        return None
    return Conductance(
        fmt=format_from(fields, "g"),
        decay=fields.integer("g_decay"),
        e_exc=fields.integer("e_exc"),
        shift=fields.integer("g_shift"),
        inhibition=fields.integer("inhibition"),
        count_bit=fields.integer("count_bit"),
    )
