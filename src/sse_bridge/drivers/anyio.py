"""The driver for ASGI, on asyncio and on trio: the request's task waits and writes.

Rules of this file:

1. The request's task is the writer. The source is a task or a thread outside its scopes, and so is the listener.
2. The listener reads `receive` from the first moment to the last, also while the status is on hold.
3. The request waits for cleanup whatever cancels it, so a server that cancels cannot cut cleanup short.
4. A write that does not wait costs no timer.
5. A stream that cannot report its failure does not end its body: the server then cuts the connection.
6. While the writer sleeps, others write in its stead: an async source's task that is about to wait, the call that
   announces a thread's chunk, the clock. That costs a fraction of waking the writer. It is done as the writer's
   task, in a copy of its context, since the middlewares around `send` may depend on either. None of them waits
   for a write: what waits or raises, or begins or ends the response, is left to the writer, so that a middleware
   finds at the end what it has put into its context at the start.
7. Whoever wakes the writer marks that first (`Pipe.poke_writer`); from then on nobody writes in its stead.
   Only the call that a thread's chunk has brought into the loop may take that back: if only chunks wait
   and the writer still sleeps (`Pipe.others_may_write_chunks`), it writes them.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

import anyio

from ..loops.base import Ear, Home, Receive, StandIn, Unfinished
from ..loops.current import current_home
from ..options import Options
from ..registry import streams
from ..summary import Ending, Summary
from .connection import Connection
from .farewell import call_in_loop
from .pipe import nobody
from .workers import Job, Worker
from .writes import BATCH_BYTES

Begin = Callable[[], Awaitable[None]]
Write = Callable[[bytes, bool], Awaitable[None]]

_log = logging.getLogger("sse_bridge")


def drive(
    source: Any,
    options: Options,
    context: contextvars.Context,
    *,
    receive: Receive,
    begin: Begin,
    write: Write,
) -> Coroutine[Any, Any, None]:
    """Stream a source until it ends or the client disconnects; raises a failure that came within `hold`.

    Arguments: `source`; `options`; `context`, in which the source runs; `receive`, ASGI's; `begin`, sends the
    status and headers; `write`, sends bytes of the body and whether more will come.
    """
    return Writer(source, options, context, begin, write).run(receive)


class _GivenUp(Exception):
    """A write took longer than `send_timeout`."""


class Writer:
    __slots__ = (
        "_begin",
        "_home",
        "_left_over",
        "_owes_end",
        "_pipe",
        "_send_timeout",
        "_signal",
        "_stand_in",
        "_stream",
        "_unfinished",
        "_write",
        "connection",
    )

    def __init__(
        self,
        source: Any,
        options: Options,
        context: contextvars.Context,
        begin: Begin,
        write: Write,
        *,
        worker: Callable[[Job], Worker] | None = None,
    ) -> None:
        self._home = home = current_home()
        self._signal = signal = home.signal(self._write_on_time)
        self._begin: Begin | None = begin
        self._owes_end = False  # the end of the body has still to be written
        self._write = write
        self._send_timeout = options.send_timeout
        self.connection = Connection(
            source,
            options,
            context,
            lambda: home.soon(signal.set, self._write_or_wake),
            lambda: home,
            at_pauses=self._write_at_pause,
            worker=worker,
        )
        # For writes in the writer's stead: the write that has to wait, and the bytes not yet begun.
        self._stand_in: StandIn | None = None
        self._unfinished: Unfinished | None = None
        self._left_over = b""
        self._stream, self._pipe = self.connection.stream, self.connection.pipe

    @property
    def has_begun(self) -> bool:
        """Whether the response has started."""
        return self._begin is None

    def open(self) -> bytes:
        """Open the stream; raises `Unavailable`."""
        return self.connection.open(monotonic())

    async def run(self, receive: Receive) -> None:
        """Start the source, unless the client has disconnected, and write until all is over."""
        try:
            data = self.open()
        except BaseException:
            self._forget()
            raise
        await self._run(data, receive, self._start_if_heard)

    async def write_beside_app(self, data: bytes, receive: Receive) -> None:
        """The same for a source that runs already and a stream that is open."""
        await self._run(data, receive, self._start)

    async def _run(
        self, data: bytes, receive: Receive, start: Callable[[Ear], Awaitable[None]]
    ) -> None:
        ear = self._home.listen(receive, self._pipe.hang_up)
        try:
            await start(ear)
            await self._write_all(data)
        finally:
            stand_in, self._stand_in, self._unfinished = self._stand_in, None, None
            self._stream.gone()  # unless it has an ending: then it is too late for this one
            try:
                ear.close()
                await self._release()
            finally:
                self._forget()
                if stand_in is not None:
                    stand_in.close()
        if (refusal := self.connection.refusal) is not None:
            try:
                raise refusal
            finally:
                del refusal  # breaks the traceback's cycle
        await self._end_answer()

    def _forget(self) -> None:
        """Drop the references that lead back here, so that nothing waits for the garbage collector."""
        self._pipe.wake_writer = nobody
        self._signal.close()

    async def _start(self, _: Ear) -> None:
        self.connection.begin()

    async def _start_if_heard(self, ear: Ear) -> None:
        """Start nothing if the client has disconnected already, which takes the server some turns to report."""
        pause, pipe = self._home.pause, self._pipe
        for _ in range(ear.turns):
            await pause()
            if pipe.gone:
                return
        ear.look()
        if not pipe.gone:
            self.connection.begin()

    async def _end_answer(self) -> None:
        """Send what is missing: an app has to answer, too, a client that disconnected before the first byte."""
        if self._begin is None and not self._owes_end:
            return
        try:
            await self._patiently(self._deliver(b"", last=True))
        except (OSError, _GivenUp):
            pass

    async def _write_all(self, data: bytes) -> None:
        stream, step, pipe = self._stream, self.connection.step, self._pipe
        while True:
            if not stream.held:
                await self._send(data)
            if stream.ending is not None:
                return
            if pipe.idle():
                if self._begin is None and self._stand_in is None:
                    self._stand_in = self._home.stand_in(self._write)
                try:
                    await self._signal.wait(self.connection.deadline)
                except BaseException as error:
                    if self._unfinished is None:
                        raise
                    # A write has begun to wait in this very turn: the error may be meant for a timeout of its own.
                    self._unfinished = partial(self._unfinished, error)
            else:
                await self._home.pause()  # a source that is always ready must not starve the others
            pipe.wake()
            data, self._left_over = self._left_over + step(monotonic()), b""

    def _write_at_pause(self) -> None:
        """An async source is about to wait: nearly always it has yielded one chunk, and there is nothing else."""
        if not self._pipe.others_may_write:
            return
        stream = self._stream
        if not stream.flows or (part := self._pipe.take_lone()) is None:
            self._write_in_stead()
            return
        try:
            data = stream.lone(part, monotonic())
        except BaseException as error:
            self._leave(partial(_raise, error))
        else:
            if data or stream.ending is not None:
                self._write_or_leave(data)

    def _write_on_time(self) -> None:
        """A deadline has come, of the stream or of whatever else the writer waits for."""
        if self._pipe.others_may_write:
            self._write_in_stead()
        else:
            self._signal.set()

    def _write_or_wake(self) -> None:
        """Another thread has called for the writer: mostly it has a chunk, and nothing more."""
        if self._signal.sleeps and self._pipe.others_may_write_chunks():
            self._write_in_stead()
        else:
            self._signal.set()

    def _write_in_stead(self) -> None:
        """While the writer sleeps, write what is ready, as far as that does not wait."""
        stream = self._stream
        try:
            data = self.connection.step(monotonic())
        except BaseException as error:
            self._leave(partial(_raise, error))
            return
        begins = self._begin is not None and not stream.held
        if data or begins or stream.ending is not None:
            self._write_or_leave(data)
        if stream.ending is None:
            self._signal.move(self.connection.deadline)

    def _write_or_leave(self, data: bytes) -> None:
        """Write until it has to wait; what is left, raises, begins or ends the response is left to the writer."""
        stand_in, is_middle = self._stand_in, self._begin is None and self._stream.ending is None
        if is_middle and stand_in is not None and len(data) <= BATCH_BYTES:
            try:
                rest = stand_in.write(data)
            except BaseException as error:
                self._leave(partial(_raise, error))
            else:
                if rest is not None:
                    self._leave(rest)
        else:
            self._left_over = data
            self._pipe.poke_writer()

    def _leave(self, writing: Unfinished) -> None:
        """Leave a write, or what was raised over one, to the writer."""
        self._unfinished = writing
        self._pipe.poke_writer()

    def _take_unfinished(self) -> Coroutine[Any, Any, None]:
        unfinished, self._unfinished = self._unfinished, None
        assert unfinished is not None
        return unfinished()

    async def _send(self, data: bytes) -> None:
        """Write what is ready: the status before the first of it, the end of the body with the last."""
        try:
            if self._unfinished is not None:
                await self._patiently(self._take_unfinished())
            if len(data) > BATCH_BYTES:
                data = await self._send_most(data)
            ending = self._stream.ending
            if (
                data
                or self._begin is not None
                or (ending is not None and ending is not Ending.GONE)
            ):
                # A server that stops ends its process with the last response, which so ends after the cleanup.
                is_late = ending is Ending.SHUTDOWN or streams.closing
                is_cut = self._stream.cut
                self._owes_end = ending is not None and is_late and not is_cut
                is_last = ending is not None and not is_late and not is_cut
                await self._patiently(self._deliver(data, last=is_last))
        except OSError:  # ASGI 2.4 servers raise it once the client has disconnected
            _log.debug("a write failed: the client counts as disconnected", exc_info=True)
            self._owes_end = False
            self._stream.gone()
        except _GivenUp:
            self._owes_end = False
            self._stream.gone(Ending.SLOW)

    async def _send_most(self, data: bytes) -> bytes:
        """Write all but the last piece, and return that."""
        last = (len(data) - 1) // BATCH_BYTES * BATCH_BYTES
        for at in range(0, last, BATCH_BYTES):
            await self._patiently(self._deliver(data[at : at + BATCH_BYTES], last=False))
        return data[last:]

    async def _deliver(self, data: bytes, *, last: bool) -> None:
        if self._begin is not None:
            begin, self._begin = self._begin, None
            await begin()
        if data or last:
            await self._write(data, not last)

    async def _patiently(self, writing: Coroutine[Any, Any, None]) -> None:
        if not await self._home.within(self._send_timeout, writing):
            raise _GivenUp

    async def _release(self) -> None:
        """Stop the source, give its cleanup some time, and end the request; in a forked child, do nothing."""
        connection, since = self.connection, monotonic()
        if not connection.farewell.is_ours:
            return
        connection.conclude(since)
        try:
            if not connection.worker.done:
                await outlast(self._home, lambda: self._wait_for_cleanup(since))
        finally:
            on_end, summary = connection.release(since), connection.farewell.summary
            if on_end is not None and summary is not None:
                await self._call_on_end(on_end, summary)

    async def _wait_for_cleanup(self, since: float) -> None:
        connection = self.connection
        while not connection.worker.done and monotonic() < (until := connection.patience(since)):
            await self._signal.wait(until)

    async def _call_on_end(self, on_end: Callable[[Summary], Any], summary: Summary) -> None:
        """Call it in a task of its own, for which the request waits no longer than for any cleanup."""
        done = False

        async def call() -> None:
            nonlocal done
            try:
                await call_in_loop(on_end, summary, self._home)
            finally:
                done = True
                self._signal.set()

        async def wait() -> None:
            while not done and monotonic() < until:
                await self._signal.wait(until)

        until = monotonic() + self.connection.options.cleanup_timeout
        calling = self._home.start(call, self.connection.context.copy())
        try:
            await outlast(self._home, wait)
        finally:
            calling.cancel()


async def outlast(
    home: Home, wait: Callable[[], Awaitable[object]], hear: Callable[[], None] = nobody
) -> None:
    """Wait to the end, whatever cancels the request: `hear` is called then, and that is raised at the end."""
    try:
        await wait()
    except anyio.get_cancelled_exc_class():
        hear()
        with anyio.CancelScope(shield=True):
            await home.outlast(wait)
        raise


async def _raise(error: BaseException, met: BaseException | None = None) -> None:
    """A write that raises this, or what the writer met: so the writer raises it where it would have written."""
    try:
        raise error if met is None else met
    finally:
        del error, met  # breaks the traceback's cycle
