"""The mutants themselves: each is the module with one fault, and has a name that outlives other edits."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="it comes with `make lint` and `make mutants`")

from mutants.breaking import mutants

HERE = Path(__file__).parent


def changes(source: str) -> set[str]:
    return {mutant.becomes for mutant in mutants(source)}


@pytest.mark.parametrize(
    "source, broken",
    [
        ("a = b < c", {"a = b <= c", "a = b >= c"}),
        ("a = b is not None", {"a = b is None"}),
        ("a = b in c", {"a = b not in c"}),
        ("a = b not in c", {"a = b in c"}),
        ("a = b - c", {"a = b + c"}),
        ("a = b or c", {"a = b and c"}),
        ("a = not b", {"a =  b"}),
        ("a = b if c else d", {"a = b if not c else d"}),
        ("if a: b", {"if not a: b"}),
        ("if a < b: c", {"if a <= b: c", "if a >= b: c"}),
        ("a = True", {"a = False"}),
        ("a = 1", {"a = 2", "a = 0"}),
        ("a = 'b'", {'a = ""'}),
        ("a = b''", {'a = b"XX"'}),
        ("a = f'{b}'", {'a = ""'}),
        ("a = None", {"a = 1"}),
        ("a += b", {"a = b"}),
        ("a.b(c)", {"pass"}),
        ("a = b()", {"a = None"}),
        ("a = b.c()", {"a = b"}),
        ("a = b(c, d)", {"a = (c)"}),
        ("a = b(c=d)", {"a = (d)"}),
        ("a = any(b)", {"a = (b)", "a = all(b)"}),
    ],
)
def test_a_place_is_broken_in_the_ways_that_a_test_may_miss(source: str, broken: set[str]):
    assert changes(source + "\n") == broken


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is."""',
        "a: str | None",
        "def a(b: None) -> None: ...",
        "from a import b",
        "a = cast('b', c)",
        "a = b",
    ],
)
def test_what_does_nothing_cannot_be_broken(source: str):
    assert changes(source + "\n") == set()


def test_a_mutant_is_known_by_its_function_and_not_by_its_line():
    source = "class A:\n    def b(self, c):\n        return c > 1  # more\n"
    names = {mutant.name for mutant in mutants(source)}
    assert "A.b: return c > 1  # more  ->  return c >= 1  # more" in names
    assert {mutant.name for mutant in mutants("# above\n" + source)} == names


def test_each_mutant_is_the_module_but_for_one_line():
    source = (HERE / "trying.py").read_text("utf-8")
    for mutant in mutants(source):
        assert mutant.source != source
        compile(mutant.source, "mutant", "exec")


def test_each_that_is_named_has_a_reason():
    for entries in tomllib.loads((HERE / "named.toml").read_text("utf-8")).values():
        for entry in entries:
            assert entry.keys() == {"mutant", "because"}
            assert len(entry["because"]) > 20
