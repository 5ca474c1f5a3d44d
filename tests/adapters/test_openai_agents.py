"""A run's events by their shape, without the SDK: see vendors/test_openai_agents.py for that."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from chunks import read
from recorded.responses import ANSWER, TOLD, breaking, response, text
from sse_bridge.adapters import Auto, OpenAIAgents
from sse_bridge.adapters.openai_agents import looks_like_openai_agents
from sse_bridge.parts import ToolResult
from told import Answer, as_plain, assert_answers

AGENT = SimpleNamespace(name="Helper", instructions="a secret of the app's")


def raw(events: list[dict[str, Any]]) -> list[Any]:
    return [SimpleNamespace(type="raw_response_event", data=event) for event in events]


def item(name: str, kind: str, **fields: Any) -> Any:
    about = SimpleNamespace(type=kind, agent=AGENT, **fields)
    return SimpleNamespace(type="run_item_stream_event", name=name, item=about)


def ran(output: Any, kind: str = "function_call_output", told: str = "sunny") -> Any:
    given = {"call_id": "call_1", "output": told, "type": kind}
    return item("tool_output", "tool_call_output_item", raw_item=given, output=output)


ROUND = [
    SimpleNamespace(type="agent_updated_stream_event", new_agent=AGENT),
    *raw(ANSWER),
    item("tool_called", "tool_call_item", raw_item=ANSWER[-1]["response"]["output"][-1]),
    ran({"sky": "clear"}),
    *raw(response(text("It is sunny."), id_="resp_2")),
    item("message_output_created", "message_output_item", raw_item=text("It is sunny.")[0]),
]
ROUND_TOLD = TOLD._replace(
    text="HelloIt is sunny.",
    finish="stop",
    usage=(14, 18, 32),
    results=(("call_1", {"sky": "clear"}),),
)


@pytest.mark.parametrize("adapter", ["auto", "openai-agents", OpenAIAgents()])
def test_the_turns_of_a_run_are_one_answer(adapter):
    assert_answers(lambda: iter(ROUND), ROUND_TOLD, adapter=adapter)


def test_under_plain_no_event_shows_the_agent():
    said, summary = as_plain(lambda: iter(ROUND))
    assert len(said) == len(ROUND)
    assert "secret" not in json.dumps(said)
    assert said[0] == {"type": "agent_updated_stream_event", "new_agent": {"name": "Helper"}}
    begun = {**ANSWER[0]["response"]}
    del begun["tools"]
    assert said[1] == {"type": "raw_response_event", "data": {**ANSWER[0], "response": begun}}
    assert (said[-1]["name"], summary.finish_reason) == ("message_output_created", "stop")


def test_under_plain_no_model_tells_what_it_was_asked():
    asked = {"instructions": "a secret", "tools": [{"name": "secret"}]}
    said, _ = as_plain(lambda: iter(raw(response(text("Hi"), **asked))))
    assert "secret" not in json.dumps(said)


@pytest.mark.parametrize(
    ("output", "told"), [(object(), b'"sunny"'), (None, b'"sunny"'), ("", b'""'), ([1], b"[1]")]
)
def test_a_result_that_can_be_no_json_is_what_the_model_was_told(output, told):
    assert read(OpenAIAgents(), ran(output)) == [ToolResult("call_1", told)]


def test_who_takes_over_is_the_result_of_that_call():
    given = {"call_id": "call_2", "output": '{"assistant": "B"}', "type": "function_call_output"}
    handed = item("handoff_occured", "handoff_output_item", raw_item=given)
    assert read(Auto(), handed) == [ToolResult("call_2", rb'"{\"assistant\": \"B\"}"')]


def test_what_a_shell_gave_is_no_result_for_its_call_was_none():
    assert read(Auto(), ran("x", "shell_call_output")) == []


def test_a_failure_is_told_with_its_code():
    assert_answers(
        lambda: iter(raw(breaking("rate_limit_exceeded"))), Answer("Hel", code="rate_limited")
    )


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "raw_response_event"},
        {"type": "run_item_stream_event", "data": {}},
        {"type": ["raw_response_event"], "data": {}},
        {"data": {}, "item": {}, "new_agent": {}},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_openai_agents(chunk)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes events of the OpenAI Agents SDK, got a dict"):
        read(OpenAIAgents(), {"text": "x"})


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, ["x"], object()], ids=lambda odd: type(odd))
def test_no_field_is_trusted(odd):
    for one in (ROUND[0], ROUND[1], ran("x")):
        for field in ("type", "data", "item", "new_agent", "name"):
            changed = SimpleNamespace(**{**vars(one), field: odd})
            read(Auto(), ROUND[0], changed)
    for field in ("type", "raw_item", "output"):
        changed = ran("x")
        setattr(changed.item, field, odd)
        read(OpenAIAgents(), changed)
