"""Listening to ASGI's `receive`, without a task where that is safe.

A server's own `receive` waits for one future and does not depend on its task. So on asyncio it is stepped
by hand, from that future's callback: that costs neither a task nor a turn of the loop. A wrapper around `receive`
may depend on its task (a timeout, anyio's cancel scopes): it gets one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, MutableMapping
from functools import lru_cache
from types import MethodType
from typing import Any

from ..private import SERVERS_RECEIVE, take_future
from .base import Receive, Running

_log = logging.getLogger("sse_bridge")

# How many turns of the loop it takes to learn that a client has disconnected before it was answered: uvicorn starts
# the app in one, finds the end of the socket later in the same one, and makes `receive` return in the next. Each
# middleware in between takes another turn.
OWN_TURNS, TURNS = 2, 5


class TaskEar:
    """Listens in a task of its own."""

    __slots__ = ("_task",)

    turns = TURNS

    def __init__(self, task: Running) -> None:
        self._task = task

    def look(self) -> None:
        """Does nothing: the task runs in its own turns."""

    def close(self) -> None:
        self._task.cancel()


class _Listener:
    """Reads a request's messages one by one; calls `hang_up` once, when the client disconnects."""

    __slots__ = ("_body_ends", "_hang_up")

    def __init__(self, hang_up: Callable[[], None]) -> None:
        self._hang_up: Callable[[], None] | None = hang_up
        self._body_ends = 0

    @property
    def goes_on(self) -> bool:
        """Whether to read on: a server that repeats the end of the body has nothing more to report."""
        return self._hang_up is not None and self._body_ends < 2

    def hear(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] != "http.disconnect":
            self._body_ends += not message.get("more_body", False)
        elif self._hang_up is not None:
            hang_up, self._hang_up = self._hang_up, None
            hang_up()


class HandEar(_Listener):
    """Steps a server's own `receive` by hand."""

    __slots__ = ("_loop", "_receive", "_receiving", "_waits_for")

    turns = OWN_TURNS

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Receive, hang_up: Callable[[], None]
    ) -> None:
        super().__init__(hang_up)
        self._loop, self._receive = loop, receive
        self._waits_for: asyncio.Future[Any] | None = None
        self._receiving: Coroutine[Any, Any, MutableMapping[str, Any]] | None = None
        self._step()

    def look(self) -> None:
        if self._waits_for is not None and self._waits_for.done():
            self._step(self._waits_for)  # its callback comes later, and finds another or none

    def close(self) -> None:
        self._hang_up = None
        if self._waits_for is not None:
            self._waits_for.remove_done_callback(self._step)
            self._waits_for = None
        receiving, self._receiving = self._receiving, None
        try:
            if receiving is not None:
                receiving.close()
        except Exception:
            _log.exception("listening for a disconnect raised while it was being stopped")

    def _step(self, done: asyncio.Future[Any] | None = None) -> None:
        """Go on until it waits, or nothing is left to read; called after a turn, or when a future is `done`."""
        if done is not self._waits_for:  # that future's own callback, and `look` came first
            return
        self._waits_for = None
        try:
            while self.goes_on and not self._step_once():
                pass
        except asyncio.CancelledError:  # the future was cancelled: the loop is being closed
            self._receiving = None
        except Exception:
            self._receiving = None
            _report()

    def _step_once(self) -> bool:
        """Take one step of one message; whether it waits for something then."""
        if self._receiving is None:
            self._receiving = self._receive()  # type: ignore[assignment] # its own: a coroutine
        try:
            waits_for = self._receiving.send(None)  # type: ignore[union-attr]
        except StopIteration as stop:
            self._receiving = None
            self.hear(stop.value)
            return False
        if waits_for is None:  # a bare turn
            self._loop.call_soon(self._step)
        else:
            take_future(waits_for)
            waits_for.add_done_callback(self._step)
            self._waits_for = waits_for
        return True


async def listen(receive: Receive, hang_up: Callable[[], None]) -> None:
    """Read on until the client disconnects. The rest of the request's body is dropped: nobody else reads it."""
    listener = _Listener(hang_up)
    try:
        while listener.goes_on:
            listener.hear(await receive())
    except Exception:
        _report()


def _report() -> None:
    _log.exception(
        "listening for a disconnect raised: from now on only a failed write shows that the client has disconnected"
    )


def is_own(receive: Receive) -> bool:
    """Whether this is a server's own `receive`, and not a wrapper's, whatever names that has copied."""
    return isinstance(receive, MethodType) and _is_servers(type(receive.__self__).__module__)


@lru_cache(maxsize=64)
def _is_servers(module: str) -> bool:
    return module.startswith(SERVERS_RECEIVE)
