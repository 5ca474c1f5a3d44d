"""Event streams for Starlette and FastAPI: a decorator for endpoints, and a response to return from any.

Rules of this file:

1. To the framework, a decorated endpoint is a function that returns a response: its parameters and its name are
   kept, but not that it is a generator function, nor its return annotation, which FastAPI would act on.
2. It runs where it would run undecorated: a sync one that is not a generator in the thread pool.
3. What the framework itself makes a response of passes unchanged, except for a hand-made event stream.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ForwardRef, ParamSpec, Unpack, overload

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from .answers.asgi import answer, is_finished
from .answers.early import early_answer
from .arguments import check_media_type, check_status_code, checked_headers
from .asgi import respond
from .drivers.sources import (
    OneRequest,
    Source,
    check_source,
    discard,
    has_method,
    is_sdk_answer,
    takes_no_arguments,
)
from .failures import diagnose
from .loops.current import current_home
from .media import EVENTS, media_type
from .options import Options, Words, options_of
from .registry import Unavailable
from .starlette_order import warn_of_a_route
from .unknown import not_a_view

__all__ = ["EventSourceResponse", "event_stream"]

P = ParamSpec("P")


_UNSAID: Any = object()


class EventSourceResponse(Response):
    """A response that streams `source` to the client, and stops it when the client disconnects.

    Arguments: `source`, any iterable, async iterable, awaitable of one, which serves one request, or callable that
    returns one, which is called for each; `status_code` (default 200), `headers`, which win over ours, and
    `background`, as in Starlette; `media_type`, if given (when it replaces a `StreamingResponse`), must be
    ``"text/event-stream"``; `options`, see `sse_bridge.options.Options`.
    What the source raises within `hold` is raised before the response has started, for the app's own
    exception handlers; a failure of the model's service without a handler as ``HTTPException``, with the
    status that fits; ``HTTPException(503)`` at `max_streams`, 429 with `max_streams_per`, which is called with
    Starlette's ``Request``; ``RuntimeError`` when a source is to serve a second request.
    """

    media_type = EVENTS

    def __init__(
        self,
        source: Source = _UNSAID,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
        media_type: str | None = None,
        **options: Unpack[Words],
    ) -> None:
        if source is _UNSAID:
            raise _without_source(options)
        check_source(source)
        check_media_type("media_type", media_type)
        check_status_code("status_code", status_code)
        checked_headers(headers, mapping=True)
        checked = options_of(options, "EventSourceResponse")
        self._open(source, checked, status_code, headers, background)

    @classmethod
    def _of(
        cls,
        source: Any,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        options: Options,
    ) -> EventSourceResponse:
        """The same for a caller that has checked the options already."""
        check_source(source)
        response = cls.__new__(cls)
        response._open(source, options, status_code, headers, None)
        return response

    def _open(
        self,
        source: Any,
        options: Options,
        status_code: int,
        headers: Mapping[str, str] | None,
        background: BackgroundTask | None,
    ) -> None:
        self._source, self._options = OneRequest(source, "EventSourceResponse"), options
        # Copied here: what a handler in Starlette's thread pool has set would be gone in __call__.
        self._context = contextvars.copy_context()
        self.status_code, self.background = status_code, background
        if headers is None:  # nearly always: far cheaper than filling them in one by one
            self.raw_headers = options.raw_headers
            return
        self.init_headers(headers)
        self._fill_headers()

    def _fill_headers(self) -> None:
        """Add our headers, where the user has set none."""
        for name, value in self._options.headers():
            self.headers.setdefault(name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope, receive, send = {**scope, "method": "GET"}, *_denying(receive, send)
        if is_finished(scope):
            self._source.discard(current_home)
            await answer(send, 204, [])
        else:
            await self._stream(scope, receive, send)
        if self.background is not None:
            await self.background()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        source, headers = self._source.take(), self.raw_headers
        try:
            await respond(
                source,
                self._options,
                scope,
                receive,
                send,
                self.status_code,
                headers,
                self._context.copy(),  # a callable's sources may run at once
                _request_of,
            )
        except Unavailable as full:
            if not full.source_ran:
                discard(source, current_home)
            after = {"Retry-After": str(full.retry_after)}
            raise HTTPException(full.status_code, headers=after) from full
        except Exception as error:
            _raise_early(error, scope, self._options)
            raise


class _FailedResponse(Response):
    """The response of an endpoint whose model failed: when it is called, the app's exception handlers are known."""

    def __init__(self, error: Exception, options: Options) -> None:
        super().__init__()
        self._error, self._options = error, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _raise_early(self._error, scope, self._options)
        raise self._error


def _raise_early(error: Exception, scope: Scope, options: Options) -> None:
    """Raise the HTTPException for a failure of the model's service; return for what is the app's own to answer."""
    early = None if _is_handled(error, scope) else early_answer(error, options)
    if early is not None:
        headers = dict(early.headers)
        raised = HTTPException(early.status_code, early.message, headers=headers)
        raised.failure = early.failure  # type: ignore[attr-defined] # for the app's own handler
        raise raised from error


def _is_handled(error: Exception, scope: Scope) -> bool:
    """Whether the app has a handler for this type of error, and not just one for any exception."""
    handlers, _ = scope.get("starlette.exception_handlers") or ({}, {})
    kinds = type(error).__mro__
    return any(kind in handlers for kind in kinds if kind is not Exception)


def _request_of(scope: Scope) -> HTTPConnection:
    return Request(scope) if scope["type"] == "http" else HTTPConnection(scope)


