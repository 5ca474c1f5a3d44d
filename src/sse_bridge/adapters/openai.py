"""The openai adapter: chunks of chat.completions, from the SDK or of its shape.

Rules of this file:

1. A chunk that merely says a piece of text, as nearly all do, is looked at once and goes a straight way.
2. A chunk passes whole only if it speaks the protocol: what a client of OpenAI's would stumble over is said in our
   words instead.
3. What is said in our words tells each choice's finish reason once, and the usage once, the last that came, when
   all is over. A chunk that passes tells what it tells.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from ..failures import SerializationError, upstream_cut
from ..parts import Broken, Choice, Finish, Native, Part, Reasoning, Usage
from .base import NO_REASON, Once, Parts, Reader, Wish, broken, get, items, numbered, read_usage
from .calls import Calls
from .objects import tells_its_fields
from .openai_chunk import (
    CHUNK,
    WHOLE,
    failure_of,
    has_choices,
    mere_words,
    origin_of,
    say_choice,
    speaks_protocol,
    without_error,
)
from .refusals import refusal_in
from .words import ignore

_log = logging.getLogger("sse_bridge")


class OpenAI:
    """Chunks of ``chat.completions`` with ``stream=True``, from any OpenAI-compatible service.

    Arguments: `must_finish` (default False), whether an answer that ends without a finish reason has failed, as
    ``upstream_cut``; some services never send one. Raises `TypeError` for another type.
    """

    name = "openai"
    is_model = True

    def __init__(self, *, must_finish: bool = False) -> None:
        if not isinstance(must_finish, bool):
            raise TypeError(f"must_finish must be True or False, got {must_finish!r}")
        self.must_finish = must_finish

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return OpenAIReader(wish, must_finish=self.must_finish)


class OpenAIReader:
    def __init__(self, wish: Wish, *, must_finish: bool = False) -> None:
        self._passes = wish.passes == "openai"
        self._collect = wish.collect
        self._lines = wish.lines and not wish.collect
        self._must_finish = must_finish
        # Where chunks are only JSON to the client, half a character is the client's to put together.
        self._write = wish.objects.write_whole if self._passes else wish.objects.write
        self._said: set[tuple[int, type]] = set()  # which choice has said what
        self._reasons: dict[int, str] = {}  # of choices that have finished, and said nothing since
        self._calls: dict[int, Calls] = {}
        self._usage: Usage | None = None
        self._told: Usage | None = None  # what of it the client has seen
        self._once = Once(_log, "there is no place for %s of a chunk: left out")
        # Whether the dialect knows whose chunks it is to make, if it cares.
        self._is_named = not self._passes

    def read(self, chunk: Any) -> Parts:
        if self._passes and tells_its_fields(type(chunk)):
            return self.whole(chunk)
        words = mere_words(chunk)
        if words is None:
            return self._taken_apart(chunk)
        self._hear(words)
        return (words,)

    def whole(self, chunk: Any) -> Parts:
        """The chunk as it is; of a type that can be written as JSON."""
        words = mere_words(chunk)
        if words is None:
            return self._as_chunk(chunk) if self._passes else self._as_json(chunk)
        try:
            line = self._write(chunk)
        except SerializationError:
            return self._taken_apart(chunk)
        self._hear(words)
        if self._lines:
            return (line,)
        return (Native("openai", line, None, None, (words,) if self._collect else ()),)

    def end(self) -> Parts:
        usage = () if self._usage is None or self._usage == self._told else (self._usage,)
        if not {number for number, _ in self._said} <= self._reasons.keys():
            if self._must_finish:
                return broken(usage, upstream_cut())
            _log.warning(NO_REASON)
        return usage

    @property
    def spoke(self) -> bool:
        """Whether this source has given a model's words."""
        return bool(self._said)

    # -- chunks that pass -------------------------------------------------------------------------

    def _as_chunk(self, chunk: Any) -> Parts:
        """For a client that speaks the protocol."""
        if get(chunk, "object") != CHUNK:
            return self._taken_apart(chunk)
        said, usage, error = self._heard(chunk), self._usage_of(chunk), failure_of(chunk)
        if error is None and speaks_protocol(chunk, said):
            try:
                native = self._native(chunk, said, usage)
            except SerializationError:
                pass
            else:
                self._told = usage or self._told
                return (native,)
        return self._apart(chunk, said, usage, error)

    def _as_json(self, chunk: Any) -> Parts:
        """For a client to whom it is JSON and no more; a service's words for its failure are taken out."""
        kind = get(chunk, "object")
        if kind not in (None, "", CHUNK) and not (kind == WHOLE and self.spoke):
            return self._taken_apart(chunk)
        said, usage, error = self._heard(chunk), self._usage_of(chunk), failure_of(chunk)
        self._told = usage or self._told
        if error is None:
            return (self._native(chunk, said, usage),)
        if not said:
            raise error
        clean = without_error(json.loads(self._write(chunk)))
        return (self._native(clean, said, usage), Broken(error))

    def _native(self, chunk: Any, said: list[Part], usage: Usage | None) -> Native:
        reason = next((part.reason for part in said if type(part) is Finish), None)
        speaks = bool(said) or usage is not None
        parts = tuple(said) if self._collect else ()
        return Native("openai", self._write(chunk), reason, usage, parts, speaks)

    # -- chunks that are said in our words --------------------------------------------------------

    def _taken_apart(self, chunk: Any) -> Parts:
        if chunk is None or chunk == {}:
            return ()
        if not has_choices(chunk):
            return self._no_chunk(chunk)
        if get(chunk, "object") == WHOLE and not self.spoke:
            raise TypeError(
                f"a chunk is a whole answer: did you forget stream=True? Got {chunk!r:.200}"
            )
        said = self._heard(chunk, self._once)
        return self._apart(chunk, said, self._usage_of(chunk), failure_of(chunk))

    def _apart(
        self, chunk: Any, said: list[Part], usage: Usage | None, error: Exception | None
    ) -> Parts:
        if usage is not None:  # for the Summary: the client hears the last, at the end
            said = [*said, usage._replace(final=False)]
        if said and not self._is_named:
            self._is_named = True
            said = [*origin_of(chunk), *said]
        return said if error is None else broken(said, error)

    def _no_chunk(self, chunk: Any) -> Parts:
        if (refusal := refusal_in(chunk)) is not None:
            raise refusal
        if not self.spoke or not tells_its_fields(type(chunk)):
            raise TypeError(
                f'adapter="openai" takes chunks of chat.completions, got {chunk!r:.200}'
            )
        usage = self._usage_of(chunk)
        if usage is None:
            self._once("an object that is no chunk")
        return self._apart(chunk, [], usage, None)

    # -- what was said ----------------------------------------------------------------------------

    def _heard(self, chunk: Any, missed: Callable[[str], None] = ignore) -> list[Part]:
        """What it says that was not said before."""
        is_repetition = get(chunk, "object") == WHOLE
        parts: list[Part] = []
        for number, choice in numbered(get(chunk, "choices")):  # which may be [] or None
            calls = self._calls.setdefault(number, Calls())
            for part in say_choice(choice, calls, missed):
                if is_repetition and (number, type(part)) in self._said:
                    continue
                if self._is_news(number, part):
                    parts.append(Choice(number, part) if number else part)
        return parts

    def _hear(self, words: str | Reasoning) -> None:
        """The first choice says these."""
        self._said.add(_TEXT if type(words) is str else _THOUGHT)
        if self._reasons:
            self._reasons.pop(0, None)

    def _is_news(self, number: int, part: Part) -> bool:
        """Note it; some services repeat the reason to finish."""
        if type(part) is Finish:
            is_news = self._reasons.get(number) != part.reason
            self._reasons[number] = part.reason
            return is_news
        self._reasons.pop(number, None)
        self._said.add((number, type(part)))
        return True

    def _usage_of(self, chunk: Any) -> Usage | None:
        """The count of tokens so far; some services tell it with every chunk, or in places of their own."""
        places = [chunk, get(chunk, "x_groq"), *items(get(chunk, "choices"))]
        told = (read_usage(get(place, "usage")) for place in places)
        usage = next((count for count in told if count is not None), None)
        self._usage = usage or self._usage
        return usage


_TEXT, _THOUGHT = (0, str), (0, Reasoning)
