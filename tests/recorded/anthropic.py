"""Events of Anthropic's Messages API."""

from __future__ import annotations

from typing import Any

from told import Answer


def start(**usage: int) -> dict[str, Any]:
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x"}
    usage = {"input_tokens": 7, "output_tokens": 1, **usage}
    message = {**about, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return {"type": "message_start", "message": message}


def block(
    index: int, kind: str, deltas: list[dict[str, Any]], **about: Any
) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind, **about}},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, "text", deltas, text="")


def stop(reason: str, output_tokens: int = 9) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    usage = {"output_tokens": output_tokens}
    return [
        {"type": "message_delta", "delta": delta, "usage": usage},
        {"type": "message_stop"},
    ]


THINKS = block(
    0,
    "thinking",
    [
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "see."},
        {"type": "signature_delta", "signature": "c2ln"},
    ],
    thinking="",
    signature="",
)
CALLS = block(
    2,
    "tool_use",
    [
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city": '},
        {"type": "input_json_delta", "partial_json": '"Rome"}'},
    ],
    id="toolu_1",
    name="weather",
    input={},
)
ANSWER = [start(), {"type": "ping"}, *THINKS, *text(1, "Hel", "lo"), *CALLS, *stop("tool_use")]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("toolu_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


def failing(kind: str) -> list[dict[str, Any]]:
    error = {"type": "error", "error": {"type": kind, "message": "the service's words"}}
    return [start(), *text(0, "Hel")[:2], error]
