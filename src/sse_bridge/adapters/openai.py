"""The openai adapter: chunks of chat.completions, from the SDK or of its shape.

Rules of this file:

1. A chunk that merely says a piece of text, as nearly all do, is looked at once and goes a straight way.
2. A chunk passes whole only if it speaks the protocol: what a client of OpenAI's would stumble over is said in our
   words instead.
3. The client is told each choice's finish reason once, and the usage once, the last that came, when all is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from ..failures import SerializationError, UpstreamError
from ..parts import Broken, Choice, Finish, Native, Part, Reasoning, Usage
from .base import Parts, Reader, Wish, broken, get, items, number_of, read_usage
from .calls import Calls
from .objects import tells_its_fields
from .openai_chunk import (
    CHUNK,
    WHOLE,
    has_choices,
    mere_words,
    origin_of,
    say_choice,
    speaks_protocol,
    without_error,
)
from .refusals import error_in, refusal_in, told_failure

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
        self._said_text = False  # by the first choice; what else was said stands here:
        self._said: set[tuple[int, type]] = set()
        self._reasons: dict[
            int, str
        ] = {}  # of the choices that have finished, and said nothing since
        self._calls: dict[int, Calls] = {}
        self._usage: Usage | None = None
        self._usage_is_told = False
        self._missed: frozenset[str] = frozenset()
        self._is_named = (
            not self._passes
        )  # whether the dialect knows whose chunks it is to make, if it cares

    def read(self, chunk: Any) -> Parts:
        if self._passes and tells_its_fields(type(chunk)):
            return self.whole(chunk)
        words = mere_words(chunk)
        if words is None:
            return self._taken_apart(chunk)
        self._hear(words)
        return (words,)

    def whole(self, chunk: Any) -> Parts:
        """The chunk as it is, in its own protocol; of a type that can be written as JSON."""
        words = mere_words(chunk)
        if words is None:
            return self._passed(chunk) if self._is_chunk(chunk) else self._taken_apart(chunk)
        try:
            line = self._write(chunk)
        except SerializationError:
            return self._taken_apart(chunk)
        self._hear(words)
        if self._lines:
            return (line,)
        return (Native("openai", line, None, None, (words,) if self._collect else ()),)

    def end(self) -> Parts:
        usage = () if self._usage is None or self._usage_is_told else (self._usage,)
        speakers = {number for number, _ in self._said} | ({0} if self._said_text else set())
        if not speakers <= self._reasons.keys():
            if self._must_finish:
                return broken(usage, upstream_cut())
            _log.warning("the model's stream ended without a finish_reason: it may have been cut")
        return usage

    @property
    def spoke(self) -> bool:
        """Whether this source has given a model's words."""
        return self._said_text or bool(self._said)

    # -- chunks that pass -------------------------------------------------------------------------

    def _is_chunk(self, chunk: Any) -> bool:
        """Whether its name lets it pass; where it is mere JSON, so may the whole answer that some end with."""
        kind = get(chunk, "object")
        return kind == CHUNK or (not self._passes and (not kind or (kind == WHOLE and self.spoke)))

    def _passed(self, chunk: Any) -> Parts:
        said, error = self._heard(chunk)
        usage = self._usage_of(chunk)
        if error is not None and said and not self._passes:
            return (self._native(without_error(chunk), said, usage), Broken(error))
        if error is not None or (self._passes and not speaks_protocol(chunk, said)):
            return self._apart(chunk, said, usage, error)
        try:
            native = self._native(chunk, said, usage)
        except SerializationError:
            if not self._passes:
                raise
            return self._apart(chunk, said, usage, None)
        self._usage_is_told = self._usage_is_told or usage is not None
        return (native,)

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
        said, error = self._heard(chunk, self._miss)
        return self._apart(chunk, said, self._usage_of(chunk), error)

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
            self._miss("an object that is no chunk")
        return self._apart(chunk, [], usage, None)

    def _heard(
        self, chunk: Any, missed: Callable[[str], None] = lambda what: None
    ) -> tuple[list[Part], UpstreamError | None]:
        """What it says that was not said before; then the failure that it tells, if it tells one."""
        is_repeated = self._has_said if get(chunk, "object") == WHOLE else _never
        parts: list[Part] = []
        try:
            for number, part in self._say(chunk, missed):
                if not is_repeated(number, type(part)) and self._is_news(number, part):
                    parts.append(Choice(number, part) if number else part)
        except UpstreamError as error:
            return parts, error
        return parts, None

    def _say(self, chunk: Any, missed: Callable[[str], None]) -> Iterator[tuple[int, Part]]:
        choices = items(get(chunk, "choices"))  # may be [] or None
        for position, choice in enumerate(choices):
            index = number_of(get(choice, "index"))
            number = position if index is None else index
            calls = self._calls.setdefault(number, Calls())
            for part in say_choice(choice, calls, missed):
                yield number, part
        error = error_in(chunk) or (None if choices else refusal_in(chunk))
        reasons = [get(choice, "finish_reason") for choice in choices]
        if error is None and "error" in reasons:
            failed = choices[reasons.index("error")]
            error = told_failure(get(failed, "error"))
        if error is not None:
            raise error

    def _hear(self, words: str | Reasoning) -> None:
        """The first choice says these."""
        if type(words) is str:
            self._said_text = True
        else:
            self._said.add((0, Reasoning))
        if self._reasons:
            self._reasons.pop(0, None)

    def _has_said(self, number: int, kind: type) -> bool:
        return (number, kind) in self._said or (kind is str and number == 0 and self._said_text)

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

    def _miss(self, what: str) -> None:
        if what not in self._missed:
            self._missed |= {what}
            _log.warning("there is no place for %s of a chunk: left out", what)


def _never(number: int, kind: type) -> bool:
    return False


def upstream_cut() -> UpstreamError:
    """What an answer fails with that ended in its middle."""
    message = "the model's stream ended without a finish_reason: it was cut"
    return UpstreamError(message, status_code=502, code="upstream_cut")
