"""Every contender of the benchmarks sends the same events; nothing here looks at a clock."""

import asyncio
from typing import get_args

import pytest
from benchmarks import contenders, inprocess, wsgi
from benchmarks.measure import Comparison, Field, compare
from benchmarks.over_uvicorn import unchunked
from benchmarks.report import Result, page, verdicts
from benchmarks.row import Row
from benchmarks.rows import ROWS, TARGETS
from benchmarks.work import Kind, Mode, Work

EVENTS = 150


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("name", contenders.ALL)
def test_every_contender_sends_the_same_events(name: str, kind: Kind, mode: Mode) -> None:
    work = Work(kind, mode, EVENTS)
    asyncio.run(inprocess.check(contenders.load(name)(work), work))


@pytest.mark.parametrize("name", wsgi.BODIES)
def test_every_wsgi_body_has_the_same_events(name: str) -> None:
    work = Work("str", "sync", EVENTS)
    inprocess.refuse_other_events(work, wsgi.read(wsgi.BODIES[name](work)))


def test_a_body_with_a_missing_event_is_refused() -> None:
    with pytest.raises(ValueError, match="1 events instead of 2"):
        inprocess.refuse_other_events(Work("str", "sync", 2), b"data:  token0\n\n")


def test_a_contender_that_is_not_installed_is_left_out_with_its_reason() -> None:
    field = Field()
    field.enter("nobody", lambda: contenders.load("nobody"))  # type: ignore[arg-type,return-value]
    assert field.samplers == {}
    assert "nobody" in field.absent["nobody"]


def test_ratios_are_paired_within_a_repetition() -> None:
    comparison = Comparison("raw", [{"raw": 1, "peer": 2}, {"raw": 10, "peer": 20}])
    assert comparison.ratio("peer", "raw").middle == 2


def test_a_machine_that_does_not_hold_still_is_told_apart() -> None:
    ends = iter([1.0, 2.0] * 100)
    comparison = compare(Field({"raw": lambda: next(ends)}), "raw", 3)
    assert comparison.kept == []
    assert not comparison.trusted


def test_the_first_repetition_does_not_count() -> None:
    costs = iter([9.0, 9.0] + [1.0] * 6)
    comparison = compare(Field({"raw": lambda: next(costs)}), "raw", 3)
    assert comparison.kept == [{"raw": 1.0}] * 3


def test_a_target_without_a_figure_is_missed() -> None:
    result = Result(row("async-str"), Field(absent={"raw": "why"}), Comparison("raw"))
    assert [verdict.met for verdict in verdicts([result])] == [False, False]
    assert "**raw did not take part:** `why`" in page([result])


def test_every_target_is_of_a_row_that_is_measured() -> None:
    assert {target.row for target in TARGETS} <= {row.name for row in ROWS}


def test_an_answer_in_chunked_encoding_is_put_together() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert unchunked(answer) == b"abcde"


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)
