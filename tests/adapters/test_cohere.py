"""Cohere's events by their shape, without its SDK: see vendors/test_cohere.py for that."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from chunks import read
from recorded.cohere import ANSWER, START, TOLD, call, cite, end, event, text
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Cohere
from sse_bridge.adapters.cohere import looks_like_cohere
from sse_bridge.parts import Value
from told import Answer, as_plain, assert_answers


@pytest.mark.parametrize("adapter", ["auto", "cohere", Cohere()])
def test_events_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@pytest.mark.parametrize(
    ("reason", "code"), [("ERROR", "upstream_error"), ("TIMEOUT", "upstream_timeout")]
)
def test_an_end_that_is_a_failure_is_told_with_its_code_and_the_tokens(reason, code):
    events = [START, *text(0, "Hel"), *end(reason, error="the service's words")]
    assert_answers(lambda: iter(events), Answer("Hel", code=code))
    with pytest.raises(UpstreamError, match="the service's words"):
        read(Cohere(), START, *end(reason, usage={}, error="the service's words"))


def test_what_the_sdk_makes_of_a_failure_without_a_type_is_that_failure():
    told = SimpleNamespace(type="message-start", id=None, delta=None, message="no credit")
    for adapter in (Auto(), Cohere()):
        with pytest.raises(UpstreamError, match="no credit"):
            read(adapter, told)


def test_calls_of_several_messages_are_numbered_through_and_their_tokens_added_up():
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=TOLD.calls * 2, usage=(14, 18, 32)
    )
    assert_answers(lambda: iter(ANSWER * 2), twice)


def test_several_calls_of_one_message_have_each_their_number():
    events = [START, *call(0, "1", id_="a"), *call(1, "2", id_="b"), *end("TOOL_CALL")]
    calls = (("a", "weather", "1"), ("b", "weather", "2"))
    assert_answers(lambda: iter(events), Answer("", "", calls, "tool_calls", (7, 9, 16)))


def test_a_document_or_a_tools_output_with_an_address_is_a_source():
    document = {"type": "document", "id": "d", "document": {"url": "https://a.test/", "title": "A"}}
    output = {"type": "tool", "id": "t", "tool_output": {"url": "https://b.test/"}}
    bare = {"type": "document", "id": "x", "document": {"data": "no address"}}
    events = [START, *text(0, "It is."), *cite(0, document, output, bare), *end("COMPLETE")]
    addresses = ("https://a.test/", "https://b.test/")
    told = Answer("It is.", finish="stop", usage=(7, 9, 16), sources=addresses)
    assert_answers(lambda: iter(events), told)


def test_where_no_tokens_are_told_the_billed_are_counted():
    billed = {"billed_units": {"input_tokens": 5.0, "output_tokens": 8.0}}
    events = [START, *text(0, "Hi"), *end("COMPLETE", usage=billed)]
    assert_answers(lambda: iter(events), Answer("Hi", finish="stop", usage=(5, 8, 13)))


def test_tokens_from_a_cache_are_counted_apart():
    usage = {"tokens": {"input_tokens": 7, "output_tokens": 9}, "cached_tokens": 5.0}
    parts = read(Auto(), START, *text(0, "Hi"), *end("COMPLETE", usage=usage))
    assert (parts[-1].input_tokens, parts[-1].cached_tokens, parts[-1].total_tokens) == (7, 5, 16)


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "message-start"},
        {"type": "message-start", "message": "hello"},
        {"type": "content-delta", "delta": "x"},
        {"type": "content-delta", "delta": {"text": "x"}},
        {"type": "message-end", "delta": {}},
        {"type": "content-end", "index": 0},
        {"type": ["content-delta"], "delta": {"message": {}}},
        {"type": "debug", "delta": {"message": {}}},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_cohere(chunk)


@pytest.mark.parametrize(
    "odd",
    [
        event("content-delta", 0, content="x"),
        event("content-delta", 0, content={"text": ["x"], "thinking": 1.5}),
        event("tool-call-start", 0, tool_calls=[1]),
        event("tool-call-delta", tool_calls={"function": 1}),
        {**event("tool-call-start", tool_calls={"id": "a"}), "index": {}},
        event("citation-start", 0, citations={"sources": [1, {"document": "x"}]}),
        {"type": "content-delta", "delta": 1},
        {"type": "message-end", "delta": {"finish_reason": 1, "usage": [1]}},
        {"type": "debug", "prompt": "x"},
    ],
)
def test_odd_events_are_no_error(odd):
    read(Cohere(), START, odd)


@pytest.mark.parametrize(
    "own",
    [
        {"type": "debug", "own": 1},
        {"type": "content-end", "own": 2},
        {"type": "content-delta", "delta": "x"},
        {"type": "message-end", "text": "x"},
    ],
)
def test_what_an_app_gives_between_events_is_its_own(own):
    parts = read(Auto(), START, *text(0, "Hi"), own, *end("COMPLETE"))
    assert [json.loads(part.json) for part in parts if type(part) is Value] == [own]


def test_under_plain_the_prompt_of_a_debugging_event_is_not_sent():
    debug = {"type": "debug", "prompt": "a secret"}
    said, _ = as_plain(lambda: iter([START, debug, *text(0, "Hi"), *end("COMPLETE")]))
    assert said[1] == {"type": "debug"}
    assert debug["prompt"] == "a secret"


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match=r"takes events of Cohere's chat_stream \(v2\), got a dict"):
        read(Cohere(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        read(Cohere(), {"error": {"message": "no credit"}})
