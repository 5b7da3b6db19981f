"""What the tests of the documentation read."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from spikequant.cli import main

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, and the number of its first line."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A Markdown file of the project."""

    path: Path

    @property
    def text(self):
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self):
        """The text with every fenced block emptied, line numbers kept."""
        return FENCE.sub(lambda found: "\n" * found[0].count("\n"), self.text)

    @property
    def blocks(self):
        text = self.text
        return [Block(f[2], f[3], text[: f.start(3)].count("\n") + 1) for f in FENCE.finditer(text)]

    def __str__(self):
        return self.path.relative_to(ROOT).as_posix()


PAGES = [Page(path) for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]]


def pytest_generate_tests(metafunc):
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=str)
    if "interactive_page" in metafunc.fixturenames:
        pages = [page for page in PAGES if any(">>> " in block.text for block in page.blocks)]
        metafunc.parametrize("interactive_page", pages, ids=str)


@pytest.fixture
def root():
    return ROOT


@pytest.fixture
def page_of():
    """Return a function from a path inside the project to its page."""
    return lambda name: Page(ROOT / name)


@pytest.fixture(scope="session")
def explored(trained, tmp_path_factory):
    """A copy of the trained run with everything that exploration leaves there."""
    folder = tmp_path_factory.mktemp("explored") / "run"
    shutil.copytree(trained, folder)
    levels = ["--levels", "w=INT6,INT4", "--levels", "U=INT8"]
    main(["calibrate", str(folder)])
    main(["significance", str(folder), *levels])
    main(["explore", str(folder), *levels, "--target", "100"])
    main(["energy", str(folder), "--samples", "4"])
    main(["report", str(folder)])
    return folder
