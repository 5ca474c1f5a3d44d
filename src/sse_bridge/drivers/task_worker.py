"""An async source's side of a stream: one task. The rules are those of `workers`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from ..adapters.base import Parts
from ..loops.base import Home, Running, Scope
from . import sources
from .farewell import call_in_loop
from .workers import BaseWorker, Job


class LoopWorker(BaseWorker):
    """What all workers of sources in a loop share, whoever runs the source."""

    __slots__ = (
        "_home",
        "_scope",
        "_signal",
        "cleaning",
    )

    def __init__(self, job: Job, home: Home, scope: Scope) -> None:
        super().__init__(job)
        self.cleaning = True  # cancelling begins the cleanup: it is always worth waiting for
        self._home = home
        self._signal = home.signal()
        self._scope = scope
        job.pipe.wake_source = lambda: home.soon(self._signal.set)

    def stop(self) -> None:
        self._pipe.close()
        self._home.soon(self._scope.cancel)

    def conclude(self) -> None:
        self._home.soon(self._signal.set)

    async def _wait_for_room(self) -> bool:
        while self._pipe.full():
            await self._signal.wait()
        return not self._pipe.closed

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

    __slots__ = (
        "_at_pauses",
        "_rest",
        "_task",
    )

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
        self._pipe.pokes = pausing is None
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
        if self._pipe.closed:
            return
        await self._open()
        if self._hopped:
            return
        self._iterator = aiter(self._source)
        read, put = self._reader.read, self._pipe.put
        async for chunk in self._iterator:
            if not put(read(chunk)) and not await self._wait_for_room():
                return
        self._rest = self._reader.end()

    async def _open(self) -> None:
        """Call and await what has to be; a sync source is moved to a thread."""
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
