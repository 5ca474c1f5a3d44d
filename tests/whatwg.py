"""A reader of event streams by the letter of the WHATWG's text, and nothing of ours: it judges what we write.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE_END = re.compile("\r\n|\n|\r")


class Event(NamedTuple):
    type: str
    data: str
    last_event_id: str


class Read(NamedTuple):
    events: list[Event]
    comments: list[str]
    retry: int | None  # milliseconds


def read(body: bytes) -> Read:
    """What a browser makes of a whole stream."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = _LINE_END.split(text)
    told, comments, retry = [], [], None
    data, kind, last = "", "", ""
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                told.append(Event(kind or "message", data.removesuffix("\n"), last))
            data, kind = "", ""
        elif colon and not name:
            comments.append(value)
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return Read(told, comments, retry)


def events(body: bytes) -> list[Event]:
    """Its events."""
    return read(body).events
