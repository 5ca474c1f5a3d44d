"""A sync source's side of a stream: one thread. The rules are those of `workers`."""

from __future__ import annotations

from collections.abc import Callable

from .. import pursuit
from ..adapters.base import Parts
from ..loops.base import Home, ThreadSignal
from ..pursuit import Place
from . import sources
from .farewell import call_on_end
from .pipe import nobody
from .walkers import Threads, own_threads
from .workers import BaseWorker, Job


class ThreadWorker(BaseWorker):
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
        job.pipe.wake_source = self._signal.set
        job.pipe.pokes = True  # a task that moved here may have turned it off

    def start(self) -> None:
        self._place = self._threads.spawn(self._context, self._run)

    def stop(self) -> None:
        if self._interrupts and self._place is not None:
            pursuit.pursue(self._place, lambda: self.done or self.cleaning)
        self._pipe.close()

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
        """Call what has to be called; an async source is moved to a task."""
        if self._pipe.closed:
            return
        self._source = sources.call(self._source)
        if sources.is_async(self._source):
            self._hop(self._source)
            self._hopped = True
        else:
            sources.check_opened(self._source)

    def _iterate(self) -> Parts:
        """Hand over the parts of each chunk; returns what the reader has left over at the end."""
        if self._pipe.closed or self._hopped:
            return ()
        read, put, pipe = self._reader.read, self._pipe.put, self._pipe
        self._iterator = sources.walk(self._source, lambda: not pipe.closed)
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
        while self._pipe.full():
            self._signal.wait()
        return not self._pipe.closed

    def _say_farewell(self) -> None:
        if not self._farewell.is_due:
            return
        while self._farewell.summary is None:
            self._signal.wait()
        on_end = self._farewell.claim(self)
        if on_end is not None:
            call_on_end(on_end, self._farewell.summary, self._home)
