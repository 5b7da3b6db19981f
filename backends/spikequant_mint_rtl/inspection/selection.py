"""What a waveform is to show: layers, timesteps and lanes, checked against the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spikequant.errors import UsageError
from spikequant_mint_rtl.buffers import LANES


@dataclass(frozen=True)
class Selection:
    """What is dumped.

    Attributes:
        layers: Names of the layers' neuron nodes.
        steps: Timesteps.
        lanes: Processing elements; lane i of tile k computes output (channel) 128 * k + i.
    """

    layers: tuple[str, ...]
    steps: tuple[int, ...]
    lanes: tuple[int, ...]


def select(layers: Sequence[str], timesteps: int, wanted: str | None, steps: str | None, lanes: str) -> Selection:
    """Return the selection that the texts name.

    Args:
        layers: Those of the program.
        timesteps: T of the program.
        wanted: Names with commas between; default all.
        steps: Timesteps as :func:`numbers` takes them; default all.
        lanes: Lanes as :func:`numbers` takes them.

    Raises:
        UsageError: A name or number is none of the program's; the message has the limits.
    """
    names = list(layers) if wanted is None else [name.strip() for name in wanted.split(",")]
    unknown = [name for name in names if name not in layers]
    if unknown:
        raise UsageError(f"--layers: the program has no layer '{unknown[0]}'; its layers are {', '.join(layers)}")
    chosen = range(timesteps) if steps is None else numbers("--steps", steps, timesteps)
    return Selection(tuple(dict.fromkeys(names)), tuple(chosen), tuple(numbers("--lanes", lanes, LANES)))


def idle_lanes(selection: Selection, outputs: Mapping[str, int]) -> list[str]:
    """Return a sentence for each chosen layer in which chosen lanes hold no output.

    Args:
        selection: What is dumped.
        outputs: Outputs (channels) of each layer.

    >>> idle_lanes(Selection(("lif1", "out"), (0,), (3, 12)), {"lif1": 16, "out": 10})
    ["layer 'out' has 10 outputs: lane 12 holds none of them; its values there mean nothing"]
    """
    found = []
    for name in selection.layers:
        idle = [lane for lane in selection.lanes if lane >= outputs[name]]
        if idle:
            which = f"lane {idle[0]} holds" if len(idle) == 1 else f"lanes {', '.join(map(str, idle))} hold"
            found.append(
                f"layer '{name}' has {outputs[name]} outputs: {which} none of them; its values there mean nothing"
            )
    return found


def numbers(option: str, text: str, limit: int) -> list[int]:
    """Return the numbers that ``text`` names: ``3``, ``0:4`` (without the 4), or several with commas between.

    >>> numbers("--lanes", "0:3,7", 128)
    [0, 1, 2, 7]

    Raises:
        UsageError: The text is of another form, empty, or names a number outside 0..limit - 1.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, colon, stop = (word.strip() for word in part.partition(":"))
        if not all(word.isascii() and word.isdigit() for word in ((first, stop) if colon else (first,))):
            raise UsageError(f"{option} {text!r} is not of the form 3, 0:4 or 0:4,7")
        span = range(int(first), int(stop) if colon else int(first) + 1)
        if not span or span.stop > limit:
            shown = f"'{part.strip()}' is empty" if not span else f"{span.stop - 1} is out of range"
            raise UsageError(f"{option} {text!r}: {shown}; it takes 0..{limit - 1}, and a:b means a..b-1")
        found.update(span)
    return sorted(found)
