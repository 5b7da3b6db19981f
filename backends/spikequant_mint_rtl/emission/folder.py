"""The emitted folder: what is written where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import spikequant
from spikequant.program import IntArray, Program
from spikequant.trace import Trace
from spikequant_mint_rtl.buffers import CONSTANT_ROWS, LANES, WORD
from spikequant_mint_rtl.builder import RTL, sources
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.emission.commands import Work, layer_commands
from spikequant_mint_rtl.emission.expected import expected_of
from spikequant_mint_rtl.emission.images import ImageWriter, to_hex
from spikequant_mint_rtl.layer import Layer
from spikequant_mint_rtl.packing import pack_planes, words_of
from spikequant_mint_rtl.residence import Residence
from spikequant_mint_rtl.schedule import Plan
from spikequant_mint_rtl.wiring import map_shape

BENCH = Path(__file__).parent / "bench"
BENCH_FILES = (
    *("bench.sv", "bench.cpp", "commands.h", "core.h", "files.h", "line.h"),
    *("__init__.py", "cocotb_bench.py", "cocotb_run.py", "commands.py", "program.py", "public.vlt"),
)
FORMAT = 2
PACKAGE_FIELDS = {
    "WeightBits": "weight_bits",
    "PotentialBits": "potential_bits",
    "AccBits": "acc_bits",
    "WeightRows": "weight_rows",
    "SpikeDepthLog2": "spike_depth_log2",
    "SumRows": "sum_rows",
}


@dataclass(frozen=True, eq=False)
class Emission:
    """What goes into a folder.

    Attributes:
        program: The program.
        layers: Its layers, in the order in which they run.
        plans: How each is cut, by name.
        configs: The core of each, by name.
        values: Each input's values ``(time, samples, *shape)``; one timestep is enough for a direct input.
        trace: The oracle's trace.
        zero_skip: Whether inputs without a spike cost no cycle.
        cycles: Cycles of the run that was compared with the oracle.
    """

    program: Program
    layers: Sequence[Layer]
    plans: Mapping[str, Plan]
    configs: Mapping[str, CoreConfig]
    values: Mapping[str, IntArray]
    trace: Trace
    zero_skip: bool
    cycles: int | None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(next(iter(self.values.values())).shape[1])

    @property
    def cores(self) -> tuple[CoreConfig, ...]:
        """The distinct cores; a layer's core has its place here as number."""
        return tuple(dict.fromkeys(self.configs[layer.name] for layer in self.layers))


