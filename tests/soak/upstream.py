"""A very cheap streaming HTTP/1.1 server in a process of its own, which counts what it is asked.

`GET /<pace>/<id>` streams lines without end at one of the paces below. The answer to `GET /asked` is
how often each id was asked for, as JSON. Started with a certificate's file it speaks TLS.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from certificates import Certificate

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b"6\r\nline.\n\r\n"


async def silent(link: Link) -> None:
    """Not even the headers."""
    await link.gone.wait()


async def stalling(link: Link) -> None:
    """A few lines, and then nothing more."""
    await link.write(HEAD + LINE * 3)
    await link.gone.wait()


async def trickling(link: Link) -> None:
    """A line every now and then: the reader is mostly blocked, and never for long."""
    await link.write(HEAD)
    while not link.gone.is_set():
        await link.write(LINE)
        await asyncio.sleep(0.00005)


async def flooding(link: Link) -> None:
    """As fast as it is read."""
    await link.write(HEAD)
    while not link.gone.is_set():
        await link.write(LINE * 4)
        await asyncio.sleep(0)


PACES = {pace.__name__: pace for pace in (silent, stalling, trickling, flooding)}


class Link(asyncio.Protocol):
    """One connection."""

    asked: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\r\n\r\n"):
            path = self._received.split(b" ", 2)[1].decode()
            self._received = b""
            self._answer(path)

    def connection_lost(self, _: Exception | None) -> None:
        self.gone.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        self._transport.write(data)
        await self._writable.wait()

    def _answer(self, path: str) -> None:
        _, pace, *rest = path.split("/")
        if pace == "asked":
            body = json.dumps(Link.asked).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            return
        Link.asked[rest[0]] += 1
        self._task = asyncio.ensure_future(PACES[pace](self))


@contextmanager
def upstream(proof: Certificate | None = None) -> Iterator[int]:
    """One that runs; its port."""
    command = [sys.executable, __file__]
    command += [str(proof.path)] if proof else []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def serve(certificate: str | None) -> None:
    """Serve until standard input ends; the port is told on standard output."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Link, "127.0.0.1", 0, ssl=context, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:] or [None]))
