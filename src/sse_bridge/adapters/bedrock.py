"""The bedrock adapter: the events of Amazon Bedrock's ConverseStream, as boto3 gives them.

The format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. Each event is a
dict of one field, which names its kind. A failure is one, too; botocore raises it instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..failures import UpstreamError
from ..parts import Part
from .base import get, items, read_usage, text_of
from .refusals import refusal_in, told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought

# Each kind of event, and the field without which it is another's.
_EVENTS = {
    "messageStart": "role",
    "contentBlockStart": "start",
    "contentBlockDelta": "delta",
    "messageStop": "stopReason",
}
_OTHERS = {"contentBlockStop": "contentBlockIndex", "metadata": "usage"}
# Each failure, and the status that fits where its name does not tell.
_FAILURES = {
    "internalServerException": None,
    "modelStreamErrorException": None,
    "modelTimeoutException": None,
    "serviceUnavailableException": None,
    "throttlingException": None,
    "validationException": 400,
}


class BedrockReader(VendorReader):
    name = "bedrock"
    takes = "events of Bedrock's ConverseStream (the response's \"stream\")"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Of tools of the service's, until whole.
        self._results: dict[Any, tuple[Any, list[Any]]] = {}
        self._images: dict[Any, tuple[str, list[bytes]]] = {}

    def knows(self, chunk: Any) -> bool:
        return bool(_event_of(chunk)[0]) and refusal_in(chunk) is None

    def say(self, chunk: Any) -> Iterator[Part]:
        kind, event = _event_of(chunk)
        index = get(event, "contentBlockIndex")
        if kind == "messageStart":
            self.next_call()
        elif kind == "contentBlockStart":
            yield from self._begin(index, get(event, "start"))
        elif kind == "contentBlockDelta":
            yield from self._delta(index, get(event, "delta"))
        elif kind == "contentBlockStop":
            yield from self._stop(index)
        elif kind == "messageStop":
            self.finish(get(event, "stopReason"))
        elif kind == "metadata":
            yield from self.count(read_usage(_renamed(get(event, "usage"))))
        elif kind in _FAILURES:
            raise _failure(kind, event)

    def _begin(self, index: Any, block: Any) -> Iterator[Part]:
        if (use := get(block, "toolUse")) is not None:
            yield self.call(_key(index), id_=get(use, "toolUseId"), name=get(use, "name"))
        elif (result := get(block, "toolResult")) is not None:
            self._results[_key(index)] = (result, [])
        elif (image := get(block, "image")) is not None:
            self._images[_key(index)] = (text_of(get(image, "format")) or "png", [])

    def _delta(self, index: Any, delta: Any) -> Iterator[Part]:
        yield from said_words(get(delta, "text"))
        yield from thought(get(get(delta, "reasoningContent"), "text"))
        if fragment := text_of(get(get(delta, "toolUse"), "input")):
            yield self.call(_key(index), arguments=fragment)
        if (citation := get(delta, "citation")) is not None:
            yield from self._cite(citation)
        if (pieces := items(get(delta, "toolResult"))) and _key(index) in self._results:
            self._results[_key(index)][1].extend(pieces)
        if (image := get(delta, "image")) is not None:
            self._draw(index, get(get(image, "source"), "bytes"))

    def _stop(self, index: Any) -> Iterator[Part]:
        if (ran := self._results.pop(_key(index), None)) is not None:
            about, pieces = ran
            error = "the tool failed" if get(about, "status") == "error" else None
            yield self.result(get(about, "toolUseId"), _output(pieces), error)
        if (drawn := self._images.pop(_key(index), None)) is not None and drawn[1]:
            yield from self.inline(b"".join(drawn[1]), f"image/{drawn[0]}")

    def _cite(self, citation: Any) -> Iterator[Part]:
        url = get(get(get(citation, "location"), "web"), "url")
        if not url:
            self.missed("a citation without an address")
        yield from self.source(url, get(citation, "title"))

    def _draw(self, index: Any, data: Any) -> None:
        if not isinstance(data, bytes):
            self.missed("an image that is not in the stream")
        elif _key(index) in self._images:
            self._images[_key(index)][1].append(data)


def _event_of(chunk: Any) -> tuple[str, Any]:
    """The kind of an event and what it holds; of anything else, nothing."""
    if isinstance(chunk, dict) and len(chunk) == 1:
        [(kind, event)] = chunk.items()
        if isinstance(kind, str) and isinstance(event, dict):
            return kind, event
    return "", None


def _key(index: Any) -> int | str:
    """The number of a block; of what is none, its text."""
    return index if isinstance(index, int) else text_of(index)


def _renamed(usage: Any) -> dict[str, Any]:
    return {
        "input_tokens": get(usage, "inputTokens"),
        "output_tokens": get(usage, "outputTokens"),
        "total_tokens": get(usage, "totalTokens"),
        "cache_read_input_tokens": get(usage, "cacheReadInputTokens"),
    }


def _output(pieces: list[Any]) -> Any:
    """What a tool has given: its text, or where there is JSON, all in a list."""
    if any(get(piece, "json") is not None for piece in pieces):
        return pieces
    return "".join(text_of(get(piece, "text")) for piece in pieces)


def _failure(kind: str, event: Any) -> UpstreamError:
    message = get(event, "originalMessage") or get(event, "message")
    status = get(event, "originalStatusCode") or _FAILURES[kind]
    is_long = kind == "validationException" and "too long" in text_of(message).lower()
    code = "context_too_long" if is_long else kind
    return told_failure({"message": message, "code": code, "status_code": status})


def looks_like_bedrock(chunk: Any) -> bool:
    """Whether this is one of the events that say something, or a failure."""
    kind, event = _event_of(chunk)
    if kind in _FAILURES:
        return True
    return kind in _EVENTS and event.get(_EVENTS[kind]) is not None


def goes_on(chunk: Any) -> bool:
    """Whether this may be another event of a message that has begun."""
    kind, event = _event_of(chunk)
    return kind in _EVENTS or (kind in _OTHERS and _OTHERS[kind] in event)


class Bedrock(VendorAdapter):
    """Events of boto3's ``converse_stream(...)["stream"]``."""

    reads_with = BedrockReader


VENDOR = Vendor(
    looks_like_bedrock, BedrockReader, frozenset({*_EVENTS, *_OTHERS, *_FAILURES}), goes_on
)
