"""The anthropic adapter: the Messages API's events, raw or from the SDK's helper streams.

The format: https://docs.anthropic.com/en/docs/build-with-claude/streaming. A helper stream tells everything
twice, in the raw events and in its own (``text``, ``thinking``, ``input_json`` ...): the raw ones are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..objects import is_sdks
from ..parts import Part, Usage
from .base import count_in, get, items, number_of, text_of
from .refusals import told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought

# Each kind of event, and the field without which it is another's.
_EVENTS = {
    "message_start": "message",
    "content_block_start": "content_block",
    "content_block_delta": "delta",
    "message_delta": "delta",
}
_OTHERS = ("content_block_stop", "message_stop", "ping")
# What a helper stream makes of them: of a dict, such a word tells nothing.
_HELPERS = ("text", "thinking", "signature", "citation", "input_json", "compaction")
_CACHED = "cache_read_input_tokens"
_INPUT = ("input_tokens", "cache_creation_input_tokens", _CACHED)
# How the types of blocks end that hold what a tool of the service's has given.
_RESULT = "tool_result"


class AnthropicReader(VendorReader):
    name = "anthropic"
    takes = "events of Anthropic's Messages API"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Calls whose input came with their block, until it is over.
        self._whole: dict[Any, Any] = {}
        # Of this message, each as it was told last.
        self._counts: dict[str, int] = {}

    def knows(self, chunk: Any) -> bool:
        return looks_like_anthropic(chunk) or goes_on(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        kind, index = get(chunk, "type"), number_of(get(chunk, "index"))
        if kind == "message_start":
            self.next_call()
            self._counts.clear()
            message = get(chunk, "message")
            yield from self.begin(get(message, "id"), get(message, "model"))
            yield from self._count(get(message, "usage"), is_last=False)
        elif kind == "content_block_start":
            yield from self._begin(index, get(chunk, "content_block"))
        elif kind == "content_block_delta":
            yield from self._delta(index, get(chunk, "delta"))
        elif kind == "content_block_stop":
            yield from self._stop(index)
        elif kind == "message_delta":
            self.finish(get(get(chunk, "delta"), "stop_reason"))
            yield from self._count(get(chunk, "usage"), is_last=True)
        elif kind == "error":
            raise told_failure(get(chunk, "error"), chunk)

    def _begin(self, index: int | None, block: Any) -> Iterator[Part]:
        kind = text_of(get(block, "type"))
        if kind == "text":
            yield from said_words(get(block, "text"))
            for citation in items(get(block, "citations")):
                yield from self._cite(citation)
        elif kind == "thinking":
            yield from thought(get(block, "thinking"))
        elif kind.endswith("tool_use"):
            given = get(block, "input")
            self._whole[index] = {} if given is None else given
            yield self.call(index, id_=get(block, "id"), name=get(block, "name"))
        elif kind.endswith(_RESULT):
            yield from self._result(block)

    def _delta(self, index: int | None, delta: Any) -> Iterator[Part]:
        kind = get(delta, "type")
        if kind == "text_delta":
            yield from said_words(get(delta, "text"))
        elif kind == "thinking_delta":
            yield from thought(get(delta, "thinking"))
        elif kind == "input_json_delta" and (fragment := text_of(get(delta, "partial_json"))):
            self._whole.pop(index, None)
            yield self.call(index, arguments=fragment)
        elif kind == "citations_delta":
            yield from self._cite(get(delta, "citation"))

    def _stop(self, index: int | None) -> Iterator[Part]:
        if (given := self._whole.pop(index, None)) is not None:
            yield self.call(index, arguments=given)

    def _result(self, block: Any) -> Iterator[Part]:
        content = get(block, "content")
        yield self.result(get(block, "tool_use_id"), content, get(content, "error_code"))
        for found in items(content):
            yield from self.source(get(found, "url"), get(found, "title"))

    def _cite(self, citation: Any) -> Iterator[Part]:
        if not get(citation, "url"):
            self.missed("a citation without an address")
        yield from self.source(get(citation, "url"), get(citation, "title"))

    def _count(self, usage: Any, *, is_last: bool) -> Iterator[Usage]:
        """The input is told at the start, and the output with the reason to stop: before, nobody has counted."""
        told = {field: count_in(usage, field) for field in (*_INPUT, "output_tokens")}
        if not any(count is not None for count in told.values()):
            return
        counts = self._counts
        counts |= {field: count for field, count in told.items() if count is not None}
        if not is_last:
            return
        # What comes from a cache, or goes into it, is not among the `input_tokens`.
        given, made = sum(counts.get(field, 0) for field in _INPUT), counts.get("output_tokens", 0)
        yield from self.count(Usage(given, made, given + made, cached_tokens=counts.get(_CACHED)))


def looks_like_anthropic(chunk: Any) -> bool:
    """Whether this is one of the events that begin a message, or say something in it."""
    kind = get(chunk, "type")
    if not isinstance(kind, str) or kind not in _EVENTS:
        return False
    return not isinstance(get(chunk, _EVENTS[kind]), (str, _NONE))


_NONE = type(None)


def goes_on(chunk: Any) -> bool:
    """Whether this may be another event of a message that has begun, or one of a helper stream's."""
    kind = get(chunk, "type")
    if kind == "error":
        return get(chunk, "error") is not None
    return kind in _OTHERS or (kind in _HELPERS and is_sdks(type(chunk)))


class Anthropic(VendorAdapter):
    """Events of ``messages.create(stream=True)`` and ``messages.stream()``, or their JSON as dicts."""

    reads_with = AnthropicReader


VENDOR = Vendor(looks_like_anthropic, AnthropicReader, frozenset({"type"}), goes_on)
