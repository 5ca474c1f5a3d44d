"""Which protocol somebody else's frames speak, and how far they have come in it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chunks import envelope, openai_chunk
from sse_bridge.adapters.protocols import FIRST_EVENTS, Sightings


def event(data: Any, name: str = "") -> list[bytes]:
    text = data if isinstance(data, str) else json.dumps(data)
    lines = [f"event: {name}"] if name else []
    return [line.encode() for line in [*lines, f"data: {text}", ""]]


def typed(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def seen(*events: list[bytes]) -> Sightings:
    sightings = Sightings()
    for each in events:
        sightings.see(each)
    return sightings


DONE = event("[DONE]")
WORD = event(openai_chunk({"content": "x"}))
RESPONSE = event(typed("response.created", response={}), "response.created")
MESSAGE = event(typed("message_start", message={}), "message_start")
RUN = event(typed("RUN_STARTED", threadId="t", runId="r"))
UI = event(typed("text-start", id="0"))


@pytest.mark.parametrize(
    "first, name",
    [
        (WORD, "openai"),
        (event(envelope([])), "openai"),
        (event({"object": "text_completion", "choices": []}), "openai"),
        (RESPONSE, "openai-responses"),
        (event(typed("response.created")), "openai-responses"),
        (MESSAGE, "anthropic"),
        (RUN, "ag-ui"),
        (UI, "ai-sdk"),
        (event({"jsonrpc": "2.0", "id": 1, "result": {}}), "jsonrpc"),
        (event({"text": "x"}, "delta"), "delta"),
        (event({"text": "x"}), None),
        (event("x", "delta"), None),
        (event("Hello"), None),
        (event("the chat.completion.chunk of it"), None),
        (event(json.dumps({"text": '"chat.completion.chunk"'})), None),
    ],
)
def test_a_protocol_is_known_by_its_first_frames(first: list[bytes], name: str | None):
    assert seen(first).name == name
    assert seen(event("Hello"), first).name == name


def test_it_is_looked_for_among_the_first_frames_only():
    assert seen(*[event("x")] * FIRST_EVENTS, WORD).name is None
    assert seen(*[event("x")] * (FIRST_EVENTS - 1), WORD).name == "openai"


ENDS = [
    ([WORD], False, False),
    ([WORD, DONE], True, False),
    ([WORD, DONE, WORD], False, False),
    ([WORD, event({"error": {"message": "m"}})], True, True),
    ([WORD, event({"id": "x", "error": {"message": "m"}}), DONE], True, True),
    ([WORD, event({"id": "x", "error": None})], False, False),
    ([WORD, event(openai_chunk({"content": '{"error": {"message": "m"}}'}))], False, False),
    ([RESPONSE, event(typed("response.output_text.delta", delta="x"))], False, False),
    ([RESPONSE, event(typed("response.completed"), "response.completed")], True, False),
    ([RESPONSE, event(typed("response.incomplete"))], True, False),
    ([RESPONSE, event(typed("response.failed"))], True, True),
    ([RESPONSE, event(typed("error", message="m"), "error")], True, True),
    ([MESSAGE, event(typed("message_stop"), "message_stop")], True, False),
    ([MESSAGE, event(typed("error"), "error")], True, True),
    ([RUN, event(typed("RUN_FINISHED"))], True, False),
    ([RUN, event(typed("RUN_ERROR", message="m"))], True, True),
    ([UI, event(typed("finish"))], True, False),
    ([UI, event(typed("error", errorText="m")), DONE], True, True),
    ([event({"text": "x"}, "delta"), event({"code": "x"}, "error")], True, True),
    ([event({"text": "x"}, "delta"), event("[DONE]", "done")], True, False),
    ([event("x"), DONE], True, False),
    ([event("x"), event("oh", "error")], True, True),
    ([event("x"), event("oh", "error"), event("y")], False, False),
    ([event("x"), event(typed("error"))], False, False),
]


@pytest.mark.parametrize("events, over, failed", ENDS)
def test_its_own_ends_are_known(events: list[list[bytes]], over: bool, failed: bool):
    sightings = seen(*events)
    assert (sightings.over, sightings.failed) == (over, failed)


def in_escapes(lines: list[bytes]) -> list[bytes]:
    """The same event, with each sign of its JSON's strings as an escape."""
    return [
        re.sub(rb'(?<=")[\w.-]+(?=")', escaped, line) if line.startswith(b"data: {") else line
        for line in lines
    ]


def escaped(word: re.Match[bytes]) -> bytes:
    return b"".join(b"\\u%04X" % sign for sign in word.group())


@pytest.mark.parametrize("events, over, failed", ENDS)
def test_its_own_ends_are_known_if_they_are_written_in_escapes(
    events: list[list[bytes]], over: bool, failed: bool
):
    plain, sightings = seen(*events), seen(*map(in_escapes, events))
    assert (sightings.over, sightings.failed) == (over, failed)
    assert (sightings.name, sightings.was_cut) == (plain.name, plain.was_cut)


def test_what_only_looks_like_an_escape_is_none():
    told = [
        b'data: {"object":"chat.completion.chunk","choices":[],"x":"\\\\u0065rror","y":"\\u00',
        b"",
    ]
    assert not seen(WORD, told, [b"data: \\u0065rror", b""]).failed


@pytest.mark.parametrize("deep", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000])
def test_json_that_nobody_can_read_is_looked_at_as_it_is(deep: bytes):
    assert not seen(RUN, [b'data: {"\\u0074":' + deep + b"}", b""]).failed


def test_a_comment_after_the_end_does_not_undo_it():
    assert seen(WORD, DONE, [b": bye", b""]).over


def test_a_name_belongs_to_its_own_frame():
    assert not seen(MESSAGE, [b"event: message_stop", b""], event(typed("ping"))).over


def test_without_a_finish_reason_an_answer_of_openai_was_cut():
    assert seen(WORD).was_cut
    assert seen(WORD, event(openai_chunk({"content": '"finish_reason": "stop"'}))).was_cut
    assert not seen(WORD, event(openai_chunk({}, "stop"))).was_cut
    assert not seen(WORD, DONE).was_cut
