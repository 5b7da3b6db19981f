"""Read the commands of a layer, each checked in full before any is executed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import prod

from .program import MOST, BadFile, Line, Program, file_name

LANES, SPIKES = 128, 4
LAST_REGISTER = 40  # mint_pkg.sv; register 0 starts a run
LONGEST = (1 << 63) - 1  # cycles
FORMS = {
    "load": "MEMORY ADDRESS WORDS FILE",
    "set": "REGISTER VALUE ...",
    "gather": "BUFFER SAMPLE STEPS Y HEIGHT X WIDTH WORD WORDS",
    "ones": "COUNT",
    "pass": "LIMIT",
    "run": "LIMIT SAMPLE TILE TILES Y HEIGHT X WIDTH",
    "scatter": "SAMPLE ADDRESS Y HEIGHT X WIDTH WORD WORDS",
}


@dataclass
class Command:
    """A command: its numbers in the order of its form, and the words of its file."""

    kind: str
    numbers: list[int] = field(default_factory=list)
    image: list[int] = field(default_factory=list)


def read_commands(program: Program, index: int) -> list[Command]:
    """Return the commands of a layer."""
    return CommandReader(program, index).read()


class CommandReader:
    """Reads one layer's commands."""

    def __init__(self, program: Program, index: int) -> None:
        self.program, self.index, self.layer = program, index, program.layers[index]
        self.memories = program.cores[self.layer.core]
        self.path = f"{self.layer.folder}/commands.txt"
        self.tiles = -(-self.layer.channels // LANES)
        self.images: dict[str, list[int]] = {}
        self.outputs: set[tuple[int, ...]] = set()
        self.words: set[tuple[int, ...]] = set()

    def read(self) -> list[Command]:
        """Read and check all; every output and every word of spikes has to be asked for once."""
        commands, layer = [], self.layer
        for number, text in enumerate(self.program.lines(self.path), 1):
            line = Line(f"./{self.path}", number, text)
            if line.kind:
                commands.append(self._take(line))
        if len(commands) != layer.commands:
            raise BadFile(f"./{self.path} holds {len(commands)} commands; it must hold {layer.commands}")
        rows = self.program.samples * layer.height * layer.width * self.tiles - len(self.outputs)
        words = len(layer.words) // self.program.timesteps - len(self.words)
        if rows or words:
            left = f"{rows} rows of outputs and {words} words of spikes"
            raise BadFile(f"./{self.path}: {left} are never asked for; all must be")
        return commands

    def _take(self, line: Line) -> Command:
        if line.kind not in FORMS:
            line.refuse("the command", line.kind, f"one of {', '.join(FORMS)}")
        if line.kind != "set" or not line.left:
            line.expect(FORMS[line.kind])
        command = Command(line.kind)
        getattr(self, f"_{line.kind}")(line, command)
        return command

    def _load(self, line: Line, command: Command) -> None:
        memory = line.number("MEMORY", 1, 5 if self.memories[5] else 4)
        address = line.number("ADDRESS", 0, self.memories[memory] - 1)
        count = line.number("WORDS", 1, self.memories[memory] - address)
        name = file_name(line)
        if name not in self.images:
            self.images[name] = self.program.hex(f"{self.layer.folder}/{name}", count)
        if len(self.images[name]) != count:
            line.refuse("WORDS", count, f"{len(self.images[name])}, as {name} has")
        command.numbers, command.image = [memory, address], self.images[name]

    def _set(self, line: Line, command: Command) -> None:
        while line.left:
            command.numbers.append(line.number("REGISTER", 1, LAST_REGISTER))
            if not line.left:
                raise BadFile(f"{line.place}: the last REGISTER has no VALUE; words must be in pairs")
            command.numbers.append(line.number("VALUE", 0, MOST))

    def _gather(self, line: Line, command: Command) -> None:
        number = line.number("BUFFER", 0, len(self.program.buffers) - 1)
        source = self.program.buffers[number]
        if source.writer is not None and source.writer >= self.index:
            line.refuse("BUFFER", number, "an input, or written by a layer before this one")
        _, all_steps, planes, height, width, words = source.shape
        sample, steps = self._sample(line), line.number("STEPS", 1, all_steps)
        box = [*_box(line, 0, height, width), *_span(line, "WORD", "WORDS", words)]
        self._fits(line, 0, steps * planes * prod(box[1::2]))
        command.numbers = [number, sample, steps, *box]

    def _ones(self, line: Line, command: Command) -> None:
        command.numbers = [line.number("COUNT", 0, self.memories[SPIKES])]

    def _pass(self, line: Line, command: Command) -> None:
        command.numbers = [line.number("LIMIT", 1, LONGEST)]

    def _run(self, line: Line, command: Command) -> None:
        limit, sample = line.number("LIMIT", 1, LONGEST), self._sample(line)
        tiles = _span(line, "TILE", "TILES", self.tiles)
        box = _box(line, 1, self.layer.height, self.layer.width)
        if not _once(self.outputs, sample, [*box, *tiles]):
            raise BadFile(f"{line.place}: some of the outputs were put out before; each must be once")
        command.numbers = [limit, sample, *tiles, *box]

    def _scatter(self, line: Line, command: Command) -> None:
        if self.layer.readout:
            line.refuse("the command", "scatter", "another in a readout, which writes no spikes")
        _, steps, _, height, width, words = self.program.buffers[self.layer.buffer].shape
        sample, address = self._sample(line), line.number("ADDRESS", 0, self.memories[SPIKES] - 1)
        box = [*_box(line, 0, height, width), *_span(line, "WORD", "WORDS", words)]
        self._fits(line, address, steps * prod(box[1::2]))
        if not _once(self.words, sample, box):
            raise BadFile(f"{line.place}: some of the words were taken before; each must be once")
        command.numbers = [sample, address, *box]

    def _sample(self, line: Line) -> int:
        return line.number("SAMPLE", 0, self.program.samples - 1)

    def _fits(self, line: Line, address: int, count: int) -> None:
        room = self.memories[SPIKES] - address
        if count > room:
            what = f"the number of words from address {address}"
            line.refuse(what, count, f"at most {room}, as the spike memory has")


def _box(line: Line, least: int, height: int, width: int) -> list[int]:
    """Return Y HEIGHT X WIDTH within a map; a part that is all padding is empty."""
    y = line.number("Y", 0, height - least)
    tall = line.number("HEIGHT", least, height - y)
    x = line.number("X", 0, width - least)
    return [y, tall, x, line.number("WIDTH", least, width - x)]


def _span(line: Line, first: str, count: str, size: int) -> list[int]:
    """Return a first number and how many."""
    begin = line.number(first, 0, size - 1)
    return [begin, line.number(count, 1, size - begin)]


def _once(seen: set[tuple[int, ...]], sample: int, box: list[int]) -> bool:
    """Mark the places of a part; returns whether all were new."""
    spans = (range(first, first + count) for first, count in zip(box[::2], box[1::2], strict=True))
    places = {(sample, *place) for place in product(*spans)}
    new = seen.isdisjoint(places)
    seen |= places
    return new
