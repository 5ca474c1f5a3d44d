"""The openai adapter: chunks of chat.completions, from the SDK or of its shape."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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
        self._lines = wish.lines and not wish.collect
        self._spoke = self._finished = False

    def read(self, chunk: Any) -> Parts:
        if self._passes and tells_its_fields(type(chunk)):
            return self.whole(chunk)
        return self._taken_apart(chunk)

    def whole(self, chunk: Any) -> Parts:
        """The chunk as it is, in its own protocol; of a type that can be written as JSON."""
        merely = self._lines and _has_nothing_to_note(chunk)
        if not merely and get(chunk, "object") != CHUNK:
            return self._taken_apart(chunk)
        line = object_json(chunk)
        self._spoke = True
        return (line if merely else self._noted(chunk, line),)

    def end(self) -> Parts:
        if self._spoke and not self._finished:
            _log.warning("the model's stream ended without a finish_reason: it may have been cut")
        return ()

    def _taken_apart(self, chunk: Any) -> Parts:
        kind = get(chunk, "object")
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

    def _noted(self, chunk: Any, line: bytes) -> Native:
        choices = get(chunk, "choices")
        reason = real_reason(get(choices[0], "finish_reason")) if choices else None
        self._finished = self._finished or reason is not None
        parts = tuple(say(chunk)) if self._collect else ()
        return Native("openai", line, reason, read_usage(get(chunk, "usage")), parts)


def _has_nothing_to_note(chunk: Any) -> bool:
    """Whether it surely is a chunk with neither a reason to finish nor usage, as nearly all are."""
    try:  # asked as what they nearly always are: `get` would look at the kind of each, at twice the cost
        if isinstance(chunk, dict):
            told = chunk["choices"][0]["finish_reason"] or chunk.get("usage")
            return not told and bool(chunk["object"] == CHUNK)
        told = chunk.choices[0].finish_reason or chunk.usage
        return not told and bool(chunk.object == CHUNK)
    except (AttributeError, LookupError, TypeError):
        return False


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
