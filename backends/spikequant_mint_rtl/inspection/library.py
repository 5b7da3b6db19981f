"""Builds of the core beside the fast one: other Verilator options, another wrapper, cached apart."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spikequant.build_cache import content_key, make_once
from spikequant_mint_rtl.builder import RTL, TOP, default_cache, sources
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.toolchain import Toolchain, find_toolchain, run_tool

FLAGS = ("-fPIC", "-std=c++17", "-DVERILATOR=1", "-DVM_SC=0")
FAST, SLOW = "-O1", "-O0"  # slow: what runs once, such as construction
VERILATE = ("--cc", "--make", "json", "-O3", "--quiet", "--top-module", TOP, "--prefix", f"V{TOP}")


@dataclass(frozen=True)
class Variant:
    """A way to build the core.

    Attributes:
        name: Begins the library's file name.
        verilate: More options of Verilator.
        flags: More options of g++.
        wrapper: Writes the C++ entry points into the folder of the verilated model and returns their file.
        identity: Changes whenever what ``wrapper`` writes may change.
        rules: A Verilator configuration file's text.
    """

    name: str
    verilate: tuple[str, ...]
    flags: tuple[str, ...]
    wrapper: Callable[[Path], Path]
    identity: tuple[bytes | str, ...] = ()
    rules: str = ""


def built_variant(variant: Variant, config: CoreConfig, cache: Path | None = None, rtl: Path = RTL) -> Path:
    """Return the variant's shared library of a core, building it when this content was never built here.

    Args:
        variant: How to build.
        config: Parameters of the core.
        cache: Where libraries are kept; default: where the fast ones are.
        rtl: Folder of the SystemVerilog files.

    Raises:
        BackendError: A tool is missing or failed, or the cache cannot be written.
    """
    tools = find_toolchain()
    folder = default_cache() if cache is None else cache
    content = b"".join(path.name.encode() + path.read_bytes() for path in sources(rtl))
    options = (FAST, SLOW, *FLAGS, *variant.flags, *VERILATE, *variant.verilate, *config.parameters)
    key = content_key([content, tools.identity, variant.rules, *variant.identity, *options])
    target = folder / f"{variant.name}-{key}.so"
    if not target.exists():
        make_once(folder, target, lambda scratch: _build(tools, variant, config, rtl, folder, scratch))
    return target


def _build(tools: Toolchain, variant: Variant, config: CoreConfig, rtl: Path, cache: Path, scratch: Path) -> Path:
    rules = scratch / "rules.vlt"
    rules.write_text(variant.rules or "`verilator_config\n", encoding="utf-8")
    environment = {**os.environ, "VERILATOR_ROOT": str(tools.root)}
    options = (*VERILATE, *variant.verilate, *config.parameters)
    run_tool([tools.verilator, *options, "--Mdir", scratch, rules, *sources(rtl)], environment)
    listed = json.loads((scratch / f"V{TOP}.json").read_text(encoding="utf-8"))["sources"]
    fast = [*listed["classes_fast"], *listed.get("support_fast", []), str(variant.wrapper(scratch))]
    slow = [*listed["classes_slow"], *listed.get("support_slow", [])]
    units = [(_unit(scratch / "fast.cpp", fast), FAST), (_unit(scratch / "slow.cpp", slow), SLOW)]
    with ThreadPoolExecutor(len(units)) as pool:
        objects = list(pool.map(lambda unit: _object(tools, variant, unit[0], scratch, unit[1]), units))
    objects += [_runtime(tools, variant, Path(path), cache) for path in listed["global"]]
    library = scratch / f"{variant.name}.so"
    run_tool([tools.compiler, "-shared", "-o", library, *objects, "-pthread"])
    return library


def _unit(path: Path, parts: Sequence[str]) -> Path:
    """Write one file that includes all parts: the headers are then read once."""
    path.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
    return path


def _object(tools: Toolchain, variant: Variant, source: Path, folder: Path, optimize: str) -> Path:
    include = tools.root / "include"
    target = folder / f"{source.stem}.o"
    paths = (f"-I{folder}", f"-I{include}", f"-I{include / 'vltstd'}")
    run_tool([tools.compiler, optimize, *FLAGS, *variant.flags, *paths, "-c", source, "-o", target])
    return target


def _runtime(tools: Toolchain, variant: Variant, source: Path, cache: Path) -> Path:
    """Verilator's own runtime is the same for every core: its objects are kept too."""
    key = content_key([source.read_bytes(), tools.identity, FAST, *FLAGS, *variant.flags])
    target = cache / f"{source.stem}-{key}.o"
    if not target.exists():
        make_once(cache, target, lambda scratch: _object(tools, variant, source, scratch, FAST))
    return target
