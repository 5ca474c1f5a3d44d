"""Anthropic's events by their shape, without its SDK: see vendors/test_anthropic.py for that."""

from __future__ import annotations

import json

import pytest

from chunks import read
from recorded.anthropic import ANSWER, TOLD, block, failing, start, stop, text
from sse_bridge import UpstreamError
from sse_bridge.adapters import Anthropic, Auto
from sse_bridge.adapters.anthropic import looks_like_anthropic
from sse_bridge.parts import Usage, Value
from told import Answer, assert_answers


@pytest.mark.parametrize("adapter", ["auto", "anthropic", Anthropic()])
def test_events_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_a_failure_is_told_with_its_code():
    assert_answers(lambda: iter(failing("overloaded_error")), Answer("Hel", code="overloaded"))


def test_the_input_of_a_call_may_come_whole_with_its_beginning():
    call = block(0, "tool_use", [], id="t", name="now", input={"zone": "UTC"})
    told = Answer(calls=(("t", "now", '{"zone":"UTC"}'),), finish="tool_calls", usage=(7, 9, 16))
    assert_answers(lambda: iter([start(), *call, *stop("tool_use")]), told)


def test_kinds_that_are_not_known_are_left_alone():
    odd = [{"type": "later_kind"}, *block(3, "later_block", [{"type": "later_delta", "x": 1}])]
    told = Answer("Hi", finish="stop", usage=(7, 9, 16))
    assert_answers(lambda: iter([start(), *odd[1:], *text(0, "Hi"), *stop("end_turn")]), told)


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "message_start"},
        {"type": "content_block_delta", "text": "x"},
        {"type": "ping"},
        {"type": "error", "error": {}},
        {"type": ["message_start"], "message": {}},
        {"type": "text", "text": "x"},
        {"type": "message_start", "message": "searching"},
        {"type": "message_delta", "delta": "x"},
        {"type": "content_block_start", "content_block": "x"},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_anthropic(chunk)


@pytest.mark.parametrize(
    "own",
    [
        {"type": "text", "text": "x"},
        {"type": "thinking", "step": "x"},
        {"type": "citation", "doc": "x"},
        {"type": "error", "text": "a tool failed, going on"},
        {"type": "message_delta", "delta": "x"},
    ],
)
def test_what_an_app_gives_between_events_is_its_own(own):
    parts = read(Auto(), start(), *text(0, "Hi"), own, *stop("end_turn"))
    assert [json.loads(part.json) for part in parts if type(part) is Value] == [own]


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes events of Anthropic's Messages API, got a dict"):
        read(Anthropic(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        read(Anthropic(), {"error": {"message": "no credit"}})


def test_tokens_from_a_cache_are_of_the_input_and_counted_apart():
    counted = start(cache_read_input_tokens=5, cache_creation_input_tokens=3)
    [*_, usage] = read(Auto(), counted, *text(0, "Hi"), *stop("end_turn"))
    assert usage == Usage(15, 9, 24, cached_tokens=5)


def test_a_count_that_is_told_again_stands_in_its_place():
    last = stop("end_turn")
    last[0]["usage"] |= {"input_tokens": 8, "cache_read_input_tokens": 0}
    assert read(Auto(), start(), *text(0, "Hi"), *last)[-1] == Usage(8, 9, 17, cached_tokens=0)
