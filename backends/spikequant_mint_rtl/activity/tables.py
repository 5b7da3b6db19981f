"""Internal energy of a pin's transition: lookup tables over input transition time and output load."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikequant.errors import BackendError
from spikequant_mint_rtl.activity.liberty import Group

TRANSITION, LOAD = "input_transition_time", "total_output_net_capacitance"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Energy in the library's unit.

    Attributes:
        axes: Quantity and index of each dimension.
        values: Energies; shape, lengths of the indices.
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...]
    values: Floats

    def at(self, transition: float, load: float) -> float:
        """Return the energy in between, linearly; beyond an index's ends, the energy at its end.

        Args:
            transition: Input transition time, in the library's unit of time.
            load: Capacitance of the output net, in the library's unit of capacitance.

        >>> axis = (TRANSITION, (0.0, 2.0))
        >>> Table((axis, (LOAD, (0.0, 10.0))), np.array([[1.0, 3.0], [5.0, 7.0]])).at(1.0, 5.0)
        4.0
        """
        values = self.values
        for quantity, index in self.axes:
            place = transition if quantity == TRANSITION else load
            if len(index) == 1:
                values = values[0]
                continue
            above = min(max(bisect_left(index, place), 1), len(index) - 1)
            share = min(max((place - index[above - 1]) / (index[above] - index[above - 1]), 0.0), 1.0)
            values = values[above - 1] * (1 - share) + values[above] * share
        return float(values)


def read_table(group: Group, templates: Mapping[str, Group]) -> Table:
    """Return the table of a ``rise_power``, ``fall_power`` or ``power`` group.

    Args:
        group: The group; its argument names a template, or is ``scalar``.
        templates: ``power_lut_template`` groups by name.

    Raises:
        BackendError: The template is unknown, has a quantity that is not, or values and indices do not fit.
    """
    name = group.args[0] if group.args else "scalar"
    values = np.array(_numbers(group.lists.get("values", ())))
    template = templates.get(name)
    if template is None and name != "scalar":
        raise BackendError(f"the Liberty library has no power_lut_template '{name}', which a power table names")
    axes = []
    for place in ("1", "2", "3"):
        quantity = "" if template is None else template.values.get(f"variable_{place}", "")
        if not quantity:
            break
        if quantity not in (TRANSITION, LOAD):
            raise BackendError(f"power_lut_template '{name}' depends on {quantity}; {TRANSITION} and {LOAD} are known")
        own = group.lists.get(f"index_{place}") or (template.lists.get(f"index_{place}", ()) if template else ())
        axes.append((quantity, tuple(_numbers(own))))
    shape = tuple(len(index) for _, index in axes)
    if values.size != int(np.prod(shape)) or 0 in shape:
        raise BackendError(f"a power table of template '{name}' has {values.size} values for indices of {shape}")
    return Table(tuple(axes), values.reshape(shape))


def _numbers(texts: tuple[str, ...]) -> list[float]:
    try:
        return [float(word) for text in texts for word in text.replace("\\", " ").replace(",", " ").split()]
    except ValueError as error:
        raise BackendError(f"the Liberty library has {error} in a table") from error
