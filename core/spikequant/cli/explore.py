"""``spikequant explore``: which formats meet the target accuracy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from spikequant.choice import choose
from spikequant.cli.choosing import Wanted
from spikequant.cli.common import data_dir_option, emit, json_option, messages, plain
from spikequant.cli.device import check_device
from spikequant.errors import UsageError
from spikequant.explore import Evaluation, Exploration, Explorer, Scheme, Store, Tidings, parse_group, parse_levels
from spikequant.explore.evaluate import fingerprint, run_evaluator
from spikequant.explore.executors import DaskCluster, InProcess, LocalProcesses, Place
from spikequant.explore.planning import Wish, make_plan
from spikequant.explore.search import Search
from spikequant.explore.tables import pyarrow_modules, write_csv, write_parquet
from spikequant.files import check_writable, reason
from spikequant.report.write import require_report, write_report
from spikequant.rounding import Rounding
from spikequant.runs import RunFolder

SHOWN = 10
SCHEMES = {"ptq": (Scheme.PTQ,), "itq": (Scheme.ITQ,), "both": (Scheme.PTQ, Scheme.ITQ)}


@click.command("explore")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--levels",
    multiple=True,
    metavar="NAME=LEVELS",
    help="Precision levels of a quantity or group, descending: fraction bits, INTn or FP32, such as w=FP32,8,6."
    " Quantities without levels stay FP32; without any --levels all go through 16,14,...,0 (or INT8,INT4,INT2).",
)
@click.option("--group", "groups", multiple=True, metavar="NAME=QUANTITIES", help="One axis for several: N=V,Vth.")
@click.option("--unsigned", multiple=True, metavar="QUANTITY", help="Leave out its sign bit; it is never negative.")
@click.option("--scheme", type=click.Choice(list(SCHEMES)), default="ptq", show_default=True)
@click.option("--roundings", metavar="LIST", help="Of TR, RN, SR; all by default, RN alone with INTn levels.")
@click.option("--target", type=float, default=1.0, show_default=True, help="Points of accuracy below FP32 allowed.")
@click.option(
    "--search",
    type=click.Choice(["repaired", "paper", "curves"]),
    default="repaired",
    show_default=True,
    help="Algorithm 1 repaired or as printed; curves: each axis alone, then all together, nothing pruned.",
)
@click.option(
    "--itq",
    type=click.Choice(["finetune", "scratch"]),
    default="finetune",
    show_default=True,
    help="ITQ trains on from the float model, or from the seed.",
)
@click.option("--test-samples", type=click.IntRange(1), help="Use only the first N test samples.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("--device", default="cpu", show_default=True, help="Torch device; a store belongs to one.")
@click.option("--dask", metavar="ADDRESS", help="Use this Dask cluster instead; it must see RUN and the data.")
@click.option("--store", type=click.Path(path_type=Path, dir_okay=False), help="Default: RUN/explore/NAME.sqlite.")
@click.option("--name", default="default", show_default=True, help="Of the store in the run folder.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="Table of visited settings.")
@click.option("--parquet", "parquet_path", type=click.Path(path_type=Path, dir_okay=False), help="The same as Parquet.")
@click.option(
    "--report", "report_path", type=click.Path(path_type=Path, dir_okay=False), help="Also write the run's report."
)
@data_dir_option
@json_option
def command(
    *,
    run: Path,
    levels: tuple[str, ...],
    groups: tuple[str, ...],
    unsigned: tuple[str, ...],
    scheme: str,
    roundings: str | None,
    target: float,
    search: str,
    itq: str,
    test_samples: int | None,
    jobs: int,
    device: str,
    dask: str | None,
    store: Path | None,
    name: str,
    csv_path: Path | None,
    parquet_path: Path | None,
    report_path: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Explore formats for the float model of RUN (Q-SpiNN, Algorithm 1).

    Integer bits come from the ranges that 'calibrate' found. Every evaluation is kept at once: run the same
    command again to go on after a stop. Exit code 1: nothing meets the target.
    """
    _check_outputs(csv_path, parquet_path, report_path)
    wish = Wish(
        levels=tuple(parse_levels(text) for text in levels),
        groups=tuple(parse_group(text) for text in groups),
        unsigned=unsigned,
        roundings=parse_roundings(roundings),
        schemes=SCHEMES[scheme],
        search=cast("Search", search),
        target=target,
        scratch=itq == "scratch",
    )
    check_device(device)
    evaluator = run_evaluator(run, data_dir, test_samples, device)
    plan = make_plan(evaluator.start(), wish)
    path = store or _store_path(run, name)
    place = _place(jobs, dask)
    try:
        with Store.open(path, fingerprint(evaluator.start())) as opened, exploring() as tell:
            try:
                found = Explorer(plan, evaluator, opened, place, tell).run()
            except KeyboardInterrupt:
                messages.print(
                    f"stopped; {len(opened.evaluations)} evaluations are kept in {path}; run the same command to go on"
                )
                raise
    finally:
        place.close()
    if csv_path:
        write_csv(found, csv_path)
    if parquet_path:
        write_parquet(found, parquet_path)
    if report_path:
        selector = Wanted(None, (), None, None, None, everything=False).make()
        choice = choose(found, selector, everything=not found.candidates)
        write_report(RunFolder(run), choice, report_path, "--report")
    if as_json:
        emit({"run": str(run), "store": str(path), **found.to_json()})
    else:
        _print(found)
    if not found.candidates:
        messages.print(_nobody(found), highlight=False)
        sys.exit(1)


