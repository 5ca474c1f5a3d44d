"""The WSGI middleware around apps that know nothing of it, with wsgiref's validator on both sides."""

from __future__ import annotations

import contextvars
import gc
import io
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge import Decoder, Ending, Summary
from sse_bridge.registry import streams
from sse_bridge.wsgi import EventStream, Middleware, stream
from wrapped import ASKS, DONE, EVENTS, FRAMES, LINES, PLAIN, Result, answering, checked, late
from wsgi_server import App, Server


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


# -- event streams --------------------------------------------------------------------------------


def test_an_event_stream_gets_our_headers_and_keeps_its_own():
    own = ("Cache-Control", "no-store")
    server = Server().run(checked(answering([FRAMES], EVENTS, own)))
    assert (server.status, server.body) == ("200 OK", FRAMES)
    assert server.headers == {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }


SHAPES: dict[str, App] = {
    "list": answering([b"data: a\n\n", b"data: b\n\n"]),
    "tuple": answering((FRAMES,)),
    "generator": answering(lambda: (piece for piece in [b"data: a\n", b"\ndata: b\n\n"])),
    "object": answering(lambda: Result([FRAMES[:5], FRAMES[5:]])),
    "late generator": late(b"data: a\n\n", b"data: b\n\n"),
    "late generator, first nothing": late(b"", FRAMES),
    "file": answering(lambda: FileWrapper(io.BytesIO(FRAMES))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_frames_of_every_shape_of_app_pass_whole(shape: str):
    server = Server().run(checked(SHAPES[shape]))
    assert server.body == FRAMES
    assert server.headers["x-accel-buffering"] == "no"


def test_a_result_is_walked_and_closed_once_on_the_worker():
    result = Result([FRAMES])
    Server().run(Middleware(answering(result)))
    assert result.closed == 1
    assert threading.current_thread() not in result.threads


def test_a_silent_stream_is_kept_alive_and_closed_when_the_client_leaves():
    go_on, closed = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        try:
            go_on.wait(10)
            yield b"data: late\n\n"
        finally:
            closed.set()

    app = Middleware(answering(silent), hold=0, ping=0.01, cleanup_timeout=0)
    server = Server().open(app)
    assert next(server.result) == b": ping\n\n"
    server.close()
    go_on.set()
    assert closed.wait(10)


def test_a_stream_runs_in_a_copy_of_the_apps_context():
    variable = contextvars.ContextVar("variable", default=b"unset")

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        variable.set(b"data: set\n\n")
        start_response("200 OK", [EVENTS])
        return (variable.get() for _ in range(1))

    assert Server().run(contextvars.copy_context().run(lambda: checked(app))).body == (
        b"data: set\n\n"
    )


def test_a_client_that_leaves_closes_the_result():
    result, summaries = Result([b"data: a\n\n"] * 1000), []
    server = Server().open(Middleware(answering(result), on_end=summaries.append))
    next(server.result)
    server.close()
    assert result.closed == 1
    assert [summary.ending for summary in summaries] == [Ending.GONE]


def test_a_stream_is_summed_up_once():
    summaries: list[Summary] = []
    Server().run(checked(answering([FRAMES]), on_end=summaries.append))
    assert [(summary.ending, summary.events) for summary in summaries] == [(Ending.FINISHED, 2)]


def test_at_max_streams_the_answer_is_503_and_the_result_is_closed():
    result = Result([FRAMES])
    server = Server().run(checked(answering(lambda: result), max_streams=0))
    assert (server.status, server.body) == ("503 Service Unavailable", b"")
    assert int(server.headers["retry-after"]) > 0
    assert (result.closed, result.threads) == (1, set())


def test_other_answers_pass_at_max_streams():
    assert Server().run(checked(answering([b"x"], PLAIN), max_streams=0)).body == b"x"


# -- endings --------------------------------------------------------------------------------------


def test_a_failure_after_the_start_is_told_without_the_half_frame():
    def failing() -> Iterator[bytes]:
        yield b"data: a\n\ndata: ha"
        raise LookupError("secret")

    server = Server().run_cut(checked(answering(failing)))
    events = Decoder().feed(server.body)
    assert [event.event for event in events] == [None, "error"]
    assert b"secret" not in server.body
    assert b"ha" not in server.body.partition(b"event: error")[0].removeprefix(b"data: a\n\n")


def test_an_early_failure_is_raised_and_nothing_has_started():
    result = Result([LookupError("early")])
    server = Server()
    with pytest.raises(LookupError, match="early"):
        server.open(Middleware(answering(result)))
    assert (server.told, result.closed) == ([], 1)


def test_an_app_that_raises_raises():
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [EVENTS])
        raise LookupError("early")

    server = Server()
    with pytest.raises(LookupError, match="early"):
        server.open(Middleware(app))
    assert server.told == []


def test_a_generator_that_fails_when_first_asked_raises():
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        raise LookupError("early")
        yield

    with pytest.raises(LookupError, match="early"):
        Server().open(Middleware(app))


def test_a_patience_that_ends_before_the_start_is_a_status():
    never = threading.Event()

    def silent() -> Iterator[bytes]:
        never.wait(10)
        yield b""

    app = Middleware(answering(silent), first_chunk_timeout=0.01, cleanup_timeout=0)
    assert Server().run(app).status == "504 Gateway Timeout"
    never.set()


def test_an_end_frame_comes_only_if_asked():
    assert Server().run(checked(answering([FRAMES]))).body == FRAMES
    assert Server().run(checked(answering([FRAMES]), end=True)).body == FRAMES + DONE


def test_a_finished_stream_is_not_run_twice_if_asked():
    def never(environ: Any, start_response: Any) -> Any:
        raise AssertionError

    server = Server(HTTP_LAST_EVENT_ID="[DONE]", **ASKS).run(checked(never, end=True))
    assert (server.status, server.body) == ("204 No Content", b"")
    assert server.told[0][1] == [("Vary", "Accept, Last-Event-ID")]


def test_other_reconnects_reach_the_app():
    app = answering([FRAMES])
    assert Server(HTTP_LAST_EVENT_ID="7", **ASKS).run(checked(app, end=True)).status == "200 OK"
    assert Server(HTTP_LAST_EVENT_ID="[DONE]", **ASKS).run(checked(app)).status == "200 OK"


@given(
    frames=st.lists(
        st.sampled_from([b"data: a\n\n", b"event: x\r\ndata: b\r\n\r\n", b": c\n\n", b"id: 1\n\n"]),
        max_size=6,
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_frames_are_the_same_however_they_are_cut_and_wherever_pings_are(
    frames: list[bytes], data: Any
):
    body = b"".join(frames)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    silent = data.draw(st.integers(0, len(pieces)))
    turn = threading.Semaphore(silent)

    def app() -> Iterator[bytes]:
        for piece in pieces:
            turn.acquire(timeout=10)
            yield piece

    server = Server().open(Middleware(answering(app), hold=0, ping=0.002, cleanup_timeout=10))
    for item in server.result:
        server.written.append(item)
        if item.startswith(b": ping"):
            turn.release()
        elif len(server.written) > 1:
            turn.release(len(pieces))
    server.close()
    kept = b"".join(item for item in server.written if not item.startswith(b": ping"))
    assert kept == body


# -- lines ----------------------------------------------------------------------------------------


def test_lines_become_an_event_stream_for_a_client_that_asks():
    app = checked(answering([b'{"a"', b':1}\n{"a":2}\n'], LINES))
    server = Server(**ASKS).run(app)
    assert server.body == b'data: {"a":1}\n\ndata: {"a":2}\n\n' + DONE
    assert server.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert server.headers["vary"] == "Accept"


def test_lines_stay_lines_for_other_clients():
    lines = [b'{"a":1}\n']
    server = Server(HTTP_ACCEPT="*/*").open(Middleware(answering(lines, LINES)))
    assert server.result is lines
    assert server.told == [("200 OK", [LINES, ("Vary", "Accept")])]


def test_lines_are_said_in_the_dialect():
    chunk = b'{"choices":[{"delta":{"content":"hi"}}]}\n'
    app = checked(answering([chunk], LINES), adapter="openai", dialect="delta")
    assert b'"hi"' in Server(**ASKS).run(app).body


# -- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("GET", "200 OK", [("Content-Type", "image/png")]),
        ("GET", "404 Not Found", [PLAIN]),
        ("GET", "200 OK", [PLAIN, ("Content-Encoding", "gzip")]),
        ("GET", "200 OK", [PLAIN, ("Content-Length", "1")]),
        ("HEAD", "200 OK", [EVENTS]),
        ("GET", "204 No Content", []),
        ("GET", "304 Not Modified", [EVENTS]),
        ("GET", "200 OK", [EVENTS, ("Content-Length", "1")]),
        ("GET", "200 OK", [EVENTS, ("Content-Encoding", "gzip")]),
        ("GET", "odd", [EVENTS]),
    ],
)
def test_what_passes_is_the_apps_own(method: str, status: str, headers: Any):
    result = Result([b"x"])

    server = Server(REQUEST_METHOD=method)

    def app(environ: Any, start_response: Any) -> Any:
        assert start_response(status, headers) == server.written.append
        return result

    server.open(Middleware(app))
    assert server.result is result
    assert server.told[0][1] is headers
    assert result.threads == set()


def test_a_files_wrapper_is_the_very_one():
    wrapped = FileWrapper(io.BytesIO(b"x"))
    server = Server().open(Middleware(answering(wrapped, PLAIN)))
    assert server.result is wrapped


@pytest.mark.parametrize("items", [(), (b"",), (b"a",), (b"a", b"b")])
def test_a_generator_that_passes_loses_nothing(items: tuple[bytes, ...]):
    server = Server().run(checked(late(*items, headers=[PLAIN])))
    assert (server.told, server.body) == ([("200 OK", [PLAIN])], b"".join(items))


def test_a_generator_that_passes_is_closed():
    closed = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        try:
            start_response("200 OK", [PLAIN])
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    server = Server().open(Middleware(app))
    assert next(server.result) == b"a"
    server.close()
    assert closed == [True]


def shapes(number: int) -> tuple[App, dict[str, Any]]:
    """An app whose answer is none to take over, and a request to it."""
    body = [bytes([number % 256]) * (number % 7), b"", str(number).encode()]
    types = ["text/html", "application/json", "text/x-ndjson", "text/event-stream", "x/y"]
    kind = types[number % 5]
    headers = [
        ("Content-Type", kind),
        ("X-Number", str(number)),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
    ]
    if number % 2 or kind == "text/event-stream":
        headers.append(("Content-Length", str(len(b"".join(body)))))
    status = ["200 OK", "404 Not Found", "206 Partial Content", "500 Oh"][number % 4]

    def returning(environ: Any, start_response: Any) -> Any:
        write = start_response(status, headers)
        if number % 3 == 1:
            write(b"written")
        return body if number % 3 else iter(body)

    made = late(*body, status=status, headers=headers) if number % 11 == 0 else returning
    return made, {"REQUEST_METHOD": ["GET", "POST"][number % 2], "HTTP_ACCEPT": "*/*"}


def test_a_thousand_other_answers_are_the_same_with_and_without_it():
    for number in range(1000):
        app, request = shapes(number)
        bare, wrapped = Server(**request).run(app), Server(**request).run(Middleware(app))
        assert (wrapped.told, wrapped.written) == (bare.told, bare.written)


def test_an_event_stream_that_was_read_whole_is_warned_of_once(caplog: pytest.LogCaptureFixture):
    app = Middleware(answering([FRAMES], EVENTS, ("Content-Length", str(len(FRAMES)))))
    for _ in range(2):
        assert Server(PATH_INFO="/chat").run(app).body == FRAMES
    [record] = caplog.records
    assert "the event stream of a route" in record.getMessage()
    assert "has a Content-Length" in record.getMessage()


# -- event streams under another name -------------------------------------------------------------


def called(content_type: str) -> tuple[str, str]:
    return ("Content-Type", content_type)


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=utf-8", "application/json", "text/html"]
)
@pytest.mark.parametrize("pieces", [[FRAMES], [b"", b"data", FRAMES[4:]], [b"event: x\n", FRAMES]])
def test_a_body_that_looks_like_one_is_warned_of_once_and_passes(
    kind: str, pieces: list[bytes], caplog: pytest.LogCaptureFixture
):
    app = Middleware(answering(lambda: iter(pieces), called(kind)))
    for _ in range(3):
        assert Server(PATH_INFO="/chat").run(app).body == b"".join(pieces)
    if pieces[1:2] == [b"data"]:
        return  # too little to tell
    [record] = caplog.records
    assert "a route (its path is logged at level DEBUG) answers" in record.getMessage()
    assert f"streams=('{kind.partition(';')[0]}',)" in record.getMessage()


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ([called("text/plain")], b"Hello", "200 OK"),
        ([called("image/png")], FRAMES, "200 OK"),
        ([called("text/plain"), ("Content-Length", str(len(FRAMES)))], FRAMES, "200 OK"),
        ([called("text/plain"), ("Content-Encoding", "gzip")], FRAMES, "200 OK"),
        ([called("text/plain")], FRAMES, "404 Not Found"),
    ],
)
def test_another_body_is_not(
    headers: Any, body: bytes, status: str, caplog: pytest.LogCaptureFixture
):
    app = Middleware(answering(lambda: iter([body]), *headers, status=status))
    assert Server().run(app).body == body
    assert not caplog.records


