"""Google's Interactions API: events of an interaction, of which each step says what it says in deltas.

The format: https://ai.google.dev/gemini-api/docs/interactions/streaming.

Rules of this file:

1. What comes whole with a step's start, or with a delta of a tool of the service's, is told at the step's end, and
   only if deltas have not told it.
2. The steps that stand in `interaction.completed` once more are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..parts import Part, Usage
from .base import NUMBERS, count_in, get, items, number_of, text_of
from .refusals import told_failure
from .vendor import VendorReader, said_words, thought
from .withheld import with_field, without

# Each kind of event, and the field without which it is another's.
_EVENTS = {
    "interaction.created": "interaction",
    "interaction.completed": "interaction",
    "interaction.status_update": "interaction_id",
    "step.start": "step",
    "step.delta": "delta",
}
_OTHERS = ("step.stop", "error", "UNKNOWN")
# How an interaction may have ended, in words that clients know.
_REASONS = {
    "completed": "stop",
    "requires_action": "tool_calls",
    "incomplete": "length",
    "requires_continuation": "length",
    "budget_exceeded": "length",
}
_FAILED = ("failed", "cancelled")
# What an interaction tells of how it was asked for; the steps of users do so, too.
_ASKED = ("system_instruction", "input", "tools")
_USERS = "user_input"
# The tokens: those of the input, of tools, of the output, of its thoughts, from a cache, and all.
_COUNTS = tuple(
    (f"total_{kind}tokens",)
    for kind in ("input_", "tool_use_", "output_", "thought_", "cached_", "")
)
_FILES = ("image", "audio", "video", "document")
# What the codes of gRPC mean, in which a step tells its failure.
_GRPC = {
    "3": 400,
    "4": 504,
    "5": 404,
    "7": 403,
    "8": 429,
    "9": 400,
    "11": 400,
    "13": 500,
    "14": 503,
    "16": 401,
}


class _Step:
    """A step that has not ended."""

    def __init__(self, told: Any) -> None:
        self.kind = text_of(get(told, "type"))
        self.id = get(told, "id") or get(told, "call_id")
        self.content = (*items(get(told, "content")), *items(get(told, "summary")))
        self.spoke = False  # whether deltas have told what is in it
        self.given: Any = None  # a call's arguments, or a result
        self.failed = False
        self.take(told)

    def take(self, told: Any) -> None:
        """What comes whole, with the start or with a delta."""
        given = get(told, "result" if self.kind.endswith("_result") else "arguments")
        self.given = self.given if given is None else given
        self.failed = self.failed or get(told, "is_error") is True


class StepsReader(VendorReader):
    """What one stream of such events says."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._steps: dict[int | None, _Step] = {}  # those that have not ended
        self._interaction: str | None = None
        self._cited: set[str] = set()
        self._asks = False  # whether the model waits for what comes of its calls

    def say(self, chunk: Any) -> Iterator[Part]:
        kind, index = get(chunk, "event_type"), number_of(get(chunk, "index"))
        if kind == "step.delta":
            yield from self._delta(index, get(chunk, "delta"))
            yield from self.tokens(get(get(chunk, "metadata"), "total_usage"), _COUNTS)
        elif kind == "step.start":
            yield from self._begin(index, get(chunk, "step"))
        elif kind == "step.stop":
            yield from self._stop(index)
            yield from self.tokens(get(chunk, "usage"), _COUNTS)
        elif kind == "interaction.created":
            begun = get(chunk, "interaction")
            self._create(text_of(get(begun, "id")))
            yield from self.begin(get(begun, "id"), get(begun, "model"))
        elif kind == "interaction.status_update":
            yield from self._become(chunk)
        elif kind == "interaction.completed":
            yield from self._become(get(chunk, "interaction"))
        elif kind == "error":
            raise told_failure(get(chunk, "error"), numbers=_GRPC)

    def sent(self, chunk: Any) -> Any:
        """Without the app's own instructions, and without what users have said."""
        if (begun := get(chunk, "interaction")) is not None:
            shown = without(begun, _ASKED)
            steps = items(get(shown, "steps"))
            left = [step for step in steps if get(step, "type") != _USERS]
            shown = with_field(shown, "steps", left) if len(left) < len(steps) else shown
            return with_field(chunk, "interaction", shown)
        if get(get(chunk, "step"), "type") == _USERS:
            return with_field(chunk, "step", without(get(chunk, "step"), ("content",)))
        step = self._steps.get(number_of(get(chunk, "index")))
        return without(chunk, ("delta",)) if step is not None and step.kind == _USERS else chunk

    def tokens(self, told: Any, names: Sequence[Sequence[str]]) -> Iterator[Usage]:
        """The counts that have these names, each one or several, in the order of `_COUNTS`."""
        given, for_tools, made, thoughts, cached, total = (count_in(told, *name) for name in names)
        if given is not None or made is not None:
            given, made = (given or 0) + (for_tools or 0), (made or 0) + (thoughts or 0)
            counted = Usage(given, made, total or given + made, True, cached, thoughts)
            yield from self.count(counted)

    def cite(self, url: Any, title: Any) -> Iterator[Part]:
        """A citation that has not been told before: services repeat them."""
        if (address := text_of(url)) not in self._cited:
            if len(self._cited) < NUMBERS:
                self._cited.add(address)
            yield from self.source(address, title)

    def _create(self, id_: str) -> None:
        if id_ != self._interaction:
            self._interaction, self._asks = id_, False
            self._steps.clear()
            self.next_call()

    def _begin(self, index: int | None, told: Any) -> Iterator[Part]:
        if error := get(told, "error"):
            raise told_failure(error, numbers=_GRPC)
        step = self._steps[index] = _Step(told)
        if step.kind.endswith("_call"):
            self._asks = self._asks or step.kind == "function_call"
            name = get(told, "name") or step.kind.removesuffix("_call")
            yield self.call(index, id_=step.id, name=name)

    def _delta(self, index: int | None, delta: Any) -> Iterator[Part]:
        if index not in self._steps:
            self._steps[index] = _Step(delta)
        step, kind = self._steps[index], text_of(get(delta, "type"))
        if kind == "arguments_delta":
            if fragment := text_of(get(delta, "arguments")):
                step.spoke = True
                yield self.call(index, arguments=fragment)
        elif kind.endswith(("_call", "_result")):
            step.take(delta)
        else:
            if kind == "thought_summary":
                delta = get(delta, "content")
            for part in self._content(step, delta):
                step.spoke = True
                yield part

    def _stop(self, index: int | None) -> Iterator[Part]:
        step = self._steps.pop(index, None)
        if step is None or step.spoke:
            return
        if step.kind.endswith("_call"):
            yield self.call(index, arguments={} if step.given is None else step.given)
        elif step.kind.endswith("_result"):
            yield from self._result(step)
        for content in step.content:
            yield from self._content(step, content)

    def _result(self, step: _Step) -> Iterator[Part]:
        yield self.result(step.id, step.given, "the tool failed" if step.failed else None)
        for found in items(step.given):
            for place in (found, *items(get(found, "places"))):
                yield from self.cite(get(place, "url"), get(place, "name"))

    def _content(self, step: _Step, content: Any) -> Iterator[Part]:
        """Words, citations or a file, whole or as a delta."""
        kind = get(content, "type")
        if step.kind == _USERS:  # the service repeats what it was asked
            return
        if kind == "text":
            say = thought if step.kind.startswith("thought") else said_words
            yield from say(get(content, "text"))
        elif kind in _FILES and not step.kind.startswith("thought"):
            kind, data = get(content, "mime_type"), get(content, "data")
            yield from self.inline(data, kind) if data else self.file(get(content, "uri"), kind)
        for note in items(get(content, "annotations")):
            yield from self._note(note)

    def _note(self, note: Any) -> Iterator[Part]:
        """A citation, or what is known of a word."""
        if get(note, "type") in ("url_citation", "place_citation", "file_citation"):
            if not (url := get(note, "url") or get(note, "document_uri")):
                self.missed("a citation without an address")
            title = get(note, "title") or get(note, "name") or get(note, "file_name")
            yield from self.cite(url, title)

    def _become(self, told: Any) -> Iterator[Part]:
        """What an interaction has become."""
        status = text_of(get(told, "status"))
        yield from self.tokens(get(told, "usage"), _COUNTS)
        if status in _FAILED:
            words = (
                "the interaction failed" if status == "failed" else "the interaction was cancelled"
            )
            raise told_failure(get(told, "error"), {"message": words}, numbers=_GRPC)
        self.finish(_REASONS.get(status), asks=self._asks)


def looks_like_step(chunk: Any) -> bool:
    """Whether this is one of the events that begin an interaction, or say something in it."""
    kind = get(chunk, "event_type")
    if not isinstance(kind, str) or kind not in _EVENTS:
        return False
    inner = get(chunk, _EVENTS[kind])
    if kind == "interaction.status_update":
        return isinstance(inner, str) and isinstance(get(chunk, "status"), str)
    if kind.startswith("interaction."):
        return isinstance(get(inner, "id"), str) and isinstance(get(inner, "status"), str)
    return number_of(get(chunk, "index")) is not None and isinstance(get(inner, "type"), str)


def step_goes_on(chunk: Any) -> bool:
    """Whether this may be another event of an interaction that has begun."""
    kind = get(chunk, "event_type")
    return isinstance(kind, str) and (kind in _OTHERS or kind in _EVENTS)
