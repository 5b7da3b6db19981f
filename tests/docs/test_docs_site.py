"""The site builds without a warning, holds every page, and asks no other server for anything."""

import os
import re
import subprocess
import sys

import pytest

PAGE_REFERENCES = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
STYLE_REFERENCES = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']*")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Return a function that builds the site of a folder and returns the process and the site."""

    def run(config):
        site = tmp_path_factory.mktemp("site")
        words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=300)
        return done, site

    return run


def test_site_builds_strictly_with_every_page_and_no_request_to_another_server(build, root):
    done, site = build(root / "mkdocs.yml")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    assert {path.stem for path in (root / "docs").glob("*.md")} <= {path.stem for path in site.glob("*.html")}
    foreign = {found for page in site.glob("*.html") for found in PAGE_REFERENCES.findall(page.read_text("utf-8"))}
    assert foreign == set()
    styled = {found for style in site.rglob("*.css") for found in STYLE_REFERENCES.findall(style.read_text("utf-8"))}
    assert styled == set()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](gone.md)", "gone.md"),
        ("[gone](index.md#gone)", "gone"),
    ],
)
def test_a_dead_link_fails_the_build(build, root, tmp_path, text, complaint):
    config = (root / "mkdocs.yml").read_text("utf-8").split("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(config, "utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n{text}\n", "utf-8")
    done, _ = build(tmp_path / "mkdocs.yml")
    assert done.returncode == 1
    assert complaint in done.stderr
