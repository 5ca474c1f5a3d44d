"""The openai-responses adapter: events of OpenAI's Responses API, raw or from the SDK's helper streams.

The format: https://platform.openai.com/docs/api-reference/responses-streaming. All that is said in deltas is told
again, whole, when its part, its item and the response are over.

Rules of this file:

1. Of what is told again, only that is read of which no delta has come: some services send items whole.
2. A call goes by its ``call_id``. Its fragments name their item's place or id, and some services know but one of
   these: what fits neither goes on with the last call.
3. A function's call is to be answered, so the response stops for it; what a tool of the service's finds is no text.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Any

from ..parts import File, Part, Reasoning
from .base import get, items, number_of, read_usage, text_of
from .refusals import told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought
from .withheld import with_field, without

# Each kind of delta, and the type of the part that it is a piece of.
_DELTAS = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.audio.transcript.delta": "transcript",
    "response.reasoning_summary_text.delta": "summary_text",
    "response.reasoning_text.delta": "reasoning_text",
}
_THOUGHTS = ("summary_text", "reasoning_text")
_ARGUMENTS = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
)
_ENDS = ("response.completed", "response.incomplete", "response.failed")
_ERRORS = ("error", "response.error")
# The events that a dict may be by their names alone, as some services leave out all else that tells them.
_KINDS = frozenset(
    {
        *_ENDS,
        *(f"response.{state}" for state in ("created", "queued", "in_progress")),
        *(kind for delta in (*_DELTAS, *_ARGUMENTS) for kind in (delta, f"{delta[:-5]}done")),
        *(
            f"response.{part}.{state}"
            for part in ("output_item", "content_part", "reasoning_summary_part")
            for state in ("added", "done")
        ),
        *("response.audio.delta", "response.audio.done", "response.output_text.annotation.added"),
    }
)
# What a response tells of how it was asked for.
_ASKED = ("instructions", "tools", "prompt", "input", "input_messages")

_ASKS = ("function_call", "custom_tool_call")  # calls that wait for who asked the model
_RESULTS = ("function_call_output", "custom_tool_call_output")
# These wait, too, and are no calls in our words.
_NO_PLACE = (
    *("computer_call", "local_shell_call", "shell_call", "apply_patch_call"),
    "mcp_approval_request",
)
_ITEMS = frozenset(
    {"message", "reasoning", "image_generation_call", "mcp_call", *_RESULTS, *_NO_PLACE}
)
_PARTS = frozenset(_DELTAS.values())
_FORMATS = {"webp": "webp", "jpeg": "jpeg", "gif": "gif", "svg": "svg+xml"}


class ResponsesReader(VendorReader):
    name = "openai-responses"
    takes = "events of OpenAI's Responses API"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Of this response: the types of parts that came in deltas, and of what came whole.
        self._streamed: set[str] = set()
        self._whole: set[str] = set()
        self._keys: dict[Hashable, str] = {}  # a call's key, by its item's place and by its id
        self._last = ""  # the last call's key
        self._argued: set[str] = set()  # calls of which a piece of the arguments has come
        self._asks = self._is_over = False

    def knows(self, chunk: Any) -> bool:
        return looks_like_responses(chunk) or goes_on(chunk)

    def next_call(self) -> None:
        super().next_call()
        for known in (self._streamed, self._whole, self._keys, self._argued):
            known.clear()
        self._last, self._asks, self._is_over = "", False, False

    def say(self, chunk: Any) -> Iterator[Part]:
        kind = text_of(get(chunk, "type"))
        if kind == "response.created" or self._is_over:
            self.next_call()
            yield from self.begin(
                *(get(get(chunk, "response"), field) for field in ("id", "model"))
            )
        if kind in _DELTAS:
            yield from self._delta(_DELTAS[kind], get(chunk, "delta"))
        elif kind in _ARGUMENTS:
            yield from self._argue(chunk, get(chunk, "delta"))
        elif kind == "response.output_item.added":
            yield from self._begin(get(chunk, "item"), number_of(get(chunk, "output_index")))
        elif kind == "response.output_item.done":
            place = number_of(get(chunk, "output_index"))
            yield from self._item(get(chunk, "item"), place, self._streamed)
        elif kind == "response.output_text.annotation.added":
            self._streamed.add("annotation")
            yield from self._cite(get(chunk, "annotation"))
        elif kind == "response.reasoning_summary_part.added" and "summary_text" in self._streamed:
            yield Reasoning("\n\n")
        elif kind in _ENDS:
            yield from self._end(kind, get(chunk, "response"))
        elif kind in _ERRORS:
            raise told_failure(get(chunk, "error") or chunk)

    def sent(self, chunk: Any) -> Any:
        """Without the app's own instructions and tools, which a response repeats."""
        return with_field(chunk, "response", without(get(chunk, "response"), _ASKED))

    def _delta(self, kind: str, text: Any) -> Iterator[Part]:
        self._streamed.add(kind)
        yield from thought(text) if kind in _THOUGHTS else said_words(text)

    # -- calls ------------------------------------------------------------------------------------

    def _begin(self, item: Any, place: int | None) -> Iterator[Part]:
        """A call begins; its arguments follow, in pieces or when it is whole."""
        kind = get(item, "type")
        if kind not in _ASKS and kind != "mcp_call":
            return
        self._asks = self._asks or kind in _ASKS
        key = _key_of(item)
        if not self.has_call(key):
            yield self.call(key, id_=key, name=get(item, "name"))
        for known_as in (place, text_of(get(item, "id")), key):
            if known_as not in (None, ""):
                self._keys[known_as] = key
        self._last = key

    def _argue(self, event: Any, fragment: Any) -> Iterator[Part]:
        names = (number_of(get(event, "output_index")), text_of(get(event, "item_id")))
        known = (self._keys[name] for name in names if name in self._keys)
        key = next(known, self._last)
        if self.has_call(key) and (piece := text_of(fragment)):
            self._argued.add(key)
            yield self.call(key, arguments=piece)

    def _end_call(self, item: Any) -> Iterator[Part]:
        key = _key_of(item)
        given = get(item, "arguments")
        given = get(item, "input") if given is None else given
        if given and key not in self._argued:
            self._argued.add(key)
            yield self.call(key, arguments=given)

    # -- what came whole --------------------------------------------------------------------------

    def _item(self, item: Any, place: int | None, known: Collection[str]) -> Iterator[Part]:
        """What an item that is over says beyond what is `known`."""
        kind = text_of(get(item, "type"))
        if kind in _ASKS or kind == "mcp_call":
            yield from self._begin(item, place)
            yield from self._end_call(item)
        if kind in known or kind not in _ITEMS:
            return
        self._whole.add(kind)
        if kind == "message":
            for part in items(get(item, "content")):
                yield from self._part(part, known)
        elif kind == "reasoning":
            yield from self._reasoning(item, known)
        elif kind == "image_generation_call":
            yield from self._image(item)
        elif kind == "mcp_call" or kind in _RESULTS:
            yield from self._result(item)
        elif kind in _NO_PLACE:
            self.missed(f"an item of type {kind}")

    def _part(self, part: Any, known: Collection[str]) -> Iterator[Part]:
        kind = text_of(get(part, "type"))
        kind = kind if kind in _PARTS else "another"
        if kind not in known:
            self._whole.add(kind)
            yield from said_words(get(part, "text") or get(part, "refusal"))
        if "annotation" not in known:
            for annotation in items(get(part, "annotations")):
                self._whole.add("annotation")
                yield from self._cite(annotation)

    def _reasoning(self, item: Any, known: Collection[str]) -> Iterator[Part]:
        for field, kind in zip(("summary", "content"), _THOUGHTS, strict=True):
            if kind not in known and (texts := items(get(item, field))):
                self._whole.add(kind)
                yield from thought("\n\n".join(text_of(get(text, "text")) for text in texts))

    def _result(self, item: Any) -> Iterator[Part]:
        error, id_ = get(item, "error"), get(item, "call_id") or get(item, "id")
        if error or get(item, "output") is not None:  # without either, it waits to be allowed
            told = text_of(error) or text_of(get(error, "message")) or (error and "the call failed")
            yield self.result(id_, get(item, "output"), told)

    def _image(self, item: Any) -> Iterator[File]:
        kind = _FORMATS.get(text_of(get(item, "output_format")), "png")
        yield from self.inline(get(item, "result"), f"image/{kind}")

    def _cite(self, annotation: Any) -> Iterator[Part]:
        if not get(annotation, "url"):
            self.missed("a citation without an address")
        yield from self.source(get(annotation, "url"), get(annotation, "title"))

    def _end(self, kind: str, response: Any) -> Iterator[Part]:
        known = frozenset(self._streamed | self._whole)
        for item in items(get(response, "output")):
            yield from self._item(item, None, known)
        self._is_over = True
        yield from self.count(read_usage(get(response, "usage")))
        status = text_of(get(response, "status"))
        if kind == "response.failed" or status in ("failed", "cancelled"):
            told = f"the response was {status}" if status == "cancelled" else "the response failed"
            raise told_failure(get(response, "error"), {"message": told})
        if kind == "response.incomplete" or status == "incomplete":
            self.finish(get(get(response, "incomplete_details"), "reason") or "incomplete")
        else:
            self.finish("tool_calls" if self._asks else "stop")


