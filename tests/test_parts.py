"""What crosses from the source's side to the writer's."""

from __future__ import annotations

import pickle
import types
from typing import get_args

import pytest

from sse_bridge.parts import (
    Choice,
    Failure,
    Finish,
    Native,
    Part,
    ToolCall,
    Usage,
)

KINDS = [kind for kind in get_args(Part) if kind not in (str, bytes)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_immutable(kind):
    part = kind(*[None] * len(kind._fields))
    for field in [*kind._fields, "anything"]:
        with pytest.raises(AttributeError):
            setattr(part, field, "new")


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_can_be_shown_and_carried_anywhere(kind):
    part = kind(*range(len(kind._fields)))
    assert repr(part).startswith(kind.__name__ + "(")
    assert pickle.loads(pickle.dumps(part)) == part


def test_text_and_a_line_of_json_are_parts_by_themselves():
    assert {str, bytes} < set(get_args(Part))
    assert isinstance(Part, types.UnionType)


def test_usage_is_final_unless_said_otherwise():
    assert Usage(1, 2, 3).final


def test_a_native_chunk_is_taken_apart_only_for_those_who_ask():
    assert Native("openai", b"{}", None, None).parts == ()


def test_no_two_kinds_of_part_are_confused():
    assert type(Finish("stop")) is not type(Failure("m", "c", retryable=True))
    assert Choice(0, "x").part == "x"
    assert ToolCall(0, None, None, "").number == 0
