"""Looks at a response, without anybody who waits."""

from __future__ import annotations

import pytest

from sse_bridge import ServerSentEvent
from sse_bridge.testing import reading
from sse_bridge.testing.answer import Answer
from sse_bridge.testing.reading import Reading
from sse_bridge.testing.request import Request

EVENTS = [("content-type", "text/event-stream")]


@pytest.fixture
def answer() -> Answer:
    return Answer()


@pytest.fixture
def seen(answer: Answer) -> Reading:
    return Reading(Request("GET", "/a"), answer, raises=True)


def test_events_may_come_cut_anywhere(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    for byte in b"data: a\r\n\r\ndata: b\r\n\r\n":
        answer.put(bytes([byte]))
    assert seen._look_for_events(2) == [ServerSentEvent("a"), ServerSentEvent("b")]


def test_there_is_no_answer_as_long_as_more_may_come(answer: Answer, seen: Reading):
    assert seen._look_for_status() is None
    answer.start(200, EVENTS)
    assert seen._look_for_status()
    answer.put(b"data: a\n\n")
    assert seen._look_for_events(2) is None
    assert seen._look_for_ping() is None
    assert seen._look_for_rest() is None
    answer.put(b"data: b\n\n")
    assert seen._look_for_events(2) == [ServerSentEvent("a"), ServerSentEvent("b")]


def test_pings_are_counted_apart_and_each_is_waited_for_once(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    for piece in [b"data: : ping\n\n: pi", b"ng\n\nid: 1\ndata: b\n\n", b": ping\n: other\n\n"]:
        answer.put(piece)
    assert seen._look_for_ping()
    assert seen._look_for_ping()
    assert seen._look_for_ping() is None
    assert seen.pings == 2
    assert seen._look_for_events(2) == [ServerSentEvent(": ping"), ServerSentEvent("b", id="1")]


def test_no_more_is_read_than_was_asked_for(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    answer.put(b"data: a\n\n")
    answer.put(b"data: b\n\n")
    seen._look_for_events(1)
    assert seen.body == b"data: a\n\n"


def test_what_came_before_the_end_is_not_lost(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    answer.put(b"data: a\n\n")
    answer.finish()
    answer.end()
    assert seen._look_for_events(1) == [ServerSentEvent("a")]
    with pytest.raises(AssertionError, match=r"1 event was wanted, but the stream ended\nGET /a"):
        seen._look_for_events(1)


def test_another_answer_is_there_when_all_of_it_is(answer: Answer, seen: Reading):
    answer.start(404, [("Content-Type", "application/json")])
    answer.put(b'{"a"')
    assert seen._look_for_status() is None
    answer.put(b": 1}")
    answer.finish()
    assert seen._look_for_status()
    assert seen.status_code == 404
    assert seen.json() == {"a": 1}


def test_a_cut_answer_is_told_of(answer: Answer, seen: Reading):
    answer.start(200, [("Content-Type", "text/plain")])
    answer.put(b"half")
    answer.end()
    with pytest.raises(AssertionError, match=r"the rest of the body was wanted(?s:.*)half"):
        seen._look_for_status()


def test_an_app_without_an_answer_is_told_of(answer: Answer, seen: Reading):
    answer.end()
    with pytest.raises(
        AssertionError, match="an answer was wanted, but the app returned without an"
    ):
        seen._look_for_status()
    with pytest.raises(AssertionError, match="GET /a has not been answered"):
        seen.status_code  # noqa: B018


def test_what_the_app_raises_is_raised_once_and_after_what_came(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    answer.put(b"data: a\n\n")
    answer.end(ZeroDivisionError())
    assert seen._look_for_events(1) == [ServerSentEvent("a")]
    with pytest.raises(ZeroDivisionError):
        seen._look_for_events(1)
    assert seen._look_for_rest() == []


def test_what_the_app_raises_behind_a_500_is_waited_for(answer: Answer, seen: Reading):
    answer.start(500, [])
    answer.finish()
    assert seen._look_for_status() is None
    answer.end(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        seen._look_for_status()


def test_it_is_not_raised_for_whom_asks_for_a_500(answer: Answer):
    seen = Reading(Request("GET", "/a"), answer, raises=False)
    answer.start(500, [])
    answer.finish()
    answer.end(ZeroDivisionError())
    assert seen._look_for_status()


@pytest.mark.parametrize("what", ["ending", "summary", "source_closed"])
def test_another_apps_stream_has_none_of_ours(answer: Answer, seen: Reading, what: str):
    answer.start(200, EVENTS)
    with pytest.raises(
        RuntimeError, match=r"GET /a is not a stream of sse_bridge's: it does not have a"
    ):
        getattr(seen, what)
    with pytest.raises(RuntimeError, match="it does not have a clock"):
        seen.advance(1)


def test_a_body_that_goes_on_and_on_is_given_up_on(
    answer: Answer, seen: Reading, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "LIMIT", 20)
    answer.start(200, EVENTS)
    answer.put(b"data: " + b"a" * 20 + b"\n\n")
    with pytest.raises(AssertionError, match="GET /a does not end: 28 bytes"):
        seen._look_for_rest()


def test_only_the_last_of_a_long_body_is_shown(answer: Answer, seen: Reading):
    answer.start(200, EVENTS)
    answer.put(b"data: " + b"a" * 5000 + b"\n\n")
    assert seen._look_for_rest() is None
    said = str(seen._too_late("more was wanted", 1))
    assert said.startswith(
        "more was wanted, but not within 1 s\nGET /a: received 200, 5008 bytes:\n...a"
    )
    assert len(said) < 1200
