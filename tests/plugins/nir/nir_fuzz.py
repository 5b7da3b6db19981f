"""Damage files and read them, in a process of its own with bounded memory and time for each file.

Run as a program: ``python nir_fuzz.py WAY SEED COUNT SECONDS FILE...`` prints one line of JSON with the outcomes.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from spikequant.errors import SpikequantError
from spikequant_nir import NirImporter
from spikequant_nir.graph import Graph

MEMORY = 4 << 30
RUN_VALUES = 100_000
SIZES = (0, 1, -1, 2, 7, 255, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 40))
FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e30, -1e30, 1e-30, 3.5)
NAMES = (
    "..",
    ".",
    "a b",
    "x" * 300,
    "é",
    "\u202e",
    "a\nb",
    "lif1.input",
    "input",
    "$(rm)",
    "a'b",
    "%s",
    "{}",
    "Ω" * 50,
)


def truncated(content, rng):
    return content[: rng.integers(0, len(content))]


def flipped(content, rng):
    damaged = bytearray(content)
    used = np.flatnonzero(np.frombuffer(content, np.uint8)) if rng.random() < 0.7 else np.arange(len(content))
    for place in rng.choice(used, int(rng.integers(1, 9))):
        damaged[place] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def blocks_swapped(content, rng):
    size = int(rng.choice([8, 16, 64, 512, 2048]))
    a, b = (int(rng.integers(0, max(len(content) - size, 1))) for _ in range(2))
    damaged = bytearray(content)
    damaged[a : a + size], damaged[b : b + size] = content[b : b + size], content[a : a + size]
    return bytes(damaged)


def block_filled(content, rng):
    size, a = int(rng.choice([8, 32, 256, 4096])), int(rng.integers(0, len(content)))
    filling = rng.bytes(size) if rng.random() < 0.5 else bytes([int(rng.choice([0, 255]))]) * size
    return content[:a] + filling + content[a + size :]


def number_written(content, rng):
    a = int(rng.integers(0, len(content) // 8)) * 8
    value = int(rng.choice(np.array(SIZES[2:-1], dtype=np.int64)))
    return content[:a] + value.to_bytes(8, "little", signed=True) + content[a + 8 :]


def block_inserted(content, rng):
    a, size = int(rng.integers(0, len(content))), int(rng.choice([1, 8, 512]))
    return content[:a] + rng.bytes(size) + content[a:]


def appended(content, rng):
    return content + (rng.bytes(int(rng.integers(1, 5000))) if rng.random() < 0.5 else content)


BYTES = (truncated, flipped, blocks_swapped, block_filled, number_written, block_inserted, appended)


def edited(content, rng):
    """Change the groups and data sets, one to four times, so that HDF5 itself is sound."""
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        for _ in range(int(rng.integers(1, 5))):
            try:
                EDITS[int(rng.integers(len(EDITS)))](file, rng)
            except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, MemoryError):
                continue
    return stream.getvalue()


def data_sets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def groups(file):
    found = ["/"]
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Group) else None)
    return found


def pick(items, rng):
    return items[int(rng.integers(len(items)))]


def replaced(file, name, data, **words):
    del file[name]
    file.create_dataset(name, data=data, **words)


def drop(file, rng):
    del file[pick(data_sets(file) + groups(file)[1:], rng)]


def copy(file, rng):
    source, target = pick(data_sets(file) + groups(file)[1:], rng), pick(groups(file), rng)
    file.copy(source, f"{target}/{pick(NAMES, rng)}")


def link(file, rng):
    file[f"{pick(groups(file), rng)}/{pick(NAMES, rng)}"] = file[pick(groups(file) + data_sets(file), rng)]


def rename(file, rng):
    source = pick(groups(file)[1:], rng)
    file.move(source, f"{source.rpartition('/')[0]}/{pick(NAMES, rng)}")


def other_value(file, rng):
    name = pick(data_sets(file), rng)
    old = file[name][()]
    array = np.array(old)
    if array.dtype.kind not in "fiu":
        replaced(file, name, pick(["LIF", "NIRGraph", "", "Input", "x" * 1000, "Conv2d", "Flatten"], rng))
        return
    values = FLOATS if array.dtype.kind == "f" else SIZES
    if rng.random() < 0.5 or not array.ndim:
        array = np.full(array.shape, pick(values, rng)).astype(array.dtype)
    else:
        array.reshape(-1)[int(rng.integers(array.size))] = pick(values, rng)
    replaced(file, name, array)


def other_shape(file, rng):
    name = pick(data_sets(file), rng)
    array = np.array(file[name][()])
    ways = (
        array[None],
        array.reshape(-1),
        array.reshape(-1)[:1],
        array.reshape(-1)[:0],
        np.stack([array, array]),
        array.T,
    )
    replaced(file, name, pick(ways, rng))


def other_type(file, rng):
    name = pick(data_sets(file), rng)
    kind = pick(["f2", "f4", "f8", "i1", "u1", "i8", "u8", "?", "c8", "S5"], rng)
    replaced(
        file, name, np.zeros(file[name].shape, kind) if rng.random() < 0.3 else np.array(file[name][()]).astype(kind)
    )


def huge(file, rng):
    name = pick(data_sets(file), rng)
    del file[name]
    shape = pick([(1 << 34,), (1 << 20, 1 << 20), (1 << 27,), (0,), (1 << 22,), (3000, 3000)], rng)
    file.create_dataset(name, shape, dtype=pick(["f4", "u1", "f8"], rng), chunks=True, compression="gzip")


def other_edges(file, rng):
    places = [name for name in data_sets(file) if name.endswith("edges")]
    name = pick(places, rng)
    nodes = [*file[name.rpartition("/")[0] + "/nodes"], *NAMES]
    old = [tuple(part.decode("utf8", "replace") for part in row) for row in file[name][()]]
    way = int(rng.integers(5))
    if way == 0:
        old += [(pick(nodes, rng), pick(nodes, rng)) for _ in range(int(rng.integers(1, 40)))]
    elif way == 1:
        old = old[: int(rng.integers(len(old)))]
    elif way == 2:
        old += [(b, a) for a, b in old]
    elif way == 3:
        old = [(a, b) for a in nodes for b in nodes]
    else:
        replaced(file, name, rng.integers(-5, 20, (int(rng.integers(0, 50)), 2)))
        return
    replaced(file, name, np.array(old, dtype=object), dtype=h5py.string_dtype())


def more_nodes(file, rng):
    graph = pick([name for name in groups(file) if name.endswith("nodes")], rng)
    source = pick(list(file[graph]), rng)
    for index in range(int(rng.choice([1, 10, 300]))):
        file.copy(f"{graph}/{source}", f"{graph}/more{index}")


def nested(file, rng):
    """Put the whole graph into itself, which doubles it each time."""
    graph = pick([name for name in groups(file) if name.endswith("nodes")], rng)
    for _ in range(int(rng.choice([1, 4, 7]))):
        file.copy("node", f"{graph}/again")


EDITS = (
    drop,
    copy,
    link,
    rename,
    other_value,
    other_value,
    other_shape,
    other_type,
    huge,
    other_edges,
    more_nodes,
    nested,
)
WAYS = {"bytes": lambda content, rng: pick(BYTES, rng)(content, rng), "edits": edited}


def read(path, repair):
    """Return how reading ends: ``refused``, ``read``, or what went wrong."""
    try:
        importer = NirImporter(repair=repair, dt=1e-4)
        seen = importer.inspect(path)
        text = json.dumps(seen.to_json())
        text.encode("utf8")
        model = importer.read(path)
        graph = model.graph
        again = Graph.from_text(graph.to_text())
        if again.to_text() != graph.to_text() or any(not np.isfinite(a).all() for a in graph.arrays_by_key().values()):
            return "wrong: the graph does not survive its text, or is not finite"
        for edge in graph.edges:
            if edge.source not in graph.by_name or edge.target not in graph.by_name:
                return "wrong: an edge from nowhere"
        if sum(np.prod(node.shape) for node in graph.nodes) < RUN_VALUES:
            model.run({name: np.ones((2, 1, *shape), np.float32) for name, shape in model.input_shapes.items()})
    except SpikequantError as error:
        line = str(error)
        if not line.startswith(f"{path}: ") or len(line.splitlines()) != 1 or len(line) > 1000:
            return f"wrong: {line[:300]!r}"
        if "its fields make no sense" in line:
            return f"unclear: {line[:300]}"
        return "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    return "read"


def main(way, seed, count, seconds, files):
    torch_and_all = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (torch_and_all + MEMORY, torch_and_all + MEMORY))
    contents = [Path(name).read_bytes() for name in files]
    outcomes, slowest, failures = Counter(), (0.0, -1), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.nir"
        for index in range(seed, seed + count):
            rng = np.random.default_rng(index)
            content = WAYS[way](contents[index % len(contents)], rng)
            path.write_bytes(content)
            print(index, file=sys.stderr, flush=True)
            signal.alarm(int(4 * seconds))  # no handler: a file that hangs the HDF5 library ends this process
            start = time.perf_counter()
            outcome = read(path, repair=bool(rng.integers(2)))
            signal.alarm(0)
            taken = time.perf_counter() - start
            slowest = max(slowest, (taken, index))
            if taken > seconds:
                outcome = f"slow: {taken:.1f} s"
            outcomes[outcome.split(":")[0]] += 1
            if outcome not in ("refused", "read"):
                failures.append([index, outcome])
                if kept := os.environ.get("SPIKEQUANT_FUZZ_KEEP"):
                    Path(kept, f"{way}-{index}.nir").write_bytes(content)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"outcomes": outcomes, "slowest": slowest, "failures": failures[:20], "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])