def write_folder(emission: Emission, folder: Path) -> None:
    """Fill an empty folder; names of nodes appear in program.txt and parameters.json only, as quoted text."""
    for source in sources():
        _copy(source, folder / "rtl" / source.relative_to(RTL))
    for name in BENCH_FILES:
        _copy(BENCH / name, folder / "bench" / name)
    _copy(BENCH / "Makefile", folder / "Makefile")
    _copy(BENCH / "README.md", folder / "README.md")
    (folder / "bench" / "cores_pkg.sv").write_text(cores_package(emission.cores), encoding="ascii")
    lines = [f"# spikequant mint-rtl, format {FORMAT}; see README.md", _words("program", *_size(emission))]
    lines += [_words("core", *memory_words(core)) for core in emission.cores]
    lines += _inputs(emission, folder)
    lines += _layers(emission, folder)
    (folder / "program.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "parameters.json").write_text(json.dumps(parameters(emission), indent=2) + "\n", encoding="ascii")


def cores_package(cores: Sequence[CoreConfig]) -> str:
    """Return the SystemVerilog package with the parameters of all cores.

    >>> print(cores_package([CoreConfig(4, 4, 24)]).splitlines()[3])
      parameter int unsigned WeightBits [Cores] = '{4};
    """
    lines = ["// Parameters of each core of the program.", "package cores_pkg;"]
    lines.append(f"  parameter int unsigned Cores = {len(cores)};")
    for name, field in PACKAGE_FIELDS.items():
        values = ", ".join(str(int(getattr(core, field))) for core in cores)
        lines.append(f"  parameter int unsigned {name} [Cores] = '{{{values}}};")
    lines.append(f"  parameter bit Uq [Cores] = '{{{', '.join(str(int(core.uq)) for core in cores)}}};")
    return "\n".join([*lines, "endpackage", ""])


def memory_words(core: CoreConfig) -> tuple[int, ...]:
    """Return the words of a core's memories 1 to 5: weights, thresholds, biases, spikes, multipliers.

    >>> memory_words(CoreConfig(4, 4, 24))
    (18432, 8192, 8192, 16384, 0)
    """
    lanes = CONSTANT_ROWS * LANES
    return (
        core.weight_rows * LANES * core.weight_bits // WORD,
        lanes,
        lanes,
        1 << core.spike_depth_log2,
        lanes * core.uq,
    )


def parameters(emission: Emission) -> dict[str, object]:
    """Return what a reader wants to know of the folder, as plain data."""
    numbers = {core: i for i, core in enumerate(emission.cores)}
    return {
        "format": FORMAT,
        "written_by": f"spikequant {spikequant.__version__}",
        "timesteps": emission.program.timesteps,
        "samples": emission.samples,
        "zero_skip": emission.zero_skip,
        "cycles_when_exported": emission.cycles,
        "cores": [asdict(core) for core in emission.cores],
        "layers": [
            {
                "folder": _folder("layer", i),
                "name": layer.name,
                "core": numbers[emission.configs[layer.name]],
                "neurons": layer.neuron.kind,
                "shape": list(layer.out_shape),
                "pool_or": list(layer.pool),
                "groups": len(emission.plans[layer.name].groups),
                "blocks": len(emission.plans[layer.name].blocks),
                "passes": len(emission.plans[layer.name].passes),
            }
            for i, layer in enumerate(emission.layers)
        ],
        "provenance": dict(emission.program.provenance),
    }


def _size(emission: Emission) -> tuple[int, ...]:
    """Timesteps and samples, and how many lines of each kind follow: a line that is lost is noticed."""
    buffers = len(emission.program.inputs) + sum(not layer.readout for layer in emission.layers)
    return emission.program.timesteps, emission.samples, len(emission.cores), buffers, len(emission.layers)


def _inputs(emission: Emission, folder: Path) -> list[str]:
    """Write each input's bit-planes; return the lines of program.txt."""
    lines = []
    for index, node in enumerate(emission.program.inputs):
        values = emission.values[node.name]
        seen = values[:1] if node.coding == "direct" else values
        planes = pack_planes(seen.reshape(*seen.shape[:2], *map_shape(node.shape)), node.bits)
        name = f"{_folder('input', index)}.hex"
        (folder / name).write_text(to_hex(planes), encoding="ascii")
        lines.append(_words("buffer", *planes.shape[1:], name, json.dumps(node.name)))
    return lines


def _layers(emission: Emission, folder: Path) -> list[str]:
    """Write each layer's folder; return the lines of program.txt."""
    maps = [node.name for node in emission.program.inputs]
    maps += [layer.name for layer in emission.layers if not layer.readout]
    buffers = {name: i for i, name in enumerate(maps)}
    images = ImageWriter()
    residence = {core: Residence(images, core) for core in emission.cores}
    lines: list[str] = []
    for layer in emission.layers:
        if not layer.readout:
            channels, height, width = layer.destination_shape
            size = (layer.timesteps, 1, height, width, words_of(channels))
            lines.append(_words("buffer", *size, "-", json.dumps(layer.name)))
    for index, layer in enumerate(emission.layers):
        config = emission.configs[layer.name]
        images.folder = folder / _folder("layer", index)
        images.folder.mkdir()
        work = Work(
            layer,
            emission.plans[layer.name],
            residence[config],
            images,
            buffers,
            emission.samples,
            emission.zero_skip,
        )
        commands = list(layer_commands(work))
        (images.folder / "commands.txt").write_text("\n".join([*commands, ""]), encoding="ascii")
        count = sum(not line.startswith("#") for line in commands)
        expected = expected_of(layer, emission.trace)
        for name, values in (("rows", expected.rows), ("fired", expected.fired), ("words", expected.words)):
            if values is not None:
                (images.folder / f"{name}.hex").write_text(to_hex(values), encoding="ascii")
        kind = "readout" if layer.readout else "spiking"
        number = emission.cores.index(config)
        buffer = buffers.get(layer.name, -1)
        lines.append(_words("layer", number, kind, *layer.out_shape, buffer, count, json.dumps(layer.name)))
    return lines


def _folder(kind: str, index: int) -> str:
    return f"{kind}{index:02}"


def _words(*words: object) -> str:
    return " ".join(map(str, words))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
