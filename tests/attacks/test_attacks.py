"""The suite of attacks itself: how many it has, and that each says what it tries."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("test_*.py"))
ATTACKS, WORDS = 80, 5


def attacks(path: Path) -> list[str]:
    """The names of a file's tests, less the first word, which all have."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    names = [node.name for node in nodes if isinstance(node, functions)]
    return [name.removeprefix("test_") for name in names if name.startswith("test_")]


SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def test_there_are_as_many_attacks_as_were_promised():
    names = [name for path in FILES if path != Path(__file__) for name in attacks(path)]
    assert len(names) >= ATTACKS
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_name_of_each_attack_is_a_sentence_about_what_it_tries(path: Path):
    assert [name for name in attacks(path) if len(name.split("_")) < WORDS] == []


def test_the_table_of_promises_names_every_file_of_attacks_and_no_other():
    named = set(re.findall(r"`(test_\w+\.py)`", SECURITY.read_text("utf-8")))
    assert named == {path.name for path in FILES if path != Path(__file__)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_attack_is_marked_as_one_that_succeeds(path: Path):
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    assert "xfail" not in {node.attr for node in nodes if isinstance(node, ast.Attribute)}
