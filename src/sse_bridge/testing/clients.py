"""Clients for tests, in process: one for tests that wait in a thread, one for tests that wait in a loop.

Rules of this file:

1. Both do the same, and differ only in how they wait.
2. Leaving a block disconnects the client, and waits for the end of the app and of its source.
3. An app runs in the test's context only where it runs in the test's loop. Elsewhere it has its own.
"""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from functools import partial
from typing import Any, Self, TypedDict, Unpack

from .answer import Answer, held
from .cookies import Cookies
from .request import Pairs, Place, Request, nowhere
from .servers import Interface, Server, interface_of, serve
from .streams import TIMEOUT, AsyncStream, Stream, current_home, wait, wait_in_loop


class Asked(TypedDict, total=False):
    """What a request may have besides its method and url."""

    params: Any
    headers: Pairs | None
    json: Any
    data: Any
    content: bytes | str | None


class _Client:
    """What both clients share."""

    def __init__(
        self,
        app: Any,
        interface: Interface | None,
        timeout: float,
        raises: bool,
        cookies: Mapping[str, str] | None,
    ) -> None:
        if interface not in (None, "wsgi", "asgi"):
            raise ValueError(f"interface must be 'wsgi' or 'asgi', got {interface!r}")
        self._app, self._timeout, self._raises = app, timeout, raises
        self._is_asgi = (interface or interface_of(app)) == "asgi"
        self._place: Place | None = None  # while the app's lifespan runs
        self._cookies = Cookies(cookies)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the client keeps, names to values."""
        return self._cookies.values()

    def _serve(self, place: Place) -> Callable[[Request, Answer], Server]:
        def answer_it(request: Request, answer: Answer) -> Server:
            self._cookies.send(request)
            answer.on_headers = partial(self._cookies.keep, request)
            return serve(self._app, request, answer, place, raises=self._raises)

        return answer_it

    def _late_lifespan(self, what: str) -> Callable[[], AssertionError]:
        return lambda: AssertionError(f"the app's {what} takes longer than {self._timeout:g} s")


class Client(_Client):
    """A client for tests that wait in a thread; an ASGI app runs in a loop on another thread.

    As a context manager it runs an ASGI app's lifespan around its streams.

    Arguments: `app`, for WSGI or ASGI; `interface`, ``"wsgi"`` or ``"asgi"`` (default: detected); `timeout`,
    seconds that each wait may take (default 5); `raise_app_exceptions` (default True), whether what the app raises
    is raised in the test, or answered with a 500; `backend`, the loop for an ASGI app, ``"asyncio"`` (default)
    or ``"trio"``; `cookies`, names to values, sent from the first request on, such as those of a session that the
    framework's own test client has begun (default: none). Cookies that the app sets are kept, and sent as a browser
    sends them. Raises `TypeError` or `ValueError` that names a wrong argument.
    """

    def __init__(
        self,
        app: Any,
        *,
        interface: Interface | None = None,
        timeout: float = TIMEOUT,
        raise_app_exceptions: bool = True,
        backend: str = "asyncio",
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(app, interface, timeout, raise_app_exceptions, cookies)
        self._backend = backend
        self._stack = ExitStack()

    def stream(
        self, method: str, url: str, *, advance: float = 0.0, **asked: Unpack[Asked]
    ) -> AbstractContextManager[Stream]:
        """Send a request, and return the response, once its status is there, as a block; leaving it disconnects.

        Arguments: `method`; `url`, a path; `params`, `headers`, `json`, `data` (form fields) or `content`, the
        request's; `advance`, seconds that pass for the stream before the wait for its status, such as `hold`.
        """
        request = Request(method, url, **asked)

        def ask(place: Place) -> Stream:
            serve = self._serve(place)
            return Stream(request, serve, raises=self._raises, timeout=self._timeout)

        return _Opening(self._somewhere(), ask, advance)

    def __enter__(self) -> Self:
        if self._is_asgi:
            self._place = self._stack.enter_context(self._lifespan())
        return self

    def __exit__(self, *_: object) -> None:
        self._place = None
        self._stack.close()

    @contextmanager
    def _lifespan(self) -> Iterator[Place]:
        """Where the app runs while its lifespan does."""
        from .over_asgi import Lifespan

        with self._loop() as place:
            lifespan = Lifespan(self._app, place)
            lifespan.start()
            late = self._late_lifespan("startup")
            wait(lifespan.bell, lifespan.look_for_start, self._timeout, late)
            yield place._replace(state=lifespan.state)
            lifespan.stop()
            late = self._late_lifespan("shutdown")
            wait(lifespan.bell, lifespan.look_for_end, self._timeout, late)

    @contextmanager
    def _loop(self) -> Iterator[Place]:
        from .over_asgi import LoopThread

        loop = LoopThread(self._backend)
        try:
            yield loop.start()
        finally:
            loop.stop(self._timeout)

    def _somewhere(self) -> AbstractContextManager[Place]:
        """Where a stream's app runs; one without a lifespan has a loop for each stream."""
        if not self._is_asgi:
            return nullcontext(nowhere())
        return self._loop() if self._place is None else nullcontext(self._place)


