"""A failure before the first byte, as the HTTP answer that it becomes: the same in every face."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import requests
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware as Layer
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.exceptions import HTTPException as FlaskHTTPException
from werkzeug.test import Client

from sse_bridge import UpstreamError, asgi, flask, starlette, wsgi
from sse_bridge.answers.early import early_answer
from sse_bridge.options import Options

SECRET = "the vendor's secret words"
REQUEST = httpx.Request("POST", "http://model.test/")


def rate_limit(after: str | None = None) -> Exception:
    headers = {} if after is None else {"Retry-After": after}
    response = httpx.Response(429, request=REQUEST, headers=headers)
    return openai.RateLimitError(SECRET, response=response, body=None)


def status(code: int, **headers: str) -> Exception:
    response = httpx.Response(code, request=REQUEST, headers=headers)
    return httpx.HTTPStatusError(SECRET, request=REQUEST, response=response)


class Own(Exception):
    """An app's own, with a status and a code of its own."""

    status_code = 403
    code = "invalid"


UPSTREAM: list[tuple[Exception, int]] = [
    (rate_limit(), 429),
    (status(401), 502),
    (status(500), 502),
    (status(503), 503),
    (httpx.ReadTimeout(SECRET), 504),
    (requests.ConnectionError(SECRET), 502),
    (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), 502),
    (TimeoutError(SECRET), 504),
    (UpstreamError(SECRET, code="context_length_exceeded"), 400),
    (UpstreamError(SECRET, status_code=503), 503),
]
OWN: list[Exception] = [LookupError(SECRET), Own(SECRET), ValueError(SECRET)]

# -- the faces -------------------------------------------------------------------------------------

Answer = tuple[int, dict[str, str], str]
Ask = Callable[..., Answer]


def failing(error: Exception) -> Iterator[Any]:
    raise error
    yield


def of_werkzeug(app: Any) -> Answer:
    answer = Client(app).get("/")
    return answer.status_code, dict(answer.headers), answer.text


def of_starlette(app: Any) -> Answer:
    answer = TestClient(app, raise_server_exceptions=False).get("/")
    headers = {name.title(): value for name, value in answer.headers.items()}
    return answer.status_code, headers, answer.text


def by_flask(error: Exception, **options: Any) -> Answer:
    app = Flask("test")
    app.route("/")(flask.event_stream(**options)(lambda: failing(error)))
    return of_werkzeug(app)


def by_starlette(error: Exception, **options: Any) -> Answer:
    async def endpoint(request: Any) -> Any:
        return starlette.EventSourceResponse(failing(error), **options)

    return of_starlette(Starlette(routes=[Route("/", endpoint)]))


def by_wsgi(error: Exception, **options: Any) -> Answer:
    return of_werkzeug(wsgi.EventStream(lambda environ: failing(error), **options))


def by_asgi(error: Exception, **options: Any) -> Answer:
    return of_starlette(asgi.EventStream(lambda scope: failing(error), **options))


def by_wsgi_middleware(error: Exception, **options: Any) -> Answer:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return failing(error)

    return of_werkzeug(wsgi.Middleware(app, **options))


def by_asgi_middleware(error: Exception, **options: Any) -> Answer:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise error

    return of_starlette(asgi.Middleware(app, **options))


FACES: dict[str, Ask] = {
    "flask": by_flask,
    "starlette": by_starlette,
    "wsgi": by_wsgi,
    "asgi": by_asgi,
    "wsgi middleware": by_wsgi_middleware,
    "asgi middleware": by_asgi_middleware,
}
every_face = pytest.mark.parametrize("ask", FACES.values(), ids=FACES.keys())


# -- what is told ----------------------------------------------------------------------------------


@every_face
@pytest.mark.parametrize("error, code", UPSTREAM, ids=lambda value: type(value).__name__)
def test_an_upstreams_failure_is_told_by_its_status_and_not_in_its_words(
    ask: Ask, error: Exception, code: int, caplog: pytest.LogCaptureFixture
):
    answered, _, body = ask(error)
    assert answered == code
    assert SECRET not in body
    told = [record for record in caplog.records if record.exc_info and record.exc_info[1] is error]
    assert told, "what the client is not told is in the log"


@every_face
@pytest.mark.parametrize("after", ["7", "1.5", "Wed, 21 Oct 2037 07:28:00 GMT"])
def test_when_to_try_again_is_kept(ask: Ask, after: str):
    _, headers, _ = ask(rate_limit(after))
    assert headers["Retry-After"] in (after, "2")  # of a fraction Flask makes whole seconds


@every_face
@pytest.mark.parametrize("after", ["", "soon", "-1", "7\tx"])
def test_what_is_no_time_to_try_again_is_not(ask: Ask, after: str):
    assert "Retry-After" not in ask(rate_limit(after))[1]


@every_face
def test_only_who_may_be_asked_again_is_said_when(ask: Ask):
    assert "Retry-After" not in ask(status(500, retry_after="7"))[1]


@every_face
def test_the_apps_own_sentence_is_told(ask: Ask):
    assert "the app's own" in ask(rate_limit(), describe=lambda error: "the app's own")[2].replace(
        "&#39;", "'"
    )


@every_face
def test_our_sentence_is_told_where_it_has_none(ask: Ask):
    assert "The model is asked too often." in ask(rate_limit())[2]


