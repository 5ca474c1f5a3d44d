"""The options that every face (framework integration) takes: their checks, and the Stream made from them."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from math import inf
from typing import Any, NamedTuple, TypedDict

from . import adapters, dialects
from .adapters.base import Adapter, Reader, Wish
from .arguments import flag
from .custom import check_adapter, check_dialect, checked_reader, checked_voice
from .dialects.base import Dialect
from .dialects.relay import Relay
from .keys import Key, checked_key, key_maker
from .media import asks_for_events
from .objects import object_writer
from .parts import Start
from .showing import report
from .stream import GENERAL_FAILURE, Stream
from .summary import Summary
from .surrogates import whole
from .times import Limits
from .unknown import unknown_option
from .values import PingForm, callback, cleanup, count, describer, patience, pinged, seconds

RawHeaders = list[tuple[bytes, bytes]]
Describe = Callable[[BaseException], str | None] | Callable[[BaseException, str], str | None]


class _Unsaid(str):
    """The default of an option that was not given; where frames pass, their own protocol then decides."""

    __slots__ = ()


_PLAIN_UNSAID: Any = _Unsaid("plain")

AnyDialect = dialects.DialectName | Dialect
AnyAdapter = adapters.AdapterName | Adapter


class Words(TypedDict, total=False):
    """The options as keyword arguments, for the faces' signatures; `Options` says what they mean."""

    dialect: AnyDialect
    adapter: AnyAdapter
    ping: float | None
    hold: float | None
    first_chunk_timeout: float | None
    stall_timeout: float | None
    max_duration: float | None
    send_timeout: float | None
    cleanup_timeout: float
    max_streams: int | None
    max_streams_per: Callable[[Any], Key | None] | None
    on_end: Callable[[Summary], Any] | None
    collect: bool
    retry: int | None
    describe: Describe | None
    cancel: Callable[[], Any] | None
    interrupt: bool
    json_default: Callable[[Any], Any] | None
    ping_form: PingForm


