"""The report is one page: whole, without resources, every number as it was given, every word escaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from spikequant.choice import choose
from spikequant.energy.breakdown import WORK
from spikequant.energy.sheet import Column, Sheet
from spikequant.energy.sheets import ALL, LINEAR, MEAN, RELATIVE
from spikequant.energy.study import EnergyStudy
from spikequant.explore import Evaluation, Exploration, Plan, PlannedAxis, Scheme, Setting, memory_of
from spikequant.formats import FP32, QFormat
from spikequant.quantity import Quantity
from spikequant.report.page import draw_plots, report_html, save_plots
from spikequant.report.results import (
    Calibration,
    Histogram,
    MemoryPart,
    Raster,
    SeenQuantity,
    Significance,
    SignificanceRow,
)
from spikequant.report.sections import sections
from spikequant.report.study import Study
from spikequant.rounding import Rounding
from spikequant.runs import parse_recipe
from spikequant_reward.selector import Reward

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\"'&{{ 31337*3 }}"
QUANTITIES = (
    Quantity("w", "variable", 313_600, "quantizer"),
    Quantity("V", "variable", 400, "neuron"),
    Quantity("Vth", "variable", 400, "neuron"),
    Quantity("Vreset", "constant", 400, value=-65.0),
    Quantity("theta", "constant", 400, value=0.05),
)
PAPER = {(8, 8): 8656, (6, None): 8627, (6, 6): 8624, (4, 4): 7000, (None, None): 8700}


def recipe(**changes):
    part = {"name": "x"}
    table = {"data": {"name": "mnist"}, "network": part, "neuron": part, "quantizer": part, "learner": part}
    return parse_recipe({**table, **changes}, "test")


def evaluations():
    found = []
    for (w, n), right in PAPER.items():
        weight, neuron = FP32 if w is None else QFormat(1, w), FP32 if n is None else QFormat(11, n)
        formats = (("w", weight), ("V", neuron), ("Vth", neuron))
        setting = Setting(Scheme.PTQ, Rounding.RN, formats)
        memory = memory_of(setting, QUANTITIES)
        found.append(Evaluation(setting, right, 10_000, memory.bits, memory.fp32_bits, 0.1))
    return found


def choice(selector=None, complete=True):
    found = evaluations()
    axis = PlannedAxis("w", ("w",), ((FP32,), (QFormat(1, 6),)))
    exploration = Exploration(Plan((axis,)), {"w"}, found[-1], tuple(found), complete)
    return choose(exploration, selector or Reward(mu=0.3))


CALIBRATION = Calibration(
    1000,
    (
        SeenQuantity("V", "variable", 400, -887.29, 1250.18, None, 11, "Q11.f", "membrane potential, mV"),
        SeenQuantity("Vreset", "constant", 400, value=-65.0, int_bits=7, format="Q7.0", description="mV"),
    ),
    {"V": Histogram((-887.29, 0.0, 1250.18), (12.0, 34.0))},
    (0.0, 1.5, 3.0),
    Raster((0, 2), (7, 9), 250),
)
SIGNIFICANCE = Significance(
    0.87, (SignificanceRow("w", "Q1.6", 6, "SR", 0.8627), SignificanceRow("w", "Q1.4", 4, "SR", 0.701)), ("w",)
)
MEMORY = (MemoryPart("w", "Q1.6", 313_600, 2_508_800, 10_035_200), MemoryPart("V", "Q11.6", 400, 7_200, 12_800))


def sheet(kind, words="words", **changes):
    """A small sheet of each kind that is drawn, every word of it ``words``."""
    given = {
        "layers": (
            (Column("layer"), Column("of"), *(Column(work, "pJ") for work in (*WORK, "computation", "memory"))),
            (("a", words, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 3.0, 18.0), ("total", words, *[0.0] * 8)),
        ),
        "memory": (
            (Column("accounting"), Column("batch"), *(Column(name, "pJ") for name in ("W", "U", "S", "other"))),
            ((words, 1, 1.0, 2.0, 3.0, 4.0), (words, 32, 0.5, 2.0, 3.0, 4.0)),
        ),
        "sparsity": ((Column("layer"), Column("zeros", "share")), ((words, 0.75), (MEAN, 0.75), (ALL, 0.75))),
        "timesteps": (
            (
                Column("timesteps"),
                Column("accuracy", "share"),
                Column(LINEAR, "times"),
                Column(f"a{RELATIVE}", "times"),
            ),
            ((1, 0.5, 0.5, 0.4), (2, 0.6, 1.0, 1.0)),
        ),
        "savings": ((Column("saved", "share"),), ((0.5,),)),
    }
    said = {"assumptions": (f"it holds that {words}",), "paper": words, "notes": (words,), **changes}
    columns, rows = given[kind]
    return Sheet(kind, f"{kind} of {words}", f"table of {words}", words, words, columns=columns, rows=rows, **said)


KINDS = ("sparsity", "savings", "layers", "memory", "timesteps")
ENERGY = EnergyStudy("0" * 64, "torch", 200, 4, 1000, tuple(map(sheet, KINDS)))


def study(**changes):
    whole = Study(
        "runs/usnn",
        recipe(),
        {"accuracy": {"float": 0.8705, "trained": 0.8624}, "test_samples": 10_000, "epochs": 1},
        choice(),
        CALIBRATION,
        SIGNIFICANCE,
        MEMORY,
        "of the chosen candidate",
        ENERGY,
    )
    return replace(whole, **changes)


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in its order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.rows, self.texts, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag == "tr":
            self.rows.append([])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        raise AssertionError(f"<{tag}/> is not HTML")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def rendered(given):
    return report_html(given, draw_plots(given))


@pytest.fixture(scope="module")
def text():
    return rendered(study())


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_equal_studies_give_equal_pages(text):
    assert rendered(study()) == text


def test_the_page_is_whole_and_every_identifier_is_its_own(page):
    tags = [tag for tag, _ in page.elements]
    assert tags[:2] == ["html", "head"]
    assert tags.count("svg") == 11
    assert len(set(page.ids)) == len(page.ids)
    references = {value for _, attrs in page.elements for value in attrs.values() if value}
    used = {found for value in references for found in re.findall(r"url\(#([^)]*)\)", value)}
    used |= {attrs["href"][1:] for _, attrs in page.elements if "href" in attrs}
    assert used
    assert used <= set(page.ids)


def test_every_figure_and_table_of_energy_stands_with_its_energy_table_and_assumptions(text):
    section = text[text.index('<section id="energy">') :].partition("</section>")[0]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>|<caption>(.*?)</caption>", section)
    said = [figure or table for figure, table in captions if "Notes of" not in table]
    assert len(said) == 4 + 5
    for words in said:
        assert "table: table of words (words; words); assumed: it holds that words; paper: words" in words
    drawn = re.findall(r"<svg .*?</svg>", section, re.DOTALL)
    assert len(drawn) == 4
    for figure in drawn:
        assert "table: table of words (words; words)" in figure
        assert "assumed: it holds that words" in figure


def test_two_tables_make_two_plots_of_a_kind_and_their_names_name_no_file():
    given = study(energy=replace(ENERGY, sheets=(sheet("layers"), sheet("layers", "../../etc"))))
    names = [name for name, _, _ in sections(given)[0][-1].plots]
    assert names == ["energy-layers", "energy-layers-2"]


def test_nothing_is_fetched_and_nothing_runs(page, text):
    assert not re.search(r"https?:|//[a-z]|@import|javascript:|data:", text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attrs in page.elements:
        assert not [key for key in attrs if key.startswith("on") or key in ("src", "srcset", "xlink:href")]
        assert attrs.get("href", "#").startswith("#")
    policy = [attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_light_and_dark(page, text):
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.elements
    assert "prefers-color-scheme: dark" in text
    drawn = [attrs.get("style", "") for tag, attrs in page.elements if tag in ("text", "path", "use")]
    assert any("currentColor" in style for style in drawn)
    assert "#26282b" not in text


def test_the_summary_says_what_was_trained_chosen_and_why(page):
    for words in (
        "run runs/usnn",
        "data mnist",
        "FP32 accuracy 87.00 %",
        "accuracy as trained 86.24 % of 10,000 test samples",
        "chosen by reward PTQ RN W(Q1.6)-N(Q11.6)",
        "its accuracy 86.24 %",
        "its memory 2,529,600 bits, 3.9873 times smaller than FP32",
        "PTQ RN W(Q1.6)-N(Q11.6): reward 0.7872 = accuracy 0.8624 - mu 0.3 x memory 0.2508 of FP32",
    ):
        assert words in page.text, words


def test_every_evaluation_and_the_front_are_listed_as_they_are(page):
    def row(evaluation, name):
        return [
            name,
            f"{evaluation.right / 100:.2f} %",
            f"{evaluation.memory_bits:,}",
            f"{evaluation.memory_bits / evaluation.reference_bits:.4f}",
            f"{evaluation.reference_bits / evaluation.memory_bits:.4f}",
            "yes" if evaluation.right >= 8600 else "no",
        ]

    names = ("W(Q1.8)-N(Q11.8)", "W(Q1.6)-N(FP32)", "W(Q1.6)-N(Q11.6)", "W(Q1.4)-N(Q11.4)", "W(FP32)-N(FP32)")
    rows = [row(e, f"PTQ RN {name}") for e, name in zip(evaluations(), names, strict=True)]
    headers = [i for i, cells in enumerate(page.rows) if cells[:1] == ["setting"]]
    front, everything = (page.rows[i + 1 : i + 6] for i in headers)
    assert everything == rows
    assert front == [rows[i] for i in (3, 2, 1, 0, 4)]
    marked = [attrs for tag, attrs in page.elements if tag == "tr" and attrs.get("class") == "chosen"]
    assert len(marked) == 2


def test_ranges_memory_and_significance_are_listed_as_they_are(page):
    for cells in (
        ["V", "variable", "400", "-887.29 to 1250.18", "11", "Q11.f", "membrane potential, mV"],
        ["Vreset", "constant", "400", "-65", "7", "Q7.0", "mV"],
        ["w", "Q1.6", "86.27 %"],
        ["w", "Q1.4", "70.10 %"],
        ["w", "313,600", "Q1.6", "2,508,800", "10,035,200"],
        ["total", "314,000", "2,516,000", "10,048,000"],
    ):
        assert cells in page.rows, cells
    assert "3 neurons fire 1.5 times a second on average; 1 of them never." in page.text
    assert "2 spikes in 250 timesteps." in page.text
    assert "3.9936 times smaller than FP32" in page.text


def test_what_was_not_computed_is_left_out_and_the_command_named():
    bare = Page(
        rendered(study(choice=None, calibration=None, significance=None, memory=(), energy=None, run="my runs/a"))
    )
    assert not [tag for tag, _ in bare.elements if tag in ("svg", "table")]
    for title, command in (
        ("Accuracy against memory", "explore"),
        ("Accuracy against bits per parameter", "explore --search curves"),
        ("Significance", "significance"),
        ("Ranges", "calibrate"),
        ("Firing rates", "calibrate"),
        ("Spikes of one sample", "calibrate"),
        ("Memory by part", "export"),
        ("Energy", "energy"),
    ):
        words = f"{title}: nothing was computed yet; run spikequant {command} 'my runs/a' and report again."
        assert words in bare.text
    assert "FP32 accuracy 87.05 %" in bare.text


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"choice": None}, {"Accuracy against memory", "Accuracy against bits per parameter"}),
        ({"significance": None}, {"Significance"}),
        ({"calibration": None}, {"Ranges", "Firing rates", "Spikes of one sample"}),
        ({"calibration": replace(CALIBRATION, rates_hz=(), raster=None)}, set()),
        ({"memory": ()}, {"Memory by part"}),
        ({"energy": None}, {"Energy"}),
    ],
)
def test_each_section_by_itself(changes, left_out):
    given = study(**changes)
    shown, missing = sections(given)
    assert {section.title for section in missing} == left_out
    text = rendered(given)
    for section in shown:
        assert f'<section id="{section.name}">' in text


def test_training_that_has_not_ended_and_an_exploration_that_has_not():
    found = Page(rendered(study(result=None, choice=choice(complete=False)))).text
    assert "training has not ended" in found
    assert "The exploration has not ended; run it again to go on." in found


def test_nobody_chosen_says_why():
    from spikequant_selectors import MaxMemory

    found = Page(rendered(study(choice=choice(MaxMemory(bits=5)), memory=()))).text
    assert "chosen by max-memory none" in found
    assert "none of 5 candidates is within 5 bits; the nearest is PTQ RN W(Q1.4)-N(Q11.4)" in found


def test_hostile_words_stay_words():
    part = {"name": HOSTILE, HOSTILE: HOSTILE}
    setting = [
        replace(e, setting=replace(e.setting, formats=((HOSTILE, QFormat(1, 8 - 2 * i)),)))
        for i, e in enumerate(evaluations()[:3])
    ]
    exploration = Exploration(choice().exploration.plan, {HOSTILE}, setting[0], tuple(setting), True)
    given = study(
        run=HOSTILE,
        recipe=recipe(data={"name": HOSTILE}, network=part, neuron=part),
        choice=choose(exploration, Reward()),
        calibration=Calibration(
            1, (SeenQuantity(HOSTILE, "variable", 1, 0.0, 1.0, format=HOSTILE, description=HOSTILE),)
        ),
        significance=Significance(0.5, (SignificanceRow(HOSTILE, "Q1.6", 6, HOSTILE, 0.5),), (HOSTILE,)),
        memory=(MemoryPart(HOSTILE, HOSTILE, 1, 8, 32),),
        memory_title=HOSTILE,
        energy=replace(ENERGY, backend=HOSTILE, sheets=tuple(sheet(kind, HOSTILE) for kind in KINDS)),
    )
    found = Page(rendered(given))
    assert not {tag for tag, _ in found.elements} & {"script", "img"}
    assert not [key for _, attrs in found.elements for key in attrs if key.startswith("on")]
    assert f"data {HOSTILE}" in found.text
    assert "94011" not in found.text


def test_more_evaluations_than_a_page_should_list(monkeypatch):
    monkeypatch.setattr("spikequant.report.sections.MOST_ROWS", 4)
    section = sections(study())[0][0]
    assert len(section.tables) == 1
    assert section.words[-1] == "All settings as a table: run 'spikequant explore' again with --csv FILE."


def test_plots_as_files(tmp_path):
    figures = draw_plots(study())
    paths = save_plots(figures, tmp_path / "new" / "plots")
    names = ("accuracy-memory", "accuracy-bits", "significance", "ranges", "firing-rates", "raster", "memory-split")
    names += ("energy-sparsity", "energy-layers", "energy-memory", "energy-timesteps")
    assert [path.name for path in paths] == [f"{name}{end}" for name in names for end in (".svg", ".png")]
    assert sorted(paths) == sorted((tmp_path / "new" / "plots").iterdir())
    for path in paths:
        assert path.read_bytes()[:5] == (b"<?xml" if path.suffix == ".svg" else b"\x89PNG\r")
