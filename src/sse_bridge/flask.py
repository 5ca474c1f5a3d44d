"""Event streams for Flask: a decorator for views, and a response to return from any.

Rules of this file:

1. The view runs in the request's own thread, as always; an async one on the loop that its source will run on.
2. The source runs on another thread, in a copy of the view's context, but in an app context of its own: Flask tears
   the view's down as soon as the view has returned, and that must not close what the source has opened meanwhile.
3. The source's own context is torn down where the source ran, after it: `teardown_request` runs twice, as with
   Flask's own streams.
4. What Flask takes for a response passes unchanged, except for a hand-made event stream.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ParamSpec, Unpack, cast, overload

from flask import Flask, Response, current_app, has_request_context, request, stream_with_context
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from . import hangup
from .answers.mark import take
from .answers.wsgi import is_finished
from .arguments import check_flasks_status, check_media_type, checked_headers, flag
from .drivers.sources import Source, check_source, discard
from .drivers.threads import Body
from .flask_errors import raise_early, refusal
from .flask_order import remember
from .flask_views import (
    Stage,
    beside_the_view,
    is_flasks,
    is_iterator,
    is_made_by_hand,
    place_for,
    run_whole,
)
from .loops.background import background_home
from .loops.base import run_in
from .middleware.takeover import route_of
from .options import Options, Words, options_of
from .private import within_stream_with_context
from .registry import Unavailable
from .unknown import not_a_view
from .watches import Watch
from .wsgi import Headers

__all__ = ["EventSourceResponse", "event_stream"]

_log = logging.getLogger("sse_bridge")

# The arguments of a `flask.Response` that may stay when one is replaced, if they name an event stream.
_TYPES = {"mimetype", "content_type", "media_type"}

P = ParamSpec("P")


class EventSourceResponse(Response):
    """A response that streams `source` to one client, and stops it when the client disconnects.

    It starts the source and waits for its first chunk, up to `hold`, when it is made.

    Arguments: `source`, any iterable, async iterable, awaitable of one, or callable that returns one; `status`
    (default 200) and `headers`, which win over ours, as in Flask; `mimetype`, if given (when it replaces a
    `Response`), must be ``"text/event-stream"``; `options`, see `sse_bridge.options.Options`. Raises what the
    source raises within `hold`; a failure of the model's service that the app has no handler for as werkzeug's
    `HTTPException`, with the status that fits; `werkzeug.exceptions.ServiceUnavailable` at `max_streams`, or
    `TooManyRequests` with `max_streams_per`, which is called with Flask's ``request``.
    """

    default_mimetype = "text/event-stream"

    def __init__(
        self,
        source: Source,
        status: int | str | None = None,
        headers: Headers | None = None,
        **options: Unpack[Words],
    ) -> None:
        check_source(source)
        for name in _TYPES & options.keys():
            check_media_type(name, options.pop(name))  # type: ignore[misc]
        check_flasks_status("status", status)
        headers = checked_headers(headers)
        checked = options_of(options, "EventSourceResponse")
        if _is_finished():
            discard(source, background_home)
            super().__init__(status=204)
            del self.headers["Content-Type"]
            return
        self._open(source, status, headers, checked)

    @classmethod
    def _of(
        cls,
        source: Any,
        stage: Stage | None = None,
        *,
        status: int | str | None,
        headers: Headers | None,
        options: Options,
    ) -> EventSourceResponse:
        """The same for a caller that has checked the options, and that there is something to stream, already."""
        check_source(source)
        response = cls.__new__(cls)
        response._open(source, status, headers, options, stage)
        return response

    def _open(
        self,
        source: Any,
        status: int | str | None,
        headers: Headers | None,
        options: Options,
        stage: Stage | None = None,
    ) -> None:
        # Headers that are given at once cost a fraction of those that are added one by one.
        given = options.headers() if headers is None else headers
        super().__init__(status=status, headers=cast(Any, given))
        if headers is not None:
            _fill_headers(self, options)
        _attach(self, source, options, stage)

    def get_app_iter(self, environ: Any) -> Any:
        """Werkzeug's own; raises `RuntimeError` where the stream was given to a request already."""
        if isinstance(self.response, _Body):
            self.response.serve()
        return super().get_app_iter(environ)


