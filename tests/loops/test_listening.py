"""Listening to `receive`: by hand where it is the server's own, in a task elsewhere; both hear the same."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sse_bridge.loops.asyncio import current_home
from sse_bridge.loops.base import Ear
from sse_bridge.loops.listening import HandEar, TaskEar, is_own, listen

REQUEST = {"type": "http.request", "body": b"", "more_body": False}
MORE = {"type": "http.request", "body": b"x", "more_body": True}
LEFT = {"type": "http.disconnect"}
Message = dict[str, Any]


class Server:
    """Messages that come when they are told; `receive` as a server has it."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.asked = 0
        self.news = asyncio.Event()
        self.closed = 0

    def tell(self, message: Message) -> None:
        self.messages.append(message)
        self.news.set()

    async def receive(self) -> Message:
        self.asked += 1
        try:
            while not self.messages:
                self.news.clear()
                await self.news.wait()
        except GeneratorExit:
            self.closed += 1
            raise
        message = self.messages.pop(0)
        if "raises" in message:
            raise message["raises"]
        return message


def by_hand(receive: Callable[[], Awaitable[Message]], hang_up: Callable[[], None]) -> Ear:
    return HandEar(asyncio.get_running_loop(), receive, hang_up)


def in_a_task(receive: Callable[[], Awaitable[Message]], hang_up: Callable[[], None]) -> Ear:
    return current_home().listen(receive, hang_up)


WAYS = pytest.mark.parametrize("ear_of", [by_hand, in_a_task])


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@WAYS
def test_a_client_that_leaves_is_heard_once(ear_of: Any):
    async def main() -> None:
        server, calls = Server(MORE, REQUEST), []
        ear = ear_of(server.receive, lambda: calls.append("left"))
        await turns()
        assert calls == []
        server.tell(LEFT)
        await turns()
        server.tell(LEFT)
        await turns()
        ear.close()
        assert calls == ["left"]

    asyncio.run(main())


@WAYS
def test_who_has_left_already_is_heard_within_its_turns(ear_of: Any):
    async def main() -> None:
        server, calls = Server(REQUEST, LEFT), []
        ear = ear_of(server.receive, lambda: calls.append("left"))
        await turns(ear.turns)
        assert calls == ["left"]
        ear.close()

    asyncio.run(main())


def test_by_hand_what_the_server_knows_is_heard_at_once_and_a_look_is_a_turn_ahead():
    async def main() -> None:
        server, calls = Server(REQUEST, LEFT), []
        by_hand(server.receive, lambda: calls.append("left")).close()
        assert calls == ["left"]
        server = Server(REQUEST)
        ear = by_hand(server.receive, lambda: calls.append("left"))
        ear.look()
        assert calls == ["left"]
        server.tell(LEFT)
        ear.look()
        assert calls == ["left", "left"]
        await turns()  # the future's own callback finds nothing to do
        ear.close()
        assert calls == ["left", "left"]

    asyncio.run(main())


@WAYS
def test_one_that_is_closed_hears_nothing_and_ends_what_it_waited_for(ear_of: Any):
    async def main() -> None:
        server, calls = Server(REQUEST), []
        ear = ear_of(server.receive, lambda: calls.append("left"))
        await turns()
        ear.close()
        ear.close()
        server.tell(LEFT)
        await turns()
        assert calls == []
        assert server.messages == [LEFT]  # nobody has taken it

    asyncio.run(main())


@WAYS
def test_a_server_that_repeats_the_end_of_the_body_is_not_asked_for_ever(ear_of: Any):
    async def main() -> None:
        server = Server(*[REQUEST] * 50)
        ear = ear_of(server.receive, lambda: None)
        await turns(100)
        assert server.asked == 2
        ear.close()

    asyncio.run(main())


@WAYS
def test_a_receive_that_raises_is_logged_and_no_more_is_heard(
    ear_of: Any, caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        server, calls = Server(REQUEST, {"raises": ValueError("broken")}, LEFT), []
        ear = ear_of(server.receive, lambda: calls.append("left"))
        await turns()
        ear.close()
        assert calls == []

    with caplog.at_level(logging.ERROR, "sse_bridge"):
        asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "listening for a disconnect raised: from now on only a failed write shows that the client has disconnected"
    ]


@WAYS
def test_a_bare_turn_of_the_loop_is_waited_for(ear_of: Any):
    async def receive() -> Message:
        await asyncio.sleep(0)
        return LEFT

    async def main() -> None:
        calls: list[str] = []
        ear = ear_of(receive, lambda: calls.append("left"))
        await turns()
        ear.close()
        assert calls == ["left"]

    asyncio.run(main())


def test_one_that_will_not_be_ended_is_logged_and_ends_nothing_else(
    caplog: pytest.LogCaptureFixture,
):
    async def receive() -> Message:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
        return LEFT

    async def main() -> None:
        ear = by_hand(receive, lambda: None)
        ear.close()

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "listening for a disconnect raised while it was being stopped"
    ]


def test_a_wait_that_the_loops_end_cancels_is_no_error(caplog: pytest.LogCaptureFixture):
    async def main() -> None:
        waits = asyncio.get_running_loop().create_future()

        async def receive() -> Message:
            await waits
            return LEFT

        calls: list[str] = []
        ear = by_hand(receive, lambda: calls.append("left"))
        waits.cancel()
        await turns()
        ear.close()
        assert calls == []

    asyncio.run(main())
    assert caplog.records == []


def test_nothing_of_it_is_left_for_the_collector():
    async def main() -> None:
        server = Server(REQUEST)

        class Hears:
            def __call__(self) -> None: ...

        hears = Hears()
        reference = weakref.ref(hears)
        ear = by_hand(server.receive, hears)
        await turns()
        ear.close()
        del hears, ear
        assert reference() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


# -- whose it is -----------------------------------------------------------------------------------


def test_the_receive_of_uvicorn_and_hypercorn_is_stepped_by_hand():
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle as H11
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle as Httptools

    async def main() -> None:
        assert is_own(H11.__new__(H11).receive)
        assert is_own(Httptools.__new__(Httptools).receive)
        assert is_own(asyncio.Queue().get)

    asyncio.run(main())


def test_what_wraps_a_receive_gets_a_task():
    async def main() -> None:
        server = Server(REQUEST)
        assert not is_own(server.receive)
        assert not is_own(lambda: server.receive())
        assert not is_own(functools.wraps(asyncio.Queue().get)(lambda: server.receive()))
        assert not is_own(functools.partial(asyncio.Queue().get))
        ear = current_home().listen(server.receive, lambda: None)
        assert isinstance(ear, TaskEar)
        ear.close()

    asyncio.run(main())


def test_a_listener_reads_to_the_end():
    async def main() -> None:
        server, calls = Server(MORE, MORE, REQUEST, LEFT), []
        await listen(server.receive, lambda: calls.append("left"))
        assert calls == ["left"]

    asyncio.run(main())
