"""An ASGI app whose answer has become a stream, and goes on where it runs."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_server import EVENTS, Server, app_of
from sse_bridge import Ending, Summary
from sse_bridge.asgi import Middleware
from sse_bridge.registry import streams

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_stream_is_left")]


# -- the client leaves ----------------------------------------------------------------------------


async def test_when_the_client_leaves_a_silent_app_is_cancelled_once_and_may_clean_up():
    events: list[str] = []
    summaries: list[Summary] = []
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        try:
            await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
            server.left.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            events.append("saved")

    await server.ask(Middleware(app, on_end=summaries.append))
    assert events == ["saved"]
    assert [summary.ending for summary in summaries] == [Ending.GONE]


async def test_the_body_of_the_request_is_still_the_apps_to_read_while_it_streams():
    answered = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        more = True
        while more:
            await anyio.sleep(0.001)
            message = await receive()
            more = message.get("more_body", False)
            frame = b"data: %b\n\n" % message["body"]
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await anyio.sleep(0.001)
        answered.set()
        assert (await receive())["type"] == "http.disconnect"

    server = Server(b"abcdefghij", method="POST")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.ask, Middleware(app))
        await answered.wait()
        server.left.set()
    assert server.body == b"data: abcd\n\ndata: efgh\n\ndata: ij\n\n"


async def test_the_watch_goes_on_when_an_app_that_was_reading_stops_to_do_so():
    server = Server()
    ended = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with anyio.move_on_after(0.01):
            while True:
                await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        with anyio.move_on_after(0.01):
            await receive()
        server.left.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    await server.ask(Middleware(app))
    assert ended.is_set()


async def test_a_server_that_cancels_the_request_is_not_held_up():
    running = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
        running.set()
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Server().ask, Middleware(app))
            await running.wait()
            tasks.cancel_scope.cancel()


# -- an app that returns without the end of its body ----------------------------------------------


def unfinished(*frames: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        for frame in frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})

    return app


@pytest.mark.parametrize("end", [True, False])
async def test_an_answer_that_was_never_completed_is_no_finished_one(end: bool):
    summaries: list[Summary] = []
    app = Middleware(unfinished(b"data: a\n\n"), end=end, on_end=summaries.append)
    server = await Server().ask_cut(app)
    assert server.body.startswith(b"data: a\n\nevent: error\n")
    assert b'"code":"upstream_cut"' in server.body
    assert b"event: done" not in server.body
    assert summaries[0].ending is Ending.FAILED


async def test_it_is_told_in_the_protocol_that_it_speaks():
    frame = b'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}]}\n\n'
    server = await Server().ask(Middleware(unfinished(frame)))
    assert b'data: {"error":' in server.body
    assert server.body.endswith(b"data: [DONE]\n\n")
    assert server.is_over


async def test_half_a_line_of_it_is_dropped():
    server = await Server().ask_cut(Middleware(unfinished(b"data: a\n\ndata: {")))
    assert server.body.startswith(b"data: a\n\nevent: error\n")


async def test_one_that_has_said_nothing_is_a_failure_before_the_first_byte():
    server = await Server().ask(Middleware(unfinished()))
    assert server.sent[0]["status"] == 502
    assert server.is_over


async def test_where_the_server_stops_it_is_a_shutdown(monkeypatch: pytest.MonkeyPatch):
    summaries: list[Summary] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await unfinished(b"data: a\n\n")(scope, receive, send)
        monkeypatch.setattr(streams, "closing", True)

    server = await Server().ask_cut(Middleware(app, on_end=summaries.append))
    assert b'"code":"shutdown"' in server.body
    assert b"retry: 1000" in server.body
    assert summaries[0].ending is Ending.SHUTDOWN


async def test_where_the_client_has_left_nobody_is_told(caplog: pytest.LogCaptureFixture):
    summaries: list[Summary] = []
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await unfinished(b"data: a\n\n")(scope, receive, send)
        server.left.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    await server.ask(Middleware(app, on_end=summaries.append))
    assert [summary.ending for summary in summaries] == [Ending.GONE]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# -- apps that do more than to stream ---------------------------------------------------------------


async def test_what_an_app_does_after_its_body_is_not_stopped_and_nobody_waits_for_it():
    saved: list[bool] = []
    over = anyio.Event()

    class Telling(Server):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if self.is_over:
                over.set()

    server = Telling()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await app_of([b"data: a\n\n"])(scope, receive, send)
        await over.wait()
        server.left.set()
        await anyio.sleep(0.01)
        saved.append(True)

    await server.ask(Middleware(app, stall_timeout=1))
    assert saved == [True]
    assert server.body == b"data: a\n\n"


async def test_two_tasks_of_an_app_may_send_to_a_slow_client_at_once():
    class Slow(Server):
        async def send(self, message: Any) -> None:
            await anyio.sleep(0.001)
            await super().send(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})

        async def speak(body: bytes) -> None:
            for _ in range(600):
                await send({"type": "http.response.body", "body": body, "more_body": True})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak, b"data: a\n\n")
            tasks.start_soon(speak, b": b\n\n")

    assert (await Slow().ask(Middleware(app))).body.count(b"data: a\n\n") == 600


async def test_an_app_that_goes_on_sending_to_nobody_lets_others_have_their_turn():
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})

        async def speak() -> None:
            while True:
                await send({"type": "http.response.body", "body": b": a\n\n", "more_body": True})
                server.left.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)

    await server.ask(Middleware(app))
    assert not server.is_over


async def test_what_an_app_writes_into_the_scope_is_there_for_those_around():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "found"
        await app_of([b"data: a\n\n"])(scope, receive, send)

    server = await Server().ask(Middleware(app))
    assert server.scope["route"] == "found"
    assert not [key for key in server.scope if key.startswith("sse_bridge")]


async def test_a_second_start_is_refused():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})

    with pytest.raises(RuntimeError, match="sent twice"):
        await Server().ask(Middleware(app))


async def test_an_app_that_has_heard_of_the_hang_up_may_finish_what_it_does():
    committed: list[bool] = []
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [EVENTS]})
        await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
        server.left.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await anyio.sleep(0.2)  # longer than an app that has said all has to raise
        committed.append(True)

    await server.ask(Middleware(app))
    assert committed == [True]


# -- who waits for whom ----------------------------------------------------------------------------


async def test_a_request_that_is_cancelled_does_not_wait_for_a_write_that_nobody_reads():
    writes = anyio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
            await anyio.lowlevel.checkpoint()

    async def receive() -> Any:
        await anyio.sleep(60)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            writes.set()
            await anyio.sleep(60)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Middleware(app, send_timeout=None), scope, receive, send)
            await writes.wait()
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_an_on_end_that_takes_its_time_costs_no_client_the_answer(seconds: float):
    """The stream has ended by itself, and its client is there: the app hears that as the end of its request."""
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while (await receive())["type"] != "http.disconnect":
            pass

    asked = False

    async def receive() -> Any:
        nonlocal asked
        if asked:
            await anyio.sleep(60)
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message.get("status", message.get("more_body", False)))

    async def on_end(_: Summary) -> None:
        await anyio.sleep(seconds)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Middleware(app, first_chunk_timeout=0.05, on_end=on_end)(scope, receive, send)
    assert sent == [504, False]
