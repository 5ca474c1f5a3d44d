"""The source's side of a stream: workers run the user's generator, on one thread or in one task.

Rules of this file:

1. All steps of one source, its cleanup and its `on_end` run on one thread or in one task, in one copied
   context; but a sync `on_end` of an async source, which may block, has a thread next to the loop, and a copy
   of that context.
2. A worker reads each chunk where it was produced; only immutable parts are handed over.
3. Whatever a source raises, even SystemExit or CancelledError, ends it and is handed over.
4. `stop` is a request from outside, from any thread, and returns at once. `done` is set when all is over.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..adapters.base import Parts, Reader
from . import sources
from .farewell import Farewell
from .pipe import Pipe, nobody
from .stragglers import tell_end


class Worker(Protocol):
    """The source's side, as the writer's side sees it."""

    done: bool
    cleaning: bool  # the source is being closed, which is worth waiting for

    def start(self) -> None: ...
    def stop(self) -> None:
        """End the source, soon."""

    def conclude(self) -> None:
        """The summary is known: the worker may call `on_end`."""


class Job(NamedTuple):
    """What a worker has to do; `hop` moves a source elsewhere that turns out to be of the other kind."""

    source: Any
    reader: Reader
    pipe: Pipe
    farewell: Farewell
    context: contextvars.Context
    leave: Callable[[], None]
    hop: Callable[[Any], None]


class BaseWorker:
    """What both kinds of workers share."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_farewell",
        "_hop",
        "_hopped",
        "_iterator",
        "_leave",
        "_pipe",
        "_reader",
        "_source",
        "done",
    )

    def __init__(self, job: Job) -> None:
        self.done = False
        self._source, self._reader, self._pipe = job.source, job.reader, job.pipe
        self._farewell, self._context, self._leave = job.farewell, job.context, job.leave
        self._hop = job.hop
        self._iterator: Any = None
        self._hopped = False

    def _end(self, error: BaseException | None, rest: Parts) -> None:
        """Hand over how the source ended; where nobody waits for that any more, a failure goes to the log."""
        if self._pipe.closed and isinstance(error, Exception):
            sources.report_cleanup(error)
        self._pipe.end(error, rest)

    def _finish(self) -> None:
        """All is over: leave the source's context, and wake the writer, which may be waiting for this."""
        try:
            self._leave()
        except BaseException as error:  # the writer still has to be woken
            sources.report_cleanup(error)
        self.done = True
        tell_end(self)
        self._forget()
        self._pipe.poke_writer()

    def _forget(self) -> None:
        """Drop the source and all that leads back here, so that nothing waits for the garbage collector."""
        self._source = self._iterator = None
        self._hop = self._pipe.wake_source = nobody
