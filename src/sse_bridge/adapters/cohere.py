"""The cohere adapter: the events of Cohere's Chat API, version 2.

The format: https://docs.cohere.com/v2/docs/streaming. What Cohere's SDK cannot place, a failure without a type say,
it makes a ``message-start`` of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..parts import Part
from .base import get, items, read_usage, text_of
from .refusals import told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought
from .withheld import without

_EVENTS = (
    *("message-start", "content-start", "content-delta", "tool-plan-delta"),
    *("tool-call-start", "tool-call-delta", "citation-start", "message-end"),
)
# The others, and the field without which a dict is another's.
_OTHERS = {
    **dict.fromkeys(("content-end", "tool-call-end", "citation-end"), "index"),
    "debug": "prompt",
}
_OF_FAILURES = ("message", "code", "status", "status_code")
_FAILED = ("error", "timeout")  # reasons to finish that are none


class CohereReader(VendorReader):
    name = "cohere"
    takes = "events of Cohere's chat_stream (v2)"

    def knows(self, chunk: Any) -> bool:
        return looks_like_cohere(chunk) or goes_on(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        kind, delta = get(chunk, "type"), get(chunk, "delta")
        message = get(delta, "message")
        if kind == "message-start":
            if _tells_failure(chunk):
                raise told_failure({name: get(chunk, name) for name in _OF_FAILURES})
            self.next_call()
            yield from self.begin(get(chunk, "id"), None)
        elif kind in ("content-start", "content-delta"):
            yield from thought(get(get(message, "content"), "thinking"))
            yield from said_words(get(get(message, "content"), "text"))
        elif kind == "tool-plan-delta":
            yield from thought(get(message, "tool_plan"))
        elif kind in ("tool-call-start", "tool-call-delta"):
            yield from self._call(get(chunk, "index"), get(message, "tool_calls"))
        elif kind == "citation-start":
            yield from self._cite(get(message, "citations"))
        elif kind == "message-end":
            yield from self._end(delta)

    def sent(self, chunk: Any) -> Any:
        """Without the prompt, which an event for debugging repeats."""
        return without(chunk, ("prompt",)) if get(chunk, "type") == "debug" else chunk

    def _call(self, index: Any, call: Any) -> Iterator[Part]:
        function, key = get(call, "function"), text_of(index)
        id_, name, arguments = (
            get(call, "id"),
            get(function, "name"),
            get(function, "arguments"),
        )
        if arguments or text_of(id_) or text_of(name):
            yield self.call(key, id_=id_, name=name, arguments=arguments)

    def _cite(self, citation: Any) -> Iterator[Part]:
        for origin in items(get(citation, "sources")):
            about = get(origin, "document") or get(origin, "tool_output")
            if not text_of(get(about, "url")):
                self.missed("a citation without an address")
            yield from self.source(get(about, "url"), get(about, "title"), get(origin, "id"))

    def _end(self, delta: Any) -> Iterator[Part]:
        yield from self._count(get(delta, "usage"))
        reason = text_of(get(delta, "finish_reason")).lower()
        if reason in _FAILED:
            raise told_failure({"message": get(delta, "error"), "code": reason})
        self.finish(get(delta, "finish_reason"))

    def _count(self, usage: Any) -> Iterator[Part]:
        """The tokens, or what of them is billed where they are not told."""
        cached = get(usage, "cached_tokens")
        for counts in (get(usage, "tokens"), get(usage, "billed_units")):
            names = ("input_tokens", "output_tokens")
            told = {name: get(counts, name) for name in names}
            if (count := read_usage({**told, "cache_read_input_tokens": cached})) is not None:
                yield from self.count(count)
                return


def _tells_failure(chunk: Any) -> bool:
    return get(chunk, "delta") is None and bool(text_of(get(chunk, "message")))


def looks_like_cohere(chunk: Any) -> bool:
    """Whether this is one of the events that begin a message, or say something in it."""
    kind, delta = get(chunk, "type"), get(chunk, "delta")
    if not isinstance(kind, str) or kind not in _EVENTS:
        return False
    if kind == "message-start" and not isinstance(chunk, dict) and _tells_failure(chunk):
        return True
    field = "finish_reason" if kind == "message-end" else "message"
    return get(delta, field) is not None


def goes_on(chunk: Any) -> bool:
    """Whether this may be another event of a message that has begun."""
    kind = get(chunk, "type")
    if not isinstance(kind, str) or not (kind in _EVENTS or kind in _OTHERS):
        return False
    if not isinstance(chunk, dict):
        return True
    if kind in _OTHERS:
        return _OTHERS[kind] in chunk
    return "delta" in chunk and not isinstance(chunk["delta"], str)


class Cohere(VendorAdapter):
    """Events of ``ClientV2.chat_stream()``, or their JSON as dicts."""

    reads_with = CohereReader


VENDOR = Vendor(looks_like_cohere, CohereReader, frozenset({"type"}), goes_on)