def _check_outputs(csv_path: Path | None, parquet_path: Path | None, report_path: Path | None) -> None:
    if report_path:
        require_report()
        check_writable(report_path, "--report")
    if csv_path:
        check_writable(csv_path, "--csv")
    if parquet_path:
        pyarrow_modules()
        check_writable(parquet_path, "--parquet")


def parse_roundings(text: str | None) -> tuple[Rounding, ...]:
    """Read ``TR,RN,SR``; empty for no text.

    Raises:
        UsageError: A word is no rounding.
    """
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",")]
    known = [rounding.value for rounding in Rounding]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise UsageError(f"--roundings {text!r}: {unknown[0]!r} is not known; give some of {', '.join(known)}")
    return tuple(Rounding(word) for word in words)


def _store_path(run: Path, name: str) -> Path:
    if not name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"--name {name!r} is no plain name; use letters, digits, - and _")
    folder = run / "explore"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"folder {folder} cannot be made: {reason(error)}; give a --store elsewhere") from error
    return folder / f"{name}.sqlite"


def _place(jobs: int, dask: str | None) -> Place:
    if dask is not None:
        if jobs != 1:
            raise UsageError("--jobs is for local processes and --dask for a cluster; give one of them")
        return DaskCluster(dask)
    return LocalProcesses(jobs) if jobs > 1 else InProcess()


@contextmanager
def exploring() -> Iterator[Callable[[Tidings], None]]:
    """Show a bar on a terminal; elsewhere print a line now and then, a twentieth of the way apart."""
    if not messages.is_terminal:
        yield _liner()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as progress:
        task = progress.add_task("exploring", total=None)
        yield lambda tidings: progress.update(
            task,
            completed=tidings.done,
            total=tidings.done + tidings.left,
            description=f"exploring {tidings.evaluation.setting.approach}",
        )


def _liner() -> Callable[[Tidings], None]:
    due = 1

    def tell(tidings: Tidings) -> None:
        nonlocal due
        if tidings.done < due and tidings.left:
            return
        due = tidings.done + max(1, (tidings.done + tidings.left) // 20)
        found = tidings.evaluation
        messages.print(
            f"{tidings.done} evaluated, {tidings.left} left at most: {found.setting.key}  {100 * found.accuracy:.2f} %",
            highlight=False,
        )

    return tell


def _print(found: Exploration) -> None:
    plain.print(f"FP32 accuracy: {100 * found.baseline.accuracy:.2f} % of {found.baseline.samples} test samples")
    plain.print(
        f"{len(found.visited)} settings visited, {len(found.candidates)} within {_points(found)}"
        f"{_smallest_words(found.candidates)}"
    )
    for evaluation in _smallest(found.candidates):
        plain.print(
            f"  {found.name(evaluation):36} {100 * evaluation.accuracy:6.2f} %  {evaluation.saving:7.4f} times smaller"
        )


def _smallest(candidates: Sequence[Evaluation]) -> list[Evaluation]:
    return sorted(candidates, key=lambda e: (e.memory_bits, -e.right))[:SHOWN]


def _smallest_words(candidates: Sequence[Evaluation]) -> str:
    if not candidates:
        return ""
    return f"; the {SHOWN} smallest:" if len(candidates) > SHOWN else ":"


def _nobody(found: Exploration) -> str:
    nearest = found.nearest
    if nearest is None:
        return "no setting was visited"
    return (
        f"no setting is within {_points(found)} of FP32 ({100 * found.baseline.accuracy:.2f} %);"
        f" the nearest is {found.name(nearest)} with {100 * nearest.accuracy:.2f} %:"
        f" it takes --target {found.drop(nearest):.2f}, or more bits, or --scheme itq"
    )


def _points(found: Exploration) -> str:
    target = found.plan.target
    return f"{target:g} point" if target == 1 else f"{target:g} points"
