"""The route's decorator under `event_stream` instead of over it: told where the endpoint is decorated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from sse_bridge.starlette import event_stream

TOLD = "got its route before event_stream"

MODULE = """
app = FastAPI()

@event_stream
@app.get("/")
async def chat():
    yield "a"
"""


def test_the_app_of_a_module_is_found(caplog: pytest.LogCaptureFixture):
    exec(MODULE, {"__name__": "a_users", "FastAPI": FastAPI, "event_stream": event_stream})
    assert caplog.text.count(TOLD) == 1
    assert "'chat'" in caplog.text


@pytest.mark.parametrize("kind", [FastAPI, APIRouter, Starlette])
def test_an_app_that_is_still_being_made_is_let_be(kind: Any, caplog: pytest.LogCaptureFixture):
    class App(kind):
        def __init__(self) -> None:
            @event_stream
            def chat() -> Iterator[str]:
                yield "a"

            self.chat = chat
            super().__init__()

    assert App().chat.__name__ == "chat"
    assert caplog.text == ""


def test_globals_without_a_name_are_let_be(caplog: pytest.LogCaptureFixture):
    exec(MODULE, {"__name__": None, "FastAPI": FastAPI, "event_stream": event_stream})
    assert caplog.text.count(TOLD) == 1


@pytest.mark.parametrize("kind", [FastAPI, APIRouter])
def test_so_is_one_in_a_function_that_makes_it(kind: Any, caplog: pytest.LogCaptureFixture):
    router = kind()

    @event_stream(ping=5)
    @router.post("/", response_model=None)
    def chat() -> Iterator[str]:
        yield "a"

    assert caplog.text.count(TOLD) == 1


def test_a_route_that_was_given_the_bare_function_is_found_too(caplog: pytest.LogCaptureFixture):
    def chat(request: Any) -> Iterator[str]:
        yield "a"

    app = Starlette(routes=[Route("/", chat)])
    event_stream(chat)
    assert caplog.text.count(TOLD) == 1
    assert app.routes


def test_the_right_order_is_not_warned_of(caplog: pytest.LogCaptureFixture):
    app = FastAPI()

    @app.get("/")
    @app.post("/")
    @event_stream
    def chat() -> Iterator[str]:
        yield "a"

    @event_stream
    def lonely() -> Iterator[str]:
        yield "a"

    assert caplog.text == ""


class Lazy:
    """Whoever looks at its class has it made."""

    @property
    def __class__(self) -> Any:
        raise LookupError("made too early")


def test_lazy_objects_beside_it_are_left_alone(caplog: pytest.LogCaptureFixture):
    app, lazy = FastAPI(), Lazy()

    @event_stream
    @app.get("/", response_model=None)
    def chat() -> Iterator[str]:
        yield "a"

    assert TOLD in caplog.text
    assert type(lazy) is Lazy
