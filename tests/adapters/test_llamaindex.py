"""LlamaIndex's responses and events by their shape, without it: see vendors/test_llamaindex.py for that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chunks import read
from recorded.llamaindex import (
    AGENT,
    AGENT_TOLD,
    ANSWER,
    INPUT,
    OUTPUT,
    ROME,
    TOLD,
    USAGE,
    call,
    completion,
    raw,
    response,
    selection,
    stream,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, LlamaIndex
from sse_bridge.adapters.llamaindex import goes_on, looks_like_llamaindex
from sse_bridge.parts import Reasoning, ToolCall, ToolResult
from told import Answer, as_plain, assert_answers


@pytest.mark.parametrize("adapter", ["auto", "llamaindex", LlamaIndex()])
def test_responses_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@pytest.mark.parametrize("adapter", ["auto", "llamaindex"])
def test_an_agents_events_are_one_answer(adapter):
    assert_answers(lambda: iter(AGENT), AGENT_TOLD, adapter=adapter)


def test_an_agents_answer_is_whole_by_what_its_model_says_alone():
    told = AGENT_TOLD._replace(results=())
    assert_answers(lambda: (event for event in AGENT if "delta" in event), told)


def test_a_completion_has_its_news_as_delta_and_a_whole_one_has_none():
    pieces = [completion("Hel", "Hel"), completion("lo", "Hello"), completion(None, "Hello")]
    assert_answers(lambda: iter(pieces), Answer("Hello"))
    assert_answers(lambda: iter([completion(None, "Hello")]), Answer("Hello"))
    so_far = [completion(None, text) for text in ("Hel", "Hello", "Ho", "Hot")]
    assert_answers(lambda: iter(so_far), Answer("HelloHot"))


def test_thinking_without_a_delta_is_told_as_far_as_it_is_news():
    def thinks(words):
        block = {"block_type": "thinking", "content": words}
        return response("", calls=[block])

    said = read(Auto(), thinks("Hm"), thinks("Hm."), response("Hi", "Hi"))
    assert said == [Reasoning("Hm"), Reasoning("."), "Hi"]


def test_two_answers_in_one_source_are_one():
    again = [{**one, "raw": {**one["raw"], "id": "chatcmpl-2"}} for one in ANSWER[2:]]
    other = [{**one, "message": _renamed(one["message"])} for one in again]
    first = TOLD.calls[0]
    told = TOLD._replace(
        text="HelloHello", calls=(first, ("call_2", *first[1:])), usage=(14, 18, 32)
    )
    assert_answers(lambda: iter([*ANSWER, *other]), told)


def _renamed(message):
    blocks = [
        {**block, "tool_call_id": "call_2"} if "tool_call_id" in block else block
        for block in message["blocks"]
    ]
    return {**message, "blocks": blocks}


def test_calls_without_ids_have_their_places():
    calls = [call(ROME, None), call({}, None, "now")]
    told = Answer(calls=((None, "weather", '{"city":"Rome"}'), (None, "now", "{}")))
    assert_answers(lambda: iter([response("", "", calls[:1]), response("", "", calls)]), told)


def test_a_tool_that_failed_says_so():
    failed = {**selection(ROME), "tool_output": {**OUTPUT, "is_error": True}}
    assert read(Auto(), failed) == [
        ToolCall(0, "call_1", "weather", '{"city":"Rome"}'),
        ToolResult("call_1", b'"30 degrees"', "30 degrees"),
    ]


@pytest.mark.parametrize(
    ("chunk", "finish", "usage"),
    [
        (raw("length", USAGE), "length", (7, 9, 16)),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, "stop", None),
        ({"done_reason": "stop", "usage": USAGE}, "stop", (7, 9, 16)),
        ({"candidates": [{"finish_reason": SimpleNamespace(name="MAX_TOKENS")}]}, "length", None),
        ({"choices": [{"finish_reason": None}]}, None, None),
        (None, None, None),
        ([5], None, None),
    ],
)
def test_the_services_own_chunk_tells_the_reason_and_the_tokens(chunk, finish, usage):
    told = Answer("Hi", finish=finish, usage=usage)
    assert_answers(lambda: iter([response("Hi", "Hi", raw=chunk)]), told)


def test_tokens_that_are_told_beside_or_in_two_halves_are_counted():
    beside = response("Hi", "Hi", additional_kwargs=USAGE)
    assert_answers(lambda: iter([beside]), Answer("Hi", usage=(7, 9, 16)))
    start = {"message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    end = {"usage": {"output_tokens": 9}}
    halves = [response("Hi", "Hi", raw=start), response("", "Hi", raw=end)]
    assert_answers(lambda: iter(halves), Answer("Hi", usage=(7, 9, 16)))


class StopEvent(SimpleNamespace):
    """As a workflow's last event is called."""


class WorkflowCancelledEvent(StopEvent):
    """As its last event is called where somebody has stopped it."""


class MyStop(StopEvent):
    """As an app may call its own."""


def test_the_last_event_of_a_workflow_repeats_what_was_said():
    for last in (StopEvent(result=AGENT[-1]), WorkflowCancelledEvent(result=None)):
        assert_answers(lambda last=last: iter([*AGENT, last]), AGENT_TOLD)


@pytest.mark.parametrize("own", [StopEvent(result="own"), MyStop(answer="own")])
def test_a_workflows_own_last_event_is_the_apps(own):
    assert not goes_on(own)
    assert read(LlamaIndex(), stream("Hi", "Hi"), own) == ["Hi"]


def test_under_plain_what_a_model_is_asked_is_not_sent():
    asked = {**INPUT, "input": [{"role": "system", "content": "be brief"}]}
    said, _ = as_plain(lambda: iter([asked, SimpleNamespace(**asked), *AGENT]))
    assert said[:2] == [{"current_agent_name": "a"}] * 2
    assert "input" in asked


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (StopEvent(step_name="s", exception=UpstreamError("x", status_code=429)), "rate_limited"),
        (StopEvent(step_name="s", exception={"exception_message": "x"}), "upstream_error"),
        (StopEvent(timeout=1.0, active_steps=[]), "upstream_timeout"),
    ],
)
def test_a_workflow_that_failed_says_so_in_its_last_event(last, code):
    events = [INPUT, stream("Hel", "Hel"), last]
    assert_answers(lambda: iter(events), Answer("Hel", code=code))


@pytest.mark.parametrize(
    "odd",
    [
        response(None, message=None),
        {**response("", ""), "message": {"blocks": [None, 5, {"block_type": "tool_call"}]}},
        stream("", "", [None, 5]),
        {**selection(None), "tool_output": 5},
        {"response": None, "current_agent_name": None, "tool_calls": 5},
    ],
)
def test_odd_fields_are_left_alone(odd):
    assert "Hi" in read(LlamaIndex(), odd, response("Hi", "Hi"))


@pytest.mark.parametrize(
    "mine",
    [
        {"delta": "x"},
        {"text": "x", "delta": "x", "raw": None},
        {"tool_name": "x", "tool_kwargs": {}},
        {"input": "x"},
        SimpleNamespace(delta="x", text="x"),
        5,
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(mine):
    assert not looks_like_llamaindex(mine)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes responses and events of LlamaIndex, got a dict"):
        read(LlamaIndex(), {"text": "x"})