@overload
def event_stream(view: Callable[P, Any], /) -> Callable[P, ResponseReturnValue]: ...
@overload
def event_stream(
    view: None = None,
    /,
    *,
    status: int | str | None = None,
    headers: Headers | None = None,
    whole: bool = False,
    **options: Unpack[Words],
) -> Callable[[Callable[P, Any]], Callable[P, ResponseReturnValue]]: ...
def event_stream(
    view: Callable[..., Any] | None = None,
    /,
    *,
    status: int | str | None = None,
    headers: Headers | None = None,
    whole: bool = False,
    **options: Unpack[Words],
) -> Any:
    """Stream a view's result as live events; used with or without options, under the route's decorator.

    Arguments: `view`, a generator function, an async generator function, or a function, sync or async,
    that returns a source; whatever else it returns passes unchanged, except a hand-made response of type
    ``text/event-stream``, which is taken over; `status`, `headers` and `options`, as for `EventSourceResponse`;
    `whole` (default False), whether the view itself, if it is sync, runs on the thread that iterates its source:
    then `hold`, disconnect detection and stopping apply to it, too, and what only one thread may use can be used
    in both. Once `hold` is over, such a view has to return a source.
    """
    # A wrong argument raises here, where it is written.
    checked = options_of(options, "event_stream")
    check_flasks_status("status", status)
    headers = checked_headers(headers)
    flag("whole", whole)
    respond = functools.partial(EventSourceResponse._of, status=status, headers=headers)
    answer = functools.partial(_answer, respond)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(view):
            raise not_a_view(view, "a view")
        remember(view)
        return _streaming(view, checked, answer, whole=whole)

    return decorate if view is None else decorate(view)


def _streaming(
    view: Callable[..., Any], options: Options, answer: Callable[..., Any], *, whole: bool
) -> Callable[..., Any]:
    @functools.wraps(view)
    def streaming_view(*args: Any, **kwargs: Any) -> Any:
        if _is_finished():
            return EventSourceResponse(())  # a 204
        call, asked = functools.partial(view, *args, **kwargs), _for_request(options)
        with place_for(*((None, None) if _is_head() else asked.room)) as place:
            try:
                if is_whole and has_request_context() and not _is_head():
                    return run_whole(call, _watch, asked, functools.partial(answer, asked), place)
                return answer(asked, _run_view(call, is_coroutine))
            except Unavailable:
                raise
            except Exception as error:
                raise_early(error, asked)
                raise

    is_coroutine = inspect.iscoroutinefunction(view)
    is_whole = whole and not is_coroutine
    return streaming_view


# -- the view's answer ----------------------------------------------------------------------------


def _run_view(view: Callable[[], Any], is_coroutine: bool) -> Any:
    """Run an async view on its source's loop: what it opens there stays usable when it has returned."""
    answer = view()
    if not is_coroutine:
        return answer
    return run_in(background_home(), answer, contextvars.copy_context())


def _answer(
    respond: Callable[..., Response], options: Options, answer: Any, stage: Stage | None = None
) -> Any:
    """What Flask gets for what the view returned; its stream runs on that stage."""
    if isinstance(answer, EventSourceResponse):
        return answer
    if isinstance(answer, tuple) and answer and _may_stream(answer[0]):
        answer = current_app.make_response(answer)
    if isinstance(answer, AnyResponse):
        return _take_over(answer, options, stage) if is_made_by_hand(answer) else answer
    if is_flasks(answer):
        return answer
    return respond(answer, stage, options=options)