class Options:
    """The options of a face (a framework integration), the same for all of its streams; times are in seconds.

    Arguments: `dialect`, ``"plain"`` (default), ``"openai"``, ``"delta"`` or a Dialect; `adapter`, ``"auto"``
    (default), a name or an Adapter; `ping` (15), silence on the wire before a keep-alive, None or 0 for none;
    `hold` (5), how long the status line may wait for the first chunk, None for as long as it takes;
    `first_chunk_timeout`, how long the first chunk may take, `stall_timeout`, how long each later one,
    `max_duration`, how long the stream (each None: no limit); `send_timeout` (30), how long one write may block,
    None for no limit; `cleanup_timeout` (5), how long the source's cleanup and `on_end` may take;
    `max_streams` (None: no limit), open streams of this process before a 503; `max_streams_per` (None), callable
    from the request to the client's key, a str or int, or to None for no limit: then `max_streams` is the limit of
    each key, before a 429; `on_end` (None), called once with a `Summary`; `collect` (False), whether the Summary
    has text, reasoning and tool calls; `retry` (None), milliseconds after which the client is to reconnect;
    `describe` (None), callable from the exception, or the exception and its code, to the message for the client,
    or to None for our own; `cancel` (None), called first to end the upstream call; `interrupt` (True), whether a
    thread blocked in an upstream read may be interrupted; `json_default` (None), callable from a value that JSON
    cannot represent to one that it can; `ping_form`, whether a keep-alive ends with one line end, ``"line"``, or
    with an empty line, ``"block"`` (None, the default: decided by the client's ``Accept``).

    Raises `TypeError` or `ValueError` that names the argument and shows the value.
    """

    _say_end = True
    _is_framed = False  # somebody else's answer, whose frames pass
    _by_lines: Options | None = None  # the same with pings of one line
    _request: Any = None  # what `max_streams_per` is called with

    def __init__(
        self,
        *,
        dialect: AnyDialect = _PLAIN_UNSAID,
        adapter: AnyAdapter = "auto",
        ping: float | None = 15.0,
        hold: float | None = 5.0,
        first_chunk_timeout: float | None = None,
        stall_timeout: float | None = None,
        max_duration: float | None = None,
        send_timeout: float | None = 30.0,
        cleanup_timeout: float = 5.0,
        max_streams: int | None = None,
        max_streams_per: Callable[[Any], Key | None] | None = None,
        on_end: Callable[[Summary], Any] | None = None,
        collect: bool = False,
        retry: int | None = None,
        describe: Describe | None = None,
        cancel: Callable[[], Any] | None = None,
        interrupt: bool = True,
        json_default: Callable[[Any], Any] | None = None,
        ping_form: PingForm = None,
    ) -> None:
        self._translate(dialect, adapter)
        self.limits = Limits(
            ping=seconds("ping", ping) or inf,
            hold=seconds("hold", hold),
            first_chunk_timeout=patience("first_chunk_timeout", first_chunk_timeout),
            stall_timeout=patience("stall_timeout", stall_timeout),
            max_duration=patience("max_duration", max_duration),
        )
        self.send_timeout = patience("send_timeout", send_timeout)
        self.cleanup_timeout = cleanup(cleanup_timeout)
        self.max_streams, self.retry = count("max_streams", max_streams), count("retry", retry)
        self.max_streams_per = key_maker(max_streams_per, max_streams)
        self.on_end, self.cancel = callback("on_end", on_end), callback("cancel", cancel)
        self._describe = describer(describe)
        self.collect, self.interrupt = flag("collect", collect), flag("interrupt", interrupt)
        self._objects = object_writer(callback("json_default", json_default))
        self._ping_form = pinged(ping_form)

    def _translate(self, dialect: AnyDialect, adapter: AnyAdapter) -> None:
        self._dialect_named, self._adapter_named = dialect is not _PLAIN_UNSAID, adapter != "auto"
        self.dialect, self.adapter = _dialect(dialect), _adapter(adapter)
        if getattr(self.adapter, "relays", False) and not self._dialect_named:
            self.dialect = Relay(cuts=False)

    def framed(self, *, say_end: bool = False) -> Options:
        """The same for somebody else's frames; unless `say_end`, those have an end frame of their own."""
        options = self._copy()
        options._say_end, options._is_framed = say_end, True
        if not self._adapter_named:
            options.adapter = adapters.Frames(exact=True)
        if not self._dialect_named:
            options.dialect = Relay(cuts=True)
        return options

    def json_lines(self) -> Options:
        """The same for a body of JSON lines, each of which is a chunk."""
        options = self._copy()
        options.adapter = adapters.JsonLines(self.adapter)
        return options

    def for_client(self, accept: str) -> Options:
        """The same for a client with this ``Accept``: one that names event streams can read pings of one line."""
        if self._ping_form is not None or not asks_for_events(accept):
            return self
        if self._by_lines is None:
            options = self._copy()
            options._ping_form = "line"
            self._by_lines = options
        return self._by_lines

    def for_request(self, request: Any) -> Options:
        """The same for one request, with which `max_streams_per` is called, once."""
        if self.max_streams_per is None or self._request is not None:
            return self
        options = copy.copy(self)
        options._by_lines, options._prepared = None, self._prepared  # one for all requests
        vars(options).pop("room", None)
        options._request = request
        return options

    @cached_property
    def room(self) -> tuple[int | None, Key | None]:
        """How many streams may be open (None: any number), and for which key (None: the whole process).

        Raises what `max_streams_per` raises, and `TypeError` if it returns no valid key.
        """
        if self.max_streams_per is None:
            return self.max_streams, None
        key = None if self._request is None else checked_key(self.max_streams_per(self._request))
        return (None if key is None else self.max_streams), key

    def holding(self, seconds: float) -> Options:
        """The same for a request that has used up some of `hold` already: these `seconds` are left."""
        options = copy.copy(self)  # what is prepared is the same
        options._by_lines = None
        options.limits = self.limits._replace(hold=seconds)
        return options

    def _copy(self) -> Options:
        options = copy.copy(self)
        options._by_lines = None
        vars(options).pop("_prepared", None)
        return options

    @cached_property
    def _prepared(self) -> _Prepared:
        takes_objects = self.dialect.takes_objects
        passes = self.dialect.passes
        is_gateway = self._dialect_named and not (takes_objects or self._is_framed)
        speaks = passes or self.dialect.name if is_gateway else None
        wish = Wish(
            passes, takes_objects, self.collect, False, self._objects, names=True, speaks=speaks
        )
        return _Prepared(
            wishes=(wish, wish._replace(lines=True)),
            must_speak=not takes_objects or getattr(self.adapter, "is_model", False),
            line_pings=self._ping_form == "line",
            raw_headers=raw(self.headers()),
        )

    def open(self) -> tuple[Stream, Reader]:
        """The Stream of a new connection, and the reader of its chunks."""
        voice = checked_voice(self.dialect, self.dialect.voice())
        prepared = self._prepared
        stream = Stream(
            voice,
            _opening() if getattr(voice, "opens", True) else None,
            self.limits,
            retry=self.retry,
            collect=self.collect,
            describe=self.description if self._describe else None,
            say_end=self._say_end,
            must_speak=prepared.must_speak,
            line_pings=prepared.line_pings,
        )
        wish = prepared.wishes[bool(getattr(voice, "takes_lines", False))]
        return stream, checked_reader(self.adapter, self.adapter.reader(wish))

    def headers(self) -> list[tuple[str, str]]:
        """The headers of an event stream in this dialect; never a hop-by-hop one."""
        return [*DEFAULT_HEADERS, *self.dialect.headers]

    @property
    def raw_headers(self) -> RawHeaders:
        """The same as ASGI sends them, in a new list, which the caller may change."""
        return self._prepared.raw_headers.copy()

    def description(self, error: BaseException, code: str) -> str | None:
        """The app's message for the client, None for none; if `describe` raises, the stream still ends properly."""
        if self._describe is None:
            return None
        try:
            message = self._describe(error, code)
            return None if message is None else whole(str(message))
        except BaseException as raised:  # SystemExit too: the client still has to be told
            report(raised, "describe raised")
            return GENERAL_FAILURE


