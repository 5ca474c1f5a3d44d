"""The source's side of a stream: whoever runs the user's generator, on one thread or in one task.

Rules of this file:

1. All steps of one source, its cleanup and its `on_end` run on one thread or in one task, in one copied context.
2. A worker reads each chunk where it was produced; only immutable parts are handed over.
3. Whatever a source raises, SystemExit and CancelledError too, is its last word and is handed over.
4. `stop` asks from outside, from any thread, and returns at once. `done` is set when all is over.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from .. import pursuit
from ..adapters.base import Parts, Reader
from ..loops.base import Home, Running, Scope, ThreadSignal
from ..pursuit import Place
from ..registry import streams
from . import sources
from .farewell import Farewell, call_in_loop, call_on_end
from .handover import Handover, nobody
from .walkers import Threads, own_threads

_log = logging.getLogger("sse_bridge")


class Worker(Protocol):
    """What the writer's side knows of the source's side."""

    done: bool
    cleaning: bool  # the source is being closed: that is worth waiting for

    def start(self) -> None: ...
    def stop(self) -> None:
        """End the source, soon."""

    def conclude(self) -> None:
        """The summary is known."""


class Job(NamedTuple):
    """What a worker is to do; `hop` goes on elsewhere with a source that turns out to be of the other kind."""

    source: Any
    reader: Reader
    handover: Handover
    farewell: Farewell
    context: contextvars.Context
    leave: Callable[[], None]
    hop: Callable[[Any], None]


class _Worker:
    """What both kinds of workers know and how they finish."""

    def __init__(self, job: Job) -> None:
        self.done = False
        self._source, self._reader, self._handover = job.source, job.reader, job.handover
        self._farewell, self._context, self._leave = job.farewell, job.context, job.leave
        self._hop = job.hop
        self._iterator: Any = None
        self._hopped = False

    def _end(self, error: BaseException | None, rest: Parts) -> None:
        """Hand over the source's last word; where nobody waits for it any more, a failure goes to the log."""
        if self._handover.closed and isinstance(error, Exception):
            sources.report_cleanup(error)
        self._handover.end(error, rest)

    def _finish(self) -> None:
        """All is over: leave the source's context, and tell the writer, which may be waiting for just that."""
        try:
            self._leave()
        except BaseException as error:  # the writer is yet to be told
            sources.report_cleanup(error)
        self.done = True
        if streams.ended(self):
            _log.info(
                "a source that outlived its stream has ended; %d still run", streams.stragglers
            )
        self._forget()
        self._handover.poke_writer()

    def _forget(self) -> None:
        """Let go of the source and of all that leads back here, so that nothing waits for the collector."""
        self._source = self._iterator = None
        self._hop = self._handover.wake_source = nobody


class ThreadWorker(_Worker):
    """Runs a sync source on the one thread that `threads` gives it."""

    def __init__(
        self,
        job: Job,
        home: Callable[[], Home],
        *,
        interrupts: bool = False,
        threads: Threads = own_threads,
    ) -> None:
        super().__init__(job)
        self.cleaning = False
        self._home = home
        self._interrupts = interrupts
        self._threads = threads
        self._place: Place | None = None
        self._signal = ThreadSignal()
        job.handover.wake_source = self._signal.set
        job.handover.pokes = True  # a task that hopped here may have said otherwise

    def start(self) -> None:
        self._place = self._threads.spawn(self._context, self._run)

    def stop(self) -> None:
        if self._interrupts and self._place is not None:
            pursuit.pursue(self._place, lambda: self.done or self.cleaning)
        self._handover.close()

    def conclude(self) -> None:
        self._signal.set()

    def _run(self) -> None:
        error: BaseException | None = None
        rest: Parts = ()
        try:
            self._open()
            rest = self._iterate()
        except BaseException as raised:
            error = raised
        self.cleaning = True
        if self._hopped:
            self.done = True
            self._hop = nobody
        else:
            self._close(error, rest)

    def _open(self) -> None:
        """Call what is to be called; a task goes on with what is async."""
        if self._handover.closed:
            return
        self._source = sources.call(self._source)
        if sources.is_async(self._source):
            self._hop(self._source)
            self._hopped = True
        else:
            sources.check_opened(self._source)

    def _iterate(self) -> Parts:
        """Hand over what each chunk says; gives what the reader has left over at the end."""
        if self._handover.closed or self._hopped:
            return ()
        self._iterator = iter(self._source)
        read, put = self._reader.read, self._handover.put
        for chunk in self._iterator:
            if not put(read(chunk)) and not self._wait_for_room():
                return ()
        return self._reader.end()

    def _close(self, error: BaseException | None, rest: Parts) -> None:
        try:
            self._end(error, rest)
            sources.close_sync(self._iterator, self._source)
            self._say_farewell()
        finally:
            self._finish()

    def _wait_for_room(self) -> bool:
        while self._handover.full():
            self._signal.wait()
        return not self._handover.closed

    def _say_farewell(self) -> None:
        if not self._farewell.is_due:
            return
        while self._farewell.summary is None:
            self._signal.wait()
        on_end = self._farewell.claim(self)
        if on_end is not None:
            call_on_end(on_end, self._farewell.summary, self._home)


