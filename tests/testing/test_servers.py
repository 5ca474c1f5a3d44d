"""Which interface an app has."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from endless import APPS
from sse_bridge import asgi, wsgi
from sse_bridge.testing import Client
from sse_bridge.testing.servers import interface_of


def wsgi_function(environ: Any, start_response: Any) -> Any: ...
async def asgi_function(scope: Any, receive: Any, send: Any) -> Any: ...
def asgi_that_returns_a_coroutine(scope: Any, receive: Any, send: Any) -> Any: ...
def of_neither(*args: Any) -> Any: ...


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


@pytest.mark.parametrize("name", APPS)
def test_the_apps_of_all_frameworks_show_it(name: str):
    wanted = "wsgi" if name in ("flask", "wsgi") else "asgi"
    assert interface_of(APPS[name](lambda: ["a"])) == wanted


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (wsgi_function, "wsgi"),
        (functools.partial(wsgi_function), "wsgi"),
        (wsgi.Middleware(wsgi_function), "wsgi"),
        (WSGIHandler.__new__(WSGIHandler), "wsgi"),
        (asgi_function, "asgi"),
        (functools.partial(asgi_function), "asgi"),
        (asgi_that_returns_a_coroutine, "asgi"),
        (AsgiObject(), "asgi"),
        (asgi.Middleware(asgi_function), "asgi"),
        (ASGIHandler.__new__(ASGIHandler), "asgi"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_so_do_functions_and_objects(app: Any, interface: str):
    assert interface_of(app) == interface


@pytest.mark.parametrize("app", [of_neither, 5, None])
def test_what_does_not_is_asked_about(app: Any):
    with pytest.raises(TypeError, match="give interface='wsgi' or 'asgi'"):
        Client(app)
    Client(app, interface="wsgi")


def test_no_other_interface_is_known():
    with pytest.raises(ValueError, match="got 'cgi'"):
        Client(wsgi_function, interface="cgi")  # type: ignore[arg-type]
