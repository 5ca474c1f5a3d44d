"""The decorator for endpoints of Starlette and FastAPI."""

from __future__ import annotations

import enum
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ForwardRef

import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sse_bridge import UpstreamError
from sse_bridge.registry import streams
from sse_bridge.starlette import EventSourceResponse, event_stream

if TYPE_CHECKING:
    from decimal import Decimal

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
BODY = b"data: a\n\ndata: b\n\n" + DONE


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    yield
    assert streams.open == 0


def generator(request: Request) -> Iterator[str]:
    """What it tells."""
    yield from ["a", "b"]


async def async_generator(request: Request) -> AsyncIterator[str]:
    yield "a"
    yield "b"


def returns_generator(request: Request) -> Any:
    return generator(request)


def returns_iterator(request: Request) -> Any:
    return iter(["a", "b"])


def returns_callable(request: Request) -> Any:
    return lambda: generator(request)


async def coroutine(request: Request) -> Any:
    return async_generator(request)


async def coroutine_of_sync(request: Request) -> Any:
    return generator(request)


async def coroutine_of_awaitable(request: Request) -> Any:
    return coroutine(request)


ENDPOINTS = [
    generator,
    async_generator,
    returns_generator,
    returns_iterator,
    returns_callable,
    coroutine,
    coroutine_of_sync,
    coroutine_of_awaitable,
    functools.partial(generator),
]


def ask(endpoint: Any, path: str = "/", **more: Any) -> Any:
    with TestClient(Starlette(routes=[Route("/", endpoint)]), **more) as client:
        return client.get(path)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_kind_of_endpoint_streams(endpoint: Any):
    for decorated in (event_stream(endpoint), event_stream()(endpoint)):
        response = ask(decorated)
        assert response.content == BODY
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_options_status_and_headers_are_the_routes():
    response = ask(event_stream(status_code=201, headers={"X-Own": "1"}, retry=5)(generator))
    assert (response.status_code, response.headers["x-own"]) == (201, "1")
    assert response.content.startswith(b"retry: 5\n")


def test_it_keeps_the_endpoints_name_and_docstring():
    decorated = event_stream(generator)
    assert (decorated.__name__, decorated.__doc__) == ("generator", "What it tells.")


def test_a_method_of_an_http_endpoint_streams():
    class Chat(HTTPEndpoint):
        @event_stream
        async def get(self, request: Request) -> AsyncIterator[str]:
            yield request.query_params["q"]

    assert ask(Chat, "/?q=x").content == b"data: x\n\n" + DONE


def test_a_sync_endpoint_runs_in_the_thread_pool_as_ever():
    threads: list[threading.Thread] = []

    def endpoint(request: Request) -> Any:
        threads.append(threading.current_thread())
        return iter(["a", "b"])

    assert ask(event_stream(endpoint)).content == BODY
    assert "AnyIO worker thread" in threads[0].name


class Called:
    async def __call__(self, number: int) -> Any:
        return {"number": number}


class Streaming:
    async def __call__(self, number: int) -> AsyncIterator[str]:
        yield str(number)


@pytest.mark.parametrize(
    "endpoint, answer",
    [
        (Called(), b'{"number":5}'),
        (functools.partial(Called()), b'{"number":5}'),
        (Streaming(), b"data: 5\n\n" + DONE),
        (functools.partial(Streaming()), b"data: 5\n\n" + DONE),
    ],
)
def test_objects_that_are_called_and_partials_keep_their_parameters(endpoint: Any, answer: bytes):
    app, client = fastapi_client()
    app.get("/{number}", name="called")(event_stream(endpoint))
    assert client.get("/5").content == answer
    assert client.get("/x").status_code == 422
    assert client.get("/openapi.json").status_code == 200


class Level(enum.Enum):
    HIGH = "high"


@pytest.mark.parametrize("wrong", [5, "x", None, HTTPEndpoint])
def test_it_decorates_functions_only(wrong: Any):
    with pytest.raises(TypeError, match="decorates an endpoint's function, got"):
        event_stream()(wrong)


def test_a_dialect_where_the_endpoint_is_expected_is_asked_about():
    with pytest.raises(TypeError, match=r"did you mean dialect='delta'\?"):
        event_stream("delta")  # type: ignore[call-overload]


# -- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [PlainTextResponse, JSONResponse, StreamingResponse])
def test_responses_pass(make: Any):
    def endpoint(request: Request) -> Any:
        return make(["x"] if make is StreamingResponse else "x", 418)

    bare, decorated = ask(endpoint), ask(event_stream(endpoint))
    assert (decorated.status_code, decorated.content) == (418, bare.content)
    assert decorated.headers == bare.headers


def test_a_response_of_ours_passes():
    response = ask(event_stream(lambda request: EventSourceResponse(generator(request), 201)))
    assert (response.status_code, response.content) == (201, BODY)


def by_hand(*frames: str, **more: Any) -> Callable[[Request], Any]:
    return lambda request: StreamingResponse(iter(frames), media_type="text/event-stream", **more)


