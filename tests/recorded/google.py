"""Responses of Google's Gemini API and events of its Interactions API."""

from __future__ import annotations

from typing import Any

from told import Answer


def says(
    *parts: dict[str, Any], id_: str = "r1", usage: dict[str, int] | None = None, **candidate: Any
) -> dict[str, Any]:
    content = {"parts": list(parts), "role": "model"}
    return {
        "candidates": [{"content": content, "index": 0, **candidate}],
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7, **(usage or {})},
        "modelVersion": "gemini-x",
        "responseId": id_,
    }


# 4 in the answer, 3 in the thoughts.
COUNTS = {
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "cachedContentTokenCount": 5,
    "totalTokenCount": 14,
}
CALL = {"functionCall": {"name": "weather", "args": {"city": "Rome"}}, "thoughtSignature": "c2ln"}


def answer(id_: str = "r1") -> list[dict[str, Any]]:
    return [
        says({"text": "Let me ", "thought": True}, id_=id_),
        says({"text": "see.", "thought": True}, id_=id_, usage={"thoughtsTokenCount": 3}),
        says({"text": "Hel"}, id_=id_, usage={**COUNTS, "candidatesTokenCount": 1}),
        says({"text": "lo"}, id_=id_, usage={**COUNTS, "candidatesTokenCount": 2}),
        says(CALL, id_=id_, usage=COUNTS, finishReason="STOP"),
    ]


ANSWER = answer()
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=((None, "weather", '{"city":"Rome"}'),),
    finish="tool_calls",
    usage=(7, 7, 14),
)
STOPPED: dict[str, Any] = {"finish": "stop", "usage": (7, 7, 14)}


def stop(reason: str = "STOP", *parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    return says(*parts, usage=COUNTS, finishReason=reason, **candidate)


def failing(code: int, status: str) -> list[dict[str, Any]]:
    error = {"code": code, "message": "the service's words", "status": status}
    return [says({"text": "Hel"}), {"error": error}]


# -- the Interactions API --------------------------------------------------------------------------


def created(id_: str = "v1_1") -> dict[str, Any]:
    about = {"id": id_, "status": "in_progress", "object": "interaction", "model": "gemini-x"}
    return {"event_type": "interaction.created", "interaction": about}


def completed(status: str = "completed", id_: str = "v1_1", **more: Any) -> dict[str, Any]:
    usage = {
        "total_input_tokens": 7,
        "total_output_tokens": 4,
        "total_thought_tokens": 3,
        "total_cached_tokens": 5,
        "total_tokens": 14,
    }
    about = {"id": id_, "status": status, "usage": usage, **more}
    return {"event_type": "interaction.completed", "interaction": about}


def step(index: int, kind: str, *deltas: dict[str, Any], **about: Any) -> list[dict[str, Any]]:
    return [
        {"event_type": "step.start", "index": index, "step": {"type": kind, **about}},
        *({"event_type": "step.delta", "index": index, "delta": delta} for delta in deltas),
        {"event_type": "step.stop", "index": index},
    ]


def text(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": piece} for piece in pieces]


def interaction(id_: str = "v1_1") -> list[dict[str, Any]]:
    summaries = [{"type": "thought_summary", "content": one} for one in text("Let me ", "see.")]
    fragments = ({"type": "arguments_delta", "arguments": one} for one in ('{"city":', '"Rome"}'))
    spoken = {"type": "model_output", "content": text("Hello")}
    return [
        created(id_),
        {
            "event_type": "interaction.status_update",
            "interaction_id": id_,
            "status": "in_progress",
        },
        *step(0, "thought", *summaries, {"type": "thought_signature", "signature": "c2ln"}),
        *step(1, "model_output", *text("Hel", "lo")),
        *step(2, "function_call", *fragments, id="c1", name="weather", arguments={}),
        completed("requires_action", id_, steps=[spoken]),
    ]


INTERACTION = interaction()
INTERACTION_TOLD = TOLD._replace(calls=(("c1", "weather", '{"city":"Rome"}'),))


def broken(code: str) -> list[dict[str, Any]]:
    error = {"code": code, "message": "the service's words"}
    return [
        created(),
        *step(0, "model_output", *text("Hel"))[:2],
        {"event_type": "error", "error": error},
    ]
