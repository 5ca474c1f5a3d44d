"""Private names of other packages, and of Python, that we use: each with its reason.

Rules of this file:

1. It imports none of them: a function is handed what it looks at.
2. Such a name is used elsewhere only if `IN_PLACE` says where, and here why.
3. Each has a test in tests/test_private.py, which looks at the real package and fails when the name has moved.

Checked with: Python 3.11 to 3.13, Flask 3.1, uvicorn 0.54, gunicorn 27, hypercorn 0.18, waitress 3.0, cheroot 11,
a2wsgi 1.10, trio 0.35, httpcore 1.0, httpcore2 2.16, urllib3 2.8, pydantic 2.14, openai 3.57.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

IN_PLACE: dict[str, tuple[str, ...]] = {
    # Read for each chunk. Pydantic keeps there what a class has no field for, and its fields in `__dict__`;
    # `model_extra` is the same at two and a half times the cost.
    "__pydantic_extra__": ("adapters/answers", "adapters/openai_chunk", "adapters/refusals"),
    # Called for each chunk. `model_dump_json` hands it a dozen keywords more.
    "__pydantic_serializer__": ("objects",),
    # Read for each type, and for each event. `dataclasses.is_dataclass` does the same, but importing it takes
    # milliseconds, which every program would pay.
    "__dataclass_fields__": ("adapters/events", "adapters/smolagents", "objects"),
    # The function beneath JSON's text, called for each piece of it; `json.dumps` is many times as slow.
    "encode_basestring": ("payload",),
    # A base class, which type checkers need by its name; only a variable is public, `Flask.app_ctx_globals_class`.
    "_AppCtxGlobals": ("flask_context",),
    # The system's own socket, where gevent has put its own in place of the public one.
    "_socket": ("hangup",),
}


# -- asyncio and trio ------------------------------------------------------------------------------

Switch = Callable[[Any, Any], None]  # with the loop and the task


def task_switch(tasks: ModuleType) -> tuple[Switch, Switch]:
    """The functions of `asyncio.tasks` that enter and leave a task: with them one task steps aside for another.

    Asyncio's own eager tasks do that, but there is no public name for it. These exist since Python 3.7.
    """
    return tasks._enter_task, tasks._leave_task


def take_future(waits_for: Any) -> None:
    """Take over a future that a coroutine has yielded, which only the coroutine's task is meant to do."""
    waits_for._asyncio_future_blocking = False


# The modules of the handlers that event loops have for Ctrl-C: nothing else tells them from an app's.
LOOPS_CTRL_C = ("asyncio.runners", "trio._core._ki")

# The modules of a server's own `receive`: uvicorn's; hypercorn passes the `get` of an asyncio.Queue. ASGI does not
# say whose function it is.
SERVERS_RECEIVE = ("uvicorn.", "asyncio.queues")


# -- json ------------------------------------------------------------------------------------------


def json_writer(
    encoder: ModuleType,
    marks: dict[int, Any],
    default: Callable[[Any], Any],
    quote: Callable[[str], str],
) -> Callable[[Any, int], tuple[str, ...]]:
    """The encoder in C that `JSONEncoder.encode` makes for each value; `TypeError` where there is none.

    Only `encode` is public, and making one each time is half of the cost of a small value.
    """
    make: Any = getattr(encoder, "c_make_encoder", None)
    # indent, the two separators; sort_keys, skipkeys, allow_nan
    made: Callable[[Any, int], tuple[str, ...]] = make(
        marks, default, quote, None, ":", ",", False, False, False
    )
    return made


# -- pydantic, and SDKs that are made with it ------------------------------------------------------

PYDANTICS_OWN = "pydantic.main"  # the module of a `model_dump_json` that nobody has overridden


def by_alias_of(model_dump_json: Any) -> bool | None:
    """A class's default of `by_alias`, which the serializer does not share before pydantic 2.11."""
    default: bool | None = model_dump_json.__kwdefaults__["by_alias"]
    return default


# A keyword of `to_dict`, a method of the base classes of Stainless's SDKs: these have no common ancestor.
STAINLESS = "use_api_names"


# -- clients that read from an upstream ------------------------------------------------------------
# Only a thread's frames show which read it is blocked in: by the modules and the names of functions.

