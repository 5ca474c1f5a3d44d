"""Events of a pydantic-ai agent's run, as its ``TypeAdapter`` writes them."""

from __future__ import annotations

from typing import Any

from told import Answer

Event = dict[str, Any]
WHEN = "2026-11-28T10:52:47.726194Z"


def start(index: int, kind: str, before: str | None = None, **part: Any) -> Event:
    part = {**part, "part_kind": kind}
    return {
        "index": index,
        "part": part,
        "previous_part_kind": before,
        "event_kind": "part_start",
    }


def delta(index: int, kind: str, **fields: Any) -> Event:
    fields = {**fields, "part_delta_kind": kind}
    return {"index": index, "delta": fields, "event_kind": "part_delta"}


def end(index: int, kind: str, **part: Any) -> Event:
    return {**start(index, kind, **part), "event_kind": "part_end"}


def text(index: int, first: str, *more: str, before: str | None = None) -> list[Event]:
    deltas = [delta(index, "text", content_delta=piece) for piece in more]
    whole = "".join((first, *more))
    return [
        start(index, "text", before, content=first),
        *deltas,
        end(index, "text", content=whole),
    ]


def called(**call: Any) -> Event:
    part = {**call, "part_kind": "tool-call"}
    return {"part": part, "args_valid": True, "event_kind": "function_tool_call"}


def result(id_: str, content: Any, **more: Any) -> Event:
    about = {"tool_name": "weather", "tool_call_id": id_, "timestamp": WHEN}
    part = {"outcome": "success", **about, "content": content, "part_kind": "tool-return", **more}
    return {"part": part, "content": None, "event_kind": "function_tool_result"}


def over(
    output: Any = "Hello", reason: str | None = "stop", given: int = 7, made: int = 9
) -> Event:
    usage = {"input_tokens": given, "output_tokens": made, "requests": 2}
    prompt = {"content": "be brief", "part_kind": "system-prompt"}
    messages = [
        {"kind": "request", "parts": [prompt]},
        {"kind": "response", "parts": [], "finish_reason": reason},
    ]
    told = {"messages": messages, "usage": usage, "output": output}
    return {"result": told, "event_kind": "agent_run_result"}


CALL = {"tool_name": "weather", "tool_call_id": "c1"}
ARGS = '{"city": "Rome"}'
ANSWER = [
    start(0, "thinking", content="Let me "),
    delta(0, "thinking", content_delta="see."),
    delta(0, "thinking", content_delta=None, signature_delta="c2ln"),
    end(0, "thinking", content="Let me see."),
    start(1, "tool-call", "thinking", **CALL, args='{"city": '),
    delta(1, "tool_call", tool_name_delta=None, args_delta='"Rome"}', tool_call_id="c1"),
    end(1, "tool-call", **CALL, args=ARGS),
    called(**CALL, args=ARGS),
    result("c1", {"sky": "blue"}),
    text(0, "Hel", "lo")[0],
    {"tool_name": None, "tool_call_id": None, "event_kind": "final_result"},
    *text(0, "Hel", "lo")[1:],
    over(),
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("c1", "weather", ARGS),),
    finish="stop",
    usage=(7, 9, 16),
    results=(("c1", {"sky": "blue"}),),
)
