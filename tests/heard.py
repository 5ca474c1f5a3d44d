"""What a client makes of a stream: the same words, whatever the dialect."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from chunks import payload
from sse_bridge import Decoder


class Heard(NamedTuple):
    """An answer, as it arrived; `failure` is the code of the failure that it ended with."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    finish: str | None = None
    usage: tuple[int, int] | None = None
    failure: str | None = None


class _Listener:
    def __init__(self) -> None:
        self.text = self.reasoning = ""
        self.calls: dict[int, list[str]] = {}
        self.finishes: list[str] = []
        self.usages: list[tuple[int, int]] = []
        self.failure: str | None = None
        self.finished = False

    def call(self, number: int, id_: Any, name: Any, arguments: str) -> None:
        call = self.calls.setdefault(number, ["", "", ""])
        call[0], call[1], call[2] = call[0] or id_ or "", call[1] or name or "", call[2] + arguments

    def heard(self) -> Heard:
        assert self.finished != (self.failure is not None), "one end, and one only"
        assert len(self.finishes) <= 1, "the reason to finish is told once"
        assert len(self.usages) <= 1, "the usage is told once"
        return Heard(
            self.text,
            self.reasoning,
            tuple((id_, name, arguments) for id_, name, arguments in self.calls.values()),
            self.finishes[0] if self.finishes else None,
            self.usages[0] if self.usages else None,
            self.failure,
        )


def heard_in_delta(body: bytes) -> Heard:
    """By a client of the delta dialect."""
    listener = _Listener()
    for event in Decoder().feed(body):
        data = payload(event.data)
        match event.event:
            case "delta":
                listener.text += data["text"]
            case "reasoning":
                listener.reasoning += data["text"]
            case "tool_call":
                listener.call(data["index"], data.get("id"), data.get("name"), data["arguments"])
            case "finish":
                listener.finishes.append(data["reason"])
            case "usage":
                listener.usages.append((data["input_tokens"], data["output_tokens"]))
            case "error":
                listener.failure = data["code"]
            case "done":
                listener.finished = True
    return listener.heard()


def heard_in_openai(body: bytes) -> Heard:
    """By a client of OpenAI's, which knows nothing but what the protocol says."""
    from openai.types.chat import ChatCompletionChunk

    listener = _Listener()
    for event in Decoder().feed(body):
        if event.data == "[DONE]":
            listener.finished = listener.failure is None
            continue
        data = json.loads(event.data or "")
        if "error" in data:
            listener.failure = data["error"]["code"]
            continue
        data["choices"] = data["choices"] or []  # some services send null, and it passes as it is
        chunk = ChatCompletionChunk.model_validate(data)
        for choice in chunk.choices:
            listener.text += choice.delta.content or choice.delta.refusal or ""
            listener.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for call in choice.delta.tool_calls or ():
                function = call.function
                name, arguments = function and function.name, function and function.arguments
                listener.call(call.index, call.id, name, arguments or "")
            listener.finishes += [choice.finish_reason] if choice.finish_reason else []
        if chunk.usage:
            usage = chunk.usage
            listener.usages.append((usage.prompt_tokens, usage.completion_tokens))
    return listener.heard()


HEARD = {"delta": heard_in_delta, "openai": heard_in_openai}