def _key_of(item: Any) -> str:
    return text_of(get(item, "call_id")) or text_of(get(item, "id"))


def looks_like_responses(chunk: Any) -> bool:
    """Whether this is an event of a response, as it names itself and what it speaks of."""
    kind = get(chunk, "type")
    if not isinstance(kind, str) or not kind.startswith("response."):
        return False
    return (
        number_of(get(chunk, "sequence_number")) is not None
        or isinstance(get(chunk, "item_id"), str)
        or get(get(chunk, "response"), "object") == "response"
        or isinstance(get(get(chunk, "item"), "type"), str)
    )


def goes_on(chunk: Any) -> bool:
    """Whether this may be another event of a response that has begun; of dicts, one that is known."""
    kind = get(chunk, "type")
    if not isinstance(kind, str):
        return False
    if not isinstance(chunk, dict):
        return kind.startswith("response.") or kind in _LOOSE
    is_loose = kind in _LOOSE and any(chunk.get(field) is not None for field in _LOOSE[kind])
    return is_loose or kind in _KINDS


# The others, and the fields of which one makes a dict such an event.
_LOOSE = {
    **dict.fromkeys(_ERRORS, ("error", "code", "sequence_number")),
    "keepalive": ("sequence_number",),
}


class Responses(VendorAdapter):
    """Events of ``responses.create(stream=True)`` and ``responses.stream()``, or their JSON as dicts."""

    reads_with = ResponsesReader


VENDOR = Vendor(looks_like_responses, ResponsesReader, frozenset({"type"}), goes_on)
