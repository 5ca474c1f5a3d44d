"""What faces are given besides options is checked where it is given, by name and with the value."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask

from sse_bridge import asgi, flask, starlette, wsgi
from wsgi_server import Server

NAMED = {
    "flask's decorator": lambda **words: flask.event_stream(**words),
    "flask's response": lambda **words: flask.EventSourceResponse(iter(()), **words),
    "starlette's decorator": lambda **words: starlette.event_stream(**words),
    "starlette's response": lambda **words: starlette.EventSourceResponse(iter(()), **words),
    "bare wsgi": lambda **words: wsgi.EventStream(list, **words),
    "bare asgi": lambda **words: asgi.EventStream(list, **words),
}
RESPONSES = ["flask's response", "starlette's response"]
by_status = pytest.mark.parametrize("face", ["flask's decorator", "flask's response", "bare wsgi"])
by_code = pytest.mark.parametrize(
    "face", ["starlette's decorator", "starlette's response", "bare asgi"]
)


@pytest.fixture(autouse=True)
def _in_a_request():
    with Flask(__name__).test_request_context():
        yield


@pytest.mark.parametrize("face", NAMED)
@pytest.mark.parametrize(
    "headers",
    [5, "X-Own: 1", b"X", [("X-Own",)], ["ab"], [("X", 5)], {"X": None}, {5: "x"}, object()],
)
def test_what_are_no_headers_is_a_type_error(face: str, headers: Any):
    with pytest.raises(TypeError, match="headers must be"):
        NAMED[face](headers=headers)


@pytest.mark.parametrize("face", NAMED)
@pytest.mark.parametrize(
    "headers",
    [
        {"X Own": "1"},
        {"": "1"},
        {"X": "a\r\nb"},
        {"X:": "1"},
        {"X": "漢"},
        {"X": "\1"},
        {"content-length": "3"},
    ],
)
def test_headers_that_would_break_the_answer_are_a_value_error(face: str, headers: Any):
    with pytest.raises(ValueError, match=r"headers must (not )?have"):
        NAMED[face](headers=headers)


@pytest.mark.parametrize("face", NAMED)
@pytest.mark.parametrize("headers", [None, {}, {"X-Own": "1"}, [("X-Own", "1"), ("X-Own", "2")]])
def test_headers_are_a_mapping_or_pairs(face: str, headers: Any):
    if isinstance(headers, list) and face.startswith("starlette"):
        with pytest.raises(TypeError, match="headers must be a mapping of str, got"):
            NAMED[face](headers=headers)
    else:
        NAMED[face](headers=headers)


def test_pairs_that_can_be_walked_once_are_kept():
    app = wsgi.EventStream(lambda environ: ["a"], headers=iter([("X-Own", "1")]))
    for _ in range(2):
        assert Server().run(app).headers["x-own"] == "1"


@by_status
@pytest.mark.parametrize(
    "status", ["OK", "", "20", "2000", "200OK", "100 Continue", "700 X", "204 No Content"]
)
def test_a_status_is_a_line(face: str, status: Any):
    with pytest.raises(ValueError, match="status must be a status like '200 OK', got"):
        NAMED[face](status=status)


@by_status
@pytest.mark.parametrize("status", [b"200 OK", 200.0, [], True])
def test_other_types_of_status_are_told(face: str, status: Any):
    with pytest.raises(TypeError, match="status must be"):
        NAMED[face](status=status)


@by_code
@pytest.mark.parametrize("code", ["200", None, 200.0, True])
def test_a_status_code_is_an_int(face: str, code: Any):
    with pytest.raises(TypeError, match="status_code must be an int, got"):
        NAMED[face](status_code=code)


@by_code
@pytest.mark.parametrize("code", [0, 100, 199, 600, -1, 204, 205, 304])
def test_it_is_one_of_an_answer_with_a_body(face: str, code: Any):
    with pytest.raises(ValueError, match="status_code must be one of a response with a body, got"):
        NAMED[face](status_code=code)


@pytest.mark.parametrize("status", [200, 201, HTTPStatus.CREATED, "201 Created", "201"])
def test_flasks_kinds_of_status_work(status: Any):
    flask.event_stream(status=status)
    assert flask.EventSourceResponse(iter(()), status=status).status_code in (200, 201)


@pytest.mark.parametrize("face", NAMED)
def test_an_unknown_option_names_itself_the_face_and_what_is_like_it(face: str):
    with pytest.raises(TypeError, match=r"\w+ has no option 'pnig': did you mean 'ping'\?"):
        NAMED[face](pnig=5)
    with pytest.raises(TypeError, match=r"has no option 'zzz'; it has dialect, adapter"):
        NAMED[face](zzz=5)


@pytest.mark.parametrize("face", NAMED)
def test_an_option_of_sse_starlettes_is_told_where_ours_is(face: str):
    with pytest.raises(TypeError, match=r"no option 'ping_message_factory': .*Moving from"):
        NAMED[face](ping_message_factory=dict)


@pytest.mark.parametrize("made", [asgi.Middleware, wsgi.Middleware])
def test_so_do_the_middlewares(made: Any):
    with pytest.raises(TypeError, match="Middleware has no option 'pings'"):
        made(lambda *_: None, pings=5)


@pytest.mark.parametrize("face", RESPONSES)
@pytest.mark.parametrize("value", ["text/event-stream", "text/event-stream; charset=utf-8", None])
def test_whoever_swaps_the_import_may_keep_the_media_type(face: str, value: Any):
    NAMED[face](media_type=value)


@pytest.mark.parametrize("name", ["mimetype", "content_type"])
def test_so_may_who_had_flasks_response(name: str):
    assert flask.EventSourceResponse(iter(()), **{name: "text/event-stream"}).is_streamed


@pytest.mark.parametrize("face", RESPONSES)
def test_another_media_type_is_told(face: str):
    with pytest.raises(ValueError, match="media_type of an event stream is 'text/event-stream'"):
        NAMED[face](media_type="text/plain")
    with pytest.raises(TypeError, match="media_type must be a str, got 5"):
        NAMED[face](media_type=5)
