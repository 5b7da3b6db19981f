"""Plots show the numbers they are given, are the same bytes every time, and take any words."""

import hashlib
import io
import os
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from spikequant.errors import UsageError
from spikequant.explore import Evaluation, Scheme, Setting
from spikequant.formats import FP32, QFormat
from spikequant.report import drawing
from spikequant.report.drawing import check_plot_name, png, save_figure, svg
from spikequant.report.exploration_plots import accuracy_memory_plot, precision_plot
from spikequant.report.plots import memory_plot, ranges_plot, raster_plot, rates_plot, significance_plot
from spikequant.report.results import (
    Calibration,
    Histogram,
    MemoryPart,
    Raster,
    SeenQuantity,
    Significance,
    SignificanceRow,
)
from spikequant.rounding import Rounding

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

HOSTILE = "$\\frac$<script>alert(1)</script>&\x00\n\x1b[31m]]>--\U0001f600" + "w" * 200
EVALUATIONS = [
    Evaluation(Setting(scheme, rounding, (("w", fmt),)), right, 100, 10 * fmt.width, 320, 0.1)
    for scheme in Scheme
    for rounding in Rounding
    for fmt, right in ((FP32, 90), (QFormat(1, 6), 88 + (rounding is Rounding.SR)), (QFormat(1, 2), 40))
]
CALIBRATION = Calibration(
    10,
    (
        SeenQuantity("w", "variable", 12, low=0.0, high=0.7, description="weights"),
        SeenQuantity("V", "variable", 4, low=-887.29, high=1250.18, description="potential, mV"),
        SeenQuantity("theta", "constant", 4, value=0.05, description="step, mV"),
    ),
    {"w": Histogram((0.0, 0.35, 0.7), (30.0, 7.0))},
)
SIGNIFICANCE = Significance(
    0.9,
    (
        SignificanceRow("V", "Q11.6", 6, "RN", 0.89),
        SignificanceRow("V", "Q11.2", 2, "RN", 0.8),
        SignificanceRow("w", "FP32", None, "RN", 0.9),
        SignificanceRow("w", "Q1.2", 2, "SR", 0.5),
    ),
    ("w", "V"),
)
PARTS = (MemoryPart("w", "Q1.6", 8192, 65536, 262144), MemoryPart("V", "Q11.6", 1024, 18432, 32768))
FIGURES = {
    "accuracy_memory": lambda: accuracy_memory_plot(EVALUATIONS, [2, 4, 0], 4, 0.9),
    "precision": lambda: precision_plot(EVALUATIONS, 0.9),
    "significance": lambda: significance_plot(SIGNIFICANCE),
    "ranges": lambda: ranges_plot(CALIBRATION),
    "rates": lambda: rates_plot((0.0, 1.0, 3.0)),
    "raster": lambda: raster_plot(Raster((0, 3, 1), (5, 6, 9), 10)),
    "memory": lambda: memory_plot(PARTS),
}