@pytest.mark.parametrize("error", OWN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["flask", "starlette", "asgi", "asgi middleware"])
def test_what_is_the_apps_own_is_raised_as_it_is(
    name: str, error: Exception, caplog: pytest.LogCaptureFixture
):
    assert FACES[name](error)[0] == 500
    assert early_answer(error, Options()) is None


@pytest.mark.parametrize("error", OWN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("ask", [by_wsgi, by_wsgi_middleware])
def test_under_wsgi_too(ask: Ask, error: Exception):
    with pytest.raises(type(error)):
        ask(error)


@pytest.mark.parametrize("ask", [by_wsgi, by_wsgi_middleware])
def test_under_wsgi_an_oserror_of_the_apps_own_is_answered_as_well(
    ask: Ask, caplog: pytest.LogCaptureFixture
):
    error = FileNotFoundError(2, SECRET)
    answered, _, body = ask(error)
    assert (answered, body) == (500, "Internal Server Error")
    assert caplog.records[-1].exc_info[1] is error


@pytest.mark.parametrize(
    "error, kind, code",
    [
        (ConnectionResetError("x"), UpstreamError, 502),
        (TimeoutError("x"), UpstreamError, 504),
        (requests.ConnectionError("x"), UpstreamError, 502),
        (PermissionError("x"), RuntimeError, None),
    ],
)
def test_what_raises_no_answer_raises_no_oserror_either(
    error: Exception, kind: type[Exception], code: int | None
):
    with pytest.raises(kind) as raised:
        wsgi.stream(failing(error), {"REQUEST_METHOD": "GET"})
    assert not isinstance(raised.value, OSError)
    assert raised.value.__cause__ is error
    assert getattr(raised.value, "status_code", None) == code


# -- the app's own handlers ------------------------------------------------------------------------


def flask_app(error: Exception) -> Flask:
    app = Flask("test")
    app.route("/")(flask.event_stream(lambda: failing(error)))
    return app


def starlette_app(error: Exception, **more: Any) -> Starlette:
    async def endpoint(request: Any) -> Any:
        return starlette.EventSourceResponse(failing(error))

    return Starlette(routes=[Route("/", endpoint)], **more)


@pytest.mark.parametrize("kind", [openai.RateLimitError, openai.APIStatusError, openai.OpenAIError])
def test_a_handler_for_the_sdks_class_comes_first(kind: type[Exception]):
    app = flask_app(rate_limit())
    app.register_error_handler(kind, lambda error: (f"own {type(error).__name__}", 418))
    assert of_werkzeug(app)[::2] == (418, "own RateLimitError")

    async def handle(request: Any, error: Exception) -> Any:
        return PlainTextResponse(f"own {type(error).__name__}", 418)

    other = starlette_app(rate_limit(), exception_handlers={kind: handle})
    assert of_starlette(other)[::2] == (418, "own RateLimitError")


def test_a_handler_for_any_exception_is_handed_the_frameworks_own():
    app = flask_app(rate_limit())
    seen: list[Exception] = []

    def handle(error: Exception) -> Any:
        seen.append(error)
        return error if isinstance(error, FlaskHTTPException) else ("oh", 500)

    app.register_error_handler(Exception, handle)
    assert of_werkzeug(app)[0] == 429
    assert isinstance(seen[0].__cause__, openai.RateLimitError)


def test_a_handler_for_the_status_words_it():
    app = flask_app(rate_limit())
    app.register_error_handler(429, lambda error: ({"own": error.description}, 429))
    assert "own" in of_werkzeug(app)[2]


def test_a_handler_is_told_what_the_failure_is_as_a_streams_last_event_tells_it():
    told = ("The model is asked too often. Try again later.", "rate_limited", True)
    seen: list[Any] = []
    app = flask_app(rate_limit())
    app.register_error_handler(429, lambda error: seen.append(error.failure) or error)

    async def handle(request: Any, error: Any) -> Any:
        seen.append(error.failure)
        return PlainTextResponse(error.detail, error.status_code)

    of_werkzeug(app)
    of_starlette(starlette_app(rate_limit(), exception_handlers={429: handle}))
    assert seen == [told, told]
    assert (seen[0].message, seen[0].code, seen[0].retryable) == told


def test_a_page_of_another_origin_can_read_it():
    layers = [Layer(CORSMiddleware, allow_origins=["http://page.test"])]
    app = starlette_app(rate_limit("7"), middleware=layers)
    answer = TestClient(app).get("/", headers={"Origin": "http://page.test"})
    assert answer.status_code == 429
    assert answer.headers["access-control-allow-origin"] == "http://page.test"
    assert answer.headers["retry-after"] == "7"
    assert "asked too often" in answer.text


def test_describe_that_gives_none_leaves_our_sentence():
    answer = early_answer(rate_limit(), Options(describe=lambda error: None))
    assert answer == early_answer(rate_limit(), Options())


def test_describe_that_takes_two_is_given_the_code():
    answer = early_answer(rate_limit(), Options(describe=lambda error, code: f"told {code}"))
    assert answer is not None
    assert answer.message == "told rate_limited"


def test_describe_that_raises_costs_nothing(caplog: pytest.LogCaptureFixture):
    def describe(error: BaseException) -> str:
        raise LookupError("in describe")

    with caplog.at_level(logging.ERROR):
        answer = early_answer(rate_limit(), Options(describe=describe))
    assert answer is not None
    assert answer.message == "The answer was interrupted by an error."
