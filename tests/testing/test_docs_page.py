"""The pages whose blocks are files of a user's tests: pytest runs them as theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

import pages
from pytests import run_pytest

PAGES = [page for page in pages.pages() if any(block.is_tests for block in pages.blocks(page))]


def files_of(page: Path) -> dict[str, str]:
    """Each such block by the file's name in its first line."""
    texts = [block.text for block in pages.blocks(page) if block.is_tests]
    return {text.partition("\n")[0].removeprefix("# "): text for text in texts}


def test_the_page_about_testing_is_among_them():
    (page,) = (page for page in PAGES if page.name == "testing.md")
    assert all(block.is_tests for block in pages.blocks(page) if block.is_python)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_is_a_file_and_all_of_them_pass(page: Path, tmp_path: Path):
    files = files_of(page)
    ran = run_pytest(tmp_path, files)
    assert ran.returncode == 0, ran.stdout
    assert all(name in ran.stdout for name in files if name != "conftest.py")
