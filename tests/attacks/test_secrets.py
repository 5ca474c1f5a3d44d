"""Attacks on what must not be told: what an exception knows stays off the wire, in every face and dialect."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, Response, stream_with_context
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from chunks import openai_chunk
from endless import APPS
from sse_bridge import UpstreamError, asgi, wsgi
from sse_bridge.testing import Client

KEY = "sk-proj-4f1e0c77aTOPSECRET"
DIALECTS = ["plain", "delta", "openai"]
FACES = list(APPS)
# What a body must not have in it, whatever went wrong.
NEVER = [
    *(
        KEY,
        "TOPSECRET",
        "Traceback",
        'File "',
        "raise ",
        "/srv/app",
        "hunter2",
        "SELECT",
        "10.0.0.7",
        "alice",
    ),
    *(
        "Odd",
        "OddError",
        "RuntimeError",
        "KeyError",
        "LookupError",
        "ExceptionGroup",
        "sse_bridge",
        "test_secrets",
    ),
]


class OddError(Exception):
    """An exception of the app's own, that has more to tell than its message."""

    def __init__(self, message: str = KEY) -> None:
        super().__init__(message)
        self.api_key = self.detail = self.body = self.description = KEY
        self.request = self.response = {"authorization": f"Bearer {KEY}", "status_code": KEY}
        self.code = self.type = self.status = KEY

    def __str__(self) -> str:
        return f"{self.api_key} at /srv/app/chat.py"


def in_message() -> Exception:
    return RuntimeError(f"401: key {KEY} of alice is wrong, file /srv/app/.env")


def in_a_url() -> Exception:
    return LookupError("https://alice:hunter2@10.0.0.7/v1?api_key=" + KEY)


def in_sql() -> Exception:
    return RuntimeError(f"SELECT * FROM users WHERE token = '{KEY}'")


def in_the_environment() -> Exception:
    return KeyError(f"OPENAI_API_KEY={KEY}; {dict(os.environ)}")


def in_a_path() -> Exception:
    return FileNotFoundError(errno.ENOENT, "No such file", f"/srv/app/{KEY}.pem")


def in_attributes() -> Exception:
    return OddError()


def in_a_cause() -> Exception:
    error = RuntimeError("oops")
    error.__cause__, error.__context__ = OddError(), in_sql()
    return error


def in_a_note() -> Exception:
    error = RuntimeError("oops")
    error.add_note(f"the key was {KEY}")
    return error


def in_a_group() -> Exception:
    return ExceptionGroup(
        f"all of {KEY}", [OddError(), in_a_url(), ExceptionGroup(KEY, [in_sql()])]
    )


def in_an_upstreams_words() -> Exception:
    return UpstreamError(f"invalid key {KEY} for alice", status_code=401, code=f"invalid_{KEY}")


def in_a_timeout() -> Exception:
    return TimeoutError(f"reading https://alice:hunter2@10.0.0.7 with {KEY}")


def in_what_cannot_be_written() -> Exception:
    return UnicodeEncodeError("ascii", KEY, 0, 1, f"cannot write {KEY}")


def in_a_loud_class() -> Exception:
    return type(KEY, (Exception,), {"__module__": f"openai.{KEY}"})(KEY)


ERRORS = [
    in_message,
    in_a_url,
    in_sql,
    in_the_environment,
    in_a_path,
    in_attributes,
    in_a_cause,
    in_a_note,
    in_a_group,
    in_an_upstreams_words,
    in_a_timeout,
    in_what_cannot_be_written,
    in_a_loud_class,
]


def sync(before: list[Any], error: Callable[[], BaseException]) -> Callable[[], Any]:
    def source() -> Iterator[Any]:
        yield from before
        raise error()

    return source


def task(before: list[Any], error: Callable[[], BaseException]) -> Callable[[], Any]:
    async def source() -> AsyncIterator[Any]:
        for chunk in before:
            yield chunk
            await asyncio.sleep(0)
        raise error()

    return source


KINDS = {"sync": sync, "async": task}


def asked(app: Any, **headers: str) -> tuple[int, str]:
    """The status, and all that a client gets to see."""
    with Client(app, raise_app_exceptions=False).stream("GET", "/", headers=headers) as answer:
        if answer.status_code == 200:
            with suppress(AssertionError):  # of our own test client: the stream was cut
                answer.read()
        told = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        return answer.status_code, f"{told}\n{answer.body.decode()}"


def tells_nothing(told: str) -> None:
    found = [word for word in NEVER if word in told]
    assert not found, told


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_exception_before_the_first_chunk_tells_its_secret_in_the_answer(face: str, kind: str):
    for error in ERRORS:
        status, told = asked(APPS[face](KINDS[kind]([], error)))
        assert status >= 500
        tells_nothing(told)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_exception_behind_what_says_nothing_yet_tells_its_secret(face: str, kind: str):
    for error in ERRORS:
        status, told = asked(APPS[face](KINDS[kind](["", None], error)))
        assert status >= 500
        tells_nothing(told)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_exception_in_mid_stream_tells_its_secret_in_its_last_frame(
    face: str, dialect: str, kind: str
):
    for error in ERRORS:
        status, told = asked(APPS[face](KINDS[kind](["a"], error), dialect=dialect))
        assert status == 200
        assert "The answer was interrupted by an error." in told
        tells_nothing(told)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_exception_on_a_stream_without_hold_tells_its_secret(dialect: str):
    for error in ERRORS:
        for face in FACES:
            _, told = asked(APPS[face](sync([], error), dialect=dialect, hold=0))
            tells_nothing(told)


