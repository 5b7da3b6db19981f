"""What the convolutional architectures for square images ask of their options and samples."""

from __future__ import annotations

from spikequant.errors import UsageError
from spikequant.program import Shape

MOST_WIDTH = 10_000


def check_width(name: str, width: int) -> None:
    """Raise ``ValueError`` unless ``width`` is a sensible number of channels."""
    if width < 1:
        raise ValueError(f"network '{name}': width is {width}; it must be positive")
    if width > MOST_WIDTH:
        raise ValueError(f"network '{name}': width is {width}; it must be at most {MOST_WIDTH}")


def square_side(name: str, shape: Shape, divisor: int) -> int:
    """Return the side of square images ``(channels, side, side)``.

    >>> square_side("vgg9", (3, 32, 32), 4)
    32

    Raises:
        UsageError: The samples are no such images, or the side is not divisible by ``divisor``.
    """
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] % divisor:
        raise UsageError(
            f"network '{name}': samples have shape {shape}; it needs square images, side divisible by {divisor}"
        )
    return shape[1]
