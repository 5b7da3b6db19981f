"""The test bench in Python, for cocotb: executes the commands of the layers and compares, as bench.cpp does.

Slow, so by default it runs the first layer only; the environment variable MINT_LAYERS takes another number, or ``all``.
A layer fed by one that did not run cannot run either, so layers run from the first on.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from .commands import LANES, SPIKES, Command, read_commands
from .program import WORD, Layer, Program, read_program

FOLDER = Path(__file__).resolve().parents[1]
REGISTERS = 0
START = 1


def signed(word: int) -> int:
    """Return 32 bits as a signed number."""
    return word - (1 << 32) if word >> 31 else word


class Bench:
    """Drives the host port, one access per clock cycle, between falling edges."""

    def __init__(self, dut: Any, program: Program) -> None:
        self.dut, self.program = dut, program
        self.layer = program.layers[0]
        self.compared = 0

    async def reset(self) -> None:
        """Start the clock and reset all cores."""
        for port in ("core_i", "host_we_i", "host_re_i", "host_sel_i", "host_addr_i", "host_wdata_i"):
            getattr(self.dut, port).value = 0
        self.dut.rst_ni.value = 1
        Clock(self.dut.clk_i, 10, unit="ns").start()
        await FallingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 0
        for _ in range(2):
            await FallingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 1
        await FallingEdge(self.dut.clk_i)

    async def write(self, memory: int, address: int, words: list[int]) -> None:
        """Write words from an address on."""
        dut = self.dut
        dut.host_we_i.value, dut.host_sel_i.value = 1, memory
        for offset, word in enumerate(words):
            dut.host_addr_i.value, dut.host_wdata_i.value = address + offset, word
            await FallingEdge(dut.clk_i)
        dut.host_we_i.value = 0

    async def read(self, memory: int, address: int, count: int) -> list[int]:
        """Read words from an address on."""
        dut = self.dut
        dut.host_re_i.value, dut.host_sel_i.value = 1, memory
        words = []
        for offset in range(count):
            dut.host_addr_i.value = address + offset
            await FallingEdge(dut.clk_i)
            words.append(int(dut.host_rdata_o.value))
        dut.host_re_i.value = 0
        return words

    async def start(self, limit: int, expected: int) -> list[tuple[int, int]]:
        """Run the core until it is idle; return its rows: values of all lanes, and spikes."""
        dut = self.dut
        rows = []
        await self.write(REGISTERS, 0, [START])
        for cycle in range(limit + 1):
            if not int(dut.busy_o.value):
                break
            assert cycle < limit, f"layer {self.layer.name!r}: the core did not end within {limit} cycles"
            await FallingEdge(dut.clk_i)
            if int(dut.row_valid_o.value):
                rows.append((int(dut.row_o.value), int(dut.row_fired_o.value)))
        assert len(rows) == expected, f"layer {self.layer.name!r}: {len(rows)} rows, expected {expected}"
        return rows

    async def execute(self, layer: Layer, commands: list[Command]) -> None:
        """Run the commands of a layer."""
        self.layer = layer
        self.dut.core_i.value = layer.core
        await FallingEdge(self.dut.clk_i)
        for command in commands:
            if command.kind == "load":
                memory, address = command.numbers
                await self.write(memory, address, command.image)
            else:
                await getattr(self, f"do_{command.kind}")(*command.numbers)

    async def do_set(self, *pairs: int) -> None:
        """Set registers."""
        for register, value in zip(pairs[::2], pairs[1::2], strict=True):
            await self.write(REGISTERS, register, [value])

    async def do_gather(self, index: int, sample: int, steps: int, *box: int) -> None:
        """Write part of a map into the spike memory."""
        source = self.program.buffers[index]
        y, height, x, width, word, count = box
        spans = (range(y, y + height), range(x, x + width), range(word, word + count))
        places = product(range(steps), range(source.shape[2]), *spans)
        await self.write(SPIKES, 0, [source.data[source.at(sample, *place)] for place in places])

    async def do_ones(self, count: int) -> None:
        """Write a spike everywhere."""
        await self.write(SPIKES, 0, [0xFFFFFFFF] * count)

    async def do_pass(self, limit: int) -> None:
        """Run a pass that keeps partial sums."""
        await self.start(limit, 0)

    async def do_run(self, limit: int, sample: int, tile: int, tiles: int, *box: int) -> None:
        """Run all timesteps of a block and compare each row."""
        y, height, x, width = box
        steps = self.program.timesteps
        rows = iter(await self.start(limit, tiles * height * width * steps))
        for first, i, j, t in product(
            range(tile * LANES, (tile + tiles) * LANES, LANES), range(y, y + height), range(x, x + width), range(steps)
        ):
            self.compare(*next(rows), (sample, i, j, t), first)

    async def do_scatter(self, sample: int, address: int, *box: int) -> None:
        """Put what the core wrote into the layer's map, and compare it."""
        y, height, x, width, word, count = box
        target = self.program.buffers[self.layer.buffer]
        got = iter(await self.read(SPIKES, address, target.shape[1] * height * width * count))
        spans = (range(y, y + height), range(x, x + width), range(word, word + count))
        for t, i, j, w in product(range(target.shape[1]), *spans):
            place = target.at(sample, t, 0, i, j, w)
            target.data[place] = next(got)
            expected = self.layer.words[place]
            where = f"sample {sample}, timestep {t}, outputs from ({w * WORD}, {i}, {j})"
            self.equal(where, "spikes in memory", expected, target.data[place])

    def compare(self, values: int, fired: int, place: tuple[int, int, int, int], first: int) -> None:
        """Compare one row, whose first lane is a channel, at a sample, row, column and timestep."""
        layer, (sample, y, x, t) = self.layer, place
        row = ((sample * layer.height + y) * layer.width + x) * self.program.timesteps + t
        lanes = min(LANES, layer.channels - first)
        for lane in range(lanes):
            expected = signed(layer.rows[row * layer.channels + first + lane])
            where = f"sample {sample}, timestep {t}, output ({first + lane}, {y}, {x})"
            what = "output" if layer.readout else "potential"
            self.equal(where, what, expected, signed(values >> (WORD * lane) & 0xFFFFFFFF))
        self.compared += lanes
        for w in range(0 if layer.readout else -(-lanes // WORD)):
            expected = layer.fired[row * -(-layer.channels // WORD) + first // WORD + w]
            where = f"sample {sample}, timestep {t}, outputs from ({first + w * WORD}, {y}, {x})"
            self.equal(where, "spikes", expected, fired >> (WORD * w) & 0xFFFFFFFF)

    def equal(self, where: str, what: str, expected: int, got: int) -> None:
        """Fail with the place of a difference."""
        here = f"layer {self.layer.name!r} ({self.layer.folder}), {where}"
        assert got == expected, f"{here}: {what} expected {expected}, got {got}"


@cocotb.test()
async def identical(dut: Any) -> None:
    """Every potential, spike and output of the chosen layers is as expected."""
    program = read_program(FOLDER)
    wanted = os.environ.get("MINT_LAYERS", "1")
    layers = program.layers if wanted == "all" else program.layers[: int(wanted)]
    assert layers, "MINT_LAYERS must be 1 or more, or all"
    commands = [read_commands(program, index) for index in range(len(layers))]
    bench = Bench(dut, program)
    await bench.reset()
    for layer, listed in zip(layers, commands, strict=True):
        await bench.execute(layer, listed)
    values = sum(program.samples * program.timesteps * x.channels * x.height * x.width for x in layers)
    assert bench.compared == values, f"{bench.compared} values were put out, expected {values}"
    dut._log.info("identical: %d values of %d of %d layers compared", values, len(layers), len(program.layers))
