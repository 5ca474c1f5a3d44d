"""A pydantic-ai run's events by their shape, without its package: see vendors/test_pydantic_ai.py for that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chunks import read
from recorded.pydantic_ai import (
    ANSWER,
    ARGS,
    CALL,
    TOLD,
    called,
    delta,
    over,
    result,
    start,
    text,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import PydanticAI
from sse_bridge.adapters.pydantic_ai import goes_on, looks_like_pydantic_ai
from sse_bridge.parts import Approval, Data, Finish, ToolCall, ToolResult, Usage
from told import Answer, as_plain, assert_answers


def parts_of(*events: Any) -> list[Any]:
    return read(PydanticAI(), *events)


@pytest.mark.parametrize("adapter", ["auto", "pydantic-ai", PydanticAI()])
def test_events_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_two_runs_of_one_source_are_one_answer():
    call, found = TOLD.calls[0], TOLD.results[0]
    twice = TOLD._replace(
        text="HelloHello",
        reasoning=TOLD.reasoning * 2,
        calls=(call, call),
        usage=(14, 18, 32),
        results=(found, found),
    )
    assert_answers(lambda: iter([*ANSWER, *ANSWER]), twice)


def test_arguments_may_come_as_an_object():
    [call] = parts_of(start(0, "tool-call", **CALL, args={"city": "Rome"}), called(**CALL))
    assert call == ToolCall(0, "c1", "weather", '{"city":"Rome"}')


def test_a_call_of_a_run_before_this_is_told_with_its_result():
    args = {"city": "Rome"}
    call, came = parts_of(called(**CALL, args=args), result("c1", 5))
    assert call == ToolCall(0, "c1", "weather", '{"city":"Rome"}')
    assert came == ToolResult("c1", b"5")


@pytest.mark.parametrize("outcome", ["failed", "denied", "retried", "interrupted"])
def test_a_tool_that_gives_no_result_tells_why(outcome):
    [came] = parts_of(result("c1", "no such city", outcome=outcome))
    assert came == ToolResult("c1", b"null", "no such city")


def test_a_prompt_to_retry_of_version_1_is_the_error_of_its_call():
    event = result("c1", [{"type": "missing"}], part_kind="retry-prompt", outcome=None)
    event["result"] = event.pop("part")
    assert parts_of(event) == [ToolResult("c1", b'[{"type":"missing"}]', "retried")]


def test_a_services_own_tool_is_called_and_answers_within_the_response():
    search = {"tool_name": "web_search", "tool_call_id": "s1"}
    call, came = parts_of(
        start(0, "builtin-tool-call", **search, args=None),
        delta(0, "tool_call", args_delta=""),
        start(1, "builtin-tool-return", "builtin-tool-call", **search, content=["x"]),
        result("s1", ["x"]),
    )
    assert call == ToolCall(0, "s1", "web_search", "")
    assert came == ToolResult("s1", b'["x"]')


def test_citations_are_sources_once():
    page = {"kind": "web", "url": "https://a.test/", "title": "A"}
    paper = {"kind": "document", "document_id": "d1"}
    cited = [{"sources": [page, paper]}, {"sources": [page]}]
    events = [
        start(0, "text", content="It is so.", citations=cited),
        delta(0, "text", content_delta="", citations_delta=cited),
        over(),
    ]
    told = Answer("It is so.", finish="stop", usage=(7, 9, 16), sources=("https://a.test/",))
    assert_answers(lambda: iter(events), told)


def test_files_are_told_with_all_of_them_and_stand_for_themselves_in_a_tools_result():
    image = {"kind": "binary", "data": "-_8=", "media_type": "image/png"}
    link = {"kind": "document-url", "url": "https://a.test/b.pdf", "media_type": "application/pdf"}
    events = [
        start(0, "file", content=image),
        {**result("c1", ["see", link]), "content": [image, "and this"]},
        over(),
    ]
    here = ("data:image/png;base64,+/8=", "image/png")
    there = ("https://a.test/b.pdf", "application/pdf")
    output = ["see", {"media_type": "application/pdf"}]
    told = Answer(
        finish="stop",
        usage=(7, 9, 16),
        files=(here, there, here),
        results=(("c1", output),),
    )
    assert_answers(lambda: iter(events), told)


def test_calls_that_wait_for_the_user_ask_him():
    requests = {"calls": [], "approvals": [{**CALL, "args": ARGS}]}
    events = [
        start(0, "tool-call", **CALL, args=ARGS),
        {"requests": requests, "event_kind": "deferred_tool_requests"},
        over(requests, "tool_call"),
    ]
    assert parts_of(*events)[1:] == [
        Approval("c1", "c1"),
        Usage(7, 9, 16, final=False),
        Finish("tool_calls"),
        Usage(7, 9, 16),
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_call", "stop"),  # the call that gives the run's output
        (None, "stop"),
    ],
)
def test_a_run_that_is_over_has_finished(reason, finish):
    assert Finish(finish) in parts_of(*text(0, "Hi"), over(reason=reason))


def test_a_result_of_version_1_counts_its_tokens_when_asked():
    usage = SimpleNamespace(input_tokens=1, output_tokens=2, cache_read_tokens=1)
    result = SimpleNamespace(output="x", usage=lambda: usage)
    event = SimpleNamespace(event_kind="agent_run_result", result=result)
    assert parts_of(event)[-1] == Usage(1, 2, 3, cached_tokens=1)


def test_under_plain_the_result_of_a_run_is_sent_without_its_messages():
    said, summary = as_plain(lambda: iter(ANSWER))
    assert said[:-1] == ANSWER[:-1]
    usage = {"input_tokens": 7, "output_tokens": 9, "requests": 2}
    assert said[-1] == {
        "event_kind": "agent_run_result",
        "result": {"output": "Hello", "usage": usage},
    }
    assert summary.finish_reason == "stop"


def test_messages_that_are_put_in_a_queue_are_not_for_the_client():
    """They hold instructions and the system's prompt."""
    prompt = {"part_kind": "system-prompt", "content": "be brief"}
    request = {"kind": "request", "instructions": "be brief", "parts": [prompt]}
    queued = {"event_kind": "enqueued_messages", "messages": [request], "parts": [prompt]}
    said, _ = as_plain(lambda: iter([*text(0, "Hi"), queued]))
    assert said[-1] == {"event_kind": "enqueued_messages"}
    assert queued["messages"] == [request]


