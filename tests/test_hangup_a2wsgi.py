"""The watch on a client of a2wsgi: its own body, and an ASGI server whose messages come one by one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from a2wsgi.wsgi import Body

from sse_bridge.hangup import watch
from sse_bridge.hangup_a2wsgi import AHEAD, ENDS, LOOK, AsgiWatch

PATIENCE = 5.0  # seconds until what must come is given up on
DISCONNECT = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


END = part(b"", more=False)


class Connection:
    """An ASGI server's side: what it says, and how much of it was heard; `transport` is as uvicorn's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *messages: dict[str, Any]) -> None:
        self.loop = loop
        self.heard = 0
        self.aborted = threading.Event()
        self.closing = False
        self.transport = SimpleNamespace(abort=self.aborted.set, is_closing=lambda: self.closing)
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in messages:
            self.say(message)

    def say(self, message: dict[str, Any]) -> None:
        self.loop.call_soon_threadsafe(self._messages.put_nowait, message)

    async def receive(self) -> dict[str, Any]:
        message = await self._messages.get()
        self.heard += 1
        return message

    def environ(self) -> dict[str, Any]:
        return {"wsgi.input": Body(self.loop, self.receive)}

    def settle(self) -> None:
        """Wait until the loop has done what it can."""
        asyncio.run_coroutine_threadsafe(turns(), self.loop).result(PATIENCE)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop, ready = asyncio.new_event_loop(), Future[None]()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(ready.set_result, None)
    ready.result(PATIENCE)
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


class Told:
    def __init__(self) -> None:
        self.gone = threading.Event()

    def doubt(self) -> None:
        raise AssertionError("the server knows it, or does not")


def started(environ: dict[str, Any]) -> tuple[AsgiWatch, Told]:
    watched, told = watch(environ), Told()
    assert isinstance(watched, AsgiWatch)
    watched.start(told.doubt, told.gone.set)
    return watched, told


# -- the server's word ----------------------------------------------------------------------------


def test_the_servers_message_tells(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, END)
    watched, told = started(connection.environ())
    assert not watched.is_doubtful()
    assert watched.every is watched.second_ping is None
    connection.say(END)  # a server may repeat it
    connection.say(DISCONNECT)
    assert told.gone.wait(PATIENCE)
    watched.stop()


def test_who_has_left_already_is_known(loop: asyncio.AbstractEventLoop):
    watched, told = started(Connection(loop, END, DISCONNECT).environ())
    assert watched.is_doubtful()
    assert watched.has_left(within=0)
    assert told.gone.is_set()
    watched.stop()


def test_nothing_is_told_after_stop(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop)
    watched, told = started(connection.environ())
    watched.stop()
    connection.say(DISCONNECT)
    connection.settle()
    assert not told.gone.is_set()


def test_a_server_that_says_the_end_again_and_again_is_not_listened_to_for_ever(
    loop: asyncio.AbstractEventLoop,
):
    connection = Connection(loop, *[END] * 50)
    watched, _ = started(connection.environ())
    connection.settle()
    assert connection.heard == ENDS
    watched.stop()


# -- the request's body ---------------------------------------------------------------------------


def test_a_body_that_does_not_come_is_not_waited_for(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop)
    watched, told = started(connection.environ())
    connection.say(DISCONNECT)
    assert told.gone.wait(PATIENCE)
    watched.stop()


def test_the_app_reads_its_body_as_ever_before_and_after(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, part(b"one\ntwo\n"), part(b"three"))
    environ = connection.environ()
    body = environ["wsgi.input"]
    assert body.readline() == b"one\n"
    watched, told = started(environ)
    assert body.read(4) == b"two\n"
    connection.say(part(b" four", more=False))
    assert body.read() == b"three four"
    assert body.read() == b""
    connection.say(DISCONNECT)
    assert told.gone.wait(PATIENCE)
    watched.stop()


def test_an_app_that_waits_for_its_body_gets_it_when_it_comes(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop)
    environ = connection.environ()
    watched, _ = started(environ)
    with ThreadPoolExecutor(1) as app:
        reading = app.submit(environ["wsgi.input"].read)
        connection.settle()
        connection.say(part(b"late", more=False))
        assert reading.result(PATIENCE) == b"late"
    watched.stop()


def test_a_client_that_leaves_while_the_app_reads_is_told_and_the_app_reads_to_the_end(
    loop: asyncio.AbstractEventLoop,
):
    connection = Connection(loop, part(b"half"), DISCONNECT)
    environ = connection.environ()
    watched, told = started(environ)
    assert environ["wsgi.input"].read() == b"half"
    assert told.gone.wait(PATIENCE)
    watched.stop()


def test_after_stop_the_app_still_has_all_of_its_body(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, part(b"one "), part(b"two "))
    environ = connection.environ()
    watched, _ = started(environ)
    connection.settle()
    watched.stop()
    connection.say(part(b"three", more=False))
    assert environ["wsgi.input"].read() == b"one two three"


def test_of_a_body_that_nobody_reads_no_more_is_read_than_a_bound(loop: asyncio.AbstractEventLoop):
    half = AHEAD // 2
    connection = Connection(loop, *[part(b"x" * half)] * 10, END, DISCONNECT)
    environ = connection.environ()
    watched, told = started(environ)
    connection.settle()
    assert connection.heard == 2
    assert not told.gone.is_set()
    body = environ["wsgi.input"]
    assert body.read(1) == b"x"  # and as the app reads on, so does the listener
    connection.settle()
    assert connection.heard == 3
    assert len(body.read()) == 10 * half - 1
    assert told.gone.wait(PATIENCE)
    watched.stop()


def test_two_who_watch_one_request_both_hear_and_the_app_has_its_body(
    loop: asyncio.AbstractEventLoop,
):
    connection = Connection(loop, part(b"a body", more=False))
    environ = connection.environ()
    (first, first_told), (second, second_told) = started(environ), started(environ)
    assert environ["wsgi.input"].read() == b"a body"
    connection.say(DISCONNECT)
    assert first_told.gone.wait(PATIENCE)
    assert second_told.gone.wait(PATIENCE)
    assert second.breaks
    first.stop()
    second.stop()


# -- what only a write can tell -------------------------------------------------------------------


def test_beyond_the_bound_the_writes_tell_what_the_server_knows_by_them(
    loop: asyncio.AbstractEventLoop,
):
    connection = Connection(loop, part(b"x" * AHEAD))
    watched, told = started(connection.environ())
    connection.settle()
    assert (watched.every, watched.second_ping) == (LOOK, 0.02)
    watched.check()
    assert not told.gone.is_set()
    connection.closing = True
    watched.check()
    assert told.gone.is_set()
    watched.stop()


def test_a_write_that_blocks_is_ended_by_the_servers_own_transport(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, END)
    watched, _ = started(connection.environ())
    assert watched.breaks
    watched.break_off()
    assert connection.aborted.wait(PATIENCE)
    watched.stop()


def test_after_stop_no_transport_is_ended(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, END)
    watched, _ = started(connection.environ())
    watched.stop()
    watched.break_off()
    connection.settle()
    assert not connection.aborted.is_set()


def test_a_server_that_shows_no_transport_has_none_to_end(loop: asyncio.AbstractEventLoop):
    connection = Connection(loop, part(b"x" * AHEAD))
    environ = {"wsgi.input": Body(loop, lambda: connection.receive())}  # as behind a middleware
    watched, told = started(environ)
    connection.settle()
    assert not watched.breaks
    assert watched.every is watched.second_ping is None
    watched.check()
    watched.break_off()
    connection.settle()
    assert not told.gone.is_set()
    watched.stop()
