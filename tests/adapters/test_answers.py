"""One choice of an answer: what a chunk says in it that was not said before."""

from __future__ import annotations

from typing import Any

import pytest

from sse_bridge.adapters.answers import Answer, fields_of
from sse_bridge.parts import Finish, Reasoning, ToolCall

FUNCTION = {"name": "f", "arguments": "{}"}


def said(answer: Answer, id_: Any = "c1", **choice: Any) -> list[Any]:
    return list(answer.say(choice, id_, list[str]().append))


def test_a_message_behind_deltas_is_the_whole_again():
    answer = Answer()
    assert said(answer, delta={"content": "Hel"}) == ["Hel"]
    assert said(answer, message={"content": "Hello"}) == ["lo"]
    assert said(answer, message={"content": "Hello"}) == []


def test_messages_are_deltas_where_there_are_no_others():
    answer = Answer()
    assert said(answer, message={"content": "ha"}) == ["ha"]
    assert said(answer, message={"content": "ha"}) == ["ha"]


def test_of_the_whole_the_thought_is_news_if_there_was_none():
    answer = Answer()
    answer.hear("Hello")
    message = {"content": "Hello", "reasoning_content": "hm"}
    assert said(answer, message=message) == [Reasoning("hm")]
    assert said(answer, message=message) == []
    answer = Answer()
    answer.hear(Reasoning("hm"))
    assert said(answer, message=message) == ["Hello"]


def test_of_the_whole_a_call_is_news_by_its_id_or_else_by_its_place():
    answer = Answer()
    said(answer, delta={"tool_calls": [{"index": 0, "id": "a", "function": FUNCTION}]})
    known, new = ({"id": id_, "function": FUNCTION} for id_ in ("a", "b"))
    assert said(answer, message={"tool_calls": [known, new]}) == [ToolCall(1, "b", "f", "{}")]
    assert said(answer, message={"tool_calls": [{"function": FUNCTION}] * 2}) == []


def test_a_reason_to_finish_is_told_once_a_chunk_id():
    answer = Answer()
    assert said(answer, delta={"content": "x"}, finish_reason="stop") == ["x", Finish("stop")]
    assert said(answer, delta={"content": "y"}, finish_reason="stop") == ["y"]
    assert said(answer, finish_reason="length") == [Finish("length")]
    assert said(answer, "c2", finish_reason="length") == [Finish("length")]


@pytest.mark.parametrize("reason", ["error", "ERROR", "network_error", "null", "", None, 5])
def test_what_is_no_reason_to_finish_is_not_told(reason: Any):
    answer = Answer()
    assert said(answer, finish_reason=reason) == []
    assert not answer.spoke


def test_it_is_finished_when_it_told_a_reason_or_said_nothing():
    answer = Answer()
    assert answer.is_finished
    answer.hear("x")
    assert not answer.is_finished
    said(answer, finish_reason="stop")
    assert answer.is_finished


class Kept:
    def __init__(self) -> None:
        self.a = 1
        self.__pydantic_extra__ = {"b": 2}


def test_the_fields_of_an_object_are_those_that_its_class_does_not_name_too():
    fields = dict(fields_of(Kept()))
    assert (fields["a"], fields["b"]) == (1, 2)
    assert dict(fields_of({"a": 1})) == {"a": 1}
    assert dict(fields_of(None)) == {}


def test_what_has_no_place_is_told():
    missed: list[str] = []
    message = {"content": "x", "images": ["y"], "audio": {"data": "AAAA"}}
    list(Answer().say({"message": message}, None, missed.append))
    assert missed == ["the field 'images'", "the audio"]
