"""Arguments in pieces, as Vertex AI sends them where it is asked to."""

from __future__ import annotations

from typing import Any

from recorded.google import says, stop
from sse_bridge.adapters.google_args import PartialArguments
from steps import assert_linear
from told import Answer, assert_answers


def piece_of(path: Any, **value: Any) -> dict[str, Any]:
    return {**dict.fromkeys(PartialArguments.FIELDS), "json_path": path, **value}


def test_arguments_that_come_in_pieces_are_put_together():
    def piece(path, more=True, **value):
        part = {"jsonPath": path, **value}
        return says({"functionCall": {"partialArgs": [part], "willContinue": more}})

    chunks = [
        says({"functionCall": {"name": "f", "id": "c", "willContinue": True}}),
        piece("$.city", stringValue="Ro", willContinue=True),
        piece("$.city", stringValue="me"),
        piece("$.days[0].n", numberValue=1),
        piece("$.days[1]['is warm']", boolValue=True),
        piece("$.days[999999999]", boolValue=True),
        piece("$" + ".x" * 1000, stringValue="deep"),
        stop("STOP", {"functionCall": {}}),
    ]
    written = '{"city":"Rome","days":[{"n":1},{"is warm":true}]}'
    told = Answer(calls=(("c", "f", written),), finish="tool_calls", usage=(7, 7, 14))
    assert_answers(lambda: iter(chunks), told)


def test_a_value_that_has_no_place_is_left_out():
    partial = PartialArguments({"name": "f"})
    for path in (None, "", "$", "$.a.b", "$.a[0]", 3):
        partial.add(piece_of(path, bool_value=1))
    partial.add(piece_of("$.a.b", string_value="x"))
    assert partial.arguments == {"a": {"b": "x"}}


def test_text_goes_on_with_the_text_in_its_place_and_replaces_all_else():
    partial = PartialArguments({"name": "f"})
    for value in ({"number_value": 1}, {"string_value": "a"}, {"string_value": "b"}):
        partial.add(piece_of("$.a", **value))
        partial.add(piece_of("$.b[0]", **value))
    partial.add(piece_of("$.b[0].c", string_value="no place"))
    assert partial.arguments == {"a": "ab", "b": ["ab"]}
    partial.add(piece_of("$.a", bool_value=True))
    assert partial.arguments == {"a": True, "b": ["ab"]}


def test_pieces_of_a_long_text_are_read_at_a_cost_that_grows_as_they_do():
    def made() -> Any:
        partial = PartialArguments({"name": "f"})
        partial.add(piece_of("$.a", string_value="x" * 10_000))
        return partial.add

    assert_linear(made, lambda count: [piece_of("$.a", string_value="x" * 100)] * count, 100)
