"""One chunk of chat.completions: what it is, and what it merely says."""

from __future__ import annotations

import types
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from chunks import envelope, openai_chunk
from sse_bridge import UpstreamError
from sse_bridge.adapters.openai_chunk import (
    looks_like_openai,
    mere_words,
    origin_of,
    told_in,
    without_error,
)
from sse_bridge.parts import Origin, Reasoning


def both(chunk: Any) -> list[Any]:
    return [chunk, ChatCompletionChunk.construct(**chunk)]


@pytest.mark.parametrize(
    "chunk, words",
    [
        (openai_chunk({"content": "x"}), "x"),
        (openai_chunk({"role": "assistant", "content": "x"}), "x"),
        (openai_chunk({"content": "x", "tool_calls": None, "refusal": None}), "x"),
        (openai_chunk({"reasoning_content": "hm"}), Reasoning("hm")),
        (openai_chunk({"content": "", "reasoning_content": "hm"}), Reasoning("hm")),
        (openai_chunk({"content": None, "reasoning_content": "hm"}), Reasoning("hm")),
        ({**openai_chunk({"content": "x"}), "provider": "p", "usage": None}, "x"),
    ],
)
def test_a_chunk_that_merely_speaks_is_told_at_once(chunk: Any, words: Any):
    for each in both(chunk):
        assert mere_words(each) == words


@pytest.mark.parametrize(
    "chunk",
    [
        openai_chunk({"role": "assistant", "content": ""}),
        openai_chunk({"content": ""}),
        openai_chunk({"content": "x"}, "stop"),
        openai_chunk({"content": "x"}, index=1),
        openai_chunk({"content": "x"}, usage={"prompt_tokens": 1}),
        openai_chunk({"content": "x"}, error={"message": "m"}),
        openai_chunk({"content": "x"}, x_groq={"usage": {}}),
        openai_chunk({"content": "x", "reasoning_content": "hm"}),
        openai_chunk({"content": "x", "refusal": "no"}),
        openai_chunk({"content": "x", "tool_calls": [{"index": 0}]}),
        openai_chunk({"content": [{"type": "text", "text": "x"}]}),
        openai_chunk({"content": 5}),
        openai_chunk({"reasoning": "hm"}),
        openai_chunk({"content": "x", "images": ["y"]}),
        envelope([]),
        envelope(None),
        envelope([{"index": 0, "delta": {"content": "x"}, "finish_reason": None, "usage": {}}]),
        envelope([{"index": n, "delta": {"content": "x"}, "finish_reason": None} for n in (0, 1)]),
        {**openai_chunk({"content": "x"}), "object": "other"},
    ],
)
def test_any_other_is_to_be_looked_at(chunk: Any):
    for each in both(chunk):
        assert mere_words(each) is None


@pytest.mark.parametrize(
    "odd", [{}, {"choices": 5}, {"choices": [None]}, types.SimpleNamespace(), None, 5, "x", []]
)
def test_what_is_no_chunk_says_nothing(odd: Any):
    assert mere_words(odd) is None


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [{"delta": {"content": "x"}}]},
        {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]},
        {"choices": [{"text": "x", "finish_reason": None}]},
        {"choices": [], "usage": {}},
        {"choices": None, "error": {}},
        {"id": "", "object": "", "choices": [], "model": ""},
        {"object": "chat.completion.chunk"},
        {"object": "chat.completion", "choices": []},
    ],
)
def test_a_dict_of_its_shape_is_a_chunk_whatever_it_calls_itself(chunk: Any):
    assert looks_like_openai(chunk)


@pytest.mark.parametrize(
    "own",
    [
        {"choices": ["a", "b"], "question": "?"},
        {"choices": [{"text": "a"}, {"text": "b"}]},
        {"choices": []},
        {"choices": 5},
        {"choices": {"a": 1}},
        {"choices": [{"delta": "x"}]},
        {"object": "error"},
        {"a": 1},
    ],
)
def test_a_dict_of_an_apps_own_is_none(own: Any):
    assert not looks_like_openai(own)


def test_whose_chunk_it_is_is_told_if_it_has_an_id_and_a_model():
    assert list(origin_of(openai_chunk())) == [Origin("c1", 1, "m")]
    for field in "id", "model":
        assert list(origin_of({**openai_chunk(), field: None})) == []
    for no_time in None, "now", True, -1, 2**60:
        assert list(origin_of({**openai_chunk(), "created": no_time})) == [Origin("c1", None, "m")]


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", False),
        (b"[DONE]", False),
        (b"{}", False),
        (b"x", True),
        (b'{"text": "x"}', True),
        (b'{"choices": [{"delta": {"role": "assistant", "content": ""}}]}', False),
        (b'{"choices": [{"delta": {"content": "x"}}]}', True),
        (b'{"choices": [{"delta": {}, "finish_reason": "stop"}]}', True),
        (b'{"choices": [], "usage": {"prompt_tokens": 1}}', True),
    ],
)
def test_a_frame_says_something_or_nothing(data: bytes, said: bool):
    assert told_in(data).speaks is said


def test_a_frame_may_say_that_the_model_refused():
    failure = told_in(b'{"error": {"message": "m", "code": 429}}').failure
    assert isinstance(failure, UpstreamError)
    assert failure.status_code == 429


def test_a_services_words_for_its_failure_are_taken_out():
    chunk = openai_chunk({"content": "x"}, error={"message": "secret"})
    assert without_error(chunk) == openai_chunk({"content": "x"})
