"""Every example in the documentation runs, and gives what the text says."""

import ast
import doctest
import importlib.util
import shutil
import sys
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest
import torch

from spikequant.registry import discover

MARK = "<!-- executed by tests/docs -->\n```python\n"


def interactive(page):
    """The page as one doctest: its blocks with ``>>>`` in place, every other line empty."""
    lines = [""] * (page.text.count("\n") + 2)
    for block in page.blocks:
        if ">>> " in block.text:
            given = block.text.split("\n")
            lines[block.line - 1 : block.line - 1 + len(given)] = given
    return "\n".join(lines)


def failures(page):
    test = doctest.DocTestParser().get_doctest(interactive(page), {}, str(page.path), str(page.path), 0)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append, clear_globs=True)
    return len(test.examples), "".join(report)


def test_examples_with_prompts_run(interactive_page, trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "runs" / "digits")
    monkeypatch.chdir(tmp_path)
    count, report = failures(interactive_page)
    assert report == ""
    assert count == interactive_page.text.count(">>> ") > 0


def test_a_wrong_example_is_seen(page_of, tmp_path):
    (tmp_path / "a.md").write_text("# A\n```python\n>>> 1 + 1\n3\n\n```\n", "utf-8")
    assert "line 3" in failures(page_of(tmp_path / "a.md"))[1]


def test_python_blocks_are_python(page):
    for block in page.blocks:
        if block.language == "python" and ">>> " not in block.text:
            ast.parse(block.text, f"{page}:{block.line}")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The README's plugin and its conformance test, as a module."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    path = tmp_path_factory.mktemp("plugin") / "readme_pow2.py"
    path.write_text("\n".join(part.split("```")[0] for part in readme.split(MARK)[1:]), "utf-8")
    spec = importlib.util.spec_from_file_location("readme_pow2", path)
    module = sys.modules["readme_pow2"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["readme_pow2"]


def test_readme_plugin_is_15_lines_and_is_offered(plugin, page_of):
    source = page_of("README.md").text.split(MARK)[1].split("```")[0]
    assert len([line for line in source.splitlines() if line]) <= 15
    found = discover([(EntryPoint("pow2", "readme_pow2", "spikequant"), distribution("spikequant"))])
    assert found.failures == ()
    assert [(offer.kind, offer.name, offer.value) for offer in found.offers] == [
        ("quantizer", "pow2", plugin.PowerOfTwo)
    ]


def test_readme_plugin_passes_its_own_conformance_test(plugin):
    (mark,) = plugin.test_contract.pytestmark
    cases = [case.values for case in mark.args[1]]
    assert {quantizer.bits for quantizer, _ in cases} == {4, 8}
    for quantizer, check in cases:
        plugin.test_contract(quantizer, check)


def test_readme_plugin_rounds_to_powers_of_two(plugin):
    x = torch.tensor([0.4, 0.6, 3.0, -5.0, 100.0, -0.49, 1.0])
    assert plugin.PowerOfTwo(bits=4).quantize(x, torch.tensor(1.0)).tolist() == [0, 1, 4, -4, 4, 0, 1]
    assert plugin.PowerOfTwo(bits=2).quantize(x, torch.tensor(0.5)).tolist() == [1, 1, 1, -1, 1, -1, 1]
