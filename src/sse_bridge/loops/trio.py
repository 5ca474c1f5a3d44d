"""Waiting in trio."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from math import inf
from typing import Any

import trio

from .base import Ear, Receive, Scope, TaskSignal
from .listening import TaskEar, listen


class TrioSignal:
    """Wakes one sleeping trio task."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._sleeps = False

    @property
    def sleeps(self) -> bool:
        return self._sleeps and not self._event.is_set()

    def set(self) -> None:
        self._event.set()

    async def wait(self, until: float = inf) -> None:
        self._sleeps = True
        try:
            with trio.move_on_after(max(0.0, until - time.monotonic())):
                await self._event.wait()
        finally:
            self._sleeps = False
        self._event = trio.Event()

    def move(self, until: float) -> None:
        """Does nothing: in trio the sleeper is woken by the one who changes the time."""

    def close(self) -> None:
        """Does nothing: no timer outlives a wait."""


class TrioScope:
    """A cancel scope; trio cancels every await in it from then on, shielded ones excepted."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    async def run(self, body: Callable[[], Awaitable[None]]) -> None:
        with self._scope:
            await body()

    def cancel(self) -> None:
        self._scope.cancel()


class TrioHome:
    """The trio loop that runs in this thread."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()

    def soon(
        self, call: Callable[[], object], from_elsewhere: Callable[[], object] | None = None
    ) -> bool:
        if threading.get_ident() == self._thread_id:
            call()
            return True
        try:
            self._token.run_sync_soon(call)
        except trio.RunFinishedError:  # nothing can run there any more
            return False
        return True

    def spawn(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> None:
        # A system task, like asyncio's plain one, is outside the scopes of the request.
        trio.lowlevel.spawn_system_task(run, context=context)

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> trio.CancelScope:
        scope = trio.CancelScope()

        async def scoped() -> None:
            with scope:
                await run()

        self.spawn(scoped, context)
        return scope

    def signal(self, when_due: Callable[[], None] | None = None) -> TaskSignal:
        return TrioSignal()

    def listen(self, receive: Receive, hang_up: Callable[[], None]) -> Ear:
        return TaskEar(self.start(partial(listen, receive, hang_up), contextvars.copy_context()))

    def scope(self) -> Scope:
        return TrioScope()

    def at_pauses(
        self, run: Callable[[], Coroutine[Any, Any, None]], call: Callable[[], None]
    ) -> None:
        """None: a trio task that is about to wait may be woken from then on, so no write can be begun."""

    def stand_in(self, write: Callable[[bytes, bool], Awaitable[None]]) -> None:
        """None: nothing is stepped by hand under trio."""

    async def pause(self) -> None:
        await trio.lowlevel.checkpoint()

    async def in_thread(self, call: Callable[[], None]) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(call)

    async def outlast(self, wait: Callable[[], Awaitable[object]]) -> None:
        with trio.CancelScope(shield=True):
            await wait()

    async def within(self, seconds: float, writing: Coroutine[Any, Any, None]) -> bool:
        with trio.move_on_after(seconds) as scope:
            await writing
        return not scope.cancelled_caught
