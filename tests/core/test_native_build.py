"""Native kernels are compiled once per content and processor; without a compiler the caller is told."""

import ctypes
import subprocess
import sys

import pytest

from spikequant import native_build
from spikequant.errors import BackendError
from spikequant.native_build import c_compiler, native_library

BUILD = """
import sys
from pathlib import Path
from spikequant.native_build import native_library
print(native_library("twice", [Path(sys.argv[1])], cache=Path(sys.argv[2])))
"""
needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="no C compiler")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "twice.c"
    path.write_text("double add(double a, double b, double c) { return a * b + c; }\n")
    return path


def built(source, cache, **options):
    return native_library("twice", [source], cache=cache, **options)


@needs_compiler
def test_a_product_is_rounded_before_it_is_added_to(source, tmp_path):
    add = ctypes.CDLL(str(built(source, tmp_path / "cache"))).add
    add.argtypes, add.restype = [ctypes.c_double] * 3, ctypes.c_double
    tiny = 2.0**-52
    assert add(1 + tiny, 1 + tiny, -1 - 2 * tiny) == 0.0  # fused, it were tiny ** 2


@needs_compiler
def test_the_same_content_is_compiled_once(source, tmp_path, monkeypatch):
    first = built(source, tmp_path)
    monkeypatch.setattr(native_build, "_compile", None)  # a second build would fail
    assert built(source, tmp_path) == first


@needs_compiler
def test_the_name_depends_on_sources_flags_and_the_compilers_view_of_the_processor(source, tmp_path, monkeypatch):
    names = {built(source, tmp_path), built(source, tmp_path, flags=["-DSLOW"])}
    monkeypatch.setattr(native_build, "_identity", lambda *_: ("another processor", native_build.FLAGS))
    names.add(built(source, tmp_path))
    monkeypatch.undo()
    source.write_text(source.read_text() + "/* edited */\n")
    names.add(built(source, tmp_path))
    assert len(names) == 4


@needs_compiler
def test_the_compilers_view_of_the_processor_names_its_instructions():
    lines = native_build._identity(c_compiler(), ("-DMARK",))[0].splitlines()
    assert "#define MARK 1" in lines
    assert any("__VERSION__" in line for line in lines)


@needs_compiler
def test_two_processes_build_one_library(source, tmp_path):
    cache = tmp_path / "cache"
    words = [sys.executable, "-c", BUILD, source, cache]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate()[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert printed == {str(path) for path in cache.glob("*.so")}
    assert len(printed) == 1
    assert not list(cache.glob("building-*"))


@needs_compiler
def test_what_a_killed_build_left_is_removed(source, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(native_build, "_compile", killed)
        with pytest.raises(KeyboardInterrupt):
            built(source, tmp_path)
    (lock,) = tmp_path.glob("*.lock")
    left = tmp_path / f"building-{lock.name.removesuffix('.so.lock')}-killed"
    left.mkdir()
    assert built(source, tmp_path).exists()
    assert not left.exists()


@needs_compiler
def test_a_failing_compiler_is_reported_with_its_words_and_leaves_nothing(source, tmp_path):
    source.write_text("int broken(void) { return missing; }\n")
    with pytest.raises(BackendError, match=r"(?s)^\S+ failed with exit code 1: .*missing"):
        built(source, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.so"))
    assert not list((tmp_path / "cache").glob("building-*"))


def test_a_missing_compiler_is_named_with_its_remedy(source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert c_compiler() is None
    expected = (
        r"^the native kernels of twice need a C compiler, and there is none on PATH;"
        r" install a C compiler \(Debian: apt-get install gcc\)$"
    )
    with pytest.raises(BackendError, match=expected):
        built(source, tmp_path)


@needs_compiler
def test_the_variable_cc_chooses_the_compiler_and_its_options(monkeypatch):
    monkeypatch.setenv("CC", f"{c_compiler()[0]} -m64")
    assert c_compiler()[1:] == ("-m64",)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert c_compiler() is None


@needs_compiler
def test_a_cache_that_cannot_be_written_is_named(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match=r"^the build cache \S+/file/native cannot be used: "):
        built(source, tmp_path / "file" / "native")
