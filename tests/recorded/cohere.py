"""Events of Cohere's Chat API, version 2."""

from __future__ import annotations

from typing import Any

from told import Answer

Event = dict[str, Any]
START: Event = {
    "type": "message-start",
    "id": "m1",
    "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
}


def event(kind: str, index: int | None = None, **message: Any) -> Event:
    place = {} if index is None else {"index": index}
    return {"type": kind, **place, "delta": {"message": message}}


def block(index: int, kind: str, *pieces: str) -> list[Event]:
    return [
        event("content-start", index, content={"type": kind, kind: ""}),
        *(event("content-delta", index, content={kind: piece}) for piece in pieces),
        {"type": "content-end", "index": index},
    ]


def text(index: int, *pieces: str) -> list[Event]:
    return block(index, "text", *pieces)


def call(index: int, *fragments: str, id_: str = "weather_1") -> list[Event]:
    function = {"name": "weather", "arguments": ""}
    begun = {"id": id_, "type": "function", "function": function}
    pieces = ({"function": {"arguments": fragment}} for fragment in fragments)
    return [
        event("tool-call-start", index, tool_calls=begun),
        *(event("tool-call-delta", index, tool_calls=piece) for piece in pieces),
        {"type": "tool-call-end", "index": index},
    ]


def cite(index: int, *sources: Event) -> list[Event]:
    citation = {"start": 0, "end": 2, "text": "It", "sources": sources, "type": "TEXT_CONTENT"}
    return [
        event("citation-start", index, citations=citation),
        {"type": "citation-end", "index": index},
    ]


def end(reason: str, *, usage: Event | None = None, **more: Any) -> list[Event]:
    counts = {
        "billed_units": {"input_tokens": 5, "output_tokens": 8},
        "tokens": {"input_tokens": 7, "output_tokens": 9},
    }
    told = counts if usage is None else usage
    return [
        {
            "type": "message-end",
            "id": "m1",
            "delta": {"finish_reason": reason, "usage": told, **more},
        }
    ]


THINKS = block(0, "thinking", "Let me ", "see.")
PLANS = [event("tool-plan-delta", tool_plan=piece) for piece in (" I will ", "ask.")]
CALLS = call(0, '{"city": ', '"Rome"}')
ANSWER = [START, *THINKS, *text(1, "Hel", "lo"), *PLANS, *CALLS, *end("TOOL_CALL")]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see. I will ask.",
    calls=(("weather_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)
