"""Events of Amazon Bedrock's ConverseStream."""

from __future__ import annotations

from typing import Any

from told import Answer

Event = dict[str, Any]
START: Event = {"messageStart": {"role": "assistant"}}


def delta(index: int, **said: Any) -> Event:
    return {"contentBlockDelta": {"delta": said, "contentBlockIndex": index}}


def block(index: int, *deltas: dict[str, Any], **start: Any) -> list[Event]:
    """A block; one of text or of thinking begins without an event."""
    about = {"start": start, "contentBlockIndex": index}
    return [
        *([{"contentBlockStart": about}] if start else []),
        *(delta(index, **said) for said in deltas),
        {"contentBlockStop": {"contentBlockIndex": index}},
    ]


def text(index: int, *pieces: str) -> list[Event]:
    return block(index, *({"text": piece} for piece in pieces))


def call(index: int, *fragments: str, id_: str = "tooluse_1") -> list[Event]:
    inputs = ({"toolUse": {"input": fragment}} for fragment in fragments)
    return block(index, *inputs, toolUse={"toolUseId": id_, "name": "weather"})


def stop(reason: str, **usage: int) -> list[Event]:
    counts = {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16, **usage}
    return [
        {"messageStop": {"stopReason": reason}},
        {"metadata": {"usage": counts, "metrics": {"latencyMs": 1}}},
    ]


THINKS = block(
    0,
    {"reasoningContent": {"text": "Let me "}},
    {"reasoningContent": {"text": "see."}},
    {"reasoningContent": {"signature": "c2ln"}},
)
CALLS = call(2, '{"city": ', '"Rome"}')
ANSWER = [START, *THINKS, *text(1, "Hel", "lo"), *CALLS, *stop("tool_use")]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("tooluse_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


def failure(kind: str, **more: Any) -> Event:
    return {kind: {"message": "the service's words", **more}}
