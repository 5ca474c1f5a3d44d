"""A thread's chunks, written in the loop while the writer sleeps, and what the thread does at that very moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from answering import DONE, PATIENCE, Answer, turns
from sse_bridge import Ending, UpstreamError
from sse_bridge.drivers.pipe import ROOM, ROOM_BYTES


class Thread:
    """A sync source: says a, b and c, each alone, and does `then` while the loop is writing c."""

    def __init__(self, then: Callable[[Thread], Iterator[str]], *, waits: bool = False) -> None:
        self.answer = Answer(self._send)
        self.closed = threading.Event()
        self.done = threading.Event()  # what it does at that moment
        self._then, self._waits = then, waits
        self._writing = threading.Event()
        self._steps: list[int] = []  # of the request's task, at each write
        self._loop: asyncio.AbstractEventLoop | None = None

    def __iter__(self) -> Iterator[str]:
        for letter in "ab":
            yield letter
            self._calm()
        yield "c"
        assert self._writing.wait(PATIENCE)
        yield from self._then(self)

    def close(self) -> None:
        """The source's last word is in the pipe."""
        self.closed.set()
        self.done.set()

    def run(self, **options: Any) -> Answer:
        asyncio.run(self._run(options))
        assert self.closed.is_set()
        letters = [b"data: %c\n\n" % letter for letter in b"abc"]
        assert self.answer.in_stead[:2] == letters[1:]
        assert self._steps[2] == self._steps[3], "the writer woke for c"
        return self.answer

    async def _run(self, options: dict[str, Any]) -> None:
        self._loop = asyncio.get_running_loop()
        with anyio.fail_after(2 * PATIENCE):
            await self.answer.drive(self, **options)

    async def _send(self, data: bytes) -> None:
        self._steps.append(self.answer.steps)
        if data == b"data: c\n\n":
            self._writing.set()
            assert self.done.wait(PATIENCE)  # the loop stands still
            if self._waits:
                await turns(3)

    def _calm(self) -> None:
        """What was said is written, and the writer sleeps."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(turns(), self._loop).result(PATIENCE)


SAID = b"data: a\n\ndata: b\n\ndata: c\n\n"
waiting_or_not = pytest.mark.parametrize("waits", [False, True], ids=["quick", "waiting"])


@waiting_or_not
def test_a_thread_that_ends_while_its_chunk_is_written_has_finished(waits: bool):
    def then(_: Thread) -> Iterator[str]:
        return iter(())

    answer = Thread(then, waits=waits).run()
    assert (answer.body, answer.is_over) == (SAID + DONE, True)
    assert answer.summary.ending is Ending.FINISHED


@waiting_or_not
def test_a_thread_that_raises_while_its_chunk_is_written_has_failed(waits: bool):
    def then(_: Thread) -> Iterator[str]:
        raise UpstreamError("the model's", code="overloaded")

    answer = Thread(then, waits=waits).run()
    assert answer.body.startswith(SAID + b"event: error\n")
    assert answer.is_over
    assert answer.summary.ending is Ending.FAILED


@waiting_or_not
@pytest.mark.parametrize("number", [1, 2, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM])
def test_a_thread_that_fills_the_pipe_while_its_chunk_is_written_loses_nothing(
    waits: bool, number: int
):
    def then(thread: Thread) -> Iterator[str]:
        for at in range(number):
            if at == min(number, ROOM) - 1:
                thread.done.set()
            yield "d"

    answer = Thread(then, waits=waits).run()
    assert (answer.body, answer.is_over) == (SAID + b"data: d\n\n" * number + DONE, True)
    assert answer.summary.chunks == 3 + number


@waiting_or_not
def test_a_thread_that_fills_the_pipe_with_one_chunk_loses_nothing(waits: bool):
    large = "d" * ROOM_BYTES

    def then(thread: Thread) -> Iterator[str]:
        thread.done.set()
        yield large
        yield "e"

    answer = Thread(then, waits=waits).run()
    assert answer.body == SAID + f"data: {large}\n\ndata: e\n\n".encode() + DONE
    assert answer.is_over


@waiting_or_not
@pytest.mark.parametrize("more", [0, 1, ROOM - 1])
def test_a_server_that_stops_while_a_threads_chunk_is_written_has_the_last_word(
    waits: bool, more: int
):
    ended = threading.Event()

    def then(thread: Thread) -> Iterator[str]:
        yield from "d" * more
        thread.answer.pipe.shut_down()
        thread.done.set()
        assert ended.wait(PATIENCE)

    answer = Thread(then, waits=waits).run(cancel=ended.set)
    assert answer.body.startswith(SAID + b"data: d\n\n" * more)
    assert b"shutdown" in answer.body
    assert answer.is_over
    assert answer.summary.ending is Ending.SHUTDOWN


@waiting_or_not
@pytest.mark.parametrize("more", [0, 1, ROOM - 1])
def test_a_client_that_leaves_while_a_threads_chunk_is_written_hears_no_more(
    waits: bool, more: int
):
    ended = threading.Event()

    def then(thread: Thread) -> Iterator[str]:
        yield from "d" * more
        thread.answer.pipe.hang_up()
        thread.done.set()
        assert ended.wait(PATIENCE)
        yield "never"

    answer = Thread(then, waits=waits).run(cancel=ended.set)
    assert answer.body == SAID
    assert not answer.is_over
    assert answer.summary.ending is Ending.GONE