@pytest.mark.parametrize(
    "end", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_would_end_a_process_tells_no_secret_on_its_way(end: type[BaseException], kind: str):
    for face in FACES:
        for before in ([], ["a"]):
            _, told = asked(APPS[face](KINDS[kind](before, lambda: end(KEY))))
            tells_nothing(told)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_service_says_of_its_failure_in_band_stays_in_the_log(dialect: str):
    words = {"message": f"key {KEY} of alice", "type": KEY, "param": KEY, "code": KEY}
    chunks = [openai_chunk({"content": "a"}), {"error": words}]
    for before in (chunks, chunks[1:]):
        for face in FACES:
            app = APPS[face](lambda before=before: iter(before), dialect=dialect, adapter="openai")
            _, told = asked(app)
            tells_nothing(told)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_chunk_that_cannot_be_written_shows_none_of_what_is_in_it(dialect: str):
    for chunk in ({"key": KEY, "x": float("nan")}, {"x": OddError()}, {KEY: {1, object()}}):
        for before in ([], ["a"]):
            for face in FACES:
                app = APPS[face](lambda c=chunk, b=before: iter([*b, c]), dialect=dialect)
                _, told = asked(app)
                tells_nothing(told)


# -- callbacks -------------------------------------------------------------------------------------


def loud(*_: object) -> Any:
    raise in_a_cause()


class LoudText:
    def __str__(self) -> str:
        raise OddError


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "describe", [loud, lambda _: LoudText(), lambda _: None], ids=["raises", "text", "none"]
)
def test_a_describe_that_raises_tells_neither_its_own_secret_nor_the_failures(
    dialect: str, describe: Any
):
    for error in ERRORS:
        _, told = asked(APPS["flask"](sync(["a"], error), dialect=dialect, describe=describe))
        assert "The answer was interrupted by an error." in told
        tells_nothing(told)


def test_a_describe_that_raises_before_the_first_chunk_tells_no_secret_either():
    for face in FACES:
        for error in ERRORS:
            _, told = asked(APPS[face](sync([], error), describe=loud))
            tells_nothing(told)


@pytest.mark.parametrize("word", ["on_end", "cancel"])
def test_what_on_end_and_cancel_raise_is_not_told(word: str):
    for face in FACES:
        for before in (["a"], ["a", "b"]):
            _, told = asked(APPS[face](sync(before, in_attributes), **{word: loud}))
            tells_nothing(told)


def test_what_a_json_default_raises_is_not_told():
    for face in FACES:
        app = APPS[face](lambda: iter(["a", {"x": object()}]), json_default=loud)
        _, told = asked(app)
        tells_nothing(told)


def test_what_the_sources_cleanup_raises_is_not_told():
    def cleaning() -> Iterator[str]:
        try:
            yield "a"
        finally:
            raise in_a_cause()

    for face in FACES:
        _, told = asked(APPS[face](cleaning))
        tells_nothing(told)


# -- middlewares -----------------------------------------------------------------------------------

HTML = "text/html"


def by_hand_wsgi(error: Callable[[], Exception], before: list[str]) -> Any:
    app = Flask("by hand")

    @app.get("/")
    def view() -> Response:
        def frames() -> Iterator[str]:
            yield from before
            raise error()

        return Response(stream_with_context(frames()), mimetype="text/event-stream")

    return wsgi.Middleware(app)


def by_hand_asgi(error: Callable[[], Exception], before: list[str]) -> Any:
    async def endpoint(_: Any) -> StreamingResponse:
        async def frames() -> AsyncIterator[str]:
            for frame in before:
                yield frame
            raise error()

        return StreamingResponse(frames(), media_type="text/event-stream")

    return asgi.Middleware(Starlette(routes=[Route("/", endpoint)]))


@pytest.mark.parametrize("wrapped", [by_hand_wsgi, by_hand_asgi])
@pytest.mark.parametrize("before", [[], ["data: a\n\n"], ["data: a\n\ndata: ha"], [": only\n\n"]])
def test_a_middleware_tells_no_secret_of_the_app_that_it_wraps(wrapped: Any, before: list[str]):
    for error in ERRORS:
        _, told = asked(wrapped(error, before))
        tells_nothing(told)


@pytest.mark.parametrize("wrapped", [by_hand_wsgi, by_hand_asgi])
def test_a_client_that_asks_for_html_gets_no_debuggers_page(wrapped: Any):
    for before in ([], ["data: a\n\n"]):
        _, told = asked(wrapped(in_a_cause, before), Accept=HTML)
        assert "<html" not in told.lower()
        tells_nothing(told)


# -- what is told on purpose -----------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS)
def test_the_code_of_a_failure_is_one_of_our_own_words_whatever_the_service_calls_it(error: Any):
    from sse_bridge.codes import CODES

    _, told = asked(APPS["wsgi"](sync(["a"], error)))
    data = told.rpartition("data: ")[2].partition("\n")[0]
    failure = json.loads(data)
    assert failure.keys() == {"code", "message", "retryable"}
    assert failure["code"] in CODES
    assert isinstance(failure["retryable"], bool)


def test_the_summary_has_the_secret_that_the_client_is_not_told():
    """So it is not lost: `on_end` has it, and the log."""
    told: list[Any] = []
    asked(APPS["wsgi"](sync(["a"], in_attributes), on_end=told.append))
    assert str(told[0].error).startswith(KEY)


@pytest.mark.parametrize("face", FACES)
def test_an_app_that_tells_the_secret_itself_is_found_out_here(face: str):
    """These tests can fail."""
    _, told = asked(APPS[face](sync(["a"], in_message), describe=str))
    with pytest.raises(AssertionError):
        tells_nothing(told)
