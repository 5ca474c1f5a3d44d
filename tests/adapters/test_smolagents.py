"""A smolagents run by its shape: its objects have no type among their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from chunks import read
from recorded.smolagents import (
    ANSWER,
    PROMPT,
    TOLD,
    ActionOutput,
    ChatMessage,
    Delta,
    FinalAnswerStep,
    PlanningStep,
    TokenUsage,
    ToolCall,
    called,
    step,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import Smolagents
from sse_bridge.adapters.smolagents import goes_on, looks_like_smolagents
from sse_bridge.parts import Finish, Reasoning, ToolResult, Usage
from told import Answer, as_plain, assert_answers, in_delta


def parts_of(*chunks: Any) -> list[Any]:
    return read(Smolagents(), *chunks)


@pytest.mark.parametrize("adapter", ["auto", "smolagents", Smolagents()])
def test_a_run_is_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_two_runs_of_one_source_are_one_answer():
    twice = TOLD._replace(
        text=f"{TOLD.text}\n\n{TOLD.text}",
        calls=TOLD.calls * 2,
        usage=(14, 18, 32),
        results=TOLD.results * 2,
    )
    assert_answers(lambda: iter([*ANSWER, *ANSWER]), twice)


def test_a_run_that_does_not_stream_thinks_in_whole_steps():
    plan = PlanningStep(PROMPT, ChatMessage("assistant", "Look. "), "the plan", TokenUsage(1, 1))
    run = [
        plan,
        *called("c1", "weather", {"city": "Rome"}, "blue"),
        step(1, 3, 4, model_output="I see."),
        FinalAnswerStep("blue"),
    ]
    told = Answer(
        "blue",
        "Look. I see.",
        calls=(("c1", "weather", '{"city":"Rome"}'),),
        finish="stop",
        usage=(4, 5, 9),
        results=(("c1", "blue"),),
    )
    assert_answers(lambda: iter(run), told)


def test_code_is_a_call_whose_result_comes_with_its_step():
    run = [
        ToolCall("python_interpreter", "print(6 * 7)", "call_1"),
        ActionOutput(None, False),
        step(1, 3, 4, observations="Execution logs:\n42"),
        FinalAnswerStep(42),
    ]
    told = Answer(
        "42",
        calls=(("call_1", "python_interpreter", "print(6 * 7)"),),
        finish="stop",
        usage=(3, 4, 7),
        results=(("call_1", "Execution logs:\n42"),),
    )
    assert_answers(lambda: iter(run), told)


def test_a_tool_that_fails_tells_why_with_its_step():
    parts = parts_of(ToolCall("weather", {}, "c1"), step(1, 3, 4, error=ValueError("no city")))
    assert ToolResult("c1", b"null", "no city") in parts


def test_a_models_own_stream_is_text_and_adds_its_tokens_up():
    parts = parts_of(Delta("Hi", None, TokenUsage(5, 1)), Delta(None, None, TokenUsage(0, 1)))
    assert parts[0] == "Hi"
    assert parts[-1] == Usage(5, 2, 7)
    assert Finish("stop") not in parts


def test_the_last_step_is_not_told_again_where_there_may_be_no_more():
    last = step(1, 3, 4, model_output="I see.")
    parts = parts_of(last, last, FinalAnswerStep("x"))
    assert parts.count(Reasoning("I see.")) == 1
    assert parts[-1] == Usage(3, 4, 7)


@pytest.mark.parametrize(
    ("output", "text"),
    [("x", "x"), (1.5, "1.5"), ({"a": [1]}, '{"a":[1]}'), (object, "<class 'object'>"), (None, "")],
)
def test_the_final_answer_may_be_anything(output, text):
    told, _ = in_delta(lambda: iter([step(1, 3, 4), FinalAnswerStep(output)]))
    assert told == Answer(text, finish="stop", usage=(3, 4, 7))


def test_what_a_tool_gives_that_is_no_json_is_told_as_its_model_reads_it():
    [_, output, _] = called("c1", "draw", {}, object())
    output.observation = "Stored 'image.png' in memory."
    assert parts_of(output) == [ToolResult("c1", b"\"Stored 'image.png' in memory.\"")]


def test_under_plain_a_step_is_sent_without_what_its_model_has_read():
    said, summary = as_plain(lambda: iter([*ANSWER[:8], step(1, 3, 4, error=ValueError("no"))]))
    assert said[0] == {"content": "Let me ", "tool_calls": None, "token_usage": None}
    assert said[-1]["error"] == "no"
    assert "be brief" not in str(said)
    assert summary.usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def everyday() -> list[Any]:
    @dataclass
    class ToolCall:
        name: str
        arguments: Any
        id: str

    @dataclass
    class Mine:
        output: str

    @dataclass
    class Message:
        content: str
        tool_calls: list[Any]

    return [
        ToolCall("f", {}, "x"),
        Mine("x"),
        Message("x", []),
        TokenUsage(1, 2),
        {"content": "x", "tool_calls": None, "token_usage": None},
        Delta,
    ]


@pytest.mark.parametrize("chunk", everyday(), ids=lambda chunk: type(chunk).__name__)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_smolagents(chunk)


def test_what_comes_in_a_run_that_has_begun_is_of_it():
    first, second, *others = everyday()
    assert goes_on(first)  # of the same class and fields
    assert not any(map(goes_on, [second, *others]))


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes what a run of a smolagents agent gives, got a dict"):
        parts_of({"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        parts_of({"error": {"message": "no credit"}})
