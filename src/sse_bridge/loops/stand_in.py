"""On asyncio, begins a sleeping task's writes in its stead, from another task or from a timer.

Waking a task that sleeps costs twenty times as much as a write of one chunk. So while it sleeps, others begin its
writes. Timeouts, locks and anyio's cancel scopes depend on the current task, and a context variable must be reset
in the context that it was set in: so each step is taken as that task, and in one copy of its context.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import CoroutineType
from typing import Any

from ..private import task_switch
from .base import Unfinished

_enter_task, _leave_task = task_switch(asyncio.tasks)

_log = logging.getLogger("sse_bridge")

DONE: Any = object()  # the result of a write that did not have to wait


class StandIn:
    """Begins writes in the stead of the task that creates it, while that one sleeps.

    Arguments: `loop`, the running one; `write`, called with bytes of a body, and with whether more will come.
    """

    __slots__ = ("_context", "_loop", "_step", "_task", "_writing")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, write: Callable[[bytes, bool], Awaitable[None]]
    ) -> None:
        self._loop = loop
        self._task = asyncio.current_task(loop)
        self._context = contextvars.copy_context()
        # One generator for all writes: so a write that does not wait costs no StopIteration.
        self._writing = _writing(write)
        next(self._writing)
        self._step = self._writing.send

    def write(self, data: bytes) -> Unfinished | None:
        """Begin to write this; returns the rest of it, for the task to finish. Raises what the write raises."""
        loop, task = self._loop, self._task
        running = asyncio.current_task(loop)  # a timer's turn has none
        if running is not None:
            _leave_task(loop, running)
        _enter_task(loop, task)
        try:
            left = self._context.run(self._step, data)
        finally:
            _leave_task(loop, task)
            if running is not None:
                _enter_task(loop, running)
        return None if left is DONE else partial(self._rest, left)

    def close(self) -> None:
        """Write nothing more; a write that waits is stopped, and its cleanup is not waited for."""
        try:
            self._context.run(self._writing.close)
        except Exception:
            _log.exception("a write raised when it was stopped")
        self._task = None  # its own error's traceback leads here

    async def _rest(self, waits_for: Any, error: BaseException | None = None) -> None:
        try:
            await resume(self._writing, waits_for, self._context.run, error)
        finally:
            del error  # breaks the traceback's cycle


@types.coroutine
def _writing(write: Callable[[bytes, bool], Awaitable[None]]) -> Generator[Any, bytes, None]:
    data = yield DONE
    while True:
        writing = write(data, True)
        # A coroutine has no steps of its own to Python's types, but to @types.coroutine it has.
        steps: Any = writing if type(writing) is CoroutineType else writing.__await__()
        yield from steps
        data = writing = steps = None  # type: ignore[assignment] # an idle stream holds on to nothing written
        data = yield DONE


@types.coroutine
def resume(
    stepped: Coroutine[Any, Any, None] | Generator[Any, Any, None],
    waits_for: Any,
    run: Callable[[Callable[[], Any]], Any] | None = None,
    error: BaseException | None = None,
) -> Generator[Any, Any, None]:
    """Continue what was stepped once and yielded `waits_for`, until it yields DONE or ends.

    An `error` that came meanwhile is raised in it first.
    """
    step: Callable[[], Any] | None
    sent = None
    while waits_for is not DONE:
        if error is None:
            try:
                sent = yield waits_for
            except BaseException as raised:
                error = raised
        step = partial(stepped.send, sent) if error is None else partial(stepped.throw, error)
        sent = error = None
        try:
            # Called here where it can be: another frame would keep an error in `step`.
            waits_for = step() if run is None else run(step)
        except StopIteration:
            return
        finally:
            step = None  # breaks the cycle of an error's traceback


@types.coroutine
def with_pauses(
    coroutine: Coroutine[Any, Any, None], call: Callable[[], None]
) -> Generator[Any, Any, None]:
    """Run a coroutine, and make a call each time before it waits."""
    step, sent = coroutine.send, None
    while True:
        try:
            waits_for = step(sent)
        except StopIteration:
            return
        finally:
            sent = None  # breaks the cycle of an error's traceback
        call()
        try:
            step, sent = coroutine.send, (yield waits_for)
        except BaseException as error:
            step, sent = coroutine.throw, error
