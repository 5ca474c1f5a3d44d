"""The same answer as an event stream of three protocols, and the failures that each has."""

from __future__ import annotations

import json
from typing import Any

from chunks import envelope, openai_chunk
from recorded import anthropic
from told import Answer
from vendors.replay import as_events

TOLD = anthropic.TOLD


def frame(data: Any, event: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    name = "" if event is None else f"event: {event}\n"
    return f"{name}data: {text}\n\n".encode()


def in_chunks(*chunks: dict[str, Any]) -> bytes:
    return b"".join(map(frame, chunks))


def called(arguments: str, **first: Any) -> dict[str, Any]:
    more = {"id": "toolu_1", "type": "function"} if first else {}
    call = {"index": 0, **more, "function": {**first, "arguments": arguments}}
    return openai_chunk({"tool_calls": [call]})


DONE = frame("[DONE]")
OUR_DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
COUNTS = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}

OPENAI = in_chunks(
    openai_chunk({"role": "assistant", "content": ""}),
    openai_chunk({"reasoning_content": "Let me "}),
    openai_chunk({"reasoning_content": "see."}),
    openai_chunk({"content": "Hel"}),
    openai_chunk({"content": "lo"}),
    called("", name="weather"),
    called('{"city": '),
    called('"Rome"}'),
    openai_chunk({}, "tool_calls"),
    envelope([], usage=COUNTS),
)
ANTHROPIC = as_events(anthropic.ANSWER)
DELTA = b"".join(
    (
        b'event: step\ndata: {"name":"first"}\n\n',
        frame({"text": "Let me "}, "reasoning"),
        frame({"text": "see."}, "reasoning"),
        frame({"text": "Hel"}, "delta"),
        frame({"text": "lo"}, "delta"),
        frame({"index": 0, "id": "toolu_1", "name": "weather", "arguments": ""}, "tool_call"),
        frame({"index": 0, "arguments": '{"city": "Rome"}'}, "tool_call"),
        frame({"reason": "tool_calls"}, "finish"),
        frame({"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}, "usage"),
    )
)
ANSWERS = {"openai": OPENAI + DONE, "anthropic": ANTHROPIC, "delta": DELTA + OUR_DONE}

HALF = Answer("Hel")
WORD = {
    "openai": in_chunks(openai_chunk({"role": "assistant", "content": "Hel"})),
    "anthropic": as_events([anthropic.start(), *anthropic.text(0, "Hel")[:2]]),
    "delta": frame({"text": "Hel"}, "delta"),
}
# Each tells that its service is overloaded.
ERRORS = {
    "openai": in_chunks({"error": {"message": "m", "type": "overloaded", "code": 503}}),
    "anthropic": as_events(anthropic.failing("overloaded_error")[-1:]),
    "delta": frame({"code": "overloaded", "message": "m", "retryable": True}, "error"),
}