class _Prepared(NamedTuple):
    """What all streams of one Options share."""

    wishes: tuple[Wish, Wish]  # for a voice that takes no lines, and for one that does
    must_speak: bool
    line_pings: bool
    raw_headers: RawHeaders


def _opening() -> Start:
    return Start(f"chatcmpl-{os.urandom(12).hex()}", int(time.time()))


def options_of(words: Words, face: str) -> Options:
    """The Options for the keyword arguments of a face; cached for plain values, since making them is slow."""
    if not words.keys() <= _NAMES:
        raise unknown_option(next(name for name in words if name not in _NAMES), face, _NAMES)
    if all(type(value) in _PLAIN for value in words.values()):
        return _remembered(**words)  # type: ignore[arg-type] # all are hashable
    return Options(**words)


_NAMES = Words.__annotations__.keys()


_PLAIN = (str, int, float, bool, type(None))
_remembered = lru_cache(maxsize=64, typed=True)(Options)


DEFAULT_HEADERS = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache, no-transform"),
    ("X-Accel-Buffering", "no"),
)

FINISHED_ID = "[DONE]"  # a reconnect with this Last-Event-ID is answered 204


def _dialect(dialect: Any) -> Dialect:
    if isinstance(dialect, str):
        return dialects.by_name(dialect)
    return check_dialect(dialect)


def _adapter(adapter: Any) -> Adapter:
    if isinstance(adapter, str):
        return adapters.by_name(adapter)
    return check_adapter(adapter)


def raw(headers: list[tuple[str, str]]) -> RawHeaders:
    """Headers as ASGI sends them: bytes, names in lower case."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def merge_headers(
    ours: list[tuple[str, str]], theirs: Mapping[str, str] | Iterable[tuple[str, str]] | None
) -> list[tuple[str, str]]:
    """Our headers and the user's; where both have one, the user's wins."""
    if theirs is None:
        return ours
    own = list(theirs.items() if isinstance(theirs, Mapping) else theirs)
    named = {name.lower() for name, _ in own}
    return [pair for pair in ours if pair[0].lower() not in named] + own
