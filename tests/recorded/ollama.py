"""Chunks of Ollama's own API."""

from __future__ import annotations

from typing import Any

from told import Answer

_HEAD = {"model": "qwen3", "created_at": "2026-11-28T10:00:00.123456Z"}
_COUNTS = {
    "total_duration": 500,
    "load_duration": 100,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 100,
    "eval_count": 9,
    "eval_duration": 300,
}


def says(content: str = "", **more: Any) -> dict[str, Any]:
    return {**_HEAD, "message": {"role": "assistant", "content": content, **more}, "done": False}


def stop(reason: str = "stop") -> dict[str, Any]:
    return {**says(), "done": True, "done_reason": reason, **_COUNTS}


def writes(response: str = "", **more: Any) -> dict[str, Any]:
    """A chunk of ``generate``."""
    return {**_HEAD, "response": response, "done": False, **more}


def written(reason: str = "stop") -> dict[str, Any]:
    return {**writes(), "done": True, "done_reason": reason, "context": [1, 2], **_COUNTS}


CALL = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
ANSWER = [
    says(thinking="Let me "),
    says(thinking="see."),
    says("Hel"),
    says("lo"),
    says(tool_calls=[CALL]),
    stop(),
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=((None, "weather", '{"city":"Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)
GENERATED = [writes(thinking="Hm."), writes("Hel"), writes("lo"), written()]
GENERATED_TOLD = Answer("Hello", "Hm.", finish="stop", usage=(7, 9, 16))

FAILING = [says("Hel"), {"error": "an error was encountered while running the model"}]
