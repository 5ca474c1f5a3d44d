"""A request, as WSGI and as ASGI have it."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import check_environ

import pytest

from sse_bridge.testing.request import Headers, Request


def test_an_environ_is_as_pep_3333_wants_it():
    check_environ(Request("GET", "/a").environ())  # type: ignore[arg-type]


def test_path_and_query_are_taken_apart_and_params_added():
    request = Request("get", "/a%20b/%C3%A9?x=1", params={"y": [2, 3]})
    environ, scope = request.environ(), request.scope({})
    assert environ["REQUEST_METHOD"] == scope["method"] == "GET"
    assert environ["PATH_INFO"].encode("latin-1").decode() == scope["path"] == "/a b/é"
    assert scope["raw_path"] == b"/a%20b/%C3%A9"
    assert environ["QUERY_STRING"] == "x=1&y=2&y=3"
    assert scope["query_string"] == b"x=1&y=2&y=3"


def test_json_is_a_body_with_its_type_and_length():
    request = Request("POST", "/", json={"a": 1})
    environ = request.environ()
    assert environ["wsgi.input"].read() == b'{"a": 1}'
    assert environ["CONTENT_TYPE"] == "application/json"
    assert environ["CONTENT_LENGTH"] == "8"
    assert (b"content-type", b"application/json") in request.scope({})["headers"]


def test_data_are_a_forms_fields():
    request = Request("POST", "/", data={"a": "ä b", "c": ["1", "2"]})
    environ = request.environ()
    assert environ["wsgi.input"].read() == b"a=%C3%A4+b&c=1&c=2"
    assert environ["CONTENT_TYPE"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("content", ["text", b"text"])
def test_content_is_sent_as_it_is(content: Any):
    assert Request("POST", "/", content=content).body == b"text"


def test_it_asks_for_an_event_stream_if_the_test_does_not_ask_for_something_else():
    assert Request("GET", "/").environ()["HTTP_ACCEPT"] == "text/event-stream"
    asked = Request("GET", "/", headers={"Accept": "*/*", "Last-Event-ID": "7"}).environ()
    assert asked["HTTP_ACCEPT"] == "*/*"
    assert asked["HTTP_LAST_EVENT_ID"] == "7"


def test_a_lifespans_state_is_copied_for_each_request():
    state = {"a": 1}
    scope = Request("GET", "/").scope(state)
    assert scope["state"] == state
    assert scope["state"] is not state


def test_what_is_no_path_is_refused():
    with pytest.raises(ValueError, match="url must be a path that starts with a slash, got 'http:"):
        Request("GET", "http://testserver/")


@pytest.mark.parametrize("bodies", [{"json": 1, "content": b"1"}, {"json": 0, "data": {}}])
def test_two_bodies_are_refused(bodies: dict[str, Any]):
    with pytest.raises(ValueError, match="one body"):
        Request("POST", "/", **bodies)


def test_headers_are_found_in_any_case_and_several_are_joined():
    headers = Headers([("Vary", "a"), ("vary", "b"), ("X-One", "1")])
    assert headers["VARY"] == "a, b"
    assert "x-one" in headers
    assert "x-two" not in headers
    assert dict(headers) == {"vary": "a, b", "x-one": "1"}
    assert headers.pairs == [("Vary", "a"), ("vary", "b"), ("X-One", "1")]
    assert repr(Headers([("A", "b")])) == "Headers({'a': 'b'})"