def _without_source(options: Mapping[str, Any]) -> TypeError:
    if "content" in options:
        return TypeError(
            "EventSourceResponse takes its source first, without a name, and no content. It cannot be FastAPI's "
            "response_class=: decorate the endpoint, a generator function, with "
            "sse_bridge.starlette.event_stream, under the route's decorator"
        )
    return TypeError("EventSourceResponse needs a source")


def _denying(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """For the response to a websocket's handshake: the same messages, under the names that they have there."""

    async def receive_there() -> Message:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send_there(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return receive_there, send_there


# -- the decorator --------------------------------------------------------------------------------


@overload
def event_stream(endpoint: Callable[P, Any], /) -> Callable[P, Any]: ...
@overload
def event_stream(
    endpoint: None = None,
    /,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **options: Unpack[Words],
) -> Callable[[Callable[P, Any]], Callable[P, Any]]: ...
def event_stream(
    endpoint: Callable[..., Any] | None = None,
    /,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **options: Unpack[Words],
) -> Any:
    """Stream an endpoint's result as live events; used with or without options, under the route's decorator.

    Arguments: `endpoint`, a generator function, an async generator function, or a function, sync or async, that
    returns a source; whatever else it returns passes unchanged, except a hand-made ``StreamingResponse`` of type
    ``text/event-stream``, which is taken over; `status_code`, `headers`, `options`, as for `EventSourceResponse`.
    FastAPI's parameters and dependencies work through it; for its docs give the route
    ``response_class=EventSourceResponse``.
    """
    # A wrong argument raises here, where it is written.
    checked = options_of(options, "event_stream")
    check_status_code("status_code", status_code)
    checked_headers(headers, mapping=True)
    respond = functools.partial(
        EventSourceResponse._of, status_code=status_code, headers=headers, options=checked
    )
    answer = functools.partial(_answer, respond, checked)
    failed = functools.partial(_failed, checked)

    def decorate(endpoint: Any) -> Callable[..., Any]:
        if not callable(endpoint) or inspect.isclass(endpoint):
            raise not_a_view(endpoint, "an endpoint's function")
        warn_of_a_route(endpoint)
        return _as_endpoint(_streaming(endpoint, answer, failed), endpoint)

    return decorate if endpoint is None else decorate(endpoint)


def _streaming(
    endpoint: Callable[..., Any], answer: Callable[[Any], Any], failed: Callable[[Exception], Any]
) -> Callable[..., Any]:
    function = _function_of(endpoint)
    if inspect.iscoroutinefunction(function):

        async def returning(*args: Any, **kwargs: Any) -> Any:
            try:
                return answer(await endpoint(*args, **kwargs))
            except Exception as error:
                return failed(error)

        return returning

    def calling(*args: Any, **kwargs: Any) -> Any:
        try:
            return answer(endpoint(*args, **kwargs))
        except Exception as error:
            return failed(error)

    if not (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
        return calling

    async def generating(*args: Any, **kwargs: Any) -> Any:
        return calling(*args, **kwargs)  # which runs nothing yet: no thread is needed for it

    return generating


def _function_of(endpoint: Any) -> Any:
    """The function in a partial, or the ``__call__`` of a callable object."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    function = inspect.unwrap(endpoint)
    return function if inspect.isroutine(function) else type(function).__call__


def _failed(options: Options, error: Exception) -> Response:
    if not diagnose(error).is_upstream:
        raise error
    return _FailedResponse(error, options)


def _as_endpoint(streaming: Callable[..., Any], endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper, under the endpoint's name and with its parameters."""
    wrapper: Any = functools.update_wrapper(streaming, endpoint)
    del wrapper.__wrapped__  # through it FastAPI would see a generator function
    signature = _signature(endpoint)
    wrapper.__signature__ = signature.replace(return_annotation=Response)
    wrapper.__annotations__ = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.annotation is not parameter.empty
    } | {"return": Response}
    made: Callable[..., Any] = wrapper
    return made


def _signature(endpoint: Callable[..., Any]) -> inspect.Signature:
    """The signature, with annotations evaluated in their own module: here their names are unknown."""
    signature = inspect.signature(endpoint)
    names = getattr(_function_of(endpoint), "__globals__", {})
    return signature.replace(
        parameters=[
            parameter.replace(annotation=_meant(parameter.annotation, names))
            for parameter in signature.parameters.values()
        ]
    )


def _meant(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)
    except Exception:
        # A name that exists for type checkers only; one of ours must not be taken for it.
        return ForwardRef(annotation)


_VALUES = (str, bytes, bytearray, dict, list, tuple, set, frozenset, int, float, type(None))


def _answer(respond: Callable[[Any], Response], options: Options, answer: Any) -> Any:
    if type(answer) is StreamingResponse and _is_made_by_hand(answer):
        return _take_over(answer, options)
    return answer if _is_frameworks(answer) else respond(answer)


def _is_frameworks(answer: Any) -> bool:
    """Whether Starlette or FastAPI itself makes a response of it: a response, or a value that becomes JSON."""
    if isinstance(answer, (Response, *_VALUES)) or is_sdk_answer(answer):
        return True
    kind = type(answer)
    walks = any(has_method(kind, name) for name in ("__iter__", "__aiter__", "__await__"))
    return not walks and not (callable(answer) and takes_no_arguments(answer))


def _is_made_by_hand(response: StreamingResponse) -> bool:
    kind = media_type(response.headers.get("content-type", ""))
    return kind == EVENTS and response.status_code < 400


def _take_over(response: StreamingResponse, options: Options) -> Response:
    """The response keeps its status, headers and background; its frames are streamed as any source is."""
    taken = EventSourceResponse._of(
        response.body_iterator,
        status_code=response.status_code,
        options=options.framed(),
    )
    taken.raw_headers = list(response.raw_headers)
    taken._fill_headers()
    taken.background = response.background
    return taken
