"""Write what is known about a run into one file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from spikequant.choice import Choice
from spikequant.errors import UsageError
from spikequant.files import write_text
from spikequant.report.page import draw_plots, report_html, save_plots
from spikequant.report.parts import LeftOut, Section
from spikequant.report.sections import sections
from spikequant.report.study import read_study
from spikequant.runs import RunFolder


@dataclass(frozen=True)
class Written:
    """What a report holds.

    Attributes:
        shown: Its sections.
        left_out: What was not computed yet, and which command does.
        plots: Files of the plots, if they were asked for.
    """

    shown: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]
    plots: tuple[Path, ...]


def require_report() -> None:
    """Raise, before long work for a report, unless it could be made.

    Raises:
        UsageError: jinja2 or matplotlib is not installed.
    """
    for name in ("jinja2", "matplotlib"):
        try:
            import_module(name)
        except ImportError as error:
            raise UsageError(
                f"reports need {name}, which did not load ({error}); install it with pip install 'spikequant[report]'"
            ) from error


def write_report(
    folder: RunFolder, choice: Choice | None, path: Path, option: str, plots: Path | None = None
) -> Written:
    """Write the report of a run.

    Args:
        folder: The run.
        choice: What was chosen among what was explored.
        path: The HTML file.
        option: Where the path came from, for errors.
        plots: Folder for every plot as SVG and PNG.

    Raises:
        UsageError: A file cannot be written, or matplotlib or jinja2 is not installed.
    """
    study = read_study(folder, choice)
    figures = draw_plots(study)
    text = report_html(study, figures)
    saved = save_plots(figures, plots) if plots is not None else []
    write_text(path, text, option)
    shown, left_out = sections(study)
    return Written(tuple(shown), tuple(left_out), tuple(saved))
