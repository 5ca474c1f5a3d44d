"""Mistral's events by their shape, without its SDK: see vendors/test_mistral.py for that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from chunks import read
from recorded.mistral import ANSWER, FAILURE, START, TOLD, chunk
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Mistral
from sse_bridge.adapters.mistral import looks_like_mistral
from sse_bridge.parts import Reasoning
from told import Answer, as_plain, assert_answers


class Event(BaseModel):
    """As the SDK's: its chunk is all it has."""

    data: dict


class Theirs(Event):
    __module__ = "mistralai.client.models"


class Odd(Theirs):
    more: int = 1


def events(chunks):
    return (Theirs(data=one) for one in chunks)


@pytest.mark.parametrize("adapter", ["auto", "mistral", Mistral()])
def test_the_chunk_in_each_event_is_read(adapter):
    assert_answers(lambda: events(ANSWER), TOLD, adapter=adapter)


@pytest.mark.parametrize("adapter", ["mistral", "openai", "auto"])
def test_chunks_as_dicts_say_the_same(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_under_plain_each_chunk_is_its_json():
    said, summary = as_plain(lambda: events(ANSWER))
    assert said == ANSWER
    assert summary.finish_reason == "tool_calls"


@pytest.mark.parametrize("adapter", ["auto", "mistral"])
def test_a_failure_is_told_with_its_code(adapter):
    told = [START, chunk(content="Hel"), {**chunk(), "error": FAILURE}]
    assert_answers(lambda: events(told), Answer("Hel", code="rate_limited"), adapter=adapter)


def test_a_reason_that_is_an_error_is_a_failure():
    told = [START, chunk(content="Hel"), chunk("error")]
    assert_answers(lambda: events(told), Answer("Hel", code="upstream_error"))


def test_parts_that_the_source_yields_itself_pass():
    assert read(Mistral(), Reasoning("hm"), None)[0] == Reasoning("hm")


@pytest.mark.parametrize(
    "thing",
    [
        {"data": START},
        Event(data=START),
        Odd(data=START),
        Theirs(data={"text": "x"}),
        SimpleNamespace(data=START),
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(thing):
    assert not looks_like_mistral(thing)


def test_an_event_is_told_by_whose_it_is():
    assert looks_like_mistral(Theirs(data=START))
    assert read(Auto(), Theirs(data=chunk(content="x")))[0] == "x"


def test_a_chunk_that_cannot_be_written_is_read_as_it_is():
    one = SimpleNamespace(choices=[{"delta": {"content": "x"}, "finish_reason": "stop"}])
    assert read(Mistral(), SimpleNamespace(data=one))[0] == "x"


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match=r"takes events of Mistral's chat.stream\(\), got a dict"):
        read(Mistral(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="rate limit"):
        read(Mistral(), FAILURE)
