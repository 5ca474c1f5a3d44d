"""Writes in the writer's stead that are cut short: by whoever cancels the request, by an error, by time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from answering import DONE, PATIENCE, Answer, Send, both_loops, every_asyncio_send, lone, turns
from sse_bridge import Ending

# -- the request is cancelled ---------------------------------------------------------------------


class Cancelling:
    """A request in a task of its own that is cancelled at a moment of the test's choice."""

    def __init__(self, kind: str, send: Send) -> None:
        self.answer = Answer(send)
        self.closed = 0
        self.caught = False
        self._kind = kind
        self._task: asyncio.Task[None] | None = None
        self._scope: anyio.CancelScope | None = None

    def cancel(self) -> None:
        assert self._task is not None
        assert self._scope is not None
        if self._kind == "task":
            self._task.cancel()
        else:
            self._scope.cancel()

    async def run(self, rest: Callable[[], AsyncIterator[str]]) -> None:
        async def source() -> AsyncIterator[str]:
            try:
                yield "a"
                await turns()
                async for chunk in rest():
                    yield chunk
            finally:
                await turns()
                self.closed += 1

        async def request() -> None:
            with anyio.CancelScope() as self._scope:
                await self.answer.drive(source())
            self.caught = self._scope.cancelled_caught

        self._task = asyncio.create_task(request())
        await asyncio.wait([self._task], timeout=PATIENCE)
        assert self._task.done()

    def check(self) -> None:
        """It ended as one that was cancelled, and all that belongs to it with it."""
        assert self._task is not None
        assert (self._task.cancelled(), self.caught) == (
            (True, False) if self._kind == "task" else (False, True)
        )
        assert self._task.cancelled() or self._task.exception() is None
        assert self.closed == 1
        assert self.answer.summary.ending is Ending.GONE
        assert not self.answer.is_over


by_both = pytest.mark.parametrize("kind", ["task", "scope"])


@by_both
@every_asyncio_send
def test_a_request_that_is_cancelled_while_it_sleeps_ends_after_its_sources_cleanup(
    kind: str, made: Callable[[], Send]
):
    async def main() -> None:
        request = Cancelling(kind, made())

        async def rest() -> AsyncIterator[str]:
            yield "b"
            await turns(9)
            request.cancel()
            await anyio.sleep_forever()

        await request.run(rest)
        request.check()
        assert request.answer.body == b"data: a\n\ndata: b\n\n"

    asyncio.run(main())


@by_both
@pytest.mark.parametrize("when", ["in the turn in which it does", "later"])
def test_a_request_that_is_cancelled_when_a_write_begun_in_its_stead_blocks_cancels_that(
    kind: str, when: str
):
    async def main() -> None:
        raised: list[str] = []

        async def send(data: bytes) -> None:
            if b"data: b" in data:
                if when != "later":
                    asyncio.get_running_loop().call_soon(request.cancel)
                try:
                    await anyio.sleep_forever()
                except BaseException as error:
                    raised.append(type(error).__name__)
                    raise

        request = Cancelling(kind, send)

        async def rest() -> AsyncIterator[str]:
            yield "b"
            await turns()
            yield "c"
            request.cancel()
            await anyio.sleep_forever()

        await request.run(rest)
        request.check()
        assert request.answer.in_stead == [b"data: b\n\n"]
        assert request.answer.writes == [b"data: a\n\n"]
        assert raised == ["CancelledError"]

    asyncio.run(main())


async def run_out_of_asyncios_time() -> None:
    async with asyncio.timeout(0):
        await anyio.sleep_forever()


async def run_out_of_anyios_time() -> None:
    with anyio.fail_after(0):
        await anyio.sleep_forever()


@pytest.mark.parametrize("run_out_of_time", [run_out_of_asyncios_time, run_out_of_anyios_time])
def test_a_timeout_of_a_writes_own_that_is_over_at_once_is_that_writes_affair(
    run_out_of_time: Callable[[], Awaitable[None]],
):
    async def main() -> None:
        late: list[str] = []

        async def send(data: bytes) -> None:
            if b"data: b" in data:
                try:
                    await run_out_of_time()
                except TimeoutError as error:
                    late.append(type(error).__name__)

        answer = Answer(send)
        with anyio.fail_after(PATIENCE):
            await answer.drive(lone("a", "b", "c"))
        assert late == ["TimeoutError"]
        assert answer.in_stead[:1] == [b"data: b\n\n"]
        assert answer.body == b"data: a\n\ndata: b\n\ndata: c\n\n" + DONE
        assert answer.summary.ending is Ending.FINISHED

    asyncio.run(main())


