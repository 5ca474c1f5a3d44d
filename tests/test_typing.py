"""The types that users meet, as mypy and pyright see them: strictly; and over the pages that are read first."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import pages
import typing_checks
from pages import ROOT

TYPED = Path(__file__).parent / "typed"

pytestmark = pytest.mark.timeout(300)  # the first time, all packages are read

PAGES = ("README.md", "README.zh-CN.md", "docs/index.md", "docs/tutorial.md")
PAGES += tuple(f"docs/zh/{page}.md" for page in ("start", "qwen", "deploy", "errors"))

# What DashScope's own annotations make impossible; a test below tells which of the two is mended.
_DASHSCOPES = {
    # `call` gives "an answer or a generator of them", whatever `stream` is, and an answer cannot be iterated.
    "stream": re.compile(
        r"\"(Generation|MultiModalConversation)Response\" is not iterable"
        r"|\"yield from\" can't be applied to \"(Generation|MultiModalConversation)Response \| Gen"
    ),
    # `messages` is a list of `dashscope.Message`, a name that only its stub has; all of its examples give dicts.
    "messages": re.compile(
        r"Argument \"messages\" to \"call\" of \"(Aio)?Generation\" has .* \"list\[dict\[str, \w+\]\]\""
        r"|Argument of type \"list\[dict\[str, \w+\]\]\" .* \"messages\" of type \"List\[Message\]"
    ),
}

Check = Callable[..., list[typing_checks.Fault]]


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def checker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def check(checker: str, tmp_path: Path) -> Check:
    return _checked_in(checker, tmp_path)


@pytest.fixture(scope="module")
def faults_of_pages(
    checker: str, tmp_path_factory: pytest.TempPathFactory
) -> list[typing_checks.Fault]:
    """Those of all pages' blocks, by one run of the checker: it reads all packages anew in each."""
    folder = tmp_path_factory.mktemp("pages")
    paths: list[Path] = []
    for page in PAGES:
        blocks = [b for b in pages.blocks(ROOT / page) if b.language == "python" and b.is_run]
        assert blocks, page
        paths += typing_checks.written(blocks, folder, _module(page))
    return _checked_in(checker, folder)(*paths, untyped=True)


def _checked_in(checker: str, folder: Path) -> Check:
    if checker == "mypy":
        return typing_checks.mypy
    return functools.partial(typing_checks.pyright, folder=folder)


def _dashscopes(fault: typing_checks.Fault) -> str | None:
    """Which annotation of DashScope's this fault is of."""
    return next((name for name, words in _DASHSCOPES.items() if words.match(fault.words)), None)


def _module(page: str) -> str:
    return re.sub(r"\W", "_", page)


def test_what_users_write_has_types(check: Check):
    assert check(TYPED / "accepted.py") == []


def test_what_is_wrong_is_a_type_error_and_nothing_else_is(check: Check):
    lines = (TYPED / "refused.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    faults = check(TYPED / "refused.py")
    assert {fault.line for fault in faults} == marked, faults


@pytest.mark.parametrize("page", PAGES)
def test_each_block_of_a_page_has_types(faults_of_pages: list[typing_checks.Fault], page: str):
    faults = [fault for fault in faults_of_pages if fault.file.startswith(f"{_module(page)}_")]
    assert [fault for fault in faults if not _dashscopes(fault)] == []


@pytest.mark.parametrize("annotation", _DASHSCOPES)
def test_what_is_left_out_for_dashscope_is_still_a_fault(
    faults_of_pages: list[typing_checks.Fault], annotation: str
):
    assert annotation in map(_dashscopes, faults_of_pages)


def test_a_block_with_a_fault_is_found_on_its_line_of_the_page(check: Check, tmp_path: Path):
    blocks = [
        pages.Block(ROOT / "README.md", 3, "python", "word: str = 'a'\n"),
        pages.Block(ROOT / "README.md", 9, "python", "\nnumber: int = word\n"),
    ]
    [fault] = check(*typing_checks.written(blocks, tmp_path), untyped=True)
    assert fault[:2] == ("block_1.py", 10)
