"""What the adapters of vendors share: events that each say a little, told in our words as one answer.

Rules of this file:

1. A vendor's reader has `say`, which gives what one chunk says; the rest is here.
2. A source may call its model several times: the calls of tools are numbered through, tokens are added up, and the
   last reason to finish is told, once, when the source has run dry.
3. Where any object is sent as its JSON, the chunk goes whole, and what it says is read for the Summary alone.
4. An event of a kind that is not known is left alone, for vendors add such; what is known and has no place in our
   words is warned of.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

from ..failures import SerializationError, UpstreamError
from ..parts import (
    File,
    Finish,
    Native,
    Origin,
    Part,
    Reasoning,
    Source,
    Step,
    ToolCall,
    ToolResult,
    Usage,
)
from ..shapes import noted
from ..surrogates import whole
from .base import NO_REASON, Numbering, Once, Parts, Reader, Wish, added, broken, shown, text_of
from .calls import arguments_in
from .given import YIELDED, yielded
from .refusals import is_failed_finish, refusal_in, told_failure

_log = logging.getLogger("sse_bridge")


class ModelReader(Reader, Protocol):
    """What reads one stream of a vendor's, whether by the rules of this file or by another reader's."""

    @property
    def spoke(self) -> bool:
        """Whether this source has given a model's words."""


class Vendor(NamedTuple):
    """How `auto` finds a vendor's chunks.

    Arguments: `looks_like`, whether this surely is one of them; `reader`, what reads one stream's, made with its
    `Wish` and the ``numbering`` of the answer; `fields`, of
    which a dict has at least one, or is none of them; `goes_on`, whether something less sure is one of them,
    where one has come before.
    """

    looks_like: Callable[[Any], bool]
    reader: Callable[..., ModelReader]
    fields: frozenset[str]
    goes_on: Callable[[Any], bool] = lambda chunk: False


class VendorAdapter:
    """An adapter without arguments: what reads one stream of it is `reads_with`."""

    is_model = True
    reads_with: ClassVar[type[VendorReader]]

    @property
    def name(self) -> str:
        return self.reads_with.name

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return self.reads_with(wish, strict=True)


