"""How the response to one request goes through the WSGI middleware.

Rules of this file:

1. A response that passes is the app's own: its arguments of `start_response`, its `write`, its very result object.
   But if it may be an event stream under another media type, the beginning is checked, and one that another
   client would get as an event stream says so in ``Vary``.
2. The server's `start_response` is not called for an event stream before its body was made: a failure before that
   is raised instead.
3. Once a result is iterated as a stream, no other response can be started: an app that tries to gets the error
   raised that it tried to report.
4. A result is closed once, through the very object that the app returned.
5. An app that streams a request itself, with one of our faces (integrations), sets a mark, which outlives copies
   of environ: then all passes.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from .. import hangup
from ..answers.mark import MARK, Mark
from ..answers.wsgi import Environ, StartResponse, answer_early, refuse
from ..drivers.sources import discard
from ..drivers.threads import Body
from ..loops.background import background_home
from ..media import EVENTS, media_type
from ..options import Options
from ..registry import Unavailable
from .takeover import Headers, Plan, Takeover

App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Call:
    """One request: `run` calls the app, and returns what the server has to iterate."""

    __slots__ = (
        "_environ",
        "_look",
        "_mark",
        "_plan",
        "_server",
        "_started",
        "_takeover",
        "_walked",
        "_write_on",
    )

    def __init__(self, takeover: Takeover, environ: Environ, server: StartResponse) -> None:
        self._takeover, self._environ, self._server = takeover, environ, server
        self._mark: Mark = environ.setdefault(MARK, Mark())
        self._look: Callable[[bytes], None] | None = (
            None  # called with the beginning of what passes
        )
        self._plan: Plan | None = None  # for what will become a stream and is not started yet
        self._started: tuple[Any, ...] = ()  # the app's arguments of start_response for it
        self._write_on: Callable[[bytes], Any] | None = (
            None  # the server's `write`, once the response has started
        )
        self._walked = False

    # -- the app's side ---------------------------------------------------------------------------

    def start_response(self, status: str, headers: Headers, *exc_info: Any) -> Callable[..., Any]:
        """The app's `start_response` (PEP 3333); the server's is called at once for a response that passes."""
        if self._walked:
            raise _error(exc_info)
        if self._plan is not None and not any(exc_info):
            raise AssertionError("start_response was called again, without exc_info")
        self._plan = None if self._write_on else self._planned(status, headers)
        self._look = self._suspicion(status, headers) if self._plan is None else None
        self._started = (status, headers, *exc_info)
        return self._start(headers) if self._plan is None else self._write

    def _planned(self, status: str, headers: Headers) -> Plan | None:
        if self._mark.taken or not self._takeover.concerns(_content_type(headers)):
            return None
        environ = self._environ
        method, accept = environ.get("REQUEST_METHOD", ""), environ.get("HTTP_ACCEPT", "")
        return self._takeover.plan(method, environ, _code(status), headers, accept)

    def _suspicion(self, status: str, headers: Headers) -> Callable[[bytes], None] | None:
        if self._mark.taken or self._environ.get("REQUEST_METHOD") == "HEAD":
            return None
        return self._takeover.suspect(self._environ, _code(status), headers)

    def _start(self, headers: Headers) -> Callable[[bytes], Any]:
        """Start the response at the server, with these headers."""
        status, _, *exc_info = self._started
        self._started = ()  # its exc_info leads back here
        headers = self._takeover.passing(_code(status), headers)
        self._write_on = write = self._server(status, headers, *exc_info)
        return write  # type: ignore[no-any-return]

    def _write(self, data: bytes) -> None:
        """The app's `write` (PEP 3333): it goes to the server at once, and so does all that follows."""
        if self._plan is not None and not self._walked:
            plan, self._plan = self._plan, None
            _, headers, *_ = self._started
            events = media_type(_content_type(headers)) == EVENTS
            self._start(plan.headers if events else headers)
        if self._write_on is None or self._walked:
            raise AssertionError("write was called while the app's result was iterated")
        self._write_on(data)

    # -- the server's side ------------------------------------------------------------------------

    def run(self, app: App) -> Iterable[bytes]:
        """Call the app; returns what the server has to iterate and close."""
        try:
            items, result = self._ask(app)
        except Exception as error:
            return self._failed(error)
        return self._answer(items, result)

    def _ask(self, app: App) -> tuple[Iterable[bytes], Iterable[bytes]]:
        result = app(self._environ, self.start_response)
        return self._begun(result), result

    def _failed(self, error: Exception) -> Iterable[bytes]:
        """The app has raised; if it has begun no stream, the error is left to the server, as without us."""
        answer = None
        if self._write_on is None and self._plan is not None:
            answer = answer_early(self._server, error, self._takeover.options, self._plan.varies)
        if answer is None:
            raise error
        return answer

    def _begun(self, result: Iterable[bytes]) -> Iterable[bytes]:
        """The items of the app's result, iterated until the app has called `start_response`."""
        started = self._plan is not None or self._write_on is not None
        return result if started else _first_asked(result)

    def _answer(self, items: Iterable[bytes], result: Iterable[bytes]) -> Iterable[bytes]:
        if self._plan is not None and self._mark.taken:
            # It was started first, and then made by one of our faces (integrations).
            self._plan = None
            self._start(self._started[1])
        if self._plan is not None:
            return self._stream(_Result(items, result), self._plan)
        return self._passed(items, result)

    def _passed(self, items: Iterable[bytes], result: Iterable[bytes]) -> Iterable[bytes]:
        if self._look is not None and not hasattr(result, "__len__") and not self._is_file(result):
            items = _looked_at(items, self._look)
        return result if items is result else _Result(items, result)

    def _is_file(self, result: Any) -> bool:
        """Whether the server may send it in a way of its own."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        return hasattr(result, "filelike") or (
            isinstance(wrapper, type) and isinstance(result, wrapper)
        )

    def _stream(self, source: _Result, plan: Plan) -> Iterable[bytes]:
        self._walked = True
        try:
            body = self._body(source, plan.options.for_request(self._environ))
        except Unavailable as full:
            if not full.source_ran:
                self._discard(source)
            return refuse(self._server, full, plan.varies)
        except Exception as error:
            answer = answer_early(self._server, error, plan.options, plan.varies)
            if answer is None:
                raise
            return answer
        self._mark.taken = True
        try:
            self._start(plan.headers)
        except BaseException:
            body.close()
            raise
        return body

    def _body(self, source: _Result, options: Options) -> Body:
        watch, context = partial(hangup.watch, self._environ), contextvars.copy_context()
        if "flask" in sys.modules:
            from ..flask_context import move_kept_request

            move_kept_request(context, lambda asked: asked.get(MARK) is self._mark)
        return Body(source, options, context, watch=watch)

    def _discard(self, source: _Result) -> None:
        discard(source, background_home)


class _Result(Iterator[bytes]):
    """The result of an app, where some of it was iterated already or is iterated elsewhere."""

    def __init__(self, items: Iterable[bytes], result: Iterable[bytes]) -> None:
        self._items = items
        self._next: Callable[[], bytes] | None = None
        self._result = result

    def __next__(self) -> bytes:
        if self._next is None:  # asked for where it is walked
            self._next = iter(self._items).__next__
        return self._next()

    def close(self) -> None:
        """The one who iterated it is done with it."""
        _close(self._result)


def _first_asked(result: Iterable[bytes]) -> Iterable[bytes]:
    """All items, the first of them fetched: by then an app that is a generator has called start_response."""
    try:
        iterator = iter(result)
        for first in iterator:
            return chain((first,), iterator)
    except BaseException:
        _close(result)  # the server will not get to see it
        raise
    return ()


def _looked_at(items: Iterable[bytes], look: Callable[[bytes], None]) -> Iterator[bytes]:
    """The items; `look` is called with the first one that has bytes."""
    iterator = iter(items)
    for first in iterator:
        yield first
        if first:
            look(first)
            break
    yield from iterator


def _code(status: str) -> int:
    return int(status[:3]) if status[:3].isdigit() else 0


def _close(result: Any) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()


def _content_type(headers: Headers) -> str:
    for name, value in headers:
        if name.lower() == "content-type":
            return value
    return ""


def _error(exc_info: tuple[Any, ...]) -> BaseException:
    """The error that an app wanted to report when it is too late to start another response."""
    error = exc_info[0][1] if any(exc_info) else None
    if isinstance(error, BaseException):
        return error
    return AssertionError("start_response was called after the response was returned")
