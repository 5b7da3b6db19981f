"""Read program.txt and the memory images, each line checked: what is damaged is named with file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

MOST = 0xFFFFFFFF
WORD = 32
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|([^ \t\r"][^ \t\r]*)|("[^\n]*)')


class BadFile(Exception):  # noqa: N818 - the name of the C++ bench
    """A file is missing or damaged."""


class Line:
    """One line, word by word; a word in quotation marks may hold blanks."""

    def __init__(self, path: str, number: int, text: str) -> None:
        self.place = f"{path}, line {number}"
        self.words: list[str] = []
        for quoted, bare, broken in (found.groups("") for found in QUOTED.finditer(text)):
            if broken:
                self.refuse("the name", broken, "closed by a quotation mark")
            self.words.append(bare or re.sub(r'\\(["\\])', r"\1", quoted))
        self.left = self.words[1:]

    @property
    def kind(self) -> str:
        """The first word; nothing for a comment or an empty line."""
        return self.words[0].partition("#")[0] if self.words else ""

    def expect(self, form: str) -> None:
        """Refuse a line that has another number of words than its form."""
        wanted, got = len(form.split()), len(self.words) - 1
        if got != wanted:
            raise BadFile(f"{self.place}: {self.kind} is followed by {got} words; it must be by {wanted}: {form}")

    def number(self, what: str, least: int, most: int) -> int:
        """Return the next word as a whole number within bounds."""
        word = self.left.pop(0)
        if not re.fullmatch("[0-9]{1,19}", word) or not least <= int(word) <= most:
            self.refuse(what, word, f"a whole number {least}..{most}")
        return int(word)

    def refuse(self, what: str, was: object, must: str) -> None:
        """Raise what is wrong with a word."""
        raise BadFile(f'{self.place}: {what} is "{was}"; it must be {must}')


@dataclass
class Buffer:
    """A map of spikes or bit-planes, ``(samples, steps, planes, height, width, words)`` in one list."""

    shape: tuple[int, ...]
    place: str
    input: bool
    data: list[int]
    writer: int | None = None

    def at(self, *place: int) -> int:
        """Return the index of a word."""
        index = 0
        for size, position in zip(self.shape, place, strict=True):
            index = index * size + position
        return index


@dataclass
class Layer:
    """Neurons and what is expected of them."""

    folder: str
    core: int
    readout: bool
    channels: int
    height: int
    width: int
    buffer: int = -1
    commands: int = 0
    name: str = ""
    rows: list[int] = field(default_factory=list)
    fired: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)


@dataclass
class Program:
    """What program.txt says; of each core the words that its memories hold."""

    root: Path
    timesteps: int = 0
    samples: int = 0
    cores: list[list[int]] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def lines(self, path: str) -> list[str]:
        """Return the lines of a file."""
        try:
            text = (self.root / path).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise BadFile(f"cannot read ./{path}") from error
        return text.removesuffix("\n").split("\n") if text else []

    def hex(self, path: str, wanted: int) -> list[int]:
        """Return the words of a file, one per line."""
        words = []
        for number, text in enumerate(self.lines(path), 1):
            word = text.removesuffix("\r")
            if not re.fullmatch("[0-9a-fA-F]{8}", word):
                raise BadFile(f'./{path}, line {number}: the word is "{word}"; it must be 8 hexadecimal digits')
            words.append(int(word, 16))
        if len(words) != wanted:
            raise BadFile(f"./{path} holds {len(words)} words; it must hold {wanted}")
        return words


def file_name(line: Line) -> str:
    """Return the next word, which names a file."""
    name = line.left.pop(0)
    if not name or "/" in name:
        line.refuse("FILE", name, "a name without /")
    return name


def read_program(root: Path) -> Program:
    """Read program.txt, inputs and what is expected of each layer."""
    program = Program(root)
    stated: list[int] = []
    takers = {"core": _core, "buffer": _buffer, "layer": _layer}
    for number, text in enumerate(program.lines("program.txt"), 1):
        line = Line("./program.txt", number, text)
        if not line.kind:
            continue
        if not stated:
            if line.kind != "program":
                line.refuse("the line", line.kind, "program, which comes first")
            line.expect("T S CORES BUFFERS LAYERS")
            program.timesteps, program.samples = line.number("T", 1, MOST), line.number("S", 1, MOST)
            stated = [line.number("CORES", 1, 256), line.number("BUFFERS", 1, MOST), line.number("LAYERS", 1, MOST)]
        elif line.kind in takers:
            takers[line.kind](program, line)
        else:
            line.refuse("the line", line.kind, "one of core, buffer, layer")
    if not stated:
        raise BadFile('./program.txt has no line "program"; it must begin with one')
    counts = len(program.cores), len(program.buffers), len(program.layers)
    for kind, found, wanted in zip(takers, counts, stated, strict=True):
        if found != wanted:
            says = f'they must be {wanted}, as its line "program" says'
            raise BadFile(f'./program.txt has {found} lines "{kind}"; {says}')
    for buffer in program.buffers:
        if not buffer.input and buffer.writer is None:
            raise BadFile(f"{buffer.place}: no layer writes the map; one must")
    return program


def _core(program: Program, line: Line) -> None:
    line.expect("WEIGHTS THRESHOLDS BIASES SPIKES MULTIPLIERS")
    program.cores.append([0, *(line.number("the size of a memory", int(i < 4), 1 << 24) for i in range(5))])


def _buffer(program: Program, line: Line) -> None:
    form = "STEPS PLANES HEIGHT WIDTH WORDS FILE NAME"
    line.expect(form)
    shape = (program.samples, *(line.number(what, 1, MOST) for what in form.split()[:5]))
    name = file_name(line)
    given = name != "-"
    if given and shape[1] not in (1, program.timesteps):
        line.refuse("STEPS", shape[1], f"1 or {program.timesteps}")
    data = program.hex(name, prod(shape)) if given else []
    program.buffers.append(Buffer(shape, line.place, given, data))


def _layer(program: Program, line: Line) -> None:
    line.expect("CORE spiking|readout CHANNELS HEIGHT WIDTH BUFFER COMMANDS NAME")
    for kind, found in (("cores", program.cores), ("buffers", program.buffers)):
        if not found:
            line.refuse("the line", "layer", f"behind those of the {kind}")
    core, kind = line.number("CORE", 0, len(program.cores) - 1), line.left.pop(0)
    if kind not in ("spiking", "readout"):
        line.refuse("the kind of neurons", kind, "spiking or readout")
    channels, height, width = (line.number(what, 1, MOST) for what in ("CHANNELS", "HEIGHT", "WIDTH"))
    layer = Layer(f"layer{len(program.layers):02}", core, kind == "readout", channels, height, width)
    outputs = program.samples * height * width * program.timesteps
    if not layer.readout:
        layer.buffer = line.number("BUFFER", 0, len(program.buffers) - 1)
        target = program.buffers[layer.buffer]
        fits = target.shape[1:3] == (program.timesteps, 1) and target.shape[5] == -(-channels // WORD)
        if target.input or target.writer is not None or not fits:
            line.refuse("BUFFER", layer.buffer, "a map of its own, of its spikes at all timesteps")
        target.writer = len(program.layers)
        layer.fired = program.hex(f"{layer.folder}/fired.hex", outputs * target.shape[5])
        layer.words = program.hex(f"{layer.folder}/words.hex", prod(target.shape))
        target.data = [0] * len(layer.words)
    elif (none := line.left.pop(0)) != "-1":
        line.refuse("BUFFER of a readout", none, "-1")
    layer.commands, layer.name = line.number("COMMANDS", 1, MOST), line.left.pop(0)
    layer.rows = program.hex(f"{layer.folder}/rows.hex", outputs * channels)
    program.layers.append(layer)
