"""The winner of a timestep in a NIR file: the scores as they are, from which a readout takes the largest sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import nir
import numpy as np

from spikequant.errors import NirError, ProgramError
from spikequant.nir_profile import Fields
from spikequant.program import Shape, SpikingNode
from spikequant_decolle.winner_node import Winner


class WinnerMapping:
    """``winner`` as NIR's Scale by one: the plain graph sums up scores where the program counts winners."""

    def to_nir(self, node: SpikingNode, shape: Shape, dt: float) -> nir.NIRNode:
        """Return the Scale."""
        return nir.Scale(scale=np.ones(shape, np.float32))

    def fields(self, node: SpikingNode) -> Mapping[str, Any]:
        """Return the field that decides a result."""
        return {"start": cast("Winner", node).start}

    def beyond_nir(self, node: SpikingNode) -> tuple[str, ...]:
        """Return the rules of a node that plain NIR cannot say."""
        return ("one_winner", "burn_in") if cast("Winner", node).start else ("one_winner",)

    def from_nir(self, name: str, nir_node: nir.NIRNode, fields: Fields) -> SpikingNode:
        """Return the node.

        Raises:
            NirError: The field is missing or out of its domain, or the graph's node is of another class.
        """
        try:
            winner = Winner(name, start=fields.integer("start"))
        except ProgramError as error:
            raise NirError(f"{fields.owner}: its metadata makes no winner ({error}); write the file again") from error
        if not isinstance(nir_node, nir.Scale):
            raise NirError(f"node '{name}': it is a {type(nir_node).__name__}, and a winner must be a Scale")
        return winner
