"""The ASGI driver: when what is ready leaves, and when pings do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from driving import on_anyio
from sse_bridge.drivers.anyio import BATCH_BYTES, listen
from sse_bridge.options import Options

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_pings_come_while_an_async_source_waits():
    async def source() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep(0.05)
        yield "b"

    assert b"data: a\n\n: ping\n\n" in await on_anyio(source(), Options(ping=0.01))


async def test_pings_come_while_a_sync_source_is_blocked():
    import threading

    blocked = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        blocked.wait(0.05)
        yield "b"

    assert b"data: a\n\n: ping\n\n" in await on_anyio(source(), Options(ping=0.01))


async def test_a_chunk_leaves_before_the_next_is_produced():
    from contextvars import copy_context

    from sse_bridge.drivers.anyio import drive

    written = anyio.Event()

    async def source() -> AsyncIterator[str]:
        yield "a"
        with anyio.fail_after(5):
            await written.wait()
        yield "b"

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        if b"data: a" in data:
            written.set()

    await drive(
        source(),
        Options(),
        copy_context(),
        receive=anyio.sleep_forever,
        begin=begin,
        write=write,  # type: ignore[arg-type]
    )
    assert written.is_set()


async def test_no_write_is_larger_than_a_batch():
    from contextvars import copy_context

    from sse_bridge.drivers.anyio import drive

    sizes: list[int] = []

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        sizes.append(len(data))

    text = "x" * (3 * BATCH_BYTES)
    await drive(
        [text],
        Options(),
        copy_context(),
        receive=anyio.sleep_forever,
        begin=begin,
        write=write,  # type: ignore[arg-type]
    )
    assert max(sizes) <= BATCH_BYTES
    assert sum(sizes) > len(text)


async def test_the_listener_hears_a_client_that_left():
    messages: list[Any] = [
        {"type": "http.request", "more_body": True},
        {"type": "http.request"},
        {"type": "http.disconnect"},
    ]
    calls: list[str] = []

    async def receive() -> Any:
        return messages.pop(0)

    await listen(receive, lambda: calls.append("left"))
    assert calls == ["left"]
