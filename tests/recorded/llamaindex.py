"""LlamaIndex's responses and events as they are in JSON."""

from __future__ import annotations

from typing import Any

from told import Answer

ARGUMENTS = ('{"city": ', '{"city": "Rome"}')


def response(
    delta: str | None, so_far: str = "", calls: list[Any] | None = None, **fields: Any
) -> dict[str, Any]:
    blocks = [{"block_type": "text", "text": so_far}, *(calls or [])]
    message = {"role": "assistant", "additional_kwargs": {}, "blocks": blocks}
    more = {"raw": None, "logprobs": None, "additional_kwargs": {}, **fields}
    return {"message": message, "delta": delta, **more}


def completion(delta: str | None, text: str, **fields: Any) -> dict[str, Any]:
    more = {"raw": None, "logprobs": None, "additional_kwargs": {}, **fields}
    return {"text": text, "delta": delta, **more}


def call(arguments: Any, id_: str | None = "call_1", name: str = "weather") -> dict[str, Any]:
    about = {"block_type": "tool_call", "tool_call_id": id_, "tool_name": name}
    return {**about, "tool_kwargs": arguments}


def raw(reason: str | None = None, usage: Any = None, id_: str = "chatcmpl-1") -> dict[str, Any]:
    choices = [{"index": 0, "delta": {}, "finish_reason": reason}]
    return {"id": id_, "choices": choices, "usage": usage}


USAGE = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
ANSWER = [
    response("", additional_kwargs={"thinking_delta": "Let me "}, raw=raw()),
    response("", additional_kwargs={"thinking_delta": "see."}, raw=raw()),
    response("Hel", "Hel", raw=raw()),
    response("lo", "Hello", raw=raw()),
    response("", "Hello", [call(ARGUMENTS[0])], raw=raw()),
    response("", "Hello", [call(ARGUMENTS[1])], raw=raw("tool_calls")),
    response("", "Hello", [call(ARGUMENTS[1])], raw={"id": "chatcmpl-1", "usage": USAGE}),
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("call_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


def stream(delta: str, so_far: str, calls: Any = (), **fields: Any) -> dict[str, Any]:
    about = {"current_agent_name": "a", "tool_calls": list(calls), "raw": None}
    return {"delta": delta, "response": so_far, **about, "thinking_delta": None, **fields}


def selection(arguments: Any, id_: str = "call_1") -> dict[str, Any]:
    return {"tool_id": id_, "tool_name": "weather", "tool_kwargs": arguments}


OUTPUT = {"blocks": [{"block_type": "text", "text": "30 degrees"}], "is_error": False}
INPUT = {"input": [], "current_agent_name": "a"}
ROME = {"city": "Rome"}
AGENT = [
    INPUT,
    stream("Hel", "Hel", thinking_delta="Let me see."),
    stream("lo", "Hello", [selection({})]),
    stream("", "Hello", [selection(ROME)], raw=raw("tool_calls", USAGE)),
    {"response": {}, "current_agent_name": "a", "tool_calls": [selection(ROME)]},
    selection(ROME),
    {**selection(ROME), "tool_output": OUTPUT, "return_direct": False},
    INPUT,
    stream("It is hot.", "It is hot.", raw=raw("stop", USAGE, "chatcmpl-2")),
    {"response": {}, "current_agent_name": "a", "tool_calls": []},
]
AGENT_TOLD = Answer(
    text="HelloIt is hot.",
    reasoning="Let me see.",
    calls=(("call_1", "weather", '{"city":"Rome"}'),),
    finish="stop",
    usage=(14, 18, 32),
    results=(("call_1", "30 degrees"),),
)
