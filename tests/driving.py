"""Ways to run a source through each driver and get its bytes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

import anyio
import trio

from sse_bridge.drivers import anyio as anyio_driver
from sse_bridge.drivers import plain
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options

Chunks = Callable[[], Iterable[Any]]
Run = Callable[[Chunks, Options], bytes]


async def as_async(chunks: Iterable[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        await anyio.lowlevel.checkpoint()
        yield chunk


def plain_sync(chunks: Chunks, options: Options) -> bytes:
    return b"".join(plain.drive(chunks(), options))


def plain_async(chunks: Chunks, options: Options) -> bytes:
    async def run() -> bytes:
        return b"".join([data async for data in plain.adrive(as_async(chunks()), options)])

    return asyncio.run(run())


def on_threads(source: Any, options: Options) -> bytes:
    return b"".join(Body(source, options, contextvars.copy_context()))


async def on_anyio(
    source: Any, options: Options, hang_up: anyio.Event | None = None, *, cut: bytes = b""
) -> bytes:
    """What is written; and `cut` if the end of the body was not."""
    written, is_over = bytearray(), False
    hung_up = anyio.Event() if hang_up is None else hang_up

    async def receive() -> dict[str, Any]:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        nonlocal is_over
        written.extend(data)
        is_over = not more

    await anyio_driver.drive(
        source,
        options,
        contextvars.copy_context(),
        receive=receive,
        begin=begin,
        write=write,
    )
    return bytes(written) if is_over else bytes(written) + cut


def run_asyncio(call: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
    return asyncio.run(call(*args))


def run_trio(call: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
    return trio.run(call, *args)


DRIVERS: dict[str, Run] = {
    "plain, sync source": plain_sync,
    "plain, async source": plain_async,
    "threads, sync source": lambda chunks, options: on_threads(chunks(), options),
    "threads, async source": lambda chunks, options: on_threads(as_async(chunks()), options),
    "asyncio, sync source": lambda chunks, options: run_asyncio(on_anyio, chunks(), options),
    "asyncio, async source": lambda chunks, options: run_asyncio(
        on_anyio, as_async(chunks()), options
    ),
    "trio, sync source": lambda chunks, options: run_trio(on_anyio, chunks(), options),
    "trio, async source": lambda chunks, options: run_trio(on_anyio, as_async(chunks()), options),
}
