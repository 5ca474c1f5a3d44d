"""Which tool call a fragment belongs to, however its service numbers them."""

from __future__ import annotations

from typing import Any

import pytest

from sse_bridge.adapters.calls import Calls
from sse_bridge.parts import ToolCall


def fragment(id_: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> Any:
    return {"id": id_, "function": {"name": name, "arguments": arguments}, **more}


def told(*chunks: list[Any]) -> list[ToolCall]:
    calls = Calls()
    return [call for chunk in chunks for call in calls.say(chunk)]


def joined(*chunks: list[Any]) -> dict[int, tuple[str, str, str]]:
    """The calls as a client puts them together: id, name, arguments."""
    calls: dict[int, tuple[str, str, str]] = {}
    for call in told(*chunks):
        id_, name, arguments = calls.get(call.number, ("", "", ""))
        calls[call.number] = (
            id_ or call.id or "",
            name or call.name or "",
            arguments + call.arguments,
        )
    return calls


TWO = {0: ("a", "f", "{}"), 1: ("b", "g", "[]")}


@pytest.mark.parametrize(
    "chunks",
    [
        # as OpenAI does it
        (
            [fragment("a", "f", "{", index=0)],
            [fragment(arguments="}", index=0)],
            [fragment("b", "g", "[]", index=1)],
        ),
        # interleaved
        (
            [fragment("a", "f", "{", index=0), fragment("b", "g", "[", index=1)],
            [fragment(arguments="}", index=0), fragment(arguments="]", index=1)],
        ),
        # without numbers
        (
            [fragment("a", "f", "{")],
            [fragment(arguments="}")],
            [fragment("b", "g", "[")],
            [fragment(arguments="]")],
        ),
        ([fragment("a", "f", "{}"), fragment("b", "g", "[]")],),
        # 0 for all
        (
            [fragment("a", "f", "{", index=0)],
            [fragment(arguments="}", index=0)],
            [fragment("b", "g", "[", index=0)],
            [fragment(arguments="]", index=0)],
        ),
        ([fragment("a", "f", "{}", index=0), fragment("b", "g", "[]", index=0)],),
        # the id again with each fragment, or empty
        (
            [fragment("a", "f", "{", index=0)],
            [fragment("a", "", "}", index=0)],
            [fragment("b", "g", "[]", index=1)],
        ),
        ([fragment("a", "f", "{")], [fragment("", "", "}")], [fragment("b", "g", "[]")]),
        (
            [fragment("a", "f", "{")],
            [fragment("b", "g", "[")],
            [fragment("a", None, "}")],
            [fragment("b", None, "]")],
        ),
        # numbers as text, or missing now and then
        (
            [fragment("a", "f", "{", index="0")],
            [fragment(arguments="}")],
            [fragment("b", "g", "[]", index="1")],
        ),
        (
            [fragment("a", "f", "{", index=0.0)],
            [fragment(arguments="}", index=None)],
            [fragment("b", "g", "[]", index=1)],
        ),
        (
            [fragment("a", "f", "{", index=True)],
            [fragment(arguments="}", index=[])],
            [fragment("b", "g", "[]", index=-1)],
        ),
        # a new id for each fragment, as some services make them up
        (
            [fragment("a", "f", "{", index=0)],
            [fragment("x", None, "}", index=0)],
            [fragment("b", "g", "[]", index=1)],
        ),
        # arguments as an object, as nothing, and fragments that are none
        ([fragment("a", "f", {}, index=0), None], [fragment("b", "g", [], index=1)]),
    ],
)
def test_two_calls_are_two_calls(chunks: tuple[list[Any], ...]):
    assert joined(*chunks) == TWO


def test_calls_without_ids_are_told_apart_by_their_names():
    assert joined([fragment(None, "f", "{}")], [fragment(None, "g", "[]")]) == {
        0: ("", "f", "{}"),
        1: ("", "g", "[]"),
    }
    assert joined([fragment(None, "f", "{}"), fragment(None, "f", "[]")]) == {
        0: ("", "f", "{}"),
        1: ("", "f", "[]"),
    }
    assert joined([fragment(None, "f", "{")], [fragment(None, "f", "}")]) == {0: ("", "f", "{}")}


def test_numbers_that_tell_them_apart_are_kept():
    assert [
        call.number for call in told([fragment("a", "f", index=3), fragment("b", "g", index=1)])
    ] == [3, 1]


@pytest.mark.parametrize(
    "arguments, text",
    [
        ("{}", "{}"),
        (None, ""),
        ("", ""),
        ({"x": "你"}, '{"x":"你"}'),
        (["x"], '["x"]'),
        (5, "5"),
        (False, "false"),
        ({"x": float("nan")}, "{'x': nan}"),
    ],
)
def test_arguments_that_are_no_text_are_their_json(arguments: Any, text: str):
    assert told([fragment("a", "f", arguments)])[0].arguments == text


@pytest.mark.parametrize("id_, name", [(5, 7), ([], {}), (True, None), (None, None)])
def test_ids_and_names_are_text_or_not_told(id_: Any, name: Any):
    [call] = told([fragment(id_, name, "{}")])
    assert isinstance(call.id, str | None)
    assert isinstance(call.name, str | None)


@pytest.mark.parametrize("fragments", [None, {}, "x", 5, [None], [{}], ["x"], [[]]])
def test_what_are_no_fragments_break_nothing(fragments: Any):
    told(fragments)


def test_a_function_call_of_old_is_the_one_call():
    calls = Calls()
    assert [
        *calls.say_legacy({"name": "f", "arguments": "{"}),
        *calls.say_legacy({"arguments": "}"}),
        *calls.say_legacy(None),
    ] == [ToolCall(0, None, "f", "{"), ToolCall(0, None, None, "}")]