@pytest.fixture(params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


def texts(figure):
    return [element.text for element in ET.fromstring(svg(figure)).iter("{http://www.w3.org/2000/svg}text")]


def lines(ax):
    return {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in ax.get_lines()}


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_is_the_same_bytes_every_time(name):
    one, other = FIGURES[name](), FIGURES[name]()
    assert svg(one) == svg(one) == svg(other)
    assert png(one) == png(one) == png(other)


def test_plots_are_the_same_bytes_in_another_process():
    code = (
        "import hashlib, runpy, sys\n"
        "from spikequant.report.drawing import png, svg\n"
        f"for name, draw in runpy.run_path({__file__!r})['FIGURES'].items():\n"
        "    print(name, hashlib.sha256(svg(draw()).encode() + png(draw())).hexdigest())\n"
    )
    wanted = {name: hashlib.sha256(svg(draw()).encode() + png(draw())).hexdigest() for name, draw in FIGURES.items()}
    given = {**os.environ, "PYTHONHASHSEED": "1", "MPLBACKEND": "svg", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=given)
    assert dict(line.split() for line in done.stdout.splitlines()) == wanted


def test_a_users_configuration_changes_nothing():
    wanted = svg(FIGURES["rates"]()), png(FIGURES["rates"]())
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path", "lines.linewidth": 9}):
        assert (svg(FIGURES["rates"]()), png(FIGURES["rates"]())) == wanted


def test_drawing_leaves_matplotlib_as_it_was_and_never_loads_pyplot():
    code = (
        "import runpy, sys, matplotlib\n"
        "kept = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = kept()\n"
        "from spikequant.report.drawing import png, svg\n"
        f"for draw in runpy.run_path({__file__!r})['FIGURES'].values():\n"
        "    svg(draw()), png(draw())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert kept() == before\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_png_decodes_and_is_not_empty(figure):
    image = Image.open(io.BytesIO(png(figure)))
    image.load()
    assert image.format == "PNG"
    assert min(image.size) > 200
    assert len(set(image.convert("L").tobytes())) > 2


def test_an_svg_is_xml_without_date_or_foreign_resources(figure):
    text = svg(figure)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not list(root.iter("{http://purl.org/dc/elements/1.1/}date"))
    links = [v for e in root.iter() for k, v in e.attrib.items() if k.rpartition("}")[2] in ("href", "src")]
    assert all(link.startswith("#") for link in links)


def test_every_axis_has_a_label_and_values_their_unit(figure):
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert shown
    for ax in shown:
        assert ax.get_xlabel()
        assert ax.get_ylabel() in ("accuracy (%)", "values", "neurons", "neuron", "")
    assert shown[0].get_ylabel() or not shown[0].yaxis.get_major_locator()() or figure.axes[0].patches


def test_accuracy_against_memory_shows_every_candidate_the_front_and_the_choice():
    ax = FIGURES["accuracy_memory"]().axes[0]
    points = [tuple(p) for group in ax.collections for p in group.get_offsets().tolist()]
    assert sorted(points) == sorted((e.memory_bits / 320, 100 * e.accuracy) for e in EVALUATIONS)
    found = lines(ax)
    assert found["Pareto front"] == [[40 / 320, 40.0], [0.25, 88.0], [1.0, 90.0]]
    assert found["chosen"] == [[0.25, 88.0]]
    assert [y for _, y in found["FP32 accuracy"]] == [90.0, 90.0]


def test_candidates_near_the_best_are_enlarged_where_others_are_far_below():
    enlarged = FIGURES["accuracy_memory"]().axes[1]
    low, high = enlarged.get_ylim()
    assert 85 < low < 88
    assert high > 90
    near = [e for e in EVALUATIONS if e.accuracy > 0.8]
    assert len(accuracy_memory_plot(near, [1], None).axes) == 1


def test_accuracy_against_bits_shows_every_line():
    ax = FIGURES["precision"]().axes[0]
    found = lines(ax)
    assert found["SR"] == [[0, 90.0], [1, 89.0], [2, 40.0]]
    assert found["RN"] == [[0, 90.0], [1, 88.0], [2, 40.0]]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["FP32", "6", "2"]


def test_significance_has_a_panel_per_quantity_the_most_significant_first():
    first, second = FIGURES["significance"]().axes
    assert (first.get_title(), second.get_title()) == ("w alone", "V alone")
    assert lines(first)["SR"] == [[1, 50.0]]
    assert lines(second)["RN"] == [[0, 89.0], [1, 80.0]]
    assert [text.get_text() for text in second.get_xticklabels()] == ["6", "2"]


def test_ranges_show_histogram_ends_and_constants():
    weights, potential, theta, unused = FIGURES["ranges"]().axes
    (stairs,) = weights.patches
    assert stairs.get_data().values.tolist() == [30.0, 7.0]
    assert [line.get_xdata()[0] for line in weights.get_lines()] == [0.0, 0.7]
    assert [line.get_xdata()[0] for line in potential.get_lines()] == [-887.29, 1250.18]
    assert [line.get_xdata()[0] for line in theta.get_lines()] == [0.05]
    assert potential.get_title() == "V: -887.29 to 1250.18"
    assert potential.get_xlabel() == "potential, mV"
    assert not unused.get_visible()


def test_rates_count_every_neuron_and_the_raster_every_spike():
    ax = FIGURES["rates"]().axes[0]
    assert sum(patch.get_height() for patch in ax.patches) == 3
    assert ax.get_xlabel() == "firing rate (Hz)"
    (spikes,) = FIGURES["raster"]().axes[0].get_lines()
    assert spikes.get_xydata().tolist() == [[5, 0], [6, 3], [9, 1]]


def test_memory_is_stacked_in_kibibytes():
    bars = FIGURES["memory"]().axes[0].patches
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 32), (0, 8), (32, 4), (8, 2.25)]


