"""Tokens by their shape, without huggingface_hub: see vendors/test_huggingface.py for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from chunks import openai_chunk, read
from recorded.huggingface import ANSWER, TOLD, end, failure, token
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, HuggingFace, OpenAI
from sse_bridge.adapters.huggingface import looks_like_huggingface
from sse_bridge.parts import Finish, Reasoning
from told import Answer, assert_answers


@pytest.mark.parametrize("adapter", ["auto", "huggingface", HuggingFace()])
def test_tokens_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_a_special_token_is_no_text_wherever_it_stands():
    events = [token("<s>", special=True), *ANSWER]
    assert_answers(lambda: iter(events), TOLD)


@pytest.mark.parametrize(
    ("reason", "finish"), [("length", "length"), ("stop_sequence", "stop"), ("eos_token", "stop")]
)
def test_the_last_token_may_be_text_and_the_whole_text_is_not_said_again(reason, finish):
    events = [token("Hel"), end(reason, "Hello", words="lo", special=False)]
    assert_answers(lambda: iter(events), TOLD._replace(finish=finish))


def test_the_tokens_of_several_answers_are_added_up():
    assert_answers(lambda: iter(ANSWER * 2), Answer("HelloHello", finish="stop", usage=(14, 6, 20)))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("overloaded", "overloaded"),
        ("validation", "bad_request"),
        ("generation", "upstream_error"),
        ("incomplete_generation", "upstream_error"),
    ],
)
@pytest.mark.parametrize("adapter", ["auto", "huggingface"])
def test_a_failure_is_told_with_its_code(adapter, kind, code):
    events = [token("Hel"), failure(kind)]
    assert_answers(lambda: iter(events), Answer("Hel", code=code), adapter=adapter)


@pytest.mark.parametrize(
    "chunk",
    [
        {"token": "x"},
        {"token": {"text": "x"}},
        {"token": {"text": 1, "special": False}},
        {"token": {"text": "x", "special": "no"}},
        {"generated_text": "x", "details": {"finish_reason": "length"}},
        {"error": "x", "error_type": "y"},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_huggingface(chunk)


@pytest.mark.parametrize("details", [1, {"finish_reason": ["x"]}, {"generated_tokens": "many"}])
def test_odd_details_are_no_error(details):
    assert read(HuggingFace(), token("x", details=details))[0] == "x"


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match=r"takes tokens of text_generation\(stream=True"):
        read(HuggingFace(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        read(HuggingFace(), {"error": {"message": "no credit"}})


@dataclass
class Chunk(dict):
    """As huggingface_hub's of a chat: what it holds is whole in its attributes only."""

    choices: Any = None


@pytest.mark.parametrize("adapter", [Auto(), OpenAI()])
def test_a_chunk_of_a_chat_is_read_with_what_its_class_does_not_name(adapter):
    whole = openai_chunk({"content": None, "reasoning_content": "hm"}, "stop")
    chunk = Chunk(whole["choices"])
    chunk.update(openai_chunk({"content": None}, "stop"))
    assert read(adapter, chunk) == [Reasoning("hm"), Finish("stop")]
    [native] = read(adapter, chunk, passes="openai")
    assert b'"reasoning_content":"hm"' in native.json
