"""Search ``curves``: each axis alone, then all together; nothing that fails leaves anything out."""

import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "explore_support"
sys.path.insert(0, str(SUPPORT))

from explore_tables import BELONGS, TableEvaluator, axis, plan  # noqa: E402

from spikequant.explore import Explorer, Plan, PlannedAxis, Scheme, Store  # noqa: E402
from spikequant.explore.curves import Curves, curve_points  # noqa: E402
from spikequant.explore.executors import InProcess, LocalProcesses  # noqa: E402
from spikequant.formats import FP32  # noqa: E402
from spikequant.report.precision import precision_panels  # noqa: E402


def explored(path, wanted, place=None):
    with Store.open(path, BELONGS) as store:
        return Explorer(wanted, TableEvaluator(noise=60), store, place or InProcess()).run()


@pytest.mark.parametrize(
    ("lengths", "points"),
    [
        ((1,), [(0,)]),
        ((3,), [(0,), (1,), (2,)]),
        ((2, 2), [(0, 0), (1, 0), (0, 1), (1, 1)]),
        ((4, 1, 2), [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (0, 0, 1), (1, 0, 1)]),
    ],
)
def test_points_are_each_axis_alone_and_then_all_together(lengths, points):
    assert list(curve_points(lengths)) == points


def test_a_fork_goes_its_own_way():
    walk = Curves((2, 2), 2)
    walk.advance(False)
    fork = walk.fork()
    fork.advance(False)
    assert (walk.left, fork.left, walk.visit, fork.visit) == (7, 6, ((0, 0), 1), ((1, 0), 0))


@pytest.mark.parametrize("place", [InProcess, lambda: LocalProcesses(2)])
def test_all_points_are_visited_under_every_rounding_whatever_fails(tmp_path, place):
    wanted = plan(search="curves", target=0.0)
    found = explored(tmp_path / "s", wanted, place())
    visits = [
        wanted.setting(scheme, visit)
        for scheme in (Scheme.PTQ, Scheme.ITQ)
        for visit in Curves(wanted.lengths, 3)._visits
    ]
    assert [evaluation.setting for evaluation in found.visited] == visits
    assert len(visits) == 2 * 3 * (1 + 3 + 2 + 2 + 2)
    assert len(found.candidates) < len(visits)


def test_the_plan_is_kept_with_its_search():
    wanted = plan(search="curves")
    assert Plan.from_json(wanted.to_json()) == wanted


def test_the_report_draws_weights_states_and_both(tmp_path):
    levels = (FP32, *(fmt for (fmt,) in axis("w", 1, (8, 4)).levels))
    axes = (
        PlannedAxis("w", ("w",), tuple((fmt,) for fmt in levels)),
        PlannedAxis("N", ("V", "Vth"), tuple((fmt, fmt) for fmt in levels)),
    )
    found = explored(tmp_path / "s", plan(axes=axes, search="curves", schemes=(Scheme.PTQ,)))
    panels = precision_panels(found.visited)
    titles = [panel.title for panel in panels]
    assert titles == ["w alone (V, Vth at FP32)", "V, Vth alone (w at FP32)", "all together"]
    assert {panel.levels for panel in panels} == {(1000, 8, 4)}
