"""The ASGI middleware around apps that know nothing of it, on asyncio and on trio, driven by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_server import END, EVENTS, Server, app_of
from sse_bridge import Decoder, Summary
from sse_bridge.asgi import EventStream, Middleware

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_stream_is_left")]


# -- frames ---------------------------------------------------------------------------------------


async def test_frames_pass_whole_with_the_default_headers_behind_the_apps_own():
    app = app_of([b"data: a\n", b"\ndata: b\n\n"], (b"cache-control", b"private"))
    server = await Server().ask(Middleware(app))
    assert server.body == b"data: a\n\ndata: b\n\n"
    assert server.is_over
    assert server.headers[b"cache-control"] == b"private"
    assert server.headers[b"x-accel-buffering"] == b"no"


async def test_a_ping_comes_while_the_app_is_silent_and_only_between_frames():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        for piece in (b"data: a\n\nda", b"ta: b\n\n"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await anyio.sleep(0.03)
        await send(END)

    body = (await Server().ask(Middleware(app, ping=0.01))).body
    assert body.startswith(b"data: a\n\n: ping\n\n")
    assert [event.data for event in Decoder().feed(body)] == ["a", "b"]


async def test_a_failure_before_any_frame_is_raised_with_nothing_sent():
    server = Server()
    with pytest.raises(LookupError, match="early"):
        await server.ask(Middleware(app_of([LookupError("early")])))
    assert server.sent == []


async def test_a_failure_after_frames_ends_truthfully_and_half_a_frame_is_dropped():
    server = Server()
    await server.ask_cut(Middleware(app_of([b"data: a\n\nda", LookupError("late")])))
    events = Decoder().feed(server.body)
    assert [event.event for event in events] == [None, "error"]
    assert '"code":"upstream_error"' in (events[1].data or "")
    assert not server.is_over


async def test_a_failure_after_a_clean_end_of_the_body_is_told_too():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await app_of([b"data: a\n\n"])(scope, receive, send)
        await anyio.lowlevel.checkpoint()
        raise LookupError("after the end")

    server = await Server().ask_cut(Middleware(app))
    assert [event.event for event in Decoder().feed(server.body)] == [None, "error"]


async def test_an_end_frame_is_added_only_if_asked():
    assert (await Server().ask(Middleware(app_of([b"data: a\n\n"])))).body == b"data: a\n\n"
    asked = await Server().ask(Middleware(app_of([b"data: a\n\n"]), end=True))
    assert asked.body == b"data: a\n\n" + DONE
    told = await Server().ask(Middleware(app_of([b"data: a\n\n", DONE]), end=True))
    assert told.body == b"data: a\n\n" + DONE


async def test_a_finished_stream_is_not_run_twice_if_asked():
    headers = [(b"accept", b"text/event-stream"), (b"last-event-id", b"[DONE]")]
    app = Middleware(app_of([b"data: a\n\n"]), end=True)
    assert (await Server(headers=headers).ask(app)).sent[0]["status"] == 204
    unasked = Middleware(app_of([b"data: a\n\n"]))
    assert (await Server(headers=headers).ask(unasked)).sent[0]["status"] == 200


@given(
    texts=st.lists(st.text(max_size=5), max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    waits=st.lists(st.booleans(), min_size=8, max_size=8),
)
async def test_any_cutting_with_pings_anywhere_gives_the_same_events(
    texts: list[str], cuts: list[int], waits: list[bool]
):
    whole = b"".join(
        b"".join(b"data: %b\n" % line for line in text.encode().split(b"\n")) + b"\n"
        for text in texts
    )
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        for start, end, wait in zip(edges, edges[1:], waits, strict=False):
            body = whole[start:end]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if wait:
                await anyio.sleep(0.002)
        await send(END)

    server = await Server().ask(Middleware(app, ping=0.0005))
    assert Decoder().feed(server.body) == Decoder().feed(whole)


# -- limits ---------------------------------------------------------------------------------------


async def test_one_stream_too_many_is_answered_503():
    app = Middleware(app_of([b"data: a\n\n"]), max_streams=0)
    server = await Server().ask(app)
    assert server.sent[0]["status"] == 503
    assert server.headers[b"retry-after"] == b"1"


async def test_an_app_that_is_silent_for_too_long_is_given_up_on():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
        await anyio.sleep_forever()

    server = await Server().ask_cut(Middleware(app, stall_timeout=0.02))
    assert b"upstream_stalled" in server.body


# -- event streams under another name -------------------------------------------------------------


def under(name: bytes, *pieces: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", name)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send(END)

    return app


@pytest.mark.parametrize("kind", [b"text/plain; charset=utf-8", b"application/json"])
async def test_a_body_that_looks_like_an_event_stream_is_warned_of_once_and_passes(
    kind: bytes, caplog: pytest.LogCaptureFixture
):
    app = Middleware(under(kind, b"", b"data: a\n\n", b"data: b\n\n"))
    for _ in range(2):
        assert (await Server().ask(app)).body == b"data: a\n\ndata: b\n\n"
    [record] = caplog.records
    assert record.getMessage().startswith(
        "a route (its path is logged at level DEBUG) answers with an"
    )


async def test_another_body_is_not(caplog: pytest.LogCaptureFixture):
    for kind, body in [(b"text/plain", b"Hello"), (b"image/png", b"data: a\n\n")]:
        assert (await Server().ask(Middleware(under(kind, body, b"data: a")))).is_over
    assert not caplog.records


async def test_a_type_that_the_app_gives_its_streams_is_taken_over():
    summaries: list[Summary] = []
    app = Middleware(
        under(b"text/plain", b"data: a\n\n"), streams=["text/plain"], on_end=summaries.append
    )
    server = await Server().ask(app)
    assert (server.body, len(summaries)) == (b"data: a\n\n", 1)
    assert server.headers[b"x-accel-buffering"] == b"no"


# -- bodies of chunks -----------------------------------------------------------------------------

LINES = (b"content-type", b"application/x-ndjson")


def lines_app(*pieces: bytes, headers: Any = (LINES,)) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send(END)

    return app


async def test_lines_of_json_become_an_event_stream_for_who_asks_for_one():
    app = Middleware(lines_app(b'{"a":1}\n{"b"', b":2}"))
    asked = await Server(headers=[(b"accept", b"text/event-stream")]).ask(app)
    assert asked.body == b'data: {"a":1}\n\ndata: {"b":2}\n\n' + DONE
    assert asked.headers[b"content-type"].startswith(b"text/event-stream")
    assert asked.headers[b"vary"] == b"Accept"
    unasked = await Server(headers=[(b"accept", b"*/*")]).ask(app)
    assert unasked.body == b'{"a":1}\n{"b":2}'
    assert unasked.headers == dict([LINES, (b"vary", b"Accept")])


async def test_another_type_that_the_user_names_is_text():
    app = Middleware(
        lines_app(b"Hel", b"lo", headers=[(b"content-type", b"text/plain")]),
        chunks=["text/plain"],
        dialect="delta",
    )
    asked = await Server(headers=[(b"accept", b"text/event-stream")]).ask(app)
    assert b'data: {"text":"Hel"}' in asked.body


# -- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "app",
    [
        app_of([b"x"], (b"content-encoding", b"gzip")),
        app_of([b"data: a\n\n"], (b"content-length", b"9")),
        lines_app(b"a", b"b", headers=[(b"content-type", b"text/html")]),
        lines_app(b"a", headers=[]),
    ],
)
async def test_what_is_no_stream_passes_message_for_message(app: Any):
    bare, wrapped = await Server().ask(app), await Server().ask(Middleware(app))
    assert wrapped.sent == bare.sent


async def test_a_head_request_passes_untouched():
    app = app_of([])
    wrapped = await Server(method="HEAD").ask(Middleware(app))
    assert wrapped.sent == (await Server(method="HEAD").ask(app)).sent


async def test_websockets_and_lifespan_reach_the_app_with_the_very_same_arguments():
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.append(arguments)

    for kind in ("websocket", "lifespan"):
        arguments = ({"type": kind}, object(), object())
        await Middleware(app)(*arguments)  # type: ignore[arg-type]
        assert all(here is there for here, there in zip(seen.pop(), arguments, strict=True))


async def test_a_failure_of_an_app_that_has_sent_nothing_is_its_own():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        await Server().ask(Middleware(app))


# -- two of ours ----------------------------------------------------------------------------------


async def source() -> AsyncIterator[str]:
    yield "a"


@pytest.mark.parametrize(
    "app",
    [Middleware(app_of([b"data: a\n\n"]), end=True), EventStream(lambda scope: source())],
)
async def test_one_of_ours_inside_another_does_the_work_once(app: Any):
    summaries: list[Summary] = []
    outer = Middleware(app, end=True, on_end=summaries.append)
    assert (await Server().ask(outer)).body == b"data: a\n\n" + DONE
    assert not summaries  # the innermost one does it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"app": None}, "app must be an ASGI app, got None"),
        ({"end": 1}, "end must be True or False, got 1"),
        ({"chunks": "text/plain"}, "chunks must be media types"),
        ({"ping": -1}, "ping must not be negative, got -1"),
    ],
)
async def test_bad_arguments_are_told_at_once(arguments: dict[str, Any], message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        Middleware(**{"app": app_of([]), **arguments})


# -- what is looked at, and who waits -------------------------------------------------------------


@pytest.mark.parametrize("piece", [memoryview(b"data: 1\n\n"), bytearray(b"data: 1\n\n"), b""])
@pytest.mark.parametrize("kind", [b"text/plain", b"application/json"])
async def test_pieces_of_any_type_of_bytes_pass_the_look_at_them(piece: Any, kind: bytes):
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> Any:
        await anyio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message.get("body"))

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Middleware(app)(scope, receive, send)
    assert sent == [None, piece, b""]
