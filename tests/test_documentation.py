"""Every example in the sources, the README and the docs runs and says the truth."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import own_hand
import PIL.Image
import pytest

import handwriting
from handwriting import images
from handwriting.datasets import digits

ROOT = Path(__file__).parents[1]
SOURCES = ["handwriting"] + [
    module.name
    for module in pkgutil.walk_packages(handwriting.__path__, "handwriting.")
    if not module.name.endswith("__main__")
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def failures(text, name, variables):
    report = []
    test = doctest.DocTestParser().get_doctest(text, variables, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append, clear_globs=False)
    variables.update(test.globs)
    return report


@pytest.mark.parametrize("name", SOURCES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    report = []
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(test, out=report.append)

    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_pages_run(page, tmp_path, monkeypatch):
    """Blocks with a prompt are checked line by line, the others must run; a page is one session."""
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "picture.png", 255 - digits.load("test").images[0])  # the user's own
    PIL.Image.fromarray(own_hand.page("The quick brown fox", "jumps.")).save(tmp_path / "page.jpg")
    variables = {"__name__": "__main__"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if ">>>" in block:
            report = failures(block, page.name, variables)
            assert not report, "".join(report)
        else:
            exec(compile(block, page.name, "exec"), variables)


def test_a_wrong_example_is_found():
    assert failures(">>> 1 + 1\n3\n", "wrong", {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_waits_to_be_filled_in(page):
    assert not re.findall(r"\b(?:[A-Z]{4,}TABLE|[A-Z]{4,}LINE|TODO|FIXME|TBD)\b", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