def test_a_cancelling_that_a_write_in_the_requests_stead_withstands_is_over():
    async def main() -> None:
        withstood: list[str] = []

        async def send(data: bytes) -> None:
            if b"data: b" in data:
                asyncio.get_running_loop().call_soon(request.cancel)
                try:
                    await anyio.sleep_forever()
                except asyncio.CancelledError as error:
                    withstood.append(type(error).__name__)

        request = Cancelling("task", send)

        async def rest() -> AsyncIterator[str]:
            async for chunk in lone("b", "c"):
                yield chunk

        await request.run(rest)
        assert withstood == ["CancelledError"]
        assert request.answer.body == b"data: a\n\ndata: b\n\ndata: c\n\n" + DONE

    asyncio.run(main())


@by_both
@pytest.mark.parametrize("then", ["goes on", "looks", "raises"])
def test_a_request_that_is_cancelled_by_a_write_in_its_stead_ends_so(kind: str, then: str):
    async def main() -> None:
        async def send(data: bytes) -> None:
            if b"data: b" in data:
                request.cancel()
                if then == "raises":
                    raise ConnectionResetError
                if then == "looks":
                    await anyio.lowlevel.checkpoint_if_cancelled()

        request = Cancelling(kind, send)

        async def rest() -> AsyncIterator[str]:
            yield "b"
            await anyio.sleep_forever()

        await request.run(rest)
        request.check()
        assert request.answer.in_stead == [b"data: b\n\n"]

    asyncio.run(main())


# -- writes that raise, or never get done ---------------------------------------------------------


@both_loops
@pytest.mark.parametrize("at", [b"data: a", b"data: b", DONE], ids=["first", "middle", "last"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_an_os_error_of_a_write_means_that_the_client_has_left(run: Any, at: bytes, waits: bool):
    async def main() -> None:
        async def send(data: bytes) -> None:
            if at in data:
                await turns(waits)
                raise ConnectionResetError("the client")

        answer = Answer(send)
        with anyio.fail_after(PATIENCE):
            await answer.drive(lone("a", "b", "c", "d"))
        left = Ending.FINISHED if at == DONE else Ending.GONE
        assert answer.summary.ending is left
        assert not answer.is_over
        assert at not in answer.body

    run(main)


@both_loops
@pytest.mark.parametrize("at", [b"data: a", b"data: b", DONE], ids=["first", "middle", "last"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_any_other_error_of_a_write_is_raised_when_all_is_over(run: Any, at: bytes, waits: bool):
    async def main() -> None:
        closed: list[str] = []

        async def send(data: bytes) -> None:
            if at in data:
                await turns(waits)
                raise LookupError("a middleware's")

        async def source() -> AsyncIterator[str]:
            try:
                async for chunk in lone("a", "b", "c"):
                    yield chunk
            finally:
                closed.append("closed")

        answer = Answer(send)
        with anyio.fail_after(PATIENCE), pytest.raises(LookupError, match="a middleware's"):
            await answer.drive(source())
        assert closed == ["closed"]
        assert answer.summary.ending is (Ending.FINISHED if at == DONE else Ending.GONE)

    run(main)


@both_loops
def test_a_write_that_nobody_takes_ends_the_stream_while_its_source_goes_on(run: Any):
    async def main() -> None:
        begun: list[bytes] = []
        said = 0

        async def send(data: bytes) -> None:
            begun.append(data)
            if b"data: b" in data:
                await anyio.sleep_forever()

        async def source() -> AsyncIterator[str]:
            nonlocal said
            async for chunk in lone("a", "b"):
                yield chunk
            while True:
                said += 1
                yield "c"
                await anyio.lowlevel.checkpoint()

        answer = Answer(send)
        with anyio.fail_after(PATIENCE):
            await answer.drive(source(), send_timeout=0.05)
        assert answer.summary.ending is Ending.SLOW
        assert begun == [b"", b"data: a\n\n", b"data: b\n\n"]
        assert not answer.is_over
        assert said > 1

    run(main)
