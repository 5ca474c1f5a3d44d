"""Google's responses and events by their shape, without its SDK: see vendors/test_google.py for that."""

from __future__ import annotations

import pytest

from chunks import read
from recorded.google import (
    ANSWER,
    CALL,
    INTERACTION,
    INTERACTION_TOLD,
    STOPPED,
    TOLD,
    answer,
    broken,
    failing,
    interaction,
    says,
    stop,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Google
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.google import GoogleReader, looks_like_google
from sse_bridge.parts import Finish, Source, ToolCall, ToolResult
from told import Answer, assert_answers

every_adapter = pytest.mark.parametrize("adapter", ["auto", "google", Google()])


@every_adapter
def test_responses_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@every_adapter
def test_events_of_an_interaction_as_dicts_are_one_too(adapter):
    assert_answers(lambda: iter(INTERACTION), INTERACTION_TOLD, adapter=adapter)


def test_thoughts_and_what_came_from_a_cache_are_counted_apart():
    for chunks in (ANSWER, INTERACTION):
        usage = read(Auto(), *chunks)[-1]
        assert (usage.cached_tokens, usage.reasoning_tokens) == (5, 3)


@pytest.mark.parametrize("tell", [answer, interaction])
def test_two_answers_of_one_source_are_one(tell):
    call = (TOLD if tell is answer else INTERACTION_TOLD).calls[0]
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=(call, call), usage=(14, 14, 28)
    )
    assert_answers(lambda: iter([*tell("one"), *tell("two")]), twice)


@every_adapter
def test_an_error_in_mid_stream_is_a_failure(adapter):
    told = Answer("Hel", code="overloaded")
    assert_answers(lambda: iter(failing(503, "UNAVAILABLE")), told, adapter=adapter)
    assert_answers(lambda: iter(broken("unavailable")), told, adapter=adapter)


# -- responses -------------------------------------------------------------------------------------


def test_a_prompt_that_is_blocked_is_content_filtered():
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}
    assert_answers(lambda: iter([blocked]), Answer(code="content_filtered"))
    told = {"block_reason": "OTHER", "block_reason_message": "not this"}
    with pytest.raises(UpstreamError, match=r"blocked: OTHER \(not this\)"):
        read(Google(), {"prompt_feedback": told, "usage_metadata": {"prompt_token_count": 3}})


def test_a_file_that_came_whole_is_a_data_url_in_the_alphabet_of_those():
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": "a-_b"}},
        {"inline_data": {"mime_type": "image/gif", "data": b"\xfb\xff\xbf"}},
        {"fileData": {"fileUri": "https://a.test/f", "mimeType": "video/mp4"}},
        {"inlineData": {"mimeType": "image/png", "data": "eA=="}, "thought": True},
    ]
    files = (
        ("data:image/png;base64,a+/b", "image/png"),
        ("data:image/gif;base64,+/+/", "image/gif"),
        ("https://a.test/f", "video/mp4"),
    )
    assert_answers(lambda: iter([stop("STOP", *parts)]), Answer(files=files, **STOPPED))


def test_code_that_the_service_runs_is_a_call_with_its_result():
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    failed = {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "no"}}
    said = read(Auto(), stop("STOP", code, result, code, failed))
    calls = [part for part in said if isinstance(part, ToolCall)]
    results = [part for part in said if isinstance(part, ToolResult)]
    assert [call.id for call in calls] == [one.id for one in results]
    assert len({call.id for call in calls}) == 2
    assert calls[0].arguments == '{"language":"PYTHON","code":"print(1)"}'
    assert [(one.output, one.error) for one in results] == [
        (b'"1\\n"', None),
        (b'"no"', "OUTCOME_FAILED"),
    ]
    assert Finish("stop") in said


def test_a_citation_that_is_repeated_is_told_once():
    web = {"web": {"uri": "https://a.test/", "title": "A"}}
    maps = {"maps": {"uri": "https://m.test/", "title": "M"}}
    context = {"retrievedContext": {"uri": "gs://b", "title": "B"}}
    quoted = {"citations": [{"uri": "https://c.test/"}, {"license": "mit"}]}
    said = read(
        Auto(),
        says({"text": "x"}, groundingMetadata={"groundingChunks": [web]}),
        says({"text": "y"}, groundingMetadata={"groundingChunks": [web, maps, context]}),
        stop(citationMetadata=quoted),
    )
    assert [part for part in said if isinstance(part, Source)] == [
        ("https://a.test/", "A", None),
        ("https://m.test/", "M", None),
        ("gs://b", "B", None),
        ("https://c.test/", None, None),
    ]


def test_an_answer_behind_one_that_called_has_stopped_for_good():
    last = {**stop("STOP", {"text": "Hi"}), "responseId": "r2"}
    told = TOLD._replace(text="HelloHi", finish="stop", usage=(14, 14, 28))
    assert_answers(lambda: iter([*ANSWER, last]), told)


def test_other_candidates_are_left_out_and_warned_of(caplog):
    other = stop("STOP", {"text": "Hi"})
    other["candidates"].append({"content": {"parts": [{"text": "Ho"}]}, "index": 1})
    assert_answers(lambda: iter([other]), Answer("Hi", **STOPPED))
    assert "another candidate than the first" in caplog.text


# -- what is none ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunk",
    [
        {"candidates": []},
        {"candidates": [{"name": "Ann"}]},
        {"candidates": [{"content": "x"}], "finish_reason": "STOP"},
        {"candidates": [{"finishReason": "STOP"}]},
        {"usage_metadata": {"input_tokens": 3}},
        {"promptFeedback": {"blockReason": None}},
        {"event_type": "step.start", "step": "search", "index": 1},
        {"event_type": "step.delta", "delta": {"type": "text"}},
        {"event_type": "interaction.created", "interaction": {"id": 1}},
        {"event_type": ["step.stop"]},
        {"event_type": "error", "error": {}},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_google(chunk)


@pytest.mark.parametrize(
    "odd",
    [
        {"candidates": [{"content": {"parts": [None, "x", 3, {"text": ["x"]}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": "f"}, {"inlineData": [1]}]}}]},
        {"candidates": [{"content": {"parts": []}, "groundingMetadata": {"groundingChunks": 3}}]},
        {"candidates": [{"content": {"parts": []}, "groundingMetadata": [{"web": 3}]}]},
        {"usageMetadata": {"promptTokenCount": "many"}, "candidates": 3},
        {"event_type": "step.delta", "index": "x", "delta": "text"},
        {"event_type": "step.start", "index": -1, "step": None},
        {"event_type": "step.stop", "index": [1]},
        {"event_type": "interaction.completed", "interaction": "x"},
        {"event_type": "interaction.status_update", "status": ["failed"]},
    ],
)
def test_fields_of_any_type_are_no_error(odd):
    assert list(GoogleReader(Wish()).say(odd)) == []


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes responses of Google's Gemini API"):
        read(Google(), {"text": "x"})


def test_a_call_is_a_call_in_either_spelling():
    snake = {"function_call": CALL["functionCall"]}
    assert read(Auto(), stop("STOP", snake)) == read(Auto(), stop("STOP", CALL))
