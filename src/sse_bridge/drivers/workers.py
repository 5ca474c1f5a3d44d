"""The source's side of a stream: whoever runs the user's generator, on one thread or in one task.

Rules of this file:

1. All steps of one source, its cleanup and its `on_end` run on one thread or in one task, in one copied
   context; but a sync `on_end` of an async source, which may block, has a thread beside the loop, and a copy
   of that context.
2. A worker reads each chunk where it was produced; only immutable parts are handed over.
3. Whatever a source raises, SystemExit and CancelledError too, is its last word and is handed over.
4. `stop` asks from outside, from any thread, and returns at once. `done` is set when all is over.
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
    pipe: Pipe
    farewell: Farewell
    context: contextvars.Context
    leave: Callable[[], None]
    hop: Callable[[Any], None]


class BaseWorker:
    """What both kinds of workers know and how they finish."""

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
        """Hand over the source's last word; where nobody waits for it any more, a failure goes to the log."""
        if self._pipe.closed and isinstance(error, Exception):
            sources.report_cleanup(error)
        self._pipe.end(error, rest)

    def _finish(self) -> None:
        """All is over: leave the source's context, and tell the writer, which may be waiting for just that."""
        try:
            self._leave()
        except BaseException as error:  # the writer is yet to be told
            sources.report_cleanup(error)
        self.done = True
        tell_end(self)
        self._forget()
        self._pipe.poke_writer()

    def _forget(self) -> None:
        """Let go of the source and of all that leads back here, so that nothing waits for the collector."""
        self._source = self._iterator = None
        self._hop = self._pipe.wake_source = nobody
