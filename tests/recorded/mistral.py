"""Chunks of Mistral's chat completions, as they come over the wire."""

from __future__ import annotations

from typing import Any

from told import Answer

Event = dict[str, Any]


def chunk(reason: str | None = None, *, usage: Event | None = None, **delta: Any) -> Event:
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "mistral"}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**about, "choices": [choice], **({} if usage is None else {"usage": usage})}


def thinks(words: str) -> Event:
    return chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": words}]}])


def call(arguments: str, **about: Any) -> Event:
    return {"function": {"name": "weather", "arguments": arguments}, **about}


START = chunk(role="assistant", content="")
COUNTS = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
# Whole calls, all in one chunk, and none has a number.
CALLS = [call('{"city": "Rome"}', id="call00001"), call('{"city": "Oslo"}', id="call00002")]
ANSWER = [
    START,
    thinks("Let me "),
    thinks("see."),
    chunk(content="Hel"),
    chunk(content=[{"type": "text", "text": "lo"}]),
    chunk("tool_calls", tool_calls=CALLS, usage=COUNTS),
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(
        ("call00001", "weather", '{"city": "Rome"}'),
        ("call00002", "weather", '{"city": "Oslo"}'),
    ),
    finish="tool_calls",
    usage=(7, 9, 16),
)
FAILURE = {
    "object": "error",
    "message": "Requests rate limit exceeded",
    "type": "rate_limited",
    "param": None,
    "code": "1300",
}
