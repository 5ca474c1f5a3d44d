"""Attacks by headers: those that an app answers with, and those that a request comes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from endless import APPS
from flasks import get
from sse_bridge import UpstreamError, wsgi
from sse_bridge.media import asks_for_events
from sse_bridge.registry import streams
from sse_bridge.testing import Client

# -- headers ---------------------------------------------------------------------------------------

SPLIT = [
    "a\r\nSet-Cookie: x=1",
    "a\nX: y",
    "a\rX: y",
    "a\r\n\r\n<script>",
    "a\0",
    "a\x0b",
    "a\x7f",
    "\u2028",
    "é€",
]


@pytest.mark.parametrize("face", APPS)
@pytest.mark.parametrize("value", SPLIT, ids=ascii)
def test_a_header_that_would_split_the_answer_is_refused_by_every_face(face: str, value: str):
    for headers in ({"X-Own": value}, {value: "x"}):
        if face in ("starlette", "fastapi"):
            assert status_of(face, headers) == 500
        else:
            with pytest.raises(ValueError, match="headers must have"):
                status_of(face, headers)


def status_of(face: str, headers: dict[str, str]) -> int:
    if face == "flask":
        from flask import Flask

        from sse_bridge.flask import event_stream

        return int(get(Flask("x"), view_func=event_stream(headers=headers)).status_code)
    app = APPS[face](lambda: iter(["a"]), headers=headers)
    with Client(app, raise_app_exceptions=False).stream("GET", "/") as answer:
        return answer.status_code


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "TRANSFER-ENCODING"])
def test_a_length_or_framing_of_the_apps_own_which_would_smuggle_a_request_is_refused(name: str):
    with pytest.raises(ValueError, match="a stream has no length"):
        wsgi.EventStream(lambda _: [], headers={name: "1"})


@pytest.mark.parametrize(
    "status",
    ["200 OK\r\nX: y", "200\nOK", "200 OK\n", "\uff12\uff10\uff10 OK", "2e2", "204 No", "99 x"],
)
def test_a_status_that_would_split_the_answer_is_refused(status: str):
    with pytest.raises(ValueError, match="status must be"):
        wsgi.EventStream(lambda _: [], status=status)


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "text/event-stream\r\nX: y",
        "text/event-streams",
        "",
        "text/event-stream, text/html",
    ],
)
def test_a_media_type_that_is_no_event_streams_is_refused(kind: str):
    from sse_bridge.starlette import EventSourceResponse

    with pytest.raises(ValueError, match="media_type"):
        EventSourceResponse(iter(["a"]), media_type=kind)


# -- what a request says ---------------------------------------------------------------------------

NAMES = [
    "",
    "PLAIN",
    "plain\r\nX: y",
    "plain\0",
    "__class__",
    "../plain",
    "base",
    "relay\n",
    "p" * 100_000,
]


@pytest.mark.parametrize("word", ["dialect", "adapter"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_dialect_that_a_request_names_is_one_of_ours_or_an_error_that_it_never_sees(
    name: str, word: str
):
    from flask import Flask, request

    from sse_bridge.flask import EventSourceResponse

    app = Flask("forwards")
    app.add_url_rule(
        "/", "ask", lambda: EventSourceResponse(iter(["a"]), **{word: request.args["name"]})
    )
    answer = get(app, query_string={"name": name})
    assert answer.status_code == 500
    assert name == "" or name[:20].encode() not in answer.data
    assert "X" not in answer.headers


MEGABYTE = 1024 * 1024
ACCEPTS = [
    *(
        "",
        ",",
        ";",
        ";;;,,,",
        "q=0",
        "\0",
        "\xff" * 100,
        "*/*",
        "text/event-streamx",
        "xtext/event-stream",
    ),
    *(
        ",".join(f"text/x{n};q=0.{n:03}" for n in range(1000)),
        "a" * MEGABYTE,
        "," * MEGABYTE,
        ";" * MEGABYTE,
    ),
    *(
        "text/event-stream;q=0",
        "text/event-stream; q=0.000",
        "text/event-stream;q = 0 ;x",
        "x" * 9 + ";" * 10_000,
    ),
]
GOOD_ACCEPTS = [
    "text/event-stream",
    "TEXT/EVENT-STREAM;q=1",
    "text/event-stream;q=\xff",
    "text/event-stream" + ";" * MEGABYTE,
    "," * 100_000 + "text/event-stream",  # more than any server lets in
    ",".join(f"text/x{n};q=0.{n:03}" for n in range(1000)) + " , text/event-stream;q=0.001",
]


@pytest.mark.parametrize("accept", ACCEPTS, ids=lambda accept: ascii(accept[:30]))
def test_garbage_in_accept_asks_for_no_event_stream(accept: str):
    assert not asks_for_events(accept)


@pytest.mark.parametrize("accept", GOOD_ACCEPTS, ids=lambda accept: ascii(accept[:30]))
def test_garbage_around_it_in_accept_hides_no_event_stream(accept: str):
    assert asks_for_events(accept)


@pytest.mark.parametrize("face", APPS)
@pytest.mark.parametrize(
    "accept", ["\xff,;q=", ",".join(["a/b;q=0.1"] * 1000)], ids=["bytes", "many"]
)
def test_garbage_in_accept_changes_no_byte_of_the_answer(face: str, accept: str):
    app = APPS[face](lambda: iter(["a", "b"]))
    bodies = set()
    for headers in ({}, {"Accept": accept}):
        with Client(app).stream("GET", "/", headers=headers) as answer:
            answer.read()
            bodies.add((answer.status_code, answer.body))
    assert len(bodies) == 1


def test_an_error_that_a_service_words_as_a_header_becomes_none():
    """A Retry-After that would split the answer is left out."""

    class Refused(UpstreamError):
        headers = {"retry-after": "1\r\nSet-Cookie: x=1"}  # noqa: RUF012

    def refused() -> Iterator[str]:
        raise Refused("x", status_code=429)
        yield

    for face in APPS:
        with Client(APPS[face](refused)).stream("GET", "/") as answer:
            assert answer.status_code == 429
            assert "retry-after" not in {name.lower() for name in answer.headers}
            assert "set-cookie" not in {name.lower() for name in answer.headers}


# -- headers that change nothing -------------------------------------------------------------------

ODD_HEADERS = {
    "Range": "bytes=0-1",
    "If-Range": "x",
    "If-None-Match": "*",
    "If-Match": "none",
    "If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT",
    "Expect": "200-maybe",
    "TE": "trailers, deflate;q=0.5",
    "Accept-Encoding": "gzip, identity;q=0",
    "Upgrade": "h2c, websocket",
    "Connection": "upgrade, close, keep-alive",
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "yes",
    "X-HTTP-Method-Override": "DELETE",
    "Origin": "null",
    "Cookie": "a=b; " * 1000,
}
IDS = [
    "",
    "[done]",
    "[DONE] ",
    " [DONE]x",
    "[DONE], [DONE]",
    "[DONE]\x00",
    "x" * 100_000,
    "\xff",
    "0",
    "null",
]


@pytest.mark.parametrize("face", APPS)
def test_no_conditional_or_odd_header_changes_a_byte_of_a_stream(face: str):
    app = APPS[face](lambda: iter(["a", "b"]))
    plain = answered(app, {})
    assert plain[0] == 200
    for name, value in ODD_HEADERS.items():
        assert answered(app, {name: value}) == plain, name
    assert answered(app, ODD_HEADERS) == plain


@pytest.mark.parametrize("face", APPS)
def test_no_garbage_in_last_event_id_is_taken_for_the_end_of_a_stream(face: str):
    app = APPS[face](lambda: iter(["a", "b"]))
    plain = answered(app, {})
    for last in IDS:
        assert answered(app, {"Last-Event-ID": last}) == plain, last


def answered(app: Any, headers: dict[str, str]) -> tuple[int, bytes, list[tuple[str, str]]]:
    with Client(app).stream("GET", "/", headers=headers) as answer:
        answer.read()
        return answer.status_code, answer.body, sorted(answer.headers.items())


@pytest.mark.parametrize("face", APPS)
def test_a_head_request_runs_no_source_and_takes_no_place(face: str):
    ran: list[int] = []

    def source() -> Iterator[str]:
        ran.append(1)
        yield "a"

    app = APPS[face](source, max_streams=0)
    for _ in range(3):
        with Client(app, raise_app_exceptions=False).stream("HEAD", "/") as answer:
            assert answer.body == b""
    assert ran == []
    assert streams.open == 0
