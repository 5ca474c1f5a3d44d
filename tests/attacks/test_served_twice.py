"""Attack: one object that serves a request is given to two, one after the other and both at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

from sse_bridge import asgi, wsgi
from sse_bridge.flask import EventSourceResponse as FlaskResponse
from sse_bridge.registry import streams
from sse_bridge.starlette import EventSourceResponse
from turning import Client, scope

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
WORDS = b"data: a\n\ndata: b\n\n" + DONE

mine: ContextVar[str] = ContextVar("mine", default="nobody's")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    streams.__init__()  # type: ignore[misc]
    yield
    assert (streams.open, streams.stragglers) == (0, 0)


def words(_: Any = None) -> Iterator[str]:
    for word in ("a", "b"):
        assert mine.get() == "nobody's", "what another request has set is seen"
        yield word
    mine.set("somebody's")


async def words_in_a_task(_: Any = None) -> AsyncIterator[str]:
    for word in ("a", "b"):
        assert mine.get() == "nobody's", "what another request has set is seen"
        yield word
        await asyncio.sleep(0)
    mine.set("somebody's")


FUNCTIONS = {"sync": words, "async": words_in_a_task}


async def ask(app: Any) -> bytes:
    """What it answers, or the error that it leaves to the server before there is an answer."""
    client = Client()
    try:
        await app(scope(), client.receive, client.send)
    except RuntimeError as error:
        assert not client.sent, "a refusal comes before the answer"
        return str(error).encode()
    return b"".join(message.get("body", b"") for message in client.sent)


def served_twice(app: Any, *, at_once: bool) -> list[bytes]:
    async def both() -> list[bytes]:
        if at_once:
            return list(await asyncio.gather(ask(app), ask(app)))
        return [await ask(app), await ask(app)]

    return asyncio.run(asyncio.wait_for(both(), 5))


ASGI: dict[str, Callable[[Any], Any]] = {
    "the bare app": asgi.EventStream,
    "the response": EventSourceResponse,
    "the bare app in a middleware": lambda source: asgi.Middleware(asgi.EventStream(source)),
    "the response in a middleware": lambda source: asgi.Middleware(EventSourceResponse(source)),
}


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("face", ASGI)
def test_an_asgi_face_with_a_callable_serves_each_request_from_a_source_and_a_context_of_its_own(
    face: str, kind: str, at_once: bool
):
    assert served_twice(ASGI[face](FUNCTIONS[kind]), at_once=at_once) == [WORDS, WORDS]


@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("face", ASGI)
def test_an_asgi_face_with_a_source_refuses_a_second_request(face: str, kind: str, at_once: bool):
    first, second = served_twice(ASGI[face](FUNCTIONS[kind]()), at_once=at_once)
    assert first == WORDS
    assert b"serves one request" in second


def test_a_response_that_was_discarded_refuses_the_next_request():
    response = EventSourceResponse(words())
    finished = {**scope(), "headers": [(b"last-event-id", b"[DONE]")]}

    async def both() -> bytes:
        client = Client()
        await response(finished, client.receive, client.send)
        return await ask(response)

    assert b"serves one request" in asyncio.run(both())


def test_an_endpoint_that_gives_one_response_for_ever_is_a_500_the_second_time():
    response = EventSourceResponse(words())

    async def endpoint(_: Any) -> Any:
        return response

    app = Starlette(routes=[Route("/", endpoint)])
    first, second = Client(), Client()

    async def both() -> None:
        await app(scope(), first.receive, first.send)
        with pytest.raises(RuntimeError, match="serves one request"):
            await app(scope(), second.receive, second.send)

    asyncio.run(both())
    assert [first.sent[0]["status"], second.sent[0]["status"]] == [200, 500]


# -- WSGI -----------------------------------------------------------------------------------------


def environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }


class Call:
    """A WSGI request, whose body is walked step by step."""

    def __init__(self, app: Any) -> None:
        self.statuses: list[str] = []
        self._body = app(environ(), lambda status, *_: self.statuses.append(status))
        self._items = iter(self._body)

    def next(self) -> bytes:
        return bytes(next(self._items, b""))

    def rest(self) -> bytes:
        said = b"".join(self._items)
        self.close()
        return said

    def close(self) -> None:
        if hasattr(self._body, "close"):
            self._body.close()


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("wrap", [lambda app: app, wsgi.Middleware], ids=["bare", "middleware"])
def test_the_bare_wsgi_app_serves_each_request_from_a_callables_own_source(kind: str, wrap: Any):
    app = wrap(wsgi.EventStream(FUNCTIONS[kind]))
    first, second = Call(app), Call(app)
    assert (first.rest(), second.rest()) == (WORDS, WORDS)


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("wrap", [lambda app: app, wsgi.Middleware], ids=["bare", "middleware"])
def test_the_bare_wsgi_app_with_a_source_refuses_a_second_request(kind: str, wrap: Any):
    app = wrap(wsgi.EventStream(FUNCTIONS[kind]()))
    first = Call(app)
    with pytest.raises(RuntimeError, match="serves one request"):
        Call(app)
    assert first.rest() == WORDS


def test_of_many_threads_that_ask_at_once_one_gets_the_source():
    app, start, answers = wsgi.EventStream(words()), threading.Barrier(16), []

    def serve() -> None:
        start.wait(5)
        try:
            answers.append(Call(app).rest())
        except RuntimeError as error:
            answers.append(str(error).encode())

    threads = [threading.Thread(target=serve) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 16
    assert answers.count(WORDS) == 1
    assert sum(b"serves one request" in answer for answer in answers) == 15


def flask_response(source: Any) -> Any:
    with Flask(__name__).test_request_context():
        return FlaskResponse(source)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_flask_response_that_is_served_twice_in_turn_is_refused_the_second_time(kind: str):
    response = flask_response(FUNCTIONS[kind])
    assert Call(response).rest() == WORDS
    with pytest.raises(RuntimeError, match="serves one request, and has been used already"):
        Call(response)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_flask_response_that_is_served_twice_at_once_gives_all_to_the_first(kind: str):
    response = flask_response(FUNCTIONS[kind]())
    first = Call(response)
    begun = first.next()
    with pytest.raises(RuntimeError, match="serves one request, and has been used already"):
        Call(response)
    assert begun + first.rest() == WORDS


def test_a_flask_response_that_was_read_whole_is_served_as_often_as_one_likes():
    response = flask_response(words)
    response.freeze()
    assert [Call(response).rest(), Call(response).rest()] == [WORDS, WORDS]


def test_the_body_of_a_flask_response_is_walked_by_one():
    response = flask_response(words)
    walked = iter(response.response)
    with pytest.raises(RuntimeError, match="serves one request, and has been used already"):
        iter(response.response)
    assert b"".join(walked) == WORDS
    response.close()
