"""The base of all adapters: a chunk in, parts out, on the side where the chunk was produced.

Rules of this file:

1. An `Adapter` is configuration and may serve many streams at once; its `reader` belongs to one stream.
2. No adapter imports a vendor's SDK: it looks at a chunk's shape.
3. What a reader raises ends the stream as a failure. A failure that a chunk reports is raised as `UpstreamError`,
   or is a `Broken` part where the same chunk has said something before it.
4. Nothing in a chunk is trusted: an SDK builds its objects without validation, so any field may be absent or of any
   type. What a part holds has been checked, and has the type that the part declares.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from ..failures import UpstreamError
from ..objects import OBJECTS, ObjectWriter
from ..parts import Broken, Part, Usage

Parts = Sequence[Part]


class Wish(NamedTuple):
    """What the other end of the stream asks of a reader."""

    passes: str | None = None  # the protocol whose chunks the dialect passes unchanged
    takes_objects: bool = False  # the dialect sends any object as its JSON
    collect: bool = False  # return parts, too, for what passes unchanged
    lines: bool = False  # what is sent unchanged and adds nothing to the Summary may be plain bytes
    objects: ObjectWriter = OBJECTS  # what writes objects as JSON
    names: bool = False  # tell once whose answer it is, where the service says
    speaks: str | None = None  # the model's protocol into which frames of another are translated


class Reader(Protocol):
    """Reads the chunks of one stream."""

    def read(self, chunk: Any) -> Parts:
        """The parts that this chunk says."""

    def end(self) -> Parts:
        """The parts that were left over when the source ended."""


class Adapter(Protocol):
    """Translates a vendor's chunks into our parts.

    One that reads a model's words and nothing else may have an attribute ``is_model = True``: then a source that
    ends without any has failed, whatever the dialect. One that passes somebody else's frames has ``relays = True``:
    where no dialect is named, they end in their own protocol.
    """

    @property
    def name(self) -> str: ...
    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""


def broken(said: Iterable[Part], error: Exception) -> Parts:
    """The parts before a failure, and the failure; raises it where there are none."""
    before = tuple(said)
    if not before:
        raise error
    return (*before, Broken(error))


def in_turn(*says: Callable[[], Parts]) -> Parts:
    """The parts of each of these, one after the other; those before a failure are not lost."""
    said: list[Part] = []
    for say in says:
        try:
            said += say()
        except Exception as error:
            return broken(said, error)
    return tuple(said)


def get(thing: Any, name: str) -> Any:
    """A field of an object or a dict; None where there is none.

    A dict is read by key only: DashScope's older chunks raise KeyError from getattr with a default.
    """
    if isinstance(thing, dict):
        return thing.get(name)
    return getattr(thing, name, None)


NO_REASON = "the model's stream ended without a finish_reason: it may have been cut"


TOLD = 20  # warnings for each stream at most, since a service may have any number of fields


class Once:
    """Warns of each thing once per stream, of `TOLD` things at most; `message` has a ``%s`` for it."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._told: frozenset[str] = frozenset()

    def __call__(self, what: str) -> None:
        if what in self._told or len(self._told) > TOLD:
            return
        self._told |= {what}
        self._log.warning(self._message, what if len(self._told) <= TOLD else "still others")


def items(thing: Any) -> Sequence[Any]:
    """The elements of what should be a list; none if it is not."""
    return thing if isinstance(thing, (list, tuple)) else ()


