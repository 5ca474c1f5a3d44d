"""What an app and a watch read of the same `receive`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sse_bridge.loops.listening import listen
from sse_bridge.middleware.inbox import READ_AHEAD, Inbox

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def receiver(*messages: Any) -> Callable[[], Any]:
    left = iter(messages)

    async def receive() -> Any:
        await anyio.lowlevel.checkpoint()
        message = next(left, None)
        if message is None:
            await anyio.sleep_forever()
        return message

    return receive


def piece(size: int, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


GONE = {"type": "http.disconnect"}


async def test_what_the_watch_has_read_is_the_apps_to_receive():
    inbox = Inbox(receiver(piece(1), piece(2, more=False), GONE))
    left: list[bool] = []
    await listen(inbox.look, lambda: left.append(True))
    assert left == [True]
    assert [await inbox.receive() for _ in range(4)] == [piece(1), piece(2, more=False), GONE, GONE]


async def test_the_watch_reads_no_further_ahead_than_it_may_until_the_app_reads():
    pieces = [piece(READ_AHEAD // 2) for _ in range(5)]
    inbox = Inbox(receiver(*pieces, GONE))
    left = anyio.Event()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, inbox.look, left.set)
            await anyio.sleep(0.01)
            assert not left.is_set()
            assert [await inbox.receive() for _ in pieces] == pieces
            await left.wait()


async def test_of_two_that_wait_both_go_on_with_what_comes():
    inbox = Inbox(receiver(piece(1), piece(2)))
    got: list[Any] = []

    async def take() -> None:
        got.append(await inbox.receive())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            tasks.start_soon(take)
    assert sorted(len(message["body"]) for message in got) == [1, 2]


async def test_a_server_that_repeats_the_end_of_the_body_is_not_asked_for_ever():
    async def receive() -> Any:
        await anyio.lowlevel.checkpoint()
        return piece(0, more=False)

    with anyio.fail_after(5):
        await listen(Inbox(receive).look, lambda: None)


async def test_an_app_that_listens_is_told_of_an_end_that_the_server_knows_nothing_of():
    inbox = Inbox(receiver())
    heard: list[Any] = []

    async def ask() -> None:
        heard.append(await inbox.receive())

    assert not inbox.hang_up()
    with anyio.fail_after(5):
        await ask()
    assert heard == [GONE]