class AsyncClient(_Client):
    """A client for tests that wait in a loop, asyncio's or trio's; an ASGI app runs in that loop, too.

    As a context manager it runs an ASGI app's lifespan around its streams.

    Arguments: those of `Client`, without `backend`.
    """

    def __init__(
        self,
        app: Any,
        *,
        interface: Interface | None = None,
        timeout: float = TIMEOUT,
        raise_app_exceptions: bool = True,
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(app, interface, timeout, raise_app_exceptions, cookies)
        self._stack = AsyncExitStack()

    def stream(
        self, method: str, url: str, *, advance: float = 0.0, **asked: Unpack[Asked]
    ) -> AbstractAsyncContextManager[AsyncStream]:
        """The same as `Client.stream`, for a test that waits in a loop."""
        request = Request(method, url, **asked)

        def ask() -> AsyncStream:
            serve = self._serve(self._somewhere())
            return AsyncStream(request, serve, raises=self._raises, timeout=self._timeout)

        return _AsyncOpening(ask, advance)

    async def __aenter__(self) -> Self:
        if self._is_asgi:
            self._place = await self._stack.enter_async_context(self._lifespan())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._place = None
        await self._stack.aclose()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[Place]:
        """Where the app runs while its lifespan does."""
        from .over_asgi import Lifespan

        lifespan = Lifespan(self._app, here := _here())
        lifespan.start()
        try:
            late = self._late_lifespan("startup")
            await wait_in_loop(lifespan.bell, lifespan.look_for_start, self._timeout, late)
            yield here._replace(state=lifespan.state)
            lifespan.stop()
            late = self._late_lifespan("shutdown")
            await wait_in_loop(lifespan.bell, lifespan.look_for_end, self._timeout, late)
        except BaseException:
            lifespan.abandon()
            raise

    def _somewhere(self) -> Place:
        """Where a stream's app runs."""
        if not self._is_asgi:
            return nowhere()
        state = {} if self._place is None else self._place.state
        return _here()._replace(state=state)


class _Opening(AbstractContextManager[Stream]):
    """A stream in a block; not a generator, since Python would close that for a test that forgets to leave it."""

    def __init__(
        self, place: AbstractContextManager[Place], ask: Callable[[Place], Stream], advance: float
    ) -> None:
        self._place, self._ask, self._advance = place, ask, advance

    def __enter__(self) -> Stream:
        self._stream = self._ask(self._place.__enter__())
        held.add(self)
        try:
            self._stream._open(self._advance)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self._stream

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._stream._leave(quietly=kind is not None)
        finally:
            held.discard(self)
            self._place.__exit__(None, None, None)


class _AsyncOpening(AbstractAsyncContextManager[AsyncStream]):
    """The same in a loop."""

    def __init__(self, ask: Callable[[], AsyncStream], advance: float) -> None:
        self._ask, self._advance = ask, advance

    async def __aenter__(self) -> AsyncStream:
        self._stream = self._ask()
        held.add(self)
        try:
            await self._stream._open(self._advance)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self._stream

    async def __aexit__(self, kind: object, *_: object) -> None:
        import anyio

        try:
            # Also where a timeout around the block is the reason.
            with anyio.CancelScope(shield=kind is not None):
                await self._stream._leave(quietly=kind is not None)
        finally:
            held.discard(self)


def _here() -> Place:
    return Place(current_home(), contextvars.copy_context(), {})
