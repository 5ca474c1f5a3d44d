"""The bare ASGI face, on asyncio and on trio, driven by hand."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sse_bridge import Ending, Summary
from sse_bridge.asgi import EventStream
from sse_bridge.drivers.pipe import ROOM
from sse_bridge.registry import streams

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
BODY = b"data: a\n\ndata: b\n\n" + DONE

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def generator() -> Iterator[str]:
    yield from ["a", "b"]


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    yield "b"


class Client:
    """One request; what was sent is kept, and it can hang up."""

    def __init__(self, method: str = "GET", headers: Any = (), spec_version: str = "2.3") -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": "/",
            "headers": list(headers),
            "asgi": {"version": "3.0", "spec_version": spec_version},
        }
        self.sent: list[dict[str, Any]] = []
        self.left = anyio.Event()
        self._body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> dict[str, Any]:
        if self._body:
            return self._body.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, app: Any) -> Client:
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


@pytest.mark.parametrize("make", [generator, async_generator, lambda: ["a", "b"]])
async def test_a_source_is_streamed_with_one_end_of_body(make: Any):
    client = await Client().ask(EventStream(lambda scope: make()))
    assert (client.status, client.body) == (200, BODY)
    assert client.sent[-1]["more_body"] is False
    assert [message.get("more_body") for message in client.sent].count(False) == 1


async def test_an_app_that_was_given_a_source_serves_one_request():
    app = EventStream(async_generator())
    assert (await Client().ask(app)).body == BODY
    with pytest.raises(RuntimeError, match="serves one request"):
        await Client().ask(app)


async def test_what_is_ready_leaves_as_one_write():
    client = await Client().ask(EventStream(lambda scope: async_generator()))
    assert [message["type"] for message in client.sent] == [
        "http.response.start",
        "http.response.body",
    ]


async def test_headers_are_lower_case_bytes_and_the_users_win():
    app = EventStream(
        lambda scope: generator(), status_code=201, headers={"Cache-Control": "no-store"}
    )
    client = await Client().ask(app)
    assert client.status == 201
    assert dict(client.sent[0]["headers"]) == {
        b"content-type": b"text/event-stream; charset=utf-8",
        b"x-accel-buffering": b"no",
        b"cache-control": b"no-store",
    }


async def test_head_has_headers_and_no_body():
    client = await Client("HEAD").ask(EventStream(async_generator()))
    assert (client.status, client.body) == (200, b"")


async def test_a_reconnect_after_a_finished_stream_is_answered_204():
    headers = [[b"last-event-id", b"[DONE]"]]
    client = await Client(headers=headers).ask(EventStream(async_generator()))
    assert (client.status, client.body) == (204, b"")


async def test_at_max_streams_the_answer_is_503():
    client = await Client().ask(EventStream(lambda scope: generator(), max_streams=0))
    assert client.status == 503
    assert dict(client.sent[0]["headers"])[b"retry-after"]


async def test_an_early_failure_is_raised_before_the_response_has_started():
    async def source() -> AsyncIterator[str]:
        raise LookupError("early")
        yield

    client = Client()
    with pytest.raises(LookupError, match="early"):
        await client.ask(EventStream(source()))
    assert client.sent == []


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("moment", ["before the first chunk", "after it"])
async def test_when_the_client_leaves_an_async_source_is_cancelled_and_cleans_up(
    moment: str, spec_version: str, anyio_backend: str
):
    summaries: list[Summary] = []
    events: list[str] = []
    client = Client(spec_version=spec_version)

    async def source() -> AsyncIterator[str]:
        try:
            if moment == "after it":
                yield "a"
            client.left.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=anyio_backend == "trio"):
                await anyio.sleep(0.01)
            events.append("saved")

    async def on_end(summary: Summary) -> None:
        await anyio.lowlevel.checkpoint()
        events.append("on_end")
        summaries.append(summary)

    await client.ask(EventStream(source(), on_end=on_end))
    assert events == ["saved", "on_end"]
    assert summaries[0].ending is Ending.GONE
    if moment == "before the first chunk":
        assert client.body == b""  # an app has to answer; nobody hears it
    assert DONE not in client.body


async def test_a_server_that_cancels_the_request_does_not_cut_the_cleanup_short():
    events: list[str] = []
    running = anyio.Event()

    async def source() -> AsyncIterator[str]:
        yield "a"
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            events.append("saved")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Client().ask, EventStream(source()))
        await running.wait()
        tasks.cancel_scope.cancel()
    assert events == ["saved"]


async def test_a_client_that_stops_reading_ends_the_stream_as_slow():
    summaries: list[Summary] = []

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "x" * 1000

    class Stuck(Client):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if message["type"] == "http.response.body":
                await anyio.sleep_forever()

    await Stuck().ask(EventStream(endless(), send_timeout=0.05, on_end=summaries.append))
    assert summaries[0].ending is Ending.SLOW
    assert summaries[0].chunks <= ROOM


async def test_for_a_client_that_has_left_already_nothing_starts():
    started: list[bool] = []
    summaries: list[Summary] = []

    async def source() -> AsyncIterator[str]:
        started.append(True)
        yield "a"

    client = Client()
    client.left.set()
    await client.ask(EventStream(source(), on_end=summaries.append))
    assert not started
    assert [summary.ending for summary in summaries] == [Ending.GONE]


async def test_a_receive_that_raises_costs_the_listening_only(caplog: pytest.LogCaptureFixture):
    class Deaf(Client):
        async def receive(self) -> dict[str, Any]:
            raise LookupError("deaf")

    assert (await Deaf().ask(EventStream(async_generator()))).body == BODY
    assert "listening for a disconnect raised" in caplog.text


async def test_a_last_write_that_nobody_reads_is_given_up_on_once():
    writes: list[int] = []

    class Stuck(Client):
        async def send(self, message: Any) -> None:
            if message["type"] == "http.response.body":
                writes.append(len(message["body"]))
                await anyio.sleep_forever()

    await Stuck().ask(EventStream(["x" * 1_000_000], send_timeout=0.02))
    assert len(writes) == 1


async def test_a_cleanup_that_is_cancelled_itself_still_has_its_on_end():
    summaries: list[Summary] = []
    client = Client()

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            client.left.set()
            await anyio.sleep_forever()
        finally:
            import asyncio

            raise asyncio.CancelledError

    await client.ask(EventStream(source(), on_end=summaries.append))
    assert [summary.ending for summary in summaries] == [Ending.GONE]


async def test_what_a_cancelled_sources_cleanup_raises_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
):
    client = Client()

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            client.left.set()
            await anyio.sleep_forever()
        finally:
            raise LookupError("a lost save")

    await client.ask(EventStream(source()))
    assert "a lost save" in caplog.text


async def test_an_async_cancel_is_awaited():
    client, called = Client(), anyio.Event()

    async def source() -> AsyncIterator[str]:
        yield "a"
        client.left.set()
        await anyio.sleep_forever()

    async def cancel() -> None:
        await anyio.lowlevel.checkpoint()
        called.set()

    await client.ask(EventStream(source(), cancel=cancel))
    with anyio.fail_after(5):
        await called.wait()


async def test_an_os_error_from_send_is_a_client_that_left():
    summaries: list[Summary] = []

    class Broken(Client):
        async def send(self, message: Any) -> None:
            raise OSError("gone")

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "x"

    await Broken().ask(EventStream(endless(), on_end=summaries.append))
    assert summaries[0].ending is Ending.GONE


async def test_a_server_that_repeats_the_end_of_the_body_is_not_asked_for_ever():
    class Repeating(Client):
        async def receive(self) -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

    assert (await Repeating().ask(EventStream(async_generator()))).body == BODY


async def test_a_source_that_never_waits_does_not_starve_others():
    turns = 0

    def endless() -> Iterator[str]:
        while True:
            yield "x"

    client = Client()

    async def other() -> None:
        nonlocal turns
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            turns += 1
        client.left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.ask, EventStream(endless()))
        tasks.start_soon(other)
    assert turns == 20


async def test_another_kind_of_scope_is_refused():
    with pytest.raises(RuntimeError, match="'lifespan'"):
        await EventStream(lambda scope: [])({"type": "lifespan"}, Client().receive, Client().send)


# -- a source that waits between its chunks, and a server that makes its writes wait -----------------


class Slow(Client):
    """Each body message is sent only after some turns of the loop."""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
        await super().send(message)


async def test_writes_that_wait_keep_the_order_of_a_source_that_goes_on_meanwhile():
    async def source() -> AsyncIterator[str]:
        for number in range(20):
            yield str(number)
            if number % 3:
                await anyio.lowlevel.checkpoint()

    body = (await Slow().ask(EventStream(source()))).body
    assert body == b"".join(b"data: %d\n\n" % number for number in range(20)) + DONE


async def test_a_sources_own_timeout_loses_nothing_of_a_write_that_waits():
    async def source() -> AsyncIterator[str]:
        with anyio.move_on_after(0.01):
            yield "before"
            await anyio.sleep_forever()
        yield "after"

    class Late(Client):
        async def send(self, message: Any) -> None:
            if b"before" in message.get("body", b""):
                await anyio.sleep(0.03)
            await super().send(message)

    assert (
        await Late().ask(EventStream(source()))
    ).body == b"data: before\n\ndata: after\n\n" + DONE


@pytest.mark.parametrize("turns", [0, 1])
async def test_what_a_write_raises_is_raised_by_the_app_and_closes_the_source(turns: int):
    closed: list[bool] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            closed.append(True)

    class Broken(Client):
        async def send(self, message: Any) -> None:
            if message["type"] == "http.response.body":
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await Broken().ask(EventStream(source()))
    assert closed == [True]


async def test_a_stall_is_noticed_after_a_chunk_that_the_sources_task_wrote_itself():
    summaries: list[Summary] = []

    async def source() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep_forever()

    await Client().ask(EventStream(source(), stall_timeout=0.02, on_end=summaries.append))
    assert summaries[0].ending is Ending.STALLED


async def test_chunks_of_a_sync_iterable_from_a_coroutine_leave_one_by_one():
    written = threading.Event()

    def chunks() -> Iterator[str]:
        yield "a"
        assert written.wait(5)
        yield "b"

    async def source() -> Iterator[str]:
        return chunks()

    class Watching(Client):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if b"data: a" in message.get("body", b""):
                written.set()

    assert (await Watching().ask(EventStream(source()))).body == BODY


@pytest.mark.parametrize("holds", ["lock", "scope", "variable"])
async def test_a_send_may_hold_on_to_its_task_and_context_while_it_waits(holds: str):
    lock, variable = anyio.Lock(), contextvars.ContextVar("variable", default=0)

    class Holding(Slow):
        async def send(self, message: Any) -> None:
            if holds == "lock":
                async with lock:
                    await super().send(message)
            elif holds == "scope":
                with anyio.fail_after(5):
                    await super().send(message)
            else:
                token = variable.set(1)
                await super().send(message)
                variable.reset(token)

    async def source() -> AsyncIterator[str]:
        for text in "ab":
            yield text
            await anyio.sleep(0.005)

    assert (await Holding().ask(EventStream(source()))).body == BODY


async def test_the_status_leaves_when_hold_is_over_also_without_pings():
    started = anyio.Event()

    class Watching(Client):
        async def send(self, message: Any) -> None:
            await super().send(message)
            started.set()

    async def source() -> AsyncIterator[str]:
        while not started.is_set():
            yield ""
            await anyio.sleep(0.002)
        yield "a"
        yield "b"

    app = EventStream(source(), hold=0.01, ping=None)
    assert (await Watching().ask(app)).body == BODY


async def test_each_answer_has_a_list_of_headers_of_its_own_for_middlewares_to_add_to():
    app, counts = EventStream(lambda scope: generator()), []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-added", b"1"))
            counts.append(len(message["headers"]))

    for _ in range(3):
        await app({"type": "http", "method": "GET", "headers": []}, anyio.sleep_forever, send)
    assert len(set(counts)) == 1
