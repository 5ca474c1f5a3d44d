"""The app's end of a `Gate`: wait for the test's permits, and show it when the source is closed.

One byte is one permit. The gate's connection is closed with the source, which the test sees.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol


class Wait(Protocol):
    def __call__(self) -> bool: ...


class AsyncWait(Protocol):
    async def __call__(self) -> bool: ...


@contextmanager
def gate(port: int | str) -> Iterator[Wait]:
    """Give a callable that blocks until the next permit; False says that there will be no more."""
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        yield lambda: bool(sock.recv(1))


@asynccontextmanager
async def async_gate(port: int | str) -> AsyncIterator[AsyncWait]:
    """Do the same under asyncio and trio."""
    import anyio

    async with await anyio.connect_tcp("127.0.0.1", int(port)) as stream:

        async def wait() -> bool:
            try:
                return bool(await stream.receive(1))
            except anyio.EndOfStream:
                return False

        yield wait
