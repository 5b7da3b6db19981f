"""How the four kinds travel in a NIR file: the graph's neurons, and every field in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import nir
import numpy as np

from spikequant.errors import NirError, ProgramError
from spikequant.nir_profile import Fields, NodeMapping
from spikequant.nir_profile.format_fields import word_from
from spikequant.program import Shape, SpikingNode
from spikequant_cuba.cell import OVERFLOWS, Cell
from spikequant_cuba.checks import check_shape
from spikequant_cuba.firing import RESETS, Firing
from spikequant_cuba.grid import RULES
from spikequant_cuba.nir_graph import EXACT_THETA, graph_node, integrates
from spikequant_cuba.nodes import KINDS
from spikequant_cuba.synapse import ORDERS, Synapse

CLASSES: Mapping[str, tuple[type[nir.NIRNode], ...]] = {
    "fixed_lif": (nir.LIF, nir.IF),
    "fixed_li": (nir.LI, nir.I),
    "cuba_lif": (nir.CubaLIF,),
    "cuba_li": (nir.CubaLI,),
}


class CellMapping:
    """One of the four kinds.

    Args:
        kind: Its class.
    """

    def __init__(self, kind: type[Cell]) -> None:
        self.kind = kind

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the neuron in lattice units; see :mod:`spikequant_cuba.nir_graph`.

        Raises:
            ProgramError: A constant does not fit ``shape``.
        """
        cell = cast("Cell", node)
        for name, value in cell.constants.items():
            check_shape(cell, name, value, shape)
        return graph_node(cell, shape, dt)

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return every field that decides a result."""
        cell = cast("Cell", node)
        names = ["u_bits", *COMMON]
        if isinstance(cell, Synapse):
            names += SYNAPTIC
        if isinstance(cell, Firing):
            names += FIRING
        return {name: getattr(cell, name) for name in names}

    def beyond_nir(self, node: SpikingNode) -> tuple[str, ...]:
        """Return the rules of a node that plain NIR cannot say."""
        cell = cast("Cell", node)
        rules = {
            "wrap" if cell.overflow == "wrap" else "saturation": True,
            "leak_rounding": _rounds(cell),
            "no_leak": integrates(cell),
            "minimum": cell.v_min is not None,
        }
        if isinstance(cell, Synapse):
            rules["old_current"] = cell.order == "potential_first"
        if isinstance(cell, Firing):
            rules["soft_reset"] = cell.reset == "subtract"
            rules["late_reset"] = cell.reset_delay == 1
            rules["many_spikes"] = cell.most_spikes > 1
            rules["threshold_precision"] = bool((np.abs(cell.theta) > EXACT_THETA).any())
        return tuple(rule for rule, holds in rules.items() if holds)

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node from its fields; the reader holds its neuron against the graph's.

        Raises:
            NirError: A field is missing or out of its domain, or the graph's node is of another class.
        """
        kind = self.kind
        if not isinstance(nir_node, CLASSES[kind.kind]):
            allowed = " or ".join(cls.__name__ for cls in CLASSES[kind.kind])
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a {kind.kind} must be {allowed}")
        values = _common(fields)
        if issubclass(kind, Synapse):
            values |= _synaptic(fields)
        if issubclass(kind, Firing):
            values |= _firing(fields)
        try:
            return kind(name, **values)
        except ProgramError as error:
            raise NirError(f"{fields.owner}: its metadata makes no neuron ({error}); write the file again") from error


COMMON = ("decay", "decay_bits", "rounding", "seed", "overflow", "input_shift", "bias", "v_min", "lsb")
SYNAPTIC = ("i_bits", "i_decay", "i_shift", "order")
FIRING = ("theta", "reset", "reset_value", "reset_delay", "most_spikes")


def _common(fields: Fields) -> dict[str, Any]:
    return {
        "u_bits": fields.integer("u_bits"),
        "decay": fields.integers("decay"),
        "decay_bits": fields.integer("decay_bits"),
        "rounding": word_from(fields, "rounding", RULES),
        "seed": fields.integer("seed"),
        "overflow": word_from(fields, "overflow", OVERFLOWS),
        "input_shift": fields.integer("input_shift"),
        "bias": fields.optional_integers("bias"),
        "v_min": fields.optional_integers("v_min"),
        "lsb": fields.floats("lsb"),
    }


def _synaptic(fields: Fields) -> dict[str, Any]:
    return {
        "i_bits": fields.integer("i_bits"),
        "i_decay": fields.integers("i_decay"),
        "i_shift": fields.integer("i_shift"),
        "order": word_from(fields, "order", ORDERS),
    }


def _firing(fields: Fields) -> dict[str, Any]:
    return {
        "theta": fields.integers("theta"),
        "reset": word_from(fields, "reset", RESETS),
        "reset_value": fields.integers("reset_value"),
        "reset_delay": fields.integer("reset_delay"),
        "most_spikes": fields.integer("most_spikes"),
    }


def _decays(cell: Cell) -> list[float]:
    """Return the parts that are lost at each step, those of 0 and 1 left out."""
    given = [cell.decay, *([cell.i_decay] if isinstance(cell, Synapse) else [])]
    rates = np.unique(np.concatenate([1.0 - decay.reshape(-1) / float(1 << cell.decay_bits) for decay in given]))
    return [float(rate) for rate in rates if 0.0 < rate < 1.0]


def _rounds(cell: Cell) -> bool:
    """Whether any rounding happens within a step: of a decay, or of a move to a coarser grid."""
    coarser = cell.input_shift < 0 or (isinstance(cell, Synapse) and cell.i_shift < 0)
    return coarser or bool(_decays(cell))


NODE_MAPPINGS: Mapping[str, NodeMapping] = {kind.kind: CellMapping(kind) for kind in KINDS}
