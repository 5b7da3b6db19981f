"""Where Lava keeps each element: images as (width, height, channels), everything else as the program does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikequant.program import IntArray, Shape


@dataclass(frozen=True, eq=False)
class Layout:
    """How a value of the program's ``shape`` lies in Lava.

    Attributes:
        shape: The program's shape, without batch.
        lava_shape: The shape of Lava's port.
        order: ``order[i]`` is the flat index in the program of Lava's flat element i.
    """

    shape: Shape
    lava_shape: Shape
    order: IntArray

    @classmethod
    def of(cls, shape: Shape) -> Layout:
        """Return the layout of a fresh value: three axes are an image, any other number stays as it is.

        >>> Layout.of((2, 1, 2)).order
        array([0, 2, 1, 3])
        """
        order = np.arange(math.prod(shape)).reshape(shape)
        if len(shape) == 3:
            order = order.transpose(2, 1, 0)
        return cls(shape, order.shape, order.ravel())

    def flattened(self) -> Layout:
        """Return the layout after a flatten, which moves nothing in Lava."""
        size = (math.prod(self.shape),)
        return Layout(size, size, self.order)

    def to_lava(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rearrange ``(rows, *shape)`` to ``(rows, *lava_shape)``."""
        flat = values.reshape(len(values), -1)
        return flat[:, self.order].reshape(len(values), *self.lava_shape)

    def from_lava(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Undo :meth:`to_lava`, keeping the dtype."""
        flat = values.reshape(len(values), -1)
        back = np.empty_like(flat)
        back[:, self.order] = flat
        return back.reshape(len(values), *self.shape)
