"""Which answers of an app a middleware takes over, and what becomes of their headers."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sse_bridge.adapters import JsonLines
from sse_bridge.media import JSON_LINES
from sse_bridge.middleware.takeover import Takeover, route_of, varied
from sse_bridge.options import Options

EVENTS = ("Content-Type", "text/event-stream")
LINES = ("Content-Type", "application/x-ndjson")
ASKS = "text/event-stream"


def takeover(*, end: bool = False, chunks: Any = JSON_LINES, **options: Any) -> Takeover:
    return Takeover(Options(**options), end=end, chunks=chunks)


def plan(*headers: tuple[str, str], method: str = "GET", code: int = 200, accept: str = "") -> Any:
    return takeover().plan(method, {}, code, list(headers), accept)


# -- event streams --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["text/event-stream", "Text/Event-Stream", "text/event-stream; charset=utf-8"],
)
def test_an_event_stream_is_taken_over_whatever_the_client_accepts(content_type: str):
    assert takeover().concerns(content_type)
    assert plan(("content-type", content_type)) is not None


def test_an_apps_headers_win_over_ours():
    taken = plan(EVENTS, ("cache-control", "no-store"), ("X-Own", "1"))
    assert taken.headers == [
        ("X-Accel-Buffering", "no"),
        EVENTS,
        ("cache-control", "no-store"),
        ("X-Own", "1"),
    ]


def test_an_event_streams_frames_pass_whole():
    assert plan(EVENTS).options.adapter.name == "frames"


def test_an_adapter_that_was_named_reads_the_frames():
    taken = takeover(adapter="openai").plan("GET", {}, 200, [EVENTS], "")
    assert taken is not None
    assert taken.options.adapter.name == "openai"


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_any_method_may_stream(method: str):
    assert plan(EVENTS, method=method) is not None


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
def test_what_has_the_status_of_a_failure_passes_whatever_its_type_says(code: int):
    assert plan(EVENTS, code=code) is None
    assert plan(LINES, code=code, accept=ASKS) is None


def test_no_head_is_taken_over():
    assert plan(EVENTS, method="HEAD") is None


@pytest.mark.parametrize("code", [0, 101, 103, 204, 205, 304])
def test_what_has_no_body_passes(code: int):
    assert plan(EVENTS, code=code) is None


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_what_is_compressed_passes(encoding: str):
    assert plan(EVENTS, ("Content-Encoding", encoding)) is None
    assert plan(LINES, ("Content-Encoding", encoding), accept=ASKS) is None


def test_identity_is_no_compression():
    assert plan(EVENTS, ("Content-Encoding", "identity")) is not None


def test_a_whole_body_of_frames_passes():
    assert plan(EVENTS, ("Content-Length", "10")) is None


@pytest.mark.parametrize(
    "content_type", ["", "text/html", "text/event-streams", "application/json"]
)
def test_other_types_pass(content_type: str):
    assert not takeover().concerns(content_type)
    assert plan(("Content-Type", content_type), accept=ASKS) is None


def test_an_answer_without_a_type_passes():
    assert plan(("X-Own", "1"), accept=ASKS) is None


# -- chunks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", JSON_LINES)
def test_lines_become_an_event_stream_for_a_client_that_asks(kind: str):
    taken = plan(("Content-Type", kind), accept=ASKS)
    assert isinstance(taken.options.adapter, JsonLines)
    assert ("Content-Type", "text/event-stream; charset=utf-8") in taken.headers


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "text/*", "text/event-stream;q=0"]
)
def test_lines_stay_lines_for_one_that_does_not(accept: str):
    assert plan(LINES, accept=accept) is None


def test_headers_of_the_body_that_was_go():
    length, tag = ("Content-Length", "9"), ("ETag", '"x"')
    taken = plan(LINES, length, tag, ("X-Own", "1"), accept=ASKS)
    named = {name.lower(): value for name, value in taken.headers}
    assert "content-length" not in named
    assert "etag" not in named
    assert (named["x-own"], named["vary"]) == ("1", "Accept")


def test_a_type_that_the_user_names_is_text():
    taken = takeover(chunks=["text/x-model"]).plan(
        "GET", {}, 200, [("Content-Type", "text/x-model")], ASKS
    )
    assert taken is not None
    assert not isinstance(taken.options.adapter, JsonLines)


def test_a_type_that_the_user_names_is_lines_if_json_is_in_it():
    made = takeover(chunks=["application/vnd.model+json"])
    taken = made.plan("GET", {}, 200, [("Content-Type", "application/vnd.model+json")], ASKS)
    assert taken is not None
    assert isinstance(taken.options.adapter, JsonLines)
    assert made.plan("GET", {}, 200, [LINES], ASKS) is None


@pytest.mark.parametrize("chunks", ["text/plain", [5], ["plain"]])
def test_what_are_no_media_types_is_told_at_once(chunks: Any):
    with pytest.raises(TypeError, match="chunks must be media types"):
        takeover(chunks=chunks)


# -- what a route is called -----------------------------------------------------------------------


class Request:
    endpoint = "chat"


def endpoint() -> None: ...


@pytest.mark.parametrize(
    "request_, name",
    [
        ({"path": "/u/alice"}, None),
        ({"path": "/u/alice", "endpoint": endpoint}, "the route endpoint"),
        ({"endpoint": object()}, None),
        ({"PATH_INFO": "/u/alice", "werkzeug.request": Request}, "the route chat"),
        ({"werkzeug.request": object()}, None),
    ],
)
def test_a_route_is_called_as_its_developer_calls_it_and_by_no_path(request_: Any, name: Any):
    assert route_of(request_) == name


def test_a_route_is_warned_of_once_whatever_stands_in_its_paths(caplog: pytest.LogCaptureFixture):
    made, length = takeover(), ("Content-Length", "1")
    for number in range(3):
        made.plan("GET", {"path": f"/{number}", "endpoint": endpoint}, 200, [EVENTS, length], "")
    [record] = caplog.records
    assert record.getMessage().startswith("the event stream of the route endpoint has")


def test_a_route_without_a_name_is_told_by_its_path_at_debug_only(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        takeover().plan("GET", {"path": "/u/a\nb"}, 200, [EVENTS, ("Content-Length", "1")], "")
    warning, debug, *_ = caplog.records
    assert (warning.levelno, debug.levelno) == (logging.WARNING, logging.DEBUG)
    assert "/u/" not in warning.getMessage()
    assert debug.getMessage().endswith("the path '/u/a\\nb'")


# -- what depends on the request's Accept ---------------------------------------------------------


@pytest.mark.parametrize("code", [200, 201, 206])
def test_lines_that_pass_say_that_another_client_may_get_something_else(code: int):
    assert takeover().passing(code, [LINES]) == [LINES, ("Vary", "Accept")]


@pytest.mark.parametrize(
    "code, headers",
    [
        (200, [EVENTS, ("Content-Length", "1")]),
        (200, [("Content-Type", "text/html")]),
        (200, []),
        (404, [LINES]),
        (204, [LINES]),
        (200, [LINES, ("Content-Encoding", "gzip")]),
        (200, [LINES, ("Vary", "accept")]),
    ],
)
def test_other_headers_that_pass_are_the_very_ones(code: int, headers: Any):
    assert takeover().passing(code, headers) is headers


def test_an_answer_in_the_stead_of_a_stream_of_chunks_says_so_too():
    assert plan(LINES, accept=ASKS).varies == [("Vary", "Accept")]
    assert plan(EVENTS, accept=ASKS).varies == []


@pytest.mark.parametrize(
    "told, wanted",
    [
        ([], ["Accept"]),
        ([""], ["Accept"]),
        (["Cookie"], ["Cookie, Accept"]),
        (["Accept-Encoding"], ["Accept-Encoding, Accept"]),
        (["Cookie", "Origin"], ["Cookie, Origin, Accept"]),
        (["Cookie, ACCEPT"], ["Cookie, ACCEPT"]),
        (["Cookie", "accept"], ["Cookie", "accept"]),
        (["*"], ["*"]),
    ],
)
def test_accept_joins_what_an_answer_varies_by_and_stands_there_once(
    told: list[str], wanted: list[str]
):
    for make in (varied, lambda headers: varied(varied(headers))):
        headers = make([("X-Own", "1"), *(("vary", value) for value in told)])
        assert [value for name, value in headers if name.lower() == "vary"] == wanted
        assert ("X-Own", "1") in headers


# -- reconnects -----------------------------------------------------------------------------------


def test_a_finished_stream_is_over_if_that_was_asked():
    assert takeover(end=True).is_over("GET", ASKS, "[DONE]")
    assert not takeover().is_over("GET", ASKS, "[DONE]")


@pytest.mark.parametrize(
    ("method", "accept", "last"),
    [("POST", ASKS, "[DONE]"), ("GET", "*/*", "[DONE]"), ("GET", ASKS, "7"), ("GET", ASKS, "")],
)
def test_other_requests_are_not(method: str, accept: str, last: str):
    assert not takeover(end=True).is_over(method, accept, last)


@pytest.mark.parametrize("end", [None, 1, "yes"])
def test_end_is_yes_or_no(end: Any):
    with pytest.raises(TypeError, match="end must be True or False"):
        takeover(end=end)
