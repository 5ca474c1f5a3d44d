"""Writes in the sleeping writer's stead: in which task and context `send` is, and in whose scopes it is not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from answering import (
    DONE,
    PATIENCE,
    Answer,
    Send,
    both_loops,
    every_asyncio_send,
    every_send,
    lone,
    turns,
)
from driving import run_asyncio

# -- one task, one context ------------------------------------------------------------------------


@both_loops
@every_send
def test_every_write_and_ping_is_of_the_requests_task(run: Any, made: Callable[[], Send]):
    async def main() -> None:
        pinged, send = anyio.Event(), made()

        async def tell(data: bytes) -> None:
            await send(data)
            if b": ping" in data:
                pinged.set()

        async def source() -> AsyncIterator[str]:
            yield "a"
            await turns()
            yield "b"
            await pinged.wait()
            yield "c"

        answer = Answer(tell)
        with anyio.fail_after(PATIENCE):
            await answer.drive(source(), ping=0.01)
        assert answer.tasks == {anyio.get_current_task().id}
        assert answer.is_over
        assert (
            answer.body.replace(b": ping\n\n", b"") == b"data: a\n\ndata: b\n\ndata: c\n\n" + DONE
        )
        if run is run_asyncio:
            assert answer.in_stead[0] == b"data: b\n\n"
            assert b": ping\n\n" in answer.in_stead

    run(main)


@both_loops
def test_what_begins_the_answer_put_into_its_context_is_there_for_each_write_to_the_last(
    run: Any,
):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> None:
        tokens: list[contextvars.Token[str]] = []
        seen: list[str] = []

        async def send(data: bytes) -> None:
            if not data:
                tokens.append(variable.set("the span"))
                return
            seen.append(variable.get("unset"))
            if DONE in data:
                variable.reset(tokens.pop())  # raises in any other context

        answer = Answer(send)
        await answer.drive(lone("a", "b", "c"))
        assert answer.is_over
        assert tokens == []
        assert set(seen) == {"the span"}
        assert variable.get("unset") == "unset"

    run(main)


@pytest.mark.parametrize("kind", ["task", "thread"])
def test_writes_in_stead_share_one_context_whoever_begins_them(kind: str):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    pinged = threading.Event()

    async def main() -> None:
        tokens: list[contextvars.Token[str]] = []
        heard, loop = anyio.Event(), asyncio.get_running_loop()

        async def send(data: bytes) -> None:
            if b"data: b" in data:  # the source's task or its thread has it written
                tokens.append(variable.set("b's"))
            elif b": ping" in data and tokens:  # and this is the clock's
                variable.reset(tokens.pop())  # raises in any other context
                heard.set()
                pinged.set()

        async def task() -> AsyncIterator[str]:
            async for chunk in lone("a", "b"):
                yield chunk
            await heard.wait()

        def thread() -> Iterator[str]:
            yield "a"
            asyncio.run_coroutine_threadsafe(turns(), loop).result(PATIENCE)
            yield "b"
            assert pinged.wait(PATIENCE)

        answer = Answer(send)
        with anyio.fail_after(2 * PATIENCE):
            await answer.drive(task() if kind == "task" else thread(), ping=0.01)
        assert {b"data: b\n\n", b": ping\n\n"} <= set(answer.in_stead)
        assert answer.is_over
        assert tokens == []

    asyncio.run(main())


# -- scopes of the source's own -------------------------------------------------------------------


def steps_in_a_scope(cancel_at: str) -> Callable[[], AsyncIterator[str]]:
    async def source() -> AsyncIterator[str]:
        yield "a"
        await turns()
        with anyio.CancelScope() as scope:
            yield "b"
            await turns()
            if cancel_at == "before a chunk":
                scope.cancel()
            yield "c"
            if cancel_at == "after a chunk":
                scope.cancel()
            await turns()
        assert scope.cancelled_caught == (cancel_at != "never")
        yield "d"
        await turns()
        yield "e"

    return source


def steps_in_a_timeout(cancel_at: str) -> Callable[[], AsyncIterator[str]]:
    async def source() -> AsyncIterator[str]:
        now = asyncio.get_running_loop().time
        yield "a"
        await turns()
        try:
            async with asyncio.timeout(PATIENCE) as timeout:
                yield "b"
                await turns()
                if cancel_at == "before a chunk":
                    timeout.reschedule(now())
                yield "c"
                if cancel_at == "after a chunk":
                    timeout.reschedule(now())
                await turns()
        except TimeoutError:
            assert cancel_at != "never"
        else:
            assert cancel_at == "never"
        yield "d"
        await turns()
        yield "e"

    return source


MOMENTS = ["never", "before a chunk", "after a chunk"]
SAID = b"".join(b"data: %c\n\n" % letter for letter in b"abcde") + DONE


@both_loops
@pytest.mark.parametrize("cancel_at", MOMENTS)
@every_send
def test_a_scope_that_a_source_holds_over_its_chunks_is_not_the_writes(
    run: Any, cancel_at: str, made: Callable[[], Send]
):
    async def main() -> None:
        answer = Answer(made())
        with anyio.fail_after(PATIENCE):
            await answer.drive(steps_in_a_scope(cancel_at)())
        assert (answer.body, answer.is_over) == (SAID, True)

    run(main)


@pytest.mark.parametrize("cancel_at", MOMENTS)
@every_asyncio_send
def test_a_timeout_that_a_source_holds_over_its_chunks_is_not_the_writes(
    cancel_at: str, made: Callable[[], Send]
):
    async def main() -> None:
        answer = Answer(made())
        with anyio.fail_after(PATIENCE):
            await answer.drive(steps_in_a_timeout(cancel_at)())
        assert (answer.body, answer.is_over) == (SAID, True)

    asyncio.run(main())