class LoopWorker(_Worker):
    """What a source that runs in a loop has in common, whoever runs it."""

    def __init__(self, job: Job, home: Home, scope: Scope) -> None:
        super().__init__(job)
        self.cleaning = True  # cancelling begins the cleanup: it is always worth waiting for
        self._home = home
        self._signal = home.signal()
        self._scope = scope
        job.handover.wake_source = lambda: home.soon(self._signal.set)

    def stop(self) -> None:
        self._handover.close()
        self._home.soon(self._scope.cancel)

    def conclude(self) -> None:
        self._home.soon(self._signal.set)

    async def _wait_for_room(self) -> bool:
        while self._handover.full():
            await self._signal.wait()
        return not self._handover.closed

    async def _say_farewell(self) -> None:
        farewell = self._farewell
        if not farewell.is_due:
            return
        try:
            await self._home.outlast(self._wait_for_summary)
        finally:
            on_end, summary = farewell.claim(self), farewell.summary
            if on_end is not None and summary is not None:
                await call_in_loop(on_end, summary, self._home)

    async def _wait_for_summary(self) -> None:
        while self._farewell.summary is None:
            await self._signal.wait()


class TaskWorker(LoopWorker):
    """Runs an async source in one task of its own."""

    def __init__(self, job: Job, home: Home, at_pauses: Callable[[], None] | None = None) -> None:
        super().__init__(job, home, home.scope())
        self._at_pauses = at_pauses
        self._rest: Parts = ()
        self._task: Running | None = None

    def start(self) -> None:
        self._home.soon(self._start)

    def _start(self) -> None:
        self._task = self._home.start(self._run, self._context)

    def _body(self) -> Callable[[], Awaitable[None]]:
        pausing = self._home.at_pauses(self._iterate, self._at_pauses) if self._at_pauses else None
        self._handover.pokes = pausing is None
        return pausing or self._iterate

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            await self._scope.run(self._body())
        except BaseException as raised:
            error = raised
        try:
            if not self._hopped:
                await self._close(error)
        finally:
            del error  # it leads back here

    async def _iterate(self) -> None:
        if self._handover.closed:
            return
        await self._open()
        if self._hopped:
            return
        self._iterator = aiter(self._source)
        read, put = self._reader.read, self._handover.put
        async for chunk in self._iterator:
            if not put(read(chunk)) and not await self._wait_for_room():
                return
        self._rest = self._reader.end()

    async def _open(self) -> None:
        """Call and await what is to be called and awaited; a thread goes on with what is sync."""
        source = sources.call(self._source)
        self._source = await source if inspect.isawaitable(source) else source
        sources.check_opened(self._source)
        if not hasattr(type(self._source), "__aiter__"):
            self._hop(self._source)
            self._hopped = True

    async def _close(self, error: BaseException | None) -> None:
        try:
            self._end(error, self._rest)
            await sources.close_async(self._iterator, self._source)
            await self._say_farewell()
        finally:
            self._finish()

    def _forget(self) -> None:
        super()._forget()
        self._task = self._at_pauses = None
