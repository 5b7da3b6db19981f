"""The schedule of a layer as commands: what :class:`MintRtlExecutable` does, written down instead of done.

Where spikes come from is said symbolically (``gather`` from a map), so that whoever executes the commands feeds each
layer with what the core itself wrote for the layer before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spikequant_mint_rtl.emission.images import ImageWriter
from spikequant_mint_rtl.layer import Layer, Shortcut
from spikequant_mint_rtl.maps import words_in
from spikequant_mint_rtl.registers import band_of, cycle_limit, pass_registers
from spikequant_mint_rtl.residence import Residence
from spikequant_mint_rtl.schedule import Block, Pass, Plan
from spikequant_mint_rtl.simulator import Register


@dataclass(frozen=True)
class Work:
    """What the commands of a layer are made of.

    Attributes:
        layer: The layer.
        plan: How it is cut.
        residence: What its core holds, with an :class:`ImageWriter` as core.
        images: That writer.
        buffers: Number of each map, by the name of the node that fills it.
        samples: How many.
        zero_skip: Whether inputs without a spike cost no cycle.
    """

    layer: Layer
    plan: Plan
    residence: Residence
    images: ImageWriter
    buffers: Mapping[str, int]
    samples: int
    zero_skip: bool


def layer_commands(work: Work) -> Iterator[str]:
    """Yield the lines of a layer: groups of tiles, chunks of samples, blocks, passes, samples."""
    plan, chunk = work.plan, work.plan.samples_at_once or work.samples
    for tiles in plan.groups:
        for start in range(0, work.samples, chunk):
            for block in plan.blocks:
                for number, one in enumerate(plan.passes):
                    yield (
                        f"# tiles {tiles.start}..{tiles.stop - 1}, outputs from ({block.y}, {block.x}),"
                        f" {block.height} x {block.width}, pass {number + 1} of {len(plan.passes)}"
                    )
                    yield from _pass(work, tiles, range(start, min(start + chunk, work.samples)), block, one)


def _pass(work: Work, tiles: range, samples: range, block: Block, one: Pass) -> Iterator[str]:
    layer = work.layer
    work.images.commands.clear()
    place = work.residence.place(layer, tiles, one)
    yield from work.images.commands
    registers = pass_registers(layer, one, block, tiles, place, zero_skip=work.zero_skip)
    yield f"set {' '.join(f'{int(key)} {value & 0xFFFFFFFF}' for key, value in registers.items())}"
    limit = cycle_limit(layer, one, block, len(tiles))
    for index, sample in enumerate(samples):
        yield f"set {int(Register.SUM_BASE)} {index * work.plan.sums}"
        yield _source(work, tiles, sample, block, one)
        if one.store:
            yield f"pass {limit}"
            continue
        yield f"run {limit} {sample} {tiles.start} {len(tiles)} {block.y} {block.height} {block.x} {block.width}"
        if not layer.readout:
            yield _destination(layer, tiles, sample, block, registers[Register.DST_BASE])


def _source(work: Work, tiles: range, sample: int, block: Block, one: Pass) -> str:
    """Say what :func:`~spikequant_mint_rtl.maps.source_of` cuts out."""
    part, band = work.layer.parts[one.part], band_of(work.layer, one, block)
    words = words_in(work.layer, tiles) if isinstance(part, Shortcut) else slice(one.words.start, one.words.stop)
    count = words.stop - words.start
    if part.source is None:
        return f"ones {band.height * band.width * count}"
    buffer = work.buffers[part.source.name]
    return f"gather {buffer} {sample} {part.steps} {band.y} {band.height} {band.x} {band.width} {words.start} {count}"


def _destination(layer: Layer, tiles: range, sample: int, block: Block, address: int) -> str:
    (tall, wide), words = layer.pool, words_in(layer, tiles)
    return (
        f"scatter {sample} {address} {block.y // tall} {block.height // tall} {block.x // wide} {block.width // wide}"
        f" {words.start} {words.stop - words.start}"
    )