class VendorReader:
    """One stream of a vendor's chunks; `strict`, whether anything else that comes is an error."""

    name: ClassVar[str]
    takes: ClassVar[str]  # what it reads, for the error that something else came
    tells_reason: ClassVar[bool] = True  # whether a good answer always has a reason to finish

    def __init__(
        self, wish: Wish, *, strict: bool = False, numbering: Numbering | None = None
    ) -> None:
        self._objects = wish.objects
        self._sends_whole = wish.takes_objects
        self._collects = wish.collect
        self._strict = strict
        self._is_named = not wish.names
        self._numbers: dict[Hashable, int] = {}  # of this call of the model: its calls of tools
        self._numbering = numbering or Numbering()
        self._reason: str | None = None
        self._before: Usage | None = None  # of the calls of the model that are over
        self._usage: Usage | None = None  # of this one
        self._is_another = False  # whether that is to be told, behind another
        self.spoke = False
        self.missed = Once(_log, f"left out, because it cannot be translated: %s of {self.takes}")

    def say(self, chunk: Any) -> Iterable[Part]:
        """What a chunk says that was not said before; raises `UpstreamError` for a failure that it tells."""
        raise NotImplementedError

    def knows(self, chunk: Any) -> bool:
        """Whether this is one of the vendor's chunks."""
        raise NotImplementedError

    def sent(self, chunk: Any) -> Any:
        """What is sent for a chunk where any object is sent as its JSON: it, without what is not the client's."""
        return chunk

    def read(self, chunk: Any) -> Parts:
        if chunk is None:
            return ()
        if isinstance(chunk, YIELDED):
            return (yielded(chunk, self._objects.write),)
        if self._strict and not self.knows(chunk):
            raise refusal_in(chunk) or TypeError(
                f"adapter={self.name!r} takes {self.takes}, got {noted(chunk)}"
            )
        said: list[Part] = []
        reason = self._taken_reason()
        try:
            for part in self.say(chunk):
                said.append(part)  # noqa: PERF402 # what was said before a failure is not lost
        except UpstreamError as error:
            return broken(said, error)
        finally:
            self._take_note(said, reason)
        said = [*self._in_front(said), *said]
        if self._sends_whole:
            return self._as_json(chunk, said)
        if self._reason is not None and self._reason != reason:
            said.append(Finish(self._reason, final=False))
        return said

    def end(self) -> Parts:
        if self._reason is None and self.spoke and self.tells_reason:
            _log.warning(NO_REASON)
        if self._sends_whole:
            return ()
        finish = () if self._reason is None else (Finish(self._reason),)
        usage = self._total()
        return finish if usage is None else (*finish, usage)

    # -- what a vendor's reader calls --------------------------------------------------------------

    def call(
        self, key: Hashable, *, id_: Any = None, name: Any = None, arguments: Any = ""
    ) -> ToolCall:
        """A fragment of the call of a tool that has this key in the model's call; None: one that comes whole."""
        key = object() if key is None else key
        if key not in self._numbers:
            self._numbers[key] = self._numbering.take()
        written = arguments_in(arguments, self._objects)
        return ToolCall(self._numbers[key], text_of(id_) or None, text_of(name) or None, written)

    def has_call(self, key: Hashable) -> bool:
        """Whether a fragment of that call has come."""
        return key in self._numbers

    def result(self, id_: Any, output: Any, error: Any = None, words: Any = "") -> ToolResult:
        """What came of a call that the service or the source made itself; `words` stand for what has no JSON."""
        try:
            line = self._objects.write(output)
        except SerializationError:  # where the source runs tools, these give any object
            line = self._objects.write(text_of(words) or shown(output))
        return ToolResult(whole(text_of(id_)), line, whole(text_of(error)) or None)

    def source(self, url: Any, title: Any = None, id_: Any = None) -> Iterator[Source]:
        """A citation, if it has an address."""
        if address := text_of(url):
            yield Source(whole(address), whole(text_of(title)) or None, whole(text_of(id_)) or None)

    def file(self, url: Any, media_type: Any, name: Any = None) -> Iterator[File]:
        """A file, if it has an address."""
        if address := text_of(url):
            kind = text_of(media_type) or _ANY_FILE
            yield File(whole(address), whole(kind), whole(text_of(name)) or None)

    def inline(self, data: Any, media_type: Any, name: Any = None) -> Iterator[File]:
        """A file that came whole, if there is anything in it."""
        kind = text_of(media_type) or _ANY_FILE
        yield from self.file(data_url(data, kind), kind, name)

    def begin(self, id_: Any, model: Any) -> Iterator[Origin]:
        """Whose answer it is, of the first call of the model: the service's id for it, and the model's name."""
        told = [text if isinstance(text, str) else "" for text in (id_, model)]
        if any(told) and not self._is_named:
            self._is_named = True
            yield Origin(whole(text_of(told[0])), None, whole(text_of(told[1])))

    def finish(self, reason: Any, *, asks: bool = False) -> None:
        """The model says why it stopped, in the vendor's words; told when the source has run dry.

        `asks`: whether it waits for what comes of its calls, for vendors whose word is the same then.
        """
        if is_failed_finish(reason):
            raise told_failure(None)
        if word := text_of(reason):
            known = _REASONS.get(_plain(word), word)
            self._reason = "tool_calls" if asks and known == "stop" else known

    def count(self, usage: Usage | None) -> Iterator[Usage]:
        """The tokens of this call of the model so far; for the Summary now, for the client at the end."""
        if usage is not None:
            self._usage = usage
            yield self._sum()._replace(final=False)

    def next_call(self) -> None:
        """The model is called once more: its calls of tools and its tokens come on top."""
        self._is_another = self.spoke
        self._numbers.clear()
        self._before, self._usage = self._total(), None

    # -- inside ------------------------------------------------------------------------------------

    def _take_note(self, said: list[Part], reason: str | None) -> None:
        """Note what was said, behind this reason to finish, if there was one."""
        self.spoke = self.spoke or any(type(part) not in _NO_WORDS for part in said)
        # Words behind it are of another call of the model, which has its own.
        if not any(type(part) in _WORDS for part in said):
            self._reason = self._reason or reason

    def _in_front(self, said: list[Part]) -> Iterator[Part]:
        """What is to be told before the first words: of the answer, and of another call of the model."""
        if not self._is_named and self.spoke and self.tells_reason:
            # The service names nothing; but it has its own reasons to stop, and the dialect is to add none.
            self._is_named = True
            yield Origin("", None, "")
        if self._is_another and said:
            self._is_another = False
            yield Step()

    def _taken_reason(self) -> str | None:
        reason, self._reason = self._reason, None
        return reason

    def _total(self) -> Usage | None:
        return self._before if self._usage is None else self._sum()

    def _sum(self) -> Usage:
        assert self._usage is not None
        return added(self._before, self._usage)

    def _line(self, chunk: Any) -> bytes:
        """A chunk as its JSON; raises `SerializationError` for what is better sent as words."""
        return self._objects.write(self.sent(chunk))

    def _as_json(self, chunk: Any, said: list[Part]) -> Parts:
        try:
            line = self._line(chunk)
        except SerializationError:  # as words it can be sent
            return said
        named = said[:1] if said and type(said[0]) is Origin else []
        parts = tuple(said) if self._collects else ()
        native = Native(self.name, line, self._reason, self._total(), parts, bool(said))
        return (*named, native)


_ANY_FILE = "application/octet-stream"
_NO_WORDS = (Origin, Step, Usage)
_WORDS = (str, Reasoning, ToolCall)


def data_url(data: Any, media_type: str) -> str:
    """All of a file as an address: of bytes, or of text in either alphabet of base64; "" where there is nothing."""
    if isinstance(data, (bytes, bytearray)):
        data = base64.b64encode(data).decode()
    # SDKs write the alphabet for URLs, which no `data:` URL has.
    encoded = text_of(data).replace("-", "+").replace("_", "/") if isinstance(data, str) else ""
    return f"data:{media_type};base64,{encoded}" if encoded else ""


def said_words(text: Any) -> Iterator[str]:
    """Text, if it is some."""
    if words := text_of(text):
        yield words


def thought(text: Any) -> Iterator[Reasoning]:
    """Thinking, if it is some."""
    if words := text_of(text):
        yield Reasoning(words)


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.rpartition(".")[2].lower()))


# Reasons to finish, less case and punctuation, in the words of OpenAI's that clients know.
_REASONS = {
    "stop": "stop",
    "endturn": "stop",
    "stopsequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eostoken": "stop",
    "length": "length",
    "maxtokens": "length",
    "maxoutputtokens": "length",
    "continuation": "length",
    "modelcontextwindowexceeded": "length",
    "modellength": "length",
    "tooluse": "tool_calls",
    "toolcall": "tool_calls",
    "toolcalls": "tool_calls",
    "functioncall": "tool_calls",
    "refusal": "content_filter",
    "contentfilter": "content_filter",
    "contentfiltered": "content_filter",
    "guardrailintervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibitedcontent": "content_filter",
    "spii": "content_filter",
    "imagesafety": "content_filter",
    "imageprohibitedcontent": "content_filter",
    "imagerecitation": "content_filter",
    "modelarmor": "content_filter",
    "errortoxic": "content_filter",
}