def test_such_a_body_is_closed_once_and_a_list_is_left_alone():
    result = Result([b"data: x\n\n"])
    server = Server().open(Middleware(answering(result, called("text/plain"))))
    server.read()
    server.close()
    assert server.body == b"data: x\n\n"
    assert result.closed == 1
    items = [b"data: x\n\n"]
    assert Server().open(Middleware(answering(items, called("text/plain")))).result is items


def test_a_type_that_the_app_gives_its_streams_is_taken_over():
    summaries: list[Summary] = []
    app = answering([FRAMES], called("Text/Plain; charset=utf-8"))
    wrapped = Middleware(checked(app), streams=["text/plain"], on_end=summaries.append)
    server = Server().run(wrapped)
    assert (server.body, len(summaries)) == (FRAMES, 1)
    assert server.headers["content-type"] == "Text/Plain; charset=utf-8"
    assert server.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("streams", ["text/plain", [5], ["plain"], [None]])
def test_streams_are_media_types(streams: Any):
    with pytest.raises(TypeError, match="streams must be media types"):
        Middleware(answering([FRAMES]), streams=streams)


# -- two of ours ----------------------------------------------------------------------------------


def test_two_middlewares_do_the_work_once():
    inner, outer = [], []
    app = validator(
        Middleware(checked(answering([FRAMES]), on_end=inner.append), on_end=outer.append)
    )  # type: ignore[arg-type]
    assert Server().run(app).body == FRAMES
    assert (len(inner), len(outer)) == (1, 0)


