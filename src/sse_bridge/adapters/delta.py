"""What reads the `delta` protocol: the named events that our own dialect writes, told by another server of ours.

A chunk here is the name of an event and the JSON that is its data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..parts import (
    Approval,
    Choice,
    Data,
    Finish,
    Metadata,
    Part,
    Step,
    ToolCall,
)
from ..shapes import named
from .base import get, number_of, read_usage, text_of
from .given import sendable
from .refusals import told_failure
from .vendor import VendorReader, said_words, thought


class DeltaReader(VendorReader):
    name = "delta"
    takes = "events of the delta protocol"
    tells_reason = False  # mere text has none

    def knows(self, chunk: Any) -> bool:
        return isinstance(chunk, tuple)

    def say(self, chunk: Any) -> Iterator[Part]:
        event, fields = chunk
        choice = number_of(get(fields, "choice")) or 0
        for part in self._answer(event, fields, choice):
            yield Choice(choice, part) if choice else part

    def _answer(self, event: str, fields: Any, choice: int) -> Iterator[Part]:
        """What a model says, and a choice may be of."""
        if event == "delta":
            yield from said_words(get(fields, "text"))
        elif event == "reasoning":
            yield from thought(get(fields, "text"))
        elif event == "tool_call":
            yield self._call(fields, choice)
        elif event != "finish":
            yield from self._around(event, fields)
        elif not choice:
            self.finish(get(fields, "reason"))
        elif reason := text_of(get(fields, "reason")):
            yield Finish(reason)

    def _call(self, fields: Any, choice: int) -> ToolCall:
        index = number_of(get(fields, "index")) or 0
        id_, name, arguments = (get(fields, field) for field in ("id", "name", "arguments"))
        if not choice:
            return self.call(index, id_=id_, name=name, arguments=arguments)
        return ToolCall(index, text_of(id_) or None, text_of(name) or None, text_of(arguments))

    def _around(self, event: str, fields: Any) -> Iterator[Part]:
        """What stands around the words."""
        id_, name, url, value = (get(fields, field) for field in ("id", "name", "url", "value"))
        if event == "usage":
            yield from self.count(read_usage(fields))
        elif event == "tool_result":
            result = self.result(id_, get(fields, "output"), get(fields, "error"))
            yield result._replace(preliminary=get(fields, "preliminary") is True)
        elif event == "source":
            yield from self.source(url, get(fields, "title"), id_)
        elif event == "file":
            yield from self.file(url, get(fields, "media_type"), name)
        elif event == "data":
            is_transient = get(fields, "transient") is True
            yield self._given(Data(text_of(name), value, text_of(id_) or None, is_transient))
        elif event == "step":
            yield self._given(Step(text_of(name) or None))
        elif event == "metadata":
            yield self._given(Metadata(value))
        elif event == "approval":
            yield self._given(Approval(text_of(id_), text_of(get(fields, "call_id"))))
        elif event == "error":
            raise told_failure(fields)
        else:
            self.missed(f"an event {named(event or 'message')}")

    def _given(self, part: Part) -> Part:
        made: Part = sendable(part, self._objects.write)
        return made


# Of each event with which an answer may begin: fields that are text, that are there, and that may be.
_BEGINNINGS = {
    "delta": ("text", "", "choice"),
    "reasoning": ("text", "", "choice"),
    "tool_call": ("arguments", "index", "id name choice"),
    "tool_result": ("id", "output", "error preliminary"),
    "approval": ("id call_id", "", ""),
    "source": ("url", "", "title id"),
    "file": ("url media_type", "", "name"),
    "data": ("name", "value", "id transient"),
}


def looks_like_delta(event: str, fields: dict[str, Any]) -> bool:
    """Whether this is an event of the protocol, and no app's own: by its name, and by all of its fields."""
    if event not in _BEGINNINGS:
        return False
    texts, needed, more = map(str.split, _BEGINNINGS[event])
    has_texts = all(isinstance(fields.get(text), str) for text in texts)
    return has_texts and {*needed} <= fields.keys() <= {*texts, *needed, *more}