def text_of(value: Any) -> str:
    """Text from what should be text, or a number; empty for anything else."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    return "" if (number := _int_of(value)) is None or abs(number) >= _EXACT else str(number)


def shown(value: Any) -> str:
    """As text, as Python shows it, what should be text and may be anything; its type where showing it raises."""
    try:
        return text_of(value) or str.__str__(str(value))
    except Exception:
        return f"a {type(value).__name__}"


def _int_of(value: Any) -> int | None:
    """The plain int, also of a subclass that shows itself differently, and of a float if it is whole."""
    if isinstance(value, float):
        real = float.__float__(value)
        return int(real) if real.is_integer() else None
    return int.__int__(value) if isinstance(value, int) and not isinstance(value, bool) else None


_EXACT = 2**53  # a greater number is not exact for readers whose numbers are all floats


def number_of(value: Any) -> int | None:
    """An index, from what should be one; also from its text, as some services write it."""
    if isinstance(value, str):
        text = str.__str__(value)
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    number = _int_of(value)
    return number if number is not None and 0 <= number < NUMBERS else None


def numbered(things: Any) -> Iterator[tuple[int, Any]]:
    """Each element of what should be a list, with its number: its ``index``, if it has one."""
    for position, thing in enumerate(items(things)):
        index = number_of(get(thing, "index"))
        number = position if index is None else index
        check_number(number)
        yield number, thing


def check_number(number: int) -> None:
    """Raise `UpstreamError` for an absurdly high number of a choice or a call, since something is kept for each."""
    if number >= NUMBERS:
        raise UpstreamError(
            f"an answer has fewer than {NUMBERS} choices and calls, got number {number}"
        )


class Numbering:
    """Numbers the calls of one answer through, whoever reads them; `next` is that of one that is new."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = 0

    def take(self) -> int:
        """The number of a call that is new; raises `UpstreamError` if no answer has so many."""
        check_number(self.next)
        self.next += 1
        return self.next - 1

    def pass_by(self, number: int) -> None:
        """What is new comes behind this number."""
        self.next = max(self.next, number + 1)


NUMBERS = 10_000  # nothing has so many choices or calls


def read_usage(usage: Any, *, final: bool = True) -> Usage | None:
    """Token counts as our `Usage`, from OpenAI's field names or those of others."""
    if usage is None:
        return None
    given = count_in(usage, "prompt_tokens", "input_tokens")
    made = count_in(usage, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    total = count_in(usage, "total_tokens")
    return Usage(
        given or 0,
        made or 0,
        total if total is not None else (given or 0) + (made or 0),
        final,
        _count_within(usage, _CACHED),
        _count_within(usage, _THOUGHT),
    )


# Where services tell how many of the tokens came from a cache, and how many were thoughts.
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("input_token_details", "cache_read"),
    (None, "cache_read_input_tokens"),
    (None, "prompt_cache_hit_tokens"),
    (None, "cache_read_tokens"),
)
_THOUGHT = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    (None, "output_reasoning_tokens"),
    ("output_token_details", "reasoning"),
)


def _count_within(usage: Any, places: tuple[tuple[str | None, str], ...]) -> int | None:
    """The first of these counts that is told, each in a field of its own or beside the others."""
    counts = (count_in(get(usage, place) if place else usage, name) for place, name in places)
    return next((count for count in counts if count is not None), None)


def count_in(usage: Any, *names: str) -> int | None:
    """The first of these fields that is a count, of whatever type; None where none is."""
    for name in names:
        count = get(usage, name)
        if isinstance(count, str):
            text = str.__str__(count)
            count = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
        if isinstance(count, float) and math.isfinite(real := float.__float__(count)):
            count = round(real)
        number = _int_of(count)
        if number is not None and 0 <= number < _EXACT:
            return number
    return None


def added(one: Usage | None, other: Usage) -> Usage:
    """The tokens of two calls of a model."""
    return other if one is None else _added(one, other)


def _added(one: Usage, other: Usage) -> Usage:
    def both(first: int | None, second: int | None) -> int | None:
        return second if first is None else first + (second or 0)

    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.total_tokens + other.total_tokens,
        other.final,
        both(one.cached_tokens, other.cached_tokens),
        both(one.reasoning_tokens, other.reasoning_tokens),
    )


def real_reason(reason: Any) -> str | None:
    """A finish reason; DashScope writes the string "null" until there is one."""
    if isinstance(reason, str) and reason and reason != "null":
        return str.__str__(reason)
    return None
