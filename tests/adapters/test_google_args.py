"""Arguments in pieces, as Vertex AI sends them where it is asked to."""

from __future__ import annotations

from recorded.google import says, stop
from sse_bridge.adapters.google_args import PartialArguments
from told import Answer, assert_answers


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
        partial.add({**dict.fromkeys(PartialArguments.FIELDS), "json_path": path, "bool_value": 1})
    partial.add(
        {**dict.fromkeys(PartialArguments.FIELDS), "json_path": "$.a.b", "string_value": "x"}
    )
    assert partial.arguments == {"a": {"b": "x"}}