def test_an_apps_own_event_is_data():
    mine = {"event_kind": "custom", "name": "progress", "tool_call_id": None, "step": 3}
    as_object = SimpleNamespace(event_kind="custom", name="done", to_payload=lambda: [1])
    assert parts_of(mine, as_object) == [Data("progress", b'{"step":3}'), Data("done", b"[1]")]


def test_an_apps_own_event_that_is_not_for_frontends_is_not_told():
    secret = SimpleNamespace(
        event_kind="custom", name="audit", ui=False, to_payload=lambda: {"user": "x"}
    )
    assert parts_of(secret) == []
    said, _ = as_plain(lambda: iter([*text(0, "Hi"), secret]))
    assert said[-1] == {"event_kind": "custom"}


def test_a_run_whose_model_failed_has_failed():
    events = [*text(0, "Hel"), over(reason="error")]
    assert_answers(lambda: iter(events), Answer("Hel", code="upstream_error"))


def test_kinds_that_are_not_known_are_left_alone(caplog):
    odd = [
        start(0, "later-part", content="x"),
        delta(0, "later", content_delta="x"),
        {"event_kind": "later_event", "part": "x"},
        SimpleNamespace(event_kind="custom", name="progress"),
        start(1, "speech", "text", transcript="x"),
        start(1, "text", "text", content="x"),
    ]
    assert parts_of(*odd) == []
    warned = [record.getMessage() for record in caplog.records]
    assert ["your own" in warned[0], "'speech'" in warned[1], "another's" in warned[2]] == [
        True
    ] * 3


@pytest.mark.parametrize(
    "chunk",
    [
        {"event_kind": "part_start"},
        {"event_kind": "part_start", "part": {"text": "x"}},
        {"event_kind": "part_delta", "delta": "x"},
        {"event_kind": "function_tool_call", "part": None},
        {"event_kind": ["part_start"], "part": {"part_kind": "text"}},
        {"event_kind": "custom", "name": "progress"},
        {"event_kind": "final_result"},
        {"part": {"part_kind": "text", "content": "x"}},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_pydantic_ai(chunk)


def test_what_comes_in_a_run_that_has_begun_is_of_it():
    assert goes_on({"event_kind": "final_result"})
    assert goes_on(SimpleNamespace(event_kind="later_event"))
    assert not goes_on({"event_kind": "later_event"})


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes events of a pydantic-ai agent's run, got a dict"):
        parts_of({"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        parts_of({"error": {"message": "no credit"}})
