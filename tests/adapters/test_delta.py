"""Events of the delta protocol, read: what our own dialect has written is the same parts again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sse_bridge import Decoder, UpstreamError
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.delta import DeltaReader, looks_like_delta
from sse_bridge.dialects import Delta
from sse_bridge.failures import diagnose
from sse_bridge.parts import (
    Approval,
    Choice,
    Data,
    Failure,
    File,
    Finish,
    Metadata,
    Part,
    Reasoning,
    Source,
    Step,
    ToolCall,
    ToolResult,
    Usage,
)


def written(*parts: Part) -> list[tuple[str, Any]]:
    """The names and the JSON of the events that the dialect makes of these parts."""
    say = Delta().voice()
    events = Decoder().feed(b"".join(map(say, parts)))
    return [(event.event or "", event.json()) for event in events]


def read(*chunks: tuple[str, Any]) -> list[Part]:
    reader = DeltaReader(Wish())
    return [part for chunk in chunks for part in reader.read(chunk)] + [*reader.end()]


PARTS: list[Part] = [
    Step("first"),
    Step(),
    Reasoning("think\u2028"),
    "Hel",
    "lo",
    ToolCall(0, "a", "weather", ""),
    ToolCall(0, None, None, '{"city":'),
    ToolCall(1, "b", "time", "{}"),
    ToolResult("a", b'{"warm":true}', None, True),
    ToolResult("a", b"null", "broken"),
    Approval("q", "b"),
    Source("https://a.test/", "A", "s"),
    Source("https://b.test/"),
    File("data:,x", "text/plain", "x.txt"),
    Data("weather", b"[1]", "w", True),
    Data("nothing", b"null"),
    Metadata(b'{"a":1}'),
]


CALLS = [part for part in PARTS if isinstance(part, ToolCall)]


@pytest.mark.parametrize(
    "part", [part for part in PARTS if part not in CALLS], ids=lambda part: type(part).__name__
)
def test_each_part_is_read_as_it_was_written(part: Part):
    assert read(*written(part)) == [part]


def test_calls_are_numbered_in_the_order_in_which_they_come():
    assert read(*written(*CALLS)) == CALLS
    assert [part.number for part in read(*written(*CALLS[::-1]))] == [0, 1, 1]


def test_all_of_them_are_read_in_one_stream():
    assert read(*written(*PARTS)) == PARTS


def test_the_reason_and_the_counts_are_told_at_the_end():
    reader = DeltaReader(Wish())
    usage = Usage(1, 2, 3)
    reason, counts = written(Finish("length"), usage)
    assert [*reader.read(reason)] == [Finish("length", final=False)]
    assert [*reader.read(counts)] == [usage._replace(final=False)]
    assert [*reader.end()] == [Finish("length"), usage]


def test_the_words_of_other_choices_are_theirs():
    parts = [Choice(2, "x"), Choice(2, ToolCall(1, "a", "b", "{}")), Choice(2, Finish("stop"))]
    assert read(*written(*parts)) == parts


@pytest.mark.parametrize("code", ["rate_limited", "overloaded", "upstream_cut", "bad_request"])
@pytest.mark.parametrize("retryable", [True, False])
def test_a_failure_is_the_one_that_was_told(code: str, retryable: bool):
    [(name, fields)] = written(Failure("m", code, retryable))
    with pytest.raises(UpstreamError, match="m") as raised:
        read((name, fields))
    told = diagnose(raised.value)
    assert (told.code, told.retryable) == (code, retryable)


def test_an_event_that_is_not_known_is_left_out_with_one_warning(caplog: pytest.LogCaptureFixture):
    assert read(("chunk", {"a": 1}), ("chunk", 1), ("", "x")) == []
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "left out, because it cannot be translated: an event 'chunk' of events of the delta protocol",
        "left out, because it cannot be translated: an event 'message' of events of the delta protocol",
    ]


ODD: list[Any] = [None, [], 1, "x", {}, {"text": {}, "arguments": 3, "index": -1, "choice": "x"}]
NAMES = "delta reasoning tool_call finish usage tool_result source file data step metadata approval"


@pytest.mark.parametrize("name", NAMES.split())
@pytest.mark.parametrize("fields", ODD, ids=json.dumps)
def test_odd_fields_are_no_error(name: str, fields: Any):
    read((name, fields))


@pytest.mark.parametrize(
    ("name", "fields", "looks"),
    [
        ("delta", {"text": "x"}, True),
        ("delta", {"text": "x", "choice": 1}, True),
        ("delta", {"text": 1}, False),
        ("delta", {"text": "x", "mine": 1}, False),
        ("", {"text": "x"}, False),
        ("tool_call", {"index": 0, "arguments": "{}"}, True),
        ("tool_call", {"arguments": "{}"}, False),
        ("data", {"name": "x", "value": None}, True),
        ("data", {"name": "x"}, False),
        ("step", {"name": "x"}, False),
        ("error", {"code": "x", "message": "m", "retryable": True}, False),
    ],
)
def test_the_protocol_is_known_by_an_events_name_and_all_of_its_fields(
    name: str, fields: dict[str, Any], looks: bool
):
    assert looks_like_delta(name, fields) is looks