@pytest.mark.parametrize(
    "app",
    [
        EventStream(lambda environ: ["a"]),
        lambda environ, start_response: (
            start_response("200 OK", [EVENTS]),
            stream(["a"], environ),
        )[1],
    ],
)
def test_a_face_inside_does_the_work(app: Any):
    summaries: list[Any] = []
    server = Server().open(Middleware(app, end=True, on_end=summaries.append))
    server.read()
    server.close()
    assert (server.body, summaries) == (b"data: a\n\n" + DONE, [])


def test_a_face_is_known_through_a_copy_of_environ():
    inner = EventStream(lambda environ: ["a"])
    app = Middleware(lambda environ, start: inner(dict(environ), start), end=True)
    assert Server().run(app).body == b"data: a\n\n" + DONE


def test_lines_made_events_inside_are_not_made_again_outside():
    app = Middleware(Middleware(answering([b'{"a":1}\n'], LINES)), end=True)
    assert Server(**ASKS).run(app).body == b'data: {"a":1}\n\n' + DONE


# -- arguments ------------------------------------------------------------------------------------


async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...


class AsgiApp:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("app", [None, 5, "app", asgi_app, AsgiApp()])
def test_what_is_no_wsgi_app_is_told_at_once(app: Any):
    with pytest.raises(TypeError, match="app must be a WSGI app"):
        Middleware(app)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ping": -1}, "ping"),
        ({"end": 1}, "end"),
        ({"chunks": "text/plain"}, "chunks"),
        ({"dialect": "klingon"}, "klingon"),
        ({"pingg": 1}, "pingg"),
    ],
)
def test_a_bad_option_is_told_at_once(options: Any, message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        Middleware(answering([]), **options)


def test_nothing_is_left_to_the_collector():
    stream_app = Middleware(answering(lambda: iter([FRAMES])))
    late_app, other_app = Middleware(late(FRAMES)), Middleware(answering([b"x"], PLAIN))
    for app in (stream_app, late_app, other_app):
        Server().run(app)
    gc.collect()
    gc.disable()
    try:
        for app in (stream_app, late_app, other_app) * 5:
            server = Server().run(app)
            server.result = None  # as a server lets go of it
        del server
        assert gc.collect() == 0
    finally:
        gc.enable()