def test_a_hand_made_stream_keeps_its_status_headers_frames_and_background():
    ran: list[int] = []
    more = {"headers": {"X-Own": "1"}, "background": BackgroundTask(ran.append, 1)}
    response = ask(event_stream(by_hand("id: 1\nda", "ta: x\n\n", status_code=201, **more)))
    assert (response.status_code, response.headers["x-own"]) == (201, "1")
    assert response.headers["x-accel-buffering"] == "no"
    assert (response.content, ran) == (b"id: 1\ndata: x\n\n", [1])


def test_a_failures_body_passes_whatever_its_type_says():
    response = ask(event_stream(by_hand('{"detail": "no"}', status_code=401)))
    assert (response.status_code, response.content) == (401, b'{"detail": "no"}')
    assert "x-accel-buffering" not in response.headers


# -- FastAPI --------------------------------------------------------------------------------------


class Item(BaseModel):
    name: str


order: list[str] = []


async def opened() -> AsyncIterator[str]:
    order.append("open")
    yield "session"
    order.append("close")


def fastapi_client() -> tuple[FastAPI, TestClient]:
    app = FastAPI()
    return app, TestClient(app)


def test_parameters_bodies_and_dependencies_work_through_it():
    app, client = fastapi_client()
    order.clear()

    @app.post("/items/{number}")
    @event_stream
    async def tell(
        number: int, item: Item, session: Annotated[str, Depends(opened)], q: str = Query("q")
    ) -> AsyncIterator[str]:
        order.append("stream")
        yield f"{number} {item.name} {session} {q}"

    response = client.post("/items/5?q=asked", json={"name": "tea"})
    assert response.content == b"data: 5 tea session asked\n\n" + DONE
    assert sorted(order) == ["close", "open", "stream"]
    assert client.post("/items/x", json={}).status_code == 422


@pytest.mark.parametrize("is_async", [True, False])
def test_its_docs_have_the_parameters_and_the_media_type(is_async: bool):
    app, client = fastapi_client()

    async def tell(number: int) -> AsyncIterator[Item]:
        """Tell it."""
        yield Item(name="x")

    def tell_sync(number: int) -> Iterator[Item]:
        """Tell it."""
        yield Item(name="x")

    endpoint = tell if is_async else tell_sync
    app.get("/{number}", response_class=EventSourceResponse)(event_stream(endpoint))
    operation = client.get("/openapi.json").json()["paths"]["/{number}"]["get"]
    assert operation["description"] == "Tell it."
    assert operation["parameters"][0]["schema"]["type"] == "integer"
    assert list(operation["responses"]["200"]["content"]) == ["text/event-stream"]
    assert client.get("/5").content == b'data: {"name":"x"}\n\n' + DONE


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], "text", 5, None, Item(name="x"), Level.HIGH])
def test_values_are_json_as_without_it(value: Any):
    app, client = fastapi_client()
    app.get("/bare")(lambda: value)
    app.get("/decorated")(event_stream(lambda: value))
    assert client.get("/decorated").json() == client.get("/bare").json()


def test_names_for_type_checkers_only_cost_the_others_nothing():
    def tell(request: Request, unknown: Decimal | None = None) -> Iterator[Decimal]:
        yield "a"

    decorated = event_stream(tell)
    first, second = inspect.signature(decorated).parameters.values()
    assert (first.annotation, second.annotation) == (Request, ForwardRef("Decimal | None"))
    assert ask(decorated).content.startswith(b"data: a\n\n")


def test_an_early_failure_is_a_status():
    app, client = fastapi_client()

    @app.get("/")
    @event_stream
    def tell() -> Iterator[str]:
        raise UpstreamError("own words", status_code=429)
        yield ""

    response = client.get("/")
    assert response.status_code == 429
    assert "own words" not in response.text


def test_a_failure_in_an_endpoint_that_opens_the_model_itself_is_a_status_too():
    async def tell(request: Request) -> Any:
        raise UpstreamError("own words", status_code=429)

    assert ask(event_stream(tell)).status_code == 429
    with TestClient(Starlette(routes=[Route("/", event_stream(tell))])) as client:
        assert client.head("/").status_code == 429
        assert client.get("/", headers={"Last-Event-ID": "[DONE]"}).status_code == 429


def test_a_generator_endpoint_with_our_response_class_is_told_of_the_decorator():
    pytest.importorskip("fastapi.sse", reason="this FastAPI makes JSON of a generator endpoint")
    app, client = fastapi_client()

    @app.get("/", response_class=EventSourceResponse)
    async def tell() -> AsyncIterator[str]:
        yield "a"

    with pytest.raises(TypeError, match=r"decorate .* with sse_bridge\.starlette\.event_stream"):
        client.get("/")


def test_a_response_without_a_source_says_so():
    with pytest.raises(TypeError, match="EventSourceResponse needs a source"):
        EventSourceResponse()
