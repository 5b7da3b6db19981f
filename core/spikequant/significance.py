"""Significance of each quantity: accuracy against its precision, everything else at full precision."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from spikequant.errors import PluginError, RunError, UsageError
from spikequant.explore import Evaluation, Explorer, Plan, PlannedAxis, Scheme, Setting, Store, Tidings
from spikequant.explore.evaluate import Start, apply_setting, fingerprint, run_evaluator
from spikequant.explore.executors import InProcess, Place
from spikequant.explore.planning import Wish, make_plan
from spikequant.files import reason
from spikequant.formats import FP32, Format, IntFormat, QFormat, parse_format
from spikequant.report.results import Significance, SignificanceRow
from spikequant.runs import RunFolder
from spikequant.runs.build import quantizer_factory

SIGNIFICANCE = "significance.json"
EVERYTHING = 100.0
"""A target that nothing misses: every level is evaluated."""


def significance(
    run: Path,
    wish: Wish,
    *,
    test_samples: int | None = None,
    data_dir: Path | None = None,
    place: Place | None = None,
    tell: Callable[[Tidings], None] = lambda _: None,
) -> Significance:
    """Measure each axis of ``wish`` alone (PTQ), rank them, and keep the result in the run folder.

    Evaluations are kept one by one in ``RUN/explore/significance.sqlite``: a run that was stopped goes on.

    Source: Q-SpiNN, Section III-B and Fig. 7.

    Args:
        run: Folder of a complete run.
        wish: Levels, groups and roundings; its target and schemes are of no account.
        test_samples: Use only the first so many.
        data_dir: Where data sets lie.
        place: Where to compute.
        tell: Hears of every evaluation.

    Raises:
        RunError: The run is not complete, or the result cannot be written.
        UsageError, PluginError: As :func:`~spikequant.explore.planning.make_plan`.
    """
    evaluator = run_evaluator(run, data_dir, test_samples)
    start = evaluator.start()
    plan = make_plan(start, replace(wish, target=EVERYTHING, schemes=(Scheme.PTQ,)))
    folder = _folder(run)
    rows: list[SignificanceRow] = []
    baseline = 0.0
    with Store.open(folder / "significance.sqlite", fingerprint(start)) as store:
        for alone in _each_alone(start, plan):
            found = Explorer(alone, evaluator, store, place or InProcess(), tell).run()
            baseline = found.baseline.accuracy
            axis = alone.axes[0]
            rows.extend(_row(axis, evaluation) for evaluation in found.visited)
    result = Significance(baseline, tuple(rows), ranking(rows, baseline))
    RunFolder(run).write(SIGNIFICANCE, json.dumps(asdict(result)) + "\n")
    return result


def ranking(rows: list[SignificanceRow], baseline: float, drop: float = 0.01) -> tuple[str, ...]:
    """Order quantities, the most significant first: by the precision at which accuracy falls, then by mean loss.

    Of a format's rows, one per rounding, the best counts.

    Args:
        rows: Of all quantities.
        baseline: FP32 accuracy in [0, 1].
        drop: Loss of accuracy that counts as a fall, in [0, 1].

    >>> row = lambda name, bits, accuracy: SignificanceRow(name, f"Q1.{bits}", bits, "RN", accuracy)
    >>> ranking([row("V", 8, 0.9), row("V", 4, 0.9), row("w", 8, 0.9), row("w", 4, 0.5)], 0.9)
    ('w', 'V')
    """

    def weight(name: str) -> tuple[float, float]:
        best: dict[float, float] = {}
        for row in rows:
            if row.quantity == name:
                best[_precision(row)] = max(row.accuracy, best.get(_precision(row), 0.0))
        falls = max((bits for bits, accuracy in best.items() if accuracy < baseline - drop), default=-1.0)
        return falls, sum(baseline - accuracy for accuracy in best.values()) / len(best)

    return tuple(sorted(dict.fromkeys(row.quantity for row in rows), key=weight, reverse=True))


def _precision(row: SignificanceRow) -> float:
    """Return fraction bits, bits of ``INTn``, infinity for ``FP32``; the most where a row has several formats."""

    def bits(fmt: Format) -> float:
        return fmt.frac_bits if isinstance(fmt, QFormat) else fmt.bits if isinstance(fmt, IntFormat) else math.inf

    return max(bits(parse_format(text)) for text in row.format.split())


def _each_alone(start: Start, plan: Plan) -> Iterator[Plan]:
    """Yield a plan per axis: that one first, the others held at FP32, or at their top level where that cannot be."""
    for axis in plan.axes:
        if all(fmt == FP32 for level in axis.levels for fmt in level):
            continue
        others = [other for other in plan.axes if other is not axis]
        held = tuple(_held(other, tuple(FP32 for _ in other.quantities)) for other in others)
        alone = replace(plan, axes=(axis, *held))
        if not _possible(start, alone):
            alone = replace(plan, axes=(axis, *(_held(other, other.levels[0]) for other in others)))
        yield alone


def _folder(run: Path) -> Path:
    folder = run / "explore"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(
            f"folder {folder} cannot be made: {reason(error)}; make room and run the command again"
        ) from error
    return folder


def _held(axis: PlannedAxis, level: tuple[Format, ...]) -> PlannedAxis:
    return replace(axis, levels=(level,))


def _possible(start: Start, plan: Plan) -> bool:
    formats = [pair for axis in plan.axes for pair in zip(axis.quantities, axis.levels[-1], strict=True)]
    try:
        setting = Setting(plan.schemes[0], plan.roundings[0], tuple(formats))
        recipe = apply_setting(start.recipe, setting, start.quantities)
        start.model(recipe).quantize(quantizer_factory(recipe), ends=recipe.training.ends)
    except (PluginError, UsageError):
        return False
    return True


def _row(axis: PlannedAxis, evaluation: Evaluation) -> SignificanceRow:
    formats = [fmt for name, fmt in evaluation.setting.formats if name in axis.quantities]
    fractions = {fmt.frac_bits if isinstance(fmt, QFormat) else None for fmt in formats}
    shown = " ".join(dict.fromkeys(str(fmt) for fmt in formats))
    return SignificanceRow(
        axis.name,
        shown,
        fractions.pop() if len(fractions) == 1 else None,
        str(evaluation.setting.rounding),
        evaluation.accuracy,
    )
