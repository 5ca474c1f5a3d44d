"""Somebody else's event stream, told in our words: its frames are chunks for a model's reader.

Rules of this file:

1. ``[DONE]`` is an end to everybody. An answer is whole with it, with its protocol's last event, or with a reason
   to finish; one that ends without any of them was cut.
2. An event named ``error`` is a failure, whatever it says.
3. A frame that is none of the protocol's, and no failure, is left out.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ..failures import upstream_cut
from ..parts import Finish, Part, Usage, inner_of
from ..shapes import named
from ..wire import BufferExceeded, Decoder, ServerSentEvent
from .base import Once, Parts, broken, in_turn
from .delta import DeltaReader
from .openai import OpenAIReader
from .openai_chunk import has_choices
from .refusals import error_in, refusal_in, told_failure
from .vendor import VendorReader

_log = logging.getLogger("sse_bridge")

ProtocolReader = OpenAIReader | VendorReader
UNNAMED = ("", "message")


class Translated:
    """The frames of one stream.

    Arguments: `reader`, of its protocol; `decoder`, which has had the bytes so far; `last_events`, the names that
    the last event may have, or the ``type`` of its JSON.
    """

    def __init__(
        self, reader: ProtocolReader, decoder: Decoder, last_events: frozenset[str]
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._last_events = last_events
        # Some protocols have no end of which one could know that it is missing.
        self._has_end = (
            bool(last_events)
            or isinstance(reader, (OpenAIReader, DeltaReader))
            or reader.tells_reason
        )
        self._over = False  # in the protocol's own words, and nothing was said after that
        self._missed = Once(_log, "%s of the upstream's is none of its protocol: left out")

    @property
    def is_ours(self) -> bool:
        """Whether they are frames of our own protocol."""
        return isinstance(self._reader, DeltaReader)

    def read(self, data: bytes) -> Parts:
        """What the frames say that these bytes complete."""
        return self.say(*decoded(self._decoder, data))

    def say(self, events: list[ServerSentEvent], error: Exception | None = None) -> Parts:
        """What these events say, and the failure behind them, if there is one."""
        said: list[Part] = []
        try:
            for event in events:
                said += self._say(event)
        except Exception as raised:  # what was said before it is not lost
            return broken(said, raised)
        return broken(said, error) if error else said

    def end(self) -> Parts:
        """What was left over, and the failure of an answer that has no end."""
        parts = in_turn(self._reader.end)
        if self._over or not self._has_end or any(type(part) is Finish for part in parts):
            return parts
        return broken(parts, upstream_cut())

    def _say(self, event: ServerSentEvent) -> Parts:
        name = event.event or ""
        if is_done(event):
            self._over = True
            if isinstance(self._reader, VendorReader):
                self._reader.next_call()
            return ()
        fields = json_of(event)
        said = self._heard(name, fields)
        if name == "error":
            return broken(said, told_failure(event.data if fields is None else fields))
        kind = fields.get("type") if isinstance(fields, dict) else None
        if name in self._last_events or (isinstance(kind, str) and kind in self._last_events):
            self._over = True
        elif said:
            self._over = self._finishes(said)
        return said

    def _finishes(self, said: Parts) -> bool:
        """Whether it is over now: with a reason to finish; counts of tokens may follow, words may not."""
        kinds = {type(inner_of(part)) for part in said}
        return Finish in kinds or (self._over and kinds <= {Usage})

    def _heard(self, name: str, fields: Any) -> Parts:
        reader = self._reader
        if isinstance(reader, DeltaReader):
            return reader.read((name, fields))
        if isinstance(fields, dict) and _is_for(reader, name, fields):
            return reader.read(fields)
        failure = (error_in if reader.spoke else refusal_in)(fields)
        if failure is not None:
            raise failure
        if name != "error":
            self._missed(f"an event {named(name or 'message')}")
        return ()


def _is_for(reader: ProtocolReader, name: str, fields: dict[str, Any]) -> bool:
    """Whether a reader has an ear for this."""
    if isinstance(reader, VendorReader):
        return reader.knows(fields)
    return has_choices(fields) or (reader.spoke and name in UNNAMED)


def decoded(decoder: Decoder, data: bytes) -> tuple[list[ServerSentEvent], Exception | None]:
    """The events that these bytes complete, and the error behind them of one that is too large."""
    try:
        return decoder.feed(data), None
    except BufferExceeded as error:
        return error.events, error


def is_done(event: ServerSentEvent) -> bool:
    """Whether it says that there is no more."""
    return event.data == "[DONE]" and event.event in (None, *UNNAMED, "done")


def json_of(event: ServerSentEvent) -> Any:
    """Its data; None for what is no JSON, or too deep."""
    try:
        return json.loads(event.data or "")
    except (ValueError, RecursionError):
        return None
