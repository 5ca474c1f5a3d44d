"""A response as a test uses it: for tests that wait in a thread, and for tests that wait in a loop.

Rules of this file:

1. Every wait is bounded, and if it was in vain, its error says what it waited for.
2. Both kinds do the same, and differ only in how they wait.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TypeVar

from ..loops.base import Home, ThreadSignal
from ..wire import ServerSentEvent
from .answer import Answer, Bell
from .reading import Look, Reading, count
from .request import Request
from .servers import Serve

T = TypeVar("T")

TIMEOUT = 5.0  # seconds that a wait may take
# Seconds between looks at what rings no bell: a source that ends long after its stream.
EVERY = 0.01
# Seconds to wait for the end of the app when the test has failed already.
BRIEFLY = 0.5


def wait(bell: Bell, look: Look[T], timeout: float, late: Callable[[], AssertionError]) -> T:
    """Look until there is an answer; raises `late` if it does not come in time."""
    signal, until = ThreadSignal(), monotonic() + timeout
    with bell.heard_by(signal.set):
        while (found := look()) is None:
            if (now := monotonic()) >= until:
                raise late()
            signal.wait(min(until, now + EVERY))
    return found


async def wait_in_loop(
    bell: Bell, look: Look[T], timeout: float, late: Callable[[], AssertionError]
) -> T:
    """The same, in the loop of the calling task."""
    home = current_home()
    signal, until = home.signal(), monotonic() + timeout
    with bell.heard_by(lambda: home.soon(signal.set)):
        try:
            while (found := look()) is None:
                if (now := monotonic()) >= until:
                    raise late()
                await signal.wait(min(until, now + EVERY))
                # anyio does not cancel a task whose wake-up is under way, which a busy stream would always cause.
                await home.pause()
        finally:
            signal.close()
    return found


def current_home() -> Home:
    """The loop that the caller runs in; anyio is needed only for this."""
    from ..loops.current import current_home

    return current_home()


class _Stream(Reading):
    """The response to one request, and the server that sends it."""

    def __init__(self, request: Request, serve: Serve, *, raises: bool, timeout: float) -> None:
        answer = Answer()
        super().__init__(request, answer, raises=raises)
        self._timeout = timeout
        self._bell = answer.bell
        self._server = serve(request, answer)

    def _late(self, wanted: str, timeout: float) -> Callable[[], AssertionError]:
        return lambda: self._too_late(wanted, timeout)

    def _unending(self, timeout: float) -> Callable[[], AssertionError]:
        return lambda: self._still_runs(timeout, self._server.place)


class Stream(_Stream):
    """A response, for a test that waits in a thread; every wait takes a `timeout` of its own, in seconds."""

    def take(self, number: int = 1, *, timeout: float | None = None) -> list[ServerSentEvent]:
        """The next events, so many."""
        wanted = f"{count(number, 'event')} wanted"
        return self._wait(partial(self._look_for_events, number), wanted, timeout)

    def wait_for_ping(self, *, timeout: float | None = None) -> None:
        """Wait for the next ping; each is waited for once. Events before it can still be taken."""
        self._wait(self._look_for_ping, "a ping was wanted", timeout)

    def read(self, *, timeout: float | None = None) -> list[ServerSentEvent]:
        """All further events, once the stream has ended."""
        return self._wait(self._look_for_rest, "the end of the stream was wanted", timeout)

    def hang_up(self, *, timeout: float | None = None) -> None:
        """Leave as a client does, and wait until the app has returned and its source is closed."""
        seconds = self._timeout if timeout is None else timeout
        self._server.hang_up()
        wait(self._bell, self._look_for_end, seconds, self._unending(seconds))
        self._raise_failure()

    def _open(self, advance: float) -> None:
        """Wait for the status."""
        if advance:
            self._wait(self._look_for_clock, "a stream was wanted", None)
            self._advance_if_ours(advance)
        self._wait(self._look_for_status, "an answer was wanted", None)

    def _leave(self, *, quietly: bool) -> None:
        """Leave the block; `quietly` after an error, which is then the one to be raised."""
        try:
            self.hang_up(timeout=min(BRIEFLY, self._timeout) if quietly else None)
        except BaseException as error:
            self._server.abandon()
            if not (quietly and isinstance(error, Exception)):
                raise

    def _wait(self, look: Look[T], wanted: str, timeout: float | None) -> T:
        seconds = self._timeout if timeout is None else timeout
        return wait(self._bell, look, seconds, self._late(wanted, seconds))


class AsyncStream(_Stream):
    """A response, for a test that waits in a loop; every wait takes a `timeout` of its own, in seconds."""

    async def take(self, number: int = 1, *, timeout: float | None = None) -> list[ServerSentEvent]:
        """The next events, so many."""
        wanted = f"{count(number, 'event')} wanted"
        return await self._wait(partial(self._look_for_events, number), wanted, timeout)

    async def wait_for_ping(self, *, timeout: float | None = None) -> None:
        """Wait for the next ping; each is waited for once. Events before it can still be taken."""
        await self._wait(self._look_for_ping, "a ping was wanted", timeout)

    async def read(self, *, timeout: float | None = None) -> list[ServerSentEvent]:
        """All further events, once the stream has ended."""
        return await self._wait(self._look_for_rest, "the end of the stream was wanted", timeout)

    async def hang_up(self, *, timeout: float | None = None) -> None:
        """Leave as a client does, and wait until the app has returned and its source is closed."""
        seconds = self._timeout if timeout is None else timeout
        self._server.hang_up()
        await wait_in_loop(self._bell, self._look_for_end, seconds, self._unending(seconds))
        self._raise_failure()

    async def _open(self, advance: float) -> None:
        """Wait for the status."""
        if advance:
            await self._wait(self._look_for_clock, "a stream was wanted", None)
            self._advance_if_ours(advance)
        await self._wait(self._look_for_status, "an answer was wanted", None)

    async def _leave(self, *, quietly: bool) -> None:
        """Leave the block; `quietly` after an error, which is then the one to be raised."""
        try:
            await self.hang_up(timeout=min(BRIEFLY, self._timeout) if quietly else None)
        except BaseException as error:
            self._server.abandon()
            if not (quietly and isinstance(error, Exception)):
                raise

    async def _wait(self, look: Look[T], wanted: str, timeout: float | None) -> T:
        seconds = self._timeout if timeout is None else timeout
        return await wait_in_loop(self._bell, look, seconds, self._late(wanted, seconds))
