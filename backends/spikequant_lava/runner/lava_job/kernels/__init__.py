"""What each of our own processes computes, in NumPy alone: one object for one node, or for one relay.

Nothing here knows Lava. A process of Lava holds one or several kernels and carries values between them.
"""

from __future__ import annotations

from typing import Any


class Kernel:
    """One node's arithmetic and state.

    Attributes:
        shape: Shape of what it gives, in Lava's layout.
        input_shape: Shape of what it takes; of a source none.
        early: Whether it gives its value before it takes its input: then :meth:`ready` gives it, and what
            :meth:`step` returns means nothing. A loop of processes needs one such kernel to start.
    """

    shape: tuple[int, ...]
    input_shape: tuple[int, ...] | None
    early: bool = False

    def ready(self) -> Any:
        """Return the value of this step, before the input of this step is known; early kernels only."""
        raise NotImplementedError

    def step(self, x: Any, time_step: int) -> Any:
        """Take what arrives, int64 of ``input_shape``, at Lava's ``time_step`` (from 1); return the value."""
        raise NotImplementedError