READS = ("recv", "recv_into", "read", "readinto")
PLUMBING = ("socket", "ssl", "select", "selectors")  # between a client's read and the system's
HTTPCORE = ("httpcore._backends.sync", "httpcore2._backends.sync")
HTTP_CLIENTS = ("http.client", "urllib3.")
MULTIPLEXED = "._sync.http2"  # the end of a module's name: httpcore's connection that streams share


def socket_beneath(reader: Any) -> Any:
    """The socket of a `socket.SocketIO`, or of httpcore's stream; the former shows only its descriptor."""
    return getattr(reader, "_sock", None)


# -- Flask -----------------------------------------------------------------------------------------


def context_variables(flask_globals: ModuleType) -> tuple[Any, Any] | None:
    """The context variables of the request's context and the app's; None where Flask has a single one for both.

    Only the proxies are public, and these cannot be moved from one context to another.
    """
    request = getattr(flask_globals, "_cv_request", None)
    return None if request is None else (request, flask_globals._cv_app)


def tokens_of(context: Any) -> list[Any]:
    """The tokens that undo each push of a Flask context; a request's come with its app context, if it pushed one.

    Only `pop` uses them, and that must be called in the context of the push.
    """
    tokens: list[Any] = getattr(context, "_cv_tokens", [])
    return tokens


def share_after_requests(request: Any, other: Any) -> None:
    """Have functions given to `after_this_request` in one context of a request be called at the end of another.

    Flask itself knows the current context only.
    """
    request._after_request_functions = other._after_request_functions


def within_stream_with_context(source: Any, stream_with_context: Any) -> Any | None:
    """The generator wrapped by Flask's `stream_with_context`; None for any other source.

    The only way back to it is the wrapper's frame, where it is called `gen`.
    """
    code = getattr(source, "gi_code", None)
    if code is None or code.co_filename != stream_with_context.__code__.co_filename:
        return None
    return None if source.gi_frame is None else source.gi_frame.f_locals.get("gen")


# -- servers ---------------------------------------------------------------------------------------
# WSGI and ASGI do not say that the server is being stopped, and WSGI does not expose the client's connection.


def server_of(handler: Any) -> Any | None:
    """Uvicorn's server, or gunicorn's worker, by its handler of SIGTERM, which is a method of it."""
    return getattr(handler, "__self__", None)


def uvicorn_stops(server: Any) -> bool:
    """Whether uvicorn's server is shutting down; at its limit of requests it only closes its sockets."""
    sockets = getattr(server, "servers", None) or ()
    return server.should_exit or not all(listening.is_serving() for listening in sockets)


def gunicorn_stops(worker: Any) -> bool:
    """Whether gunicorn's worker answers no more requests."""
    return not worker.alive


def gunicorn_timeout(worker: Any) -> Any | None:
    """The seconds after which gunicorn kills an unresponsive worker."""
    return getattr(getattr(worker, "cfg", None), "timeout", None)


def hypercorn_stops(process: Any) -> bool:
    """Whether hypercorn's worker was told to stop, by an event that is an argument of its process."""
    event = getattr(process, "_kwargs", {}).get("shutdown_event")
    return event is not None and bool(event.is_set())


def waitress_socket(client_disconnected: Any) -> Any:
    """The client's connection, by the function in the environ, which is a method of waitress's channel."""
    return client_disconnected.__self__.socket


def innermost_reader(body: Any) -> Any:
    """The innermost reader of a request's body, which reads the connection: cheroot wraps it several times."""
    while hasattr(body, "rfile"):
        body = body.rfile
    return body


def is_a2wsgis(body: Any) -> bool:
    """Whether a request's body is a2wsgi's, which has the server's `receive` and its `loop`."""
    return hasattr(body, "receive") and hasattr(body, "loop")


def transport_behind(receive: Any) -> Any | None:
    """The client's connection, if a server's `receive` is a method of the object that has it, as uvicorn's is."""
    return getattr(getattr(receive, "__self__", None), "transport", None)


# The attributes in which middlewares keep the app that they wrap: WSGI has no name for it.
WRAPPED = ("app", "wsgi_app", "application", "_app", "wrap_app", "__wrapped__", "__self__")
