"""Which interface an app has, and the server that answers a test's request to it."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable
from typing import Any, Literal, Protocol

from ..drivers.connection import observer
from .answer import Answer
from .over_wsgi import WsgiServer
from .request import Place, Request

Interface = Literal["wsgi", "asgi"]


class Server(Protocol):
    """Answers one request."""

    def start(self, context: contextvars.Context) -> None:
        """Let the app begin, in this context."""

    def hang_up(self) -> None:
        """The client disconnects."""

    def abandon(self) -> None:
        """End what did not end by itself, as far as that can be."""

    @property
    def place(self) -> str:
        """Where the app is at the moment, for a message."""


def interface_of(app: Any) -> Interface:
    """Whether `app` is for WSGI or for ASGI; raises `TypeError` if that cannot be detected."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return "asgi"
    takes_two, takes_three = _takes(app, 2), _takes(app, 3)
    if takes_two != takes_three:
        return "wsgi" if takes_two else "asgi"
    raise TypeError(
        f"app does not show whether it is for WSGI or for ASGI: give interface='wsgi' or 'asgi'; got {app!r:.200}"
    )


def _takes(app: Any, number: int) -> bool:
    try:
        inspect.signature(app).bind(*range(number))
    except (TypeError, ValueError):
        return False
    return True


Serve = Callable[[Request, Answer], Server]


def serve(
    app: Callable[..., Any], request: Request, answer: Answer, place: Place, *, raises: bool
) -> Server:
    """Start the app on a request, and return the server that answers it."""
    server: Server
    if place.home is None:
        server = WsgiServer(app, request, answer, raises=raises)
    else:
        from .over_asgi import AsgiServer

        server = AsgiServer(app, request, answer, raises=raises, home=place.home, state=place.state)
    context = place.context.copy()
    context.run(observer.set, answer.observe)
    server.start(context)
    return server
