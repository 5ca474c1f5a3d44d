"""What every adapter is: a chunk in, parts out, on the side where the chunk was produced.

Rules of this file:

1. An `Adapter` is configuration and may serve many streams at once; its `reader` belongs to one stream.
2. No adapter imports a vendor's SDK: it looks at a chunk's shape.
3. What a reader raises ends the stream as a failure; a failure told in band is raised as `UpstreamError`, and is a
   `Broken` part where the same chunk has said something before it.
4. Nothing of a chunk is trusted: an SDK builds its objects without validation, so any field may be absent or of any
   type. What a part holds has been looked at, and has the type that the part names.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from ..parts import Broken, Part, Usage
from .objects import OBJECTS, ObjectWriter

Parts = Sequence[Part]


class Wish(NamedTuple):
    """What the other end of the stream would like of a reader."""

    passes: str | None = None  # the protocol whose chunks the dialect passes unchanged
    takes_objects: bool = False  # the dialect sends any object as its JSON
    collect: bool = False  # tell in parts, too, what passes unchanged
    lines: bool = False  # what is sent as it is and tells the Summary nothing may be plain bytes
    objects: ObjectWriter = OBJECTS  # what writes objects as JSON


class Reader(Protocol):
    """One stream's way of reading chunks."""

    def read(self, chunk: Any) -> Parts:
        """What this chunk says."""

    def end(self) -> Parts:
        """What was left over when the source ran dry."""


class Adapter(Protocol):
    """A vendor's words into ours.

    One that reads a model's words and nothing else may say so with an attribute ``is_model = True``: a source that
    ends without one has then failed, whatever the dialect. One that passes somebody else's frames says ``relays =
    True``: where no dialect is named, they end in their own protocol.
    """

    name: str

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""


def broken(said: Iterable[Part], error: Exception) -> Parts:
    """What was said before a failure, and the failure; raises it where nothing was."""
    before = tuple(said)
    if not before:
        raise error
    return (*before, Broken(error))


def get(thing: Any, name: str) -> Any:
    """A field of an object or a dict; None where there is none.

    A dict is asked by key only: DashScope's older chunks raise KeyError from getattr with a default.
    """
    if isinstance(thing, dict):
        return thing.get(name)
    return getattr(thing, name, None)


NO_REASON = "the model's stream ended without a finish_reason: it may have been cut"


_THINGS = 20  # a service that makes up a new one for each chunk does not fill the log


class Once:
    """Warns of each thing once a stream, and of no more than `_THINGS`; `message` has a place for it."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._told: frozenset[str] = frozenset()

    def __call__(self, what: str) -> None:
        if what not in self._told and len(self._told) < _THINGS:
            self._told |= {what}
            self._log.warning(self._message, what)


def items(thing: Any) -> Sequence[Any]:
    """The elements of what should be a list; none of what is not."""
    return thing if isinstance(thing, (list, tuple)) else ()


def text_of(value: Any) -> str:
    """Text from what should be text: numbers too; nothing from what cannot be meant so."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def number_of(value: Any) -> int | None:
    """A place in a list, from what should be one; also the text of one, as some services write."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _NUMBERS:
        return None
    return int(value)


def numbered(things: Any) -> Iterator[tuple[int, Any]]:
    """What should be a list of things that have their place in it as ``index``, each with its number."""
    for position, thing in enumerate(items(things)):
        index = number_of(get(thing, "index"))
        yield position if index is None else index, thing


_NUMBERS = 1_000_000  # nothing has so many choices or calls


def read_usage(usage: Any, *, final: bool = True) -> Usage | None:
    """Token counts in our words, from OpenAI's names or from the others'."""
    if usage is None:
        return None
    given = _count(usage, "prompt_tokens", "input_tokens")
    made = _count(usage, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    total = _count(usage, "total_tokens")
    return Usage(
        given or 0, made or 0, total if total is not None else (given or 0) + (made or 0), final
    )


def _count(usage: Any, *names: str) -> int | None:
    for name in names:
        count = get(usage, name)
        if isinstance(count, str):
            count = number_of(count)
        if isinstance(count, float) and math.isfinite(count):
            count = round(count)
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            return int(count)
    return None


def real_reason(reason: Any) -> str | None:
    """A finish reason; DashScope writes the string "null" until there is one."""
    if isinstance(reason, str) and reason and reason != "null":
        return str.__str__(reason)
    return None