def _may_stream(body: Any) -> bool:
    return is_iterator(body) or isinstance(body, AnyResponse)


# -- streams that were made by hand ---------------------------------------------------------------


def _take_over(response: AnyResponse, options: Options, stage: Stage | None) -> AnyResponse:
    """The response keeps its status and headers; its frames are streamed as any source is."""
    _fill_headers(response, options)
    source, response.response = response.response, ()
    try:
        _attach(response, source, options.framed(), stage)
    except BaseException:
        response.close()  # nobody else does: an error page is sent instead
        raise
    return response


def _unwrap(source: Any) -> Any:
    """The generator inside Flask's `stream_with_context`.

    Started on another thread while the view still runs, the wrapper would push the request's context there
    and fail to pop it. So the wrapper is closed here, where it was made, and the generator in it is run in a
    copy of that context.
    """
    inner = within_stream_with_context(source, stream_with_context)
    if inner is None:
        return source
    source.close()
    return inner


# -- the response ---------------------------------------------------------------------------------


def _attach(response: AnyResponse, source: Any, options: Options, stage: Stage | None) -> None:
    """Start the source, wait for its first chunk, up to `hold`, and give the response its body."""
    if stage is None:
        source = _unwrap(source)
    if _is_head():
        discard(source, background_home)
        response.response = iter(())  # of no known length, as the stream's would be
        return
    options, stage = _for_request(options), stage or beside_the_view(_watch)
    try:
        if stage.hold_left is not None:
            options = options.holding(stage.hold_left)
        body = _Body(
            source,
            options,
            stage.context,
            watch=stage.watch,
            leave=stage.leave,
            threads=stage.threads,
        )
    except Unavailable as full:
        if not full.source_ran:
            stage.threads.discard(source, background_home)
        raise refusal(full) from full
    except Exception as error:
        raise_early(error, options)
        raise
    response.response = body
    if has_request_context():
        take(request.environ)


class _Body(Body):
    """A body to be iterated once; it logs a warning if the app reads it whole before the server gets it."""

    _served = _walked = False

    def serve(self) -> None:
        """Note that a request is answered with it; raises `RuntimeError` for a second one."""
        if self._served:
            raise RuntimeError(_TWICE)
        self._served = True

    def __iter__(self) -> Iterator[bytes]:
        if self._walked:
            raise RuntimeError(_TWICE)
        self._walked = True
        read_there = _after_request_function() is not None
        return self._read_there() if read_there else iter(self.__next__, None)

    def _read_there(self) -> Iterator[bytes]:
        """An ``after_request`` function iterates it: it may look at each piece as it comes, or read all at once."""
        if (reader := _after_request_function()) is not None:
            _log.warning(
                "an after_request function of %s reads the response of %s: its stream is sent as one block, when "
                "all is over. Have it skip responses whose response.is_streamed is true",
                reader,
                route_of(request.environ) or "a route",
            )
        yield from iter(self.__next__, None)


_TWICE = "this EventSourceResponse serves one request, and has been used already; make one for each request"


def _after_request_function() -> str | None:
    """The module of the ``after_request`` function that is running; None where there is none."""
    caller = ""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_code is Flask.process_response.__code__:
            return caller
        if module.partition(".")[0] not in ("werkzeug", "asgiref"):
            caller = module
        frame = frame.f_back
    return None


def _watch() -> Watch | None:
    return hangup.watch(request.environ) if has_request_context() else None


def _for_request(options: Options) -> Options:
    if not has_request_context():
        return options
    return options.for_client(request.environ.get("HTTP_ACCEPT", "")).for_request(request)


def _fill_headers(response: AnyResponse, options: Options) -> None:
    """Add our headers, where the user has set none."""
    for name, value in options.headers():
        response.headers.setdefault(name, value)


def _is_finished() -> bool:
    return has_request_context() and is_finished(request.environ)


def _is_head() -> bool:
    return has_request_context() and request.method == "HEAD"
