"""The types that users meet, as mypy and pyright see them: strictly, and over the README's blocks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

import pages
import typing_checks
from pages import ROOT

TYPED = Path(__file__).parent / "typed"

pytestmark = pytest.mark.timeout(300)  # the first time, all packages are read

Check = Callable[..., list[typing_checks.Fault]]


@pytest.fixture(params=["mypy", "pyright"])
def check(request: pytest.FixtureRequest, tmp_path: Path) -> Check:
    if request.param == "mypy":
        return typing_checks.mypy
    return functools.partial(typing_checks.pyright, folder=tmp_path)


def test_what_users_write_has_types(check: Check):
    assert check(TYPED / "accepted.py") == []


def test_what_is_wrong_is_a_type_error_and_nothing_else_is(check: Check):
    lines = (TYPED / "refused.py").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    faults = check(TYPED / "refused.py")
    assert {fault.line for fault in faults} == marked, faults


def test_each_block_of_the_readme_has_types(check: Check, tmp_path: Path):
    blocks = [b for b in pages.blocks(ROOT / "README.md") if b.language == "python" and b.is_run]
    assert len(blocks) > 5
    assert check(*typing_checks.written(blocks, tmp_path), untyped=True) == []


def test_a_block_with_a_fault_is_found_on_its_line_of_the_page(check: Check, tmp_path: Path):
    blocks = [
        pages.Block(ROOT / "README.md", 3, "python", "word: str = 'a'\n"),
        pages.Block(ROOT / "README.md", 9, "python", "\nnumber: int = word\n"),
    ]
    [fault] = check(*typing_checks.written(blocks, tmp_path), untyped=True)
    assert fault[:2] == ("block_1.py", 10)
