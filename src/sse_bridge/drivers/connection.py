"""What every driver shares: one stream, the worker of its source, and the pipe between them.

A driver waits; a connection says what comes next. `step` turns whatever is ready into bytes; once the
stream has an ending, `conclude` stops the source and `release` ends the request, with `patience` between them.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Any, cast

from .. import interrupt
from ..keys import Key
from ..loops.base import Home
from ..options import Options
from ..parts import Part
from ..registry import ShuttingDown, Unavailable, reserved, streams
from ..showing import in_words, report
from ..summary import Ending, Summary
from . import sources, stragglers
from .farewell import Farewell
from .pipe import Ended, Pipe
from .task_worker import TaskWorker
from .thread_worker import ThreadWorker
from .walkers import Threads, own_threads
from .workers import Job, Worker

_log = logging.getLogger("sse_bridge")

# Called with each connection that is made in its context: so a test can observe a request's stream.
observer: ContextVar[Callable[[Connection], None] | None] = ContextVar("observer", default=None)

# A source that is not being closed by then is blocked: its request does not wait for it. At a shutdown it gets more
# time, since the process does not outlive the last request by much.
GRACE, LAST_GRACE = 0.1, 0.5


class Connection:
    """One stream and its source.

    Arguments: `source`, checked already; `options`; `context`, in which the source runs; `wake_writer`, called
    from the source's side; `home`, returns the loop for async sources; `leave`, called in the source's context when
    the source is over; `at_pauses`, called in the task of an async source whenever it is about to wait (None: the
    writer is woken for each chunk instead); `threads`, where sync sources run; `worker`, makes the worker of a
    source that we do not run ourselves.
    """

    def __init__(
        self,
        source: Any,
        options: Options,
        context: contextvars.Context,
        wake_writer: Callable[[], object],
        home: Callable[[], Home],
        *,
        leave: Callable[[], None] = lambda: None,
        at_pauses: Callable[[], None] | None = None,
        threads: Threads = own_threads,
        worker: Callable[[Job], Worker] | None = None,
    ) -> None:
        self.options = options
        self._leave = leave
        self._at_pauses = at_pauses
        self._threads = threads
        try:
            self.stream, self._reader = options.open()
        except BaseException:  # an adapter or a dialect that cannot begin
            threads.discard(source, home)
            raise
        self.pipe = Pipe(wake_writer)
        self.farewell = Farewell(options.on_end)
        self.context = context
        self.home = home
        self.source = source
        self.begun = False
        self.concluded = False
        self._key: Key | None = None  # the key that the stream counts for
        self._unended = sources.First()  # taken by the one who ends the source
        job = self._job(source, context)
        self.worker = self._worker_for(job) if worker is None else worker(job)
        if (observe := observer.get()) is not None:
            observe(self)

    def open(self, now: float) -> bytes:
        """Open the stream; raises `Unavailable`, and what `max_streams_per` raises."""
        if isinstance(self.worker, ThreadWorker):
            self._threads.check()
        try:
            limit, key = self.options.room
            self._key = streams.enter(self.pipe.shut_down, limit, reserved.get(), key)
            return self.stream.start(now)
        except BaseException as error:  # of a dialect that cannot begin, too
            streams.leave(self.pipe.shut_down)
            if not isinstance(error, Unavailable):  # for that the face (the integration) does it
                self._discard()
            raise

    def begin(self) -> None:
        """Let the source begin."""
        self.begun = True
        try:
            self.worker.start()
        except Exception as error:  # no thread could be started
            self.begun = False
            self.pipe.end(error)

    @property
    def refusal(self) -> Exception | None:
        """What the face (the integration) raises instead of a response: a failure before the first byte."""
        error = self.stream.error
        if not self.stream.held or error is None:
            return None
        if self.stream.ending is Ending.SHUTDOWN:
            return ShuttingDown(source_ran=self.begun)
        if isinstance(error, Exception):
            if issubclass(type(error), Unavailable):
                cast(Unavailable, error).source_ran = True
            return error
        # SystemExit and its like would end the server's own thread or task.
        refusal = RuntimeError(f"the source raised {in_words(error, repr)}")
        refusal.__cause__ = error
        return refusal

    @property
    def deadline(self) -> float:
        """When to call `step` at the latest; ``inf`` for never."""
        return self.stream.deadline

    def skip(self, seconds: float) -> None:
        """Pretend, for tests, that so much more time has passed for this stream; callable from any thread."""
        self.pipe.skip(seconds)

    def step(self, now: float) -> bytes:
        """The bytes of all that is ready; if nothing is, those that are due by now."""
        if self.pipe.gone:
            self.part()
            return b""
        data = self.resolve_doubt(now) if self.pipe.doubted else b""
        if self.pipe.skipped:
            self.stream.advance(self.pipe.take_skipped())
        ended = self.pipe.ended
        if taken := self.pipe.take():
            data += self._said(taken, now)
        if ended is not None:
            return data + self._last_word(ended, now)
        if self.pipe.shutting_down:
            return data + self.stream.shutdown(now)
        if now >= self.stream.deadline:
            data += self.stream.tick(now)
        return data

    def _said(self, taken: list[Sequence[Part]], now: float) -> bytes:
        if len(taken) > 1:
            return self.stream.feed(list(chain.from_iterable(taken)), now, len(taken))
        parts = taken[0]
        return self.stream.lone(parts[0], now) if len(parts) == 1 else self.stream.feed(parts, now)

    def resolve_doubt(self, now: float) -> bytes:
        """The client may have disconnected: a ping, to find out by writing it. Without pings it counts as gone."""
        self.pipe.doubted = False
        data = self.probe(now)
        if not data:
            self.part()
        return data

    def part(self) -> None:
        """Nobody reads the stream any more: if it has no ending yet, the client disconnected, or was given up."""
        self.stream.gone(Ending.SLOW if self.pipe.slow else Ending.GONE)

    def probe(self, now: float) -> bytes:
        """A ping, if the stream has any: writing it may show that the client has disconnected."""
        return self.stream.probe(now)

    def conclude(self, now: float) -> None:
        """The stream has an ending: stop the source and report what happened; no error of the app's is raised here.

        The server's own timeout may be, except within `cancel`: so this may be called again, and does what is left.
        """
        summary = self.farewell.summary = self.farewell.summary or self._summary(now)
        try:
            self._end_source()
        except BaseException as error:  # of a source's own close(), say
            report(error, "stopping a source raised")
        finally:
            self._stop_worker()
        self._at_pauses = None  # it leads back to the driver, which would wait for the collector
        if not self.concluded:
            self.concluded = True
            log_ending(summary, held=self.stream.held)

    def patience(self, since: float) -> float:
        """Until when to wait for the source's cleanup; asked again at each wake-up."""
        timeout = self.options.cleanup_timeout if self.begun else 0.0
        grace = LAST_GRACE if self.stream.ending is Ending.SHUTDOWN else GRACE
        return since + (timeout if self.worker.cleaning else min(grace, timeout))

    def release(self, since: float) -> Callable[[Summary], Any] | None:
        """End the request, whose stream is over since then; returns `on_end` if the driver has to call it."""
        streams.leave(self.pipe.shut_down)
        if self.begun and not self.worker.done:
            patience = self.options.cleanup_timeout
            ending = self.stream.ending
            stragglers.count(self.worker, self._key, self.source, ending, since, patience)
        return self.farewell.claim(self)  # nothing, where the source has called it

    # -- inside -----------------------------------------------------------------------------------

    def _summary(self, now: float) -> Summary:
        try:
            return self.stream.summary(now)
        except Exception as error:  # on_end has to be called all the same
            report(error, "the summary of a stream could not be made")
            told = self.stream.error
            return Summary(
                self.stream.ending or Ending.FAILED,
                error=error if told is None else told,
                held=self.stream.held,
            )

    def _end_source(self) -> None:
        """Close a source that never ran, and cancel one that runs; each is done once."""
        if not self._unended.take():
            return
        if not self.begun and hasattr(type(self.source), "__aiter__"):
            self.pipe.close()  # its task finds that, and only closes it: which may take a while
            self.begin()
        elif not self.begun:
            self._discard()
        elif self.pipe.ended is None:
            self._cancel()

    def _discard(self) -> None:
        try:
            self._threads.discard(self.source, self.home)
        finally:
            self.context.run(self._leave)

    def _stop_worker(self) -> None:
        if self.begun and self.pipe.ended is None and not self.pipe.closed:
            self.worker.stop()
        self.pipe.close()
        self.worker.conclude()

    def _last_word(self, ended: Ended, now: float) -> bytes:
        data = self.stream.feed(ended.rest, now, 0) if ended.rest else b""
        if ended.error is None:
            return data + self.stream.finish(now)
        if issubclass(type(ended.error), ShuttingDown):
            return data + self.stream.shutdown(now)
        return data + self.stream.fail(ended.error, now)

    def _job(self, source: Any, context: contextvars.Context) -> Job:
        return Job(source, self._reader, self.pipe, self.farewell, context, self._leave, self._hop)

    def _worker_for(self, job: Job) -> Worker:
        if sources.is_async(job.source):
            return TaskWorker(job, self.home(), self._at_pauses)
        interrupts = self.options.interrupt and interrupt.allowed()
        return ThreadWorker(job, self.home, interrupts=interrupts, threads=self._threads)

    def _hop(self, source: Any) -> None:
        """Move what a callable or an awaitable returned: from a task to a thread, or from a thread to a task."""
        self.source = source
        self.worker = self._worker_for(self._job(source, contextvars.copy_context()))
        self.begin()
        if self.pipe.closed:  # the stop may have gone to the worker before this one
            self.worker.stop()

    def _cancel(self) -> None:
        """Call the user's own `cancel`, which comes first."""
        if self.options.cancel is None:
            return
        try:
            outcome = self.options.cancel()
        except BaseException as error:  # SystemExit too: the source still has to be stopped
            report(error, "cancel raised")
            return
        if inspect.isawaitable(outcome):
            home, context = self.home(), contextvars.copy_context()
            home.soon(lambda: home.spawn(lambda: _await_cancel(outcome), context))


async def _await_cancel(outcome: Awaitable[Any]) -> None:
    try:
        await outcome
    except Exception as error:
        report(error, "cancel raised")


def log_ending(summary: Summary, *, held: bool) -> None:
    """Log one line for each ending; a failure that the framework is about to raise is left to its log."""
    about = (summary.duration, summary.events)
    match summary.ending:
        case Ending.FINISHED:
            _log.debug("stream finished after %.3f s, %d events", *about)
        case Ending.FAILED if not held:
            report(summary.error, "stream failed after %.3f s, %d events", *about)
        case Ending.GONE:
            _log.info("client disconnected after %.3f s, %d events", *about)
        case Ending.SLOW | Ending.STALLED | Ending.EXPIRED:
            _log.warning("stream ended as %s after %.3f s, %d events", summary.ending, *about)
        case _:
            _log.debug("stream ended as %s after %.3f s, %d events", summary.ending, *about)