def test_hostile_names_are_words():
    seen = Calibration(1, (SeenQuantity(HOSTILE, "variable", 1, low=0.0, high=1.0, description=HOSTILE),))
    found = texts(ranges_plot(seen))
    assert any(text.startswith("$\\frac$<script>alert(1)</script>&") for text in found)
    rows = (SignificanceRow(HOSTILE, "Q1.2", 2, HOSTILE, 0.5),)
    evaluations = [
        Evaluation(Setting(Scheme.PTQ, Rounding.RN, ((HOSTILE, QFormat(1, f)),)), 1, 2, 3, 4, 0.1) for f in (4, 2)
    ]
    for drawn in (
        significance_plot(Significance(0.5, rows)),
        precision_plot(evaluations),
        memory_plot([MemoryPart(HOSTILE, HOSTILE, 1, 1, 32)]),
    ):
        png(drawn)
        assert "<script" not in svg(drawn)


def test_ranges_of_one_value_and_huge_ones_are_drawn():
    quantities = [
        SeenQuantity("one", "variable", 1, low=3.0, high=3.0),
        SeenQuantity("huge", "variable", 1, low=-1e300, high=1e300),
        SeenQuantity("unseen", "variable", 1),
    ]
    drawn = ranges_plot(Calibration(1, tuple(quantities)))
    png(drawn)
    assert [ax.get_title() for ax in drawn.axes[:3]] == ["one: 3 to 3", "huge: -1e+300 to 1e+300", "unseen: not seen"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: ranges_plot(Calibration(1, ())), "no quantity was seen, so there is no range to draw; .*calibrate'"),
        (lambda: rates_plot(()), "no firing rate was seen, so there is none to draw; run 'spikequant calibrate'"),
        (lambda: significance_plot(Significance(0.5, ())), "nothing was measured, .*; run 'spikequant significance'"),
        (lambda: precision_plot(EVALUATIONS[:1]), "no quantity was evaluated at two levels, .*; explore more"),
        (lambda: memory_plot(()), "the model keeps nothing, .*; give a model with weights"),
    ],
)
def test_nothing_to_draw_says_what_to_do(draw, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        draw()


def test_a_plot_is_saved_as_its_name_ends(tmp_path):
    figure = FIGURES["rates"]()
    save_figure(figure, tmp_path / "a.SVG")
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.SVG").read_text("utf-8") == svg(figure)
    assert (tmp_path / "a.png").read_bytes() == png(figure)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.SVG", "a.png"]


@pytest.mark.parametrize(("name", "end"), [("a.pdf", "'.pdf'"), ("a", "'nothing'"), (".svg", "'nothing'")])
def test_other_names_are_refused_before_anything_is_drawn(tmp_path, name, end):
    with pytest.raises(UsageError, match=rf"^plot .* ends on {end}; give a name that ends on .svg or .png$"):
        check_plot_name(tmp_path / name)


def test_a_plot_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(
        UsageError, match=r"^plot .*no/a.svg cannot be written: No such file or directory; give another "
    ):
        save_figure(FIGURES["rates"](), tmp_path / "no" / "a.svg")


def test_without_matplotlib_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        UsageError,
        match=r"^plots need matplotlib, which did not load \(.*\); install it with pip install 'spikequant\[report\]'$",
    ):
        rates_plot((1.0,))


def test_the_palette_can_be_told_apart_in_grey_as_well():
    """Roundings also differ by marker, and their colours by lightness."""
    from spikequant.report.marks import COLORS, MARKERS

    luminance = sorted(
        sum(part * int(color[i : i + 2], 16) for part, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))
        for color in COLORS.values()
    )
    assert all(high - low > 20 for low, high in pairwise(luminance))
    assert len(set(MARKERS.values())) == len(Rounding)
    assert set(COLORS.values()) <= set(drawing.PALETTE)
