"""The openai adapter: chunks of chat.completions, from the SDK or of its shape.

Rules of this file:

1. A chunk that merely says a piece of text, as nearly all do, is looked at once and goes a straight way.
2. A chunk passes whole only if it speaks the protocol: what a client of OpenAI's would stumble over is said in our
   words instead.
3. What is said in our words tells each choice's finish reason once, and the usage once, the last that came, when
   all is over. A chunk that passes tells what it tells.
4. A source may call its model several times, each time with another id: that is one answer. The calls of tools are
   numbered through and the tokens added up, and of the reasons to finish the last is told.
5. The SDK's helper stream tells each chunk in an event, and again in others: the chunk is read, and is what passes.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ..failures import SerializationError, upstream_cut
from ..objects import all_fields, has_more_than_keys, tells_its_fields
from ..parts import Broken, Choice, Finish, Native, Origin, Part, Usage, inner_of
from ..shapes import noted
from .answers import Answer
from .base import (
    NO_REASON,
    Numbering,
    Once,
    Parts,
    Reader,
    Wish,
    added,
    broken,
    get,
    numbered,
    read_usage,
    text_of,
)
from .given import YIELDED, yielded
from .openai_chunk import (
    CHUNK,
    HELPERS,
    WHOLE,
    choices_of,
    failure_of,
    has_choices,
    look_around,
    mere_words,
    origin_of,
    speaks_protocol,
    told_in_helper,
    without_error,
)
from .refusals import refusal_in
from .words import Missed, ignore

_log = logging.getLogger("sse_bridge")


class OpenAI:
    """Chunks of ``chat.completions`` with ``stream=True``, from any OpenAI-compatible service.

    Arguments: `must_finish` (default False), whether an answer that ends without a finish reason counts as failed,
    with the code ``upstream_cut``; some services never send one. Raises `TypeError` for another type.
    """

    name = "openai"
    is_model = True

    def __init__(self, *, must_finish: bool = False) -> None:
        if not isinstance(must_finish, bool):
            raise TypeError(f"must_finish must be True or False, got {must_finish!r}")
        self.must_finish = must_finish

    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""
        return OpenAIReader(wish, must_finish=self.must_finish)


class OpenAIReader:
    name = "openai"

    def __init__(
        self, wish: Wish, *, must_finish: bool = False, numbering: Numbering | None = None
    ) -> None:
        self._passes = wish.passes == "openai"
        self._collect = wish.collect
        self._lines = wish.lines and not wish.collect
        self._must_finish = must_finish
        # Where chunks are only JSON to the client, the client has to join split characters itself.
        self._write = wish.objects.write_whole if self._passes else wish.objects.write
        self._objects = wish.objects
        self._first = Answer(wish.objects, numbering)
        self._others: dict[int, Answer] = {}
        self._another_spoke = False  # one of those
        self._begun = False  # whether any chunk has come
        self._usage: Usage | None = None  # of all calls of the model
        self._before: Usage | None = None  # of those that are over
        self._put_off: Usage | None = None  # of one that may begin
        self._turn = 0  # the one whose tokens were counted last
        self._finishes: dict[int, Part] = {}  # of each choice, to be told when all is over
        # Chunks that pass and only finish or count wait, each with its turn, for another call may follow.
        self._last: list[tuple[int, Native]] = []
        self._waits = False  # whether the model has told why it stopped
        self._id = ""  # the service's, of the call of the model that did
        self._is_helped = False  # whether one came in a helper stream's event
        self._told: Usage | None = None  # what of it the client has seen
        self._once = Once(_log, "left out, because it cannot be translated: %s of a chunk")
        self._names = wish.names  # whether a chunk that passes is to tell whose answer it is
        # Whether it has been told; chunks that we make for a client of OpenAI's have to say so.
        self._is_named = not (self._passes or wish.names)

    def read(self, chunk: Any) -> Parts:
        if self._passes and tells_its_fields(type(chunk)):
            return self.whole(chunk)
        words = mere_words(chunk)
        if words is None or self._waits:
            return self._taken_apart(_with_all_fields(chunk))
        self._first.hear(words)
        return (words,) if self._is_named else self._named(chunk, (words,))

    def whole(self, chunk: Any) -> Parts:
        """A part with the chunk as it is, which can be written as JSON."""
        words = mere_words(chunk)
        if words is None or self._waits:
            chunk = _with_all_fields(chunk)
            said = self._as_chunk(chunk) if self._passes else self._as_json(chunk)
            return self._named(chunk, said) if self._names else said
        try:
            line = self._write(chunk)
        except SerializationError:
            return self._taken_apart(chunk)
        self._first.hear(words)
        native = Native("openai", line, None, None, (words,) if self._collect else ())
        said = (line,) if self._lines else (native,)
        return self._named(chunk, said) if self._names else said

    def goes_on(self, chunk: Any) -> bool:
        """Whether it is another event of a helper stream, of which a chunk has come."""
        kind = get(chunk, "type") if self._is_helped else None
        return isinstance(kind, str) and kind in HELPERS

    def end(self) -> Parts:
        usage = (*self._released(), *self._finishes.values(), *self._counts())
        answers = (self._first, *self._others.values())
        if not all(answer.is_finished for answer in answers):
            if self._must_finish:
                return broken(usage, upstream_cut())
            _log.warning(NO_REASON)
        if self._must_finish and usage and not self.spoke:
            return broken(usage, upstream_cut())
        return usage

    def _released(self) -> Parts:
        """The chunks that have waited; none of a call of the model that was not the last."""
        last, self._last = self._last, []
        return [self._seen(native) for then, native in last if then == self._first.turn]

    def _seen(self, native: Native) -> Native:
        """A chunk that goes out, with the count of tokens that the client then has."""
        self._told = native.usage or self._told
        return native

    def _counts(self) -> Parts:
        if self._put_off is not None and self._waits:  # it did not go on
            self._usage = added(self._before, self._put_off)
        return () if self._usage is None or self._usage == self._told else (self._usage,)

    @property
    def spoke(self) -> bool:
        """Whether this source has said any of a model's words."""
        return self._first.spoke or self._another_spoke

    # -- chunks that pass -------------------------------------------------------------------------

    def _as_chunk(self, chunk: Any) -> Parts:
        """Read a chunk for a client that speaks the protocol."""
        if get(chunk, "object") != CHUNK:
            return self._taken_apart(chunk)
        missed: list[str] = []
        said, usage, error = (
            self._heard(chunk, missed.append),
            self._usage_of(chunk),
            failure_of(chunk),
        )
        # The count of one call is not told where the client is to hear of several.
        is_sum = usage is not None and self._before is not None
        if error is None and not is_sum and speaks_protocol(chunk, said):
            try:
                return self._passed(self._native(chunk, said, usage), said)
            except SerializationError:
                pass
        look_around(chunk, missed.append)
        for what in missed:
            self._once(what)
        return self._apart(chunk, said, usage, error)

    def _passed(self, native: Native, said: list[Part]) -> Parts:
        """The chunk; one that only finishes waits, and so does a count, or nothing, behind it."""
        only_finishes = bool(said) and all(_is_finish(part) for part in said)
        if only_finishes or (0 < len(self._last) < _WAITING and not said):
            self._last.append((self._first.turn, native))
            return self._of_summary(native)
        return (*self._released(), self._seen(native))

    def _of_summary(self, native: Native) -> Parts:
        """What of a chunk that waits is not to be lost if it never goes out."""
        reason, usage = native.finish_reason, native.usage
        said: list[Part] = [] if reason is None else [Finish(reason, final=False)]
        return said if usage is None else [*said, usage._replace(final=False)]

    def _as_json(self, chunk: Any) -> Parts:
        """Read a chunk for a client to whom it is only JSON; a service's own error message is taken out."""
        inner = self._unwrapped(chunk)
        told = chunk if inner is None else inner
        if get(told, "object") not in (None, "", CHUNK, WHOLE) or self._is_forgotten(told):
            return self._taken_apart(told)
        said, usage, error = self._heard(told, ignore), self._usage_of(told), failure_of(told)
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

    # -- chunks that are translated into our parts ------------------------------------------------

    def _taken_apart(self, chunk: Any) -> Parts:
        if chunk is None or chunk == {}:
            return ()
        if not has_choices(chunk):
            return self._no_chunk(chunk)
        if self._is_forgotten(chunk):
            raise TypeError(
                f"a chunk is a whole answer: did you forget stream=True? Got {noted(chunk)}"
            )
        said = self._heard(chunk, self._once)
        look_around(chunk, self._once)
        return self._apart(chunk, said, self._usage_of(chunk), failure_of(chunk))

    def _is_forgotten(self, chunk: Any) -> bool:
        """Whether it is an answer that was not streamed; some services give a stream's chunks its object name."""
        is_whole = get(chunk, "object") == WHOLE and not (self._begun or self.spoke)
        return is_whole and all(get(choice, "delta") is None for choice in choices_of(chunk))

    def _apart(
        self, chunk: Any, said: list[Part], usage: Usage | None, error: Exception | None
    ) -> Parts:
        said = list(map(self._kept, said))
        if said:
            said = [*self._released(), *said]
        if usage is not None:  # for the Summary: the client hears the last, at the end
            said = [*said, usage._replace(final=False)]
        named = said if self._is_named else self._named(chunk, said)
        return named if error is None else broken(named, error)

    def _kept(self, part: Part) -> Part:
        """The part as it is; but a reason to finish is kept until all is over, and for now for the Summary."""
        number, inner = (part.number, part.part) if type(part) is Choice else (0, part)
        if type(inner) is not Finish:
            return part
        self._finishes[number] = part
        early = inner._replace(final=False)
        return Choice(number, early) if number else early

    def _named(self, chunk: Any, said: Parts) -> Parts:
        """The first words, behind whose they are."""
        if not said or type(said[0]) is Origin:
            return said
        self._is_named, self._names = True, False
        told = told_in_helper(chunk)
        return [*origin_of(chunk if told is None else told), *said]

    def _no_chunk(self, chunk: Any) -> Parts:
        if isinstance(chunk, YIELDED):
            return (yielded(chunk, self._objects.write),)
        if (told := self._unwrapped(chunk)) is not None:
            return self.read(told)
        if self.goes_on(chunk):
            return ()
        if (refusal := refusal_in(chunk)) is not None:
            raise refusal
        if not self.spoke or not tells_its_fields(type(chunk)):
            raise TypeError(
                f'adapter="openai" takes chunks of chat.completions, got {noted(chunk)}'
            )
        usage = self._usage_of(chunk)
        if usage is None:
            self._once("an object that is not a chunk")
        return self._apart(chunk, [], usage, None)

    def _unwrapped(self, event: Any) -> Any:
        told = told_in_helper(event)
        self._is_helped = self._is_helped or told is not None
        return told

    # -- what was said ----------------------------------------------------------------------------

    def _heard(self, chunk: Any, missed: Missed) -> list[Part]:
        """What the chunk adds to what was said before."""
        self._begun = True
        id_ = get(chunk, "id")
        if not self._waits:
            self._id = text_of(id_)
        parts: list[Part] = []
        turn = self._first.turn
        for number, choice in numbered(choices_of(chunk)):
            answer = self._answer(number)
            said = answer.say(choice, id_, missed)
            if number == 0:
                parts += said
                continue
            parts += (Choice(number, part) for part in said)
            self._another_spoke = self._another_spoke or answer.spoke
        self._waits = self._first.waits
        if self._first.turn != turn:  # the finish of a call that was not the last is not told
            self._finishes.clear()
        return parts

    def _answer(self, number: int) -> Answer:
        if number == 0:
            return self._first
        if number not in self._others:
            self._others[number] = Answer(self._objects)
        return self._others[number]

    def _begins_another(self, chunk: Any) -> bool:
        """Whether this may begin another call of the model: its tokens are that one's, if it goes on."""
        roles = (get(get(choice, "delta"), "role") for choice in choices_of(chunk))
        return self._waits and any(roles) and self._id != text_of(get(chunk, "id"))

    def _usage_of(self, chunk: Any) -> Usage | None:
        """The count of tokens so far; some services send it with every chunk, or in a field of their own."""
        places = [chunk, get(chunk, "x_groq"), *choices_of(chunk)]
        told = (read_usage(get(place, "usage")) for place in places)
        usage = next((count for count in told if count is not None), None)
        if usage is None:
            return None
        if self._begins_another(chunk):
            self._put_off = usage
            return None
        self._put_off = None
        if self._turn != self._first.turn:
            self._before, self._turn = self._usage, self._first.turn
        self._usage = added(self._before, usage)
        return self._usage


_WAITING = 100  # so many chunks wait behind a reason to finish, and no more


def _is_finish(part: Part) -> bool:
    return type(inner_of(part)) is Finish


def _with_all_fields(chunk: Any) -> Any:
    return all_fields(chunk) if has_more_than_keys(type(chunk)) else chunk
