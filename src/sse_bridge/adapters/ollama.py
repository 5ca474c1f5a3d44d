"""The ollama adapter: what a local model says, in chunks of ``chat`` and of ``generate``.

The format: https://github.com/ollama/ollama/blob/main/docs/api.md. Each line is a chunk; the last one has ``done``
and the counts. An error in mid-stream is a line of its own, which the SDK raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..parts import Part, Usage
from .base import count_in, get, items, text_of
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought

_IMAGE = "image/png"  # what Ollama's models draw
_NO_ANSWERS = ("load", "unload")  # the reasons to be done where a model was asked nothing


class OllamaReader(VendorReader):
    name = "ollama"
    takes = "chunks of Ollama's API"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._done = False
        self._asks = False  # whether the call of the model that goes on calls tools

    def knows(self, chunk: Any) -> bool:
        return looks_like_ollama(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        if self._done:  # what comes now is another answer
            self._done = self._asks = False
            self.next_call()
        message = get(chunk, "message")
        yield from self.begin(None, get(chunk, "model"))
        yield from thought(get(message, "thinking") or get(chunk, "thinking"))
        yield from said_words(get(message, "content") or get(chunk, "response"))
        for call in items(get(message, "tool_calls")):
            yield from self._call(call)
        for image in (get(chunk, "image"), *items(get(message, "images"))):
            yield from self.inline(get(image, "value") or image, _IMAGE)  # an SDK's has it inside
        if get(chunk, "done") is True:
            self._done = True
            if (reason := text_of(get(chunk, "done_reason"))) not in _NO_ANSWERS:
                self.finish(reason, asks=self._asks)
            yield from self._count(chunk)

    def _call(self, call: Any) -> Iterator[Part]:
        function = get(call, "function")
        if name := text_of(get(function, "name")):
            self._asks = True
            given = get(function, "arguments")
            arguments = {} if given is None else given
            yield self.call(None, id_=get(call, "id"), name=name, arguments=arguments)

    def _count(self, chunk: Any) -> Iterator[Usage]:
        given, made = count_in(chunk, "prompt_eval_count"), count_in(chunk, "eval_count")
        if given is not None or made is not None:
            total = (given or 0) + (made or 0)
            yield from self.count(Usage(given or 0, made or 0, total))


def looks_like_ollama(chunk: Any) -> bool:
    """Whether this is a chunk: each names its model and its time, and whether it is the last."""
    return (
        isinstance(get(chunk, "done"), bool)
        and isinstance(get(chunk, "model"), str)
        and isinstance(get(chunk, "created_at"), str)
        and (_says(chunk) or (get(chunk, "done") is True and _counts(chunk)))
    )


def _says(chunk: Any) -> bool:
    if not isinstance(get(chunk, "message"), (str, _NONE)):
        return True
    is_drawing = count_in(chunk, "completed") is not None
    return is_drawing or any(isinstance(get(chunk, name), str) for name in ("response", "image"))


def _counts(chunk: Any) -> bool:
    """Whether this is told of the model's work, as with the last chunk."""
    return any(get(chunk, name) is not None for name in ("done_reason", "eval_count"))


_NONE = type(None)


class Ollama(VendorAdapter):
    """Chunks of ``chat(stream=True)`` and ``generate(stream=True)``, or their JSON as dicts."""

    reads_with = OllamaReader


VENDOR = Vendor(looks_like_ollama, OllamaReader, frozenset({"done"}))
