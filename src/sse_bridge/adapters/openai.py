"""The openai adapter: chunks of chat.completions, from the SDK or of its shape."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..parts import Choice, Finish, Native, Part, Reasoning, ToolCall, UpstreamError
from .base import Parts, Reader, Wish, get, read_usage, real_reason
from .objects import object_json, tells_its_fields

_log = logging.getLogger("sse_bridge")

CHUNK = "chat.completion.chunk"


class OpenAI:
    """Chunks of ``chat.completions`` with ``stream=True``, from any OpenAI-compatible service."""

    name = "openai"

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return OpenAIReader(wish)


class OpenAIReader:
    def __init__(self, wish: Wish) -> None:
        self._passes = wish.passes == "openai"
        self._collect = wish.collect
        self._spoke = self._finished = False

    def read(self, chunk: Any) -> Parts:
        kind = get(chunk, "object")
        if kind == CHUNK and self._passes and tells_its_fields(type(chunk)):
            return self.whole(chunk)
        if kind == "error":
            raise in_band_error(chunk)
        if kind == "chat.completion":
            raise TypeError(
                f"a chunk is a whole answer: did you forget stream=True? Got {chunk!r:.200}"
            )
        if chunk is not None and not _has_choices(chunk):
            raise TypeError(
                f'adapter="openai" takes chunks of chat.completions, got {chunk!r:.200}'
            )
        parts = tuple(say(chunk))
        self._spoke = self._spoke or bool(parts)
        self._finished = self._finished or any(isinstance(part, Finish) for part in parts)
        return parts

    def whole(self, chunk: Any) -> Parts:
        """The chunk as it is, in its own protocol."""
        part = native(chunk, self._collect)
        self._spoke = True
        if part.finish_reason:
            self._finished = True
        return (part,)

    def end(self) -> Parts:
        if self._spoke and not self._finished:
            _log.warning("the model's stream ended without a finish_reason: it may have been cut")
        return ()


def native(chunk: Any, collect: bool) -> Native:
    """The chunk whole, with what the Summary wants read off it."""
    read: Callable[..., Any] = (
        dict.get if isinstance(chunk, dict) else getattr
    )  # one look at its kind for all
    choices, usage = read(chunk, "choices", None), read(chunk, "usage", None)
    reason = get(choices[0], "finish_reason") if choices else None
    return Native(
        "openai",
        object_json(chunk),
        real_reason(reason) if reason else None,
        read_usage(usage) if usage else None,
        tuple(say(chunk)) if collect else (),
    )


def say(chunk: Any) -> Iterable[Part]:
    """What the chunk says in our words."""
    for choice in get(chunk, "choices") or ():  # choices may be [] or None
        number = get(choice, "index") or 0
        for part in _say_choice(choice):
            yield Choice(number, part) if number else part
    usage = read_usage(get(chunk, "usage"))
    if usage is not None:
        yield usage


def _say_choice(choice: Any) -> Iterable[Part]:
    delta = get(choice, "delta")
    reasoning = get(delta, "reasoning_content") or get(delta, "reasoning")
    if isinstance(reasoning, str) and reasoning:
        yield Reasoning(reasoning)
    # A refusal is what the user is told instead of an answer; legacy completions have their text here.
    for text in (get(delta, "content"), get(delta, "refusal"), get(choice, "text")):
        if isinstance(text, str) and text:
            yield text
    for position, call in enumerate(get(delta, "tool_calls") or ()):
        yield _tool_call(call, position)
    if reason := real_reason(get(choice, "finish_reason")):
        yield Finish(reason)


def _tool_call(call: Any, position: int) -> ToolCall:
    function, index = get(call, "function"), get(call, "index")
    return ToolCall(
        position if index is None else index,
        get(call, "id") or None,  # DashScope writes "" in later fragments
        get(function, "name") or None,
        get(function, "arguments") or "",
    )


def in_band_error(chunk: Any) -> UpstreamError:
    """Some servers send ``{"object": "error", ...}`` as a chunk, and the SDK raises nothing."""
    code = get(chunk, "code")
    status = code if isinstance(code, int) else None
    return UpstreamError(
        str(get(chunk, "message") or "the model's service sent an error"),
        status_code=status,
        code=None if code is None else str(code),
    )


def looks_like_openai(chunk: Any) -> bool:
    """Whether this has the shape of a chunk of completions, or of an error that came as one."""
    if get(chunk, "object") in (CHUNK, "chat.completion", "text_completion"):
        return True
    if isinstance(chunk, dict):
        return False
    choices = getattr(chunk, "choices", _MISSING)
    if isinstance(choices, list):  # Azure's first chunk has none, and names no object
        return hasattr(choices[0], "delta") if choices else hasattr(chunk, "model")
    return choices is None and get(chunk, "object") == "error"


def _has_choices(chunk: Any) -> bool:
    return "choices" in chunk if isinstance(chunk, dict) else hasattr(chunk, "choices")


_MISSING = object()
