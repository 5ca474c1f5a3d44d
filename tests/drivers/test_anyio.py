"""The ASGI driver: when what is ready leaves, and when pings do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
import pytest

from driving import on_anyio
from sse_bridge import Ending, Summary
from sse_bridge.dialects.plain import Plain, PlainVoice
from sse_bridge.drivers.anyio import BATCH_BYTES, Writer, drive
from sse_bridge.loops.listening import listen
from sse_bridge.options import Options
from sse_bridge.registry import ShuttingDown

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


class Told:
    """An app's answer as its server hears it, and what its source does, in order."""

    def __init__(self, *, stops_after: str = "") -> None:
        self.words: list[str] = []
        self._stops_after = stops_after
        self._writer: Writer | None = None

    async def drive(self, source: Any, **options: Any) -> None:
        self._writer = Writer(source, Options(**options), copy_context(), self._begin, self._write)
        await self._writer.run(anyio.sleep_forever)  # type: ignore[arg-type]

    def shut_down(self) -> None:
        assert self._writer is not None, "it is driven"
        self._writer.connection.pipe.shut_down()

    async def _begin(self) -> None:
        self.words.append("begin")

    async def _write(self, data: bytes, more: bool) -> None:
        said = "shutdown" if b"shutdown" in data else data.decode().strip()
        self.words += [said] * bool(data) + ["end of the body"] * (not more)
        if said == self._stops_after:
            self.shut_down()


async def test_at_a_shutdown_the_last_frame_comes_at_once_and_the_end_after_the_sources_cleanup():
    told = Told(stops_after="data: a")

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            told.words.append("cleanup")

    with anyio.fail_after(5):
        await told.drive(source())
    assert told.words == ["begin", "data: a", "shutdown", "cleanup", "end of the body"]


async def test_another_ending_comes_with_the_end_of_the_body():
    told = Told()

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            told.words.append("cleanup")

    with anyio.fail_after(5):
        await told.drive(source(), stall_timeout=0.01)
    assert [*told.words[:2], *told.words[-2:]] == ["begin", "data: a", "end of the body", "cleanup"]


async def test_a_shutdown_while_held_is_raised_and_nothing_is_said():
    told = Told()

    async def source() -> AsyncIterator[str]:
        told.shut_down()
        await anyio.sleep_forever()
        yield "a"

    with anyio.fail_after(5), pytest.raises(ShuttingDown) as raised:
        await told.drive(source())
    assert raised.value.status_code == 503
    assert told.words == []


async def test_whoever_does_not_take_the_last_frame_is_not_sent_the_end_of_the_body():
    begun: list[bytes] = []

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        begun.append(data)
        writer.connection.pipe.shut_down()
        if b"shutdown" in data:
            await anyio.sleep_forever()

    async def source() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep_forever()

    writer = Writer(source(), Options(send_timeout=0.05), copy_context(), begin, write)
    with anyio.fail_after(5):
        await writer.run(anyio.sleep_forever)  # type: ignore[arg-type]
    assert begun[0] == b"data: a\n\n"
    assert len(begun) == 2


class Silent(PlainVoice):
    """Has no words for some texts, and breaks over one."""

    name: ClassVar[str] = "silent"

    def text(self, part: str) -> bytes:
        if part == "break":
            raise Unforeseen(part)
        return b"" if part == "hush" else super().text(part)


class Unforeseen(BaseException):
    """What is no Exception: a time-out of gevent's, say."""


class SilentDialect(Plain):
    def voice(self) -> Any:
        return Silent()


async def test_a_chunk_that_says_nothing_is_no_write():
    pieces: list[bytes] = []

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        pieces.append(data)

    async def source() -> AsyncIterator[str]:
        for chunk in ("one", "two", "hush", "\ud83d", "\ude00", "three"):
            yield chunk
            await anyio.lowlevel.checkpoint()

    options = Options(dialect=SilentDialect())
    with anyio.fail_after(5):
        await Writer(source(), options, copy_context(), begin, write).run(anyio.sleep_forever)  # type: ignore[arg-type]
    assert b"" not in pieces
    assert b"".join(pieces).startswith(
        b"data: one\n\ndata: two\n\ndata: \xf0\x9f\x98\x80\n\ndata: three\n\n"
    )


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_what_a_voice_raises_that_is_no_exception_ends_the_request_and_loses_nothing_silently(
    kind: str,
):
    pieces: list[bytes] = []
    summaries: list[Summary] = []

    async def begin() -> None: ...

    async def write(data: bytes, more: bool) -> None:
        pieces.append(data)

    chunks = ("one", "two", "break", "three")

    async def source() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk
            await anyio.sleep(0.001)

    def sync() -> Iterator[str]:
        for chunk in chunks:
            yield chunk
            time.sleep(0.001)

    options = Options(dialect=SilentDialect(), on_end=summaries.append)
    made = source() if kind == "async" else sync()
    writer = Writer(made, options, copy_context(), begin, write)
    with anyio.fail_after(5), pytest.raises(Unforeseen):
        await writer.run(anyio.sleep_forever)  # type: ignore[arg-type]
    assert b"three" not in b"".join(pieces)
    assert [summary.ending for summary in summaries] == [Ending.GONE]
