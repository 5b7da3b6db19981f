"""A study as one self-contained HTML page, and its plots as files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from spikequant.errors import UsageError
from spikequant.files import reason
from spikequant.report.drawing import save_figure, svg
from spikequant.report.inline_svg import inline_svg
from spikequant.report.sections import percent, sections
from spikequant.report.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("page.html.j2")


def draw_plots(study: Study) -> dict[str, Figure]:
    """Return every plot of the study's sections under the name of its file.

    Raises:
        UsageError: matplotlib is not installed.
    """
    return {name: draw() for section in sections(study)[0] for name, _, draw in section.plots}


def report_html(study: Study, figures: Mapping[str, Figure]) -> str:
    """Return the page as text: no other file, no script, nothing from a network.

    Equal studies give equal text. All words from files are escaped.

    Args:
        study: What to show.
        figures: What :func:`draw_plots` returned for it.

    Raises:
        UsageError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise UsageError(
            f"reports need jinja2, which did not load ({error}); install it with pip install 'spikequant[report]'"
        ) from error
    shown, left_out = sections(study)
    pictures = {
        name: Markup(inline_svg(svg(figures[name]), name, title))
        for section in shown
        for name, title, _ in section.plots
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=f"{study.recipe.network.name} on {study.recipe.data.name}",
        facts=facts(study),
        why=None if study.choice is None else study.choice.why,
        sections=shown,
        left_out=left_out,
        pictures=pictures,
        run=shlex.quote(study.run),
        recipe=tomli_w.dumps(study.recipe.table()),
    )


def facts(study: Study) -> list[tuple[str, str]]:
    """Return the summary: what was trained, how accurate it is, and what was chosen."""
    from spikequant import __version__

    recipe, choice = study.recipe, study.choice
    found = [
        ("run", study.run),
        ("network", _part(recipe.network.name, recipe.network.options)),
        ("neuron", _part(recipe.neuron.name, recipe.neuron.options)),
        ("data", recipe.data.name),
        ("timesteps", str(recipe.timesteps)),
        ("learner", _part(recipe.learner.name, recipe.learner.options)),
        ("quantizer", _part(recipe.quantizer.name, recipe.quantizer.options)),
        ("seed", str(recipe.seed)),
        ("FP32 accuracy", percent(study.float_accuracy)),
    ]
    if study.result is None:
        found.append(("training", "has not ended"))
    else:
        accuracy = percent(study.result["accuracy"]["trained"])
        found.append(("accuracy as trained", f"{accuracy} of {study.result['test_samples']:,} test samples"))
    if choice is not None and choice.index is not None:
        evaluation, label = choice.evaluations[choice.index], choice.candidates[choice.index].label
        found += [
            (f"chosen by {choice.selector}", label),
            ("its accuracy", percent(evaluation.accuracy)),
            ("its memory", f"{evaluation.memory_bits:,} bits, {evaluation.saving:.4f} times smaller than FP32"),
        ]
    elif choice is not None:
        found.append((f"chosen by {choice.selector}", "none"))
    return [*found, ("made by", f"spikequant {__version__}")]


def save_plots(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write every plot as SVG and as PNG, making the folder; return the files.

    Raises:
        UsageError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--plots {folder} cannot be made: {reason(error)}; give another folder") from error
    paths = [folder / f"{name}{suffix}" for name in figures for suffix in (".svg", ".png")]
    for path in paths:
        save_figure(figures[path.stem], path)
    return paths


def _part(name: str, options: Mapping[str, object]) -> str:
    given = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"{name} ({given})" if given else name
