"""An ASGI app as a source: the chunks are what it sends, and the request's own task runs it.

Rules of this file:

1. The app runs where it would run without us. Only while its response is an event stream is there a writer as well.
2. It is over when it has returned or raised, or a moment after the last message of its body: FastAPI sends that
   message before its failure surfaces. What it does later (a background task) is not stopped and not waited for.
"""

from __future__ import annotations

import contextvars
from functools import partial
from types import NoneType

import anyio

from ..adapters.base import Parts
from ..drivers.anyio import Begin, Write, Writer, outlast
from ..drivers.task_worker import LoopWorker
from ..drivers.workers import Job
from ..failures import upstream_cut
from ..loops.base import Home, Running, Scope
from ..loops.current import current_home
from ..notice import is_stopping
from ..options import Options
from ..registry import ShuttingDown
from ..summary import Ending
from .inbox import Inbox

GRACE = 0.1  # seconds in which an app may still raise after its last message


class AppWorker(LoopWorker):
    """The source's side, for an app that is running already."""

    def __init__(self, job: Job, home: Home, scope: Scope, inbox: Inbox, patience: float) -> None:
        super().__init__(job, home, scope)
        self._inbox = inbox
        # Seconds for an app to end by itself once it knows of the disconnect.
        self._patience = patience
        self._cancelling: Running | None = None
        self._said_all = self._told = False
        self._queue = anyio.Lock()  # an app may send from several tasks, and a signal wakes one

    def stop(self) -> None:
        self._pipe.close()
        if self._said_all:  # what it does now is not for the client any more
            return
        # An app that reads `receive` ends by itself, and some (Django) lose their tasks if they are cancelled.
        if self._inbox.hang_up():
            self._cancelling = self._home.start(self._cancel_soon, contextvars.copy_context())
        else:
            self._scope.cancel()

    async def _cancel_soon(self) -> None:
        await anyio.sleep(self._patience)
        if not self._told:
            self._scope.cancel()

    def start(self) -> None:
        """Does nothing: the app runs already."""

    async def say(self, body: bytes, *, more: bool) -> None:
        """The app has sent a piece of its body, which is dropped once the stream is over."""
        self._said_all = not more
        if self._pipe.closed:
            await self._home.pause()  # or an app that goes on sending would keep the loop to itself
        elif body and not self._pipe.put(self._reader.read(body)):
            async with self._queue:
                await self._wait_for_room()

    async def end(self, error: BaseException | None) -> None:
        """The app has returned, or raised, or sent the end of its body; called once."""
        self._told = True
        rest: Parts = ()
        if error is None and not self._said_all:
            error = self._why_it_is_cut()
        if error is None:
            try:
                rest = self._reader.end()
            except Exception as raised:
                error = raised
        elif not isinstance(error, Exception):
            self._pipe.hang_up()  # the server ends the request: nobody is left to report a failure to
        try:
            self._end(error, rest)
            await self._say_farewell()
        finally:
            del error  # it leads back here
            self._finish()

    def _forget(self) -> None:
        super()._forget()
        if self._cancelling is not None:
            self._cancelling.cancel()

    def _why_it_is_cut(self) -> Exception | None:
        """The failure of an app that returned before the end of its body; None if nobody is left to report to."""
        if self._pipe.closed or self._inbox.is_over:
            self._pipe.hang_up()
            return None
        if is_stopping():  # sse-starlette's apps return, then
            return ShuttingDown(source_ran=True)
        return upstream_cut("the app returned without the end of its body: the response was cut")


class AppStream:
    """The stream that an app's response has become; making it opens it, and may raise `Unavailable`.

    Arguments: `options`; `scope`, in which the app runs and is cancelled; `inbox`, the request's `receive`; `begin`
    and `write`, as the driver has them.
    """

    def __init__(
        self, options: Options, scope: Scope, inbox: Inbox, begin: Begin, write: Write
    ) -> None:
        self._home = home = current_home()
        self._inbox = inbox
        self._writer = Writer(
            None,
            options,
            contextvars.copy_context(),
            begin,
            write,
            worker=lambda job: AppWorker(job, home, scope, inbox, options.cleanup_timeout),
        )
        self._first = self._writer.open()
        self._over = anyio.Event()
        self._ending: Running | None = None
        self._telling: Running | None = None
        self._giving_up: Running | None = None
        self._error: BaseException | None = None
        self._given_up = False
        self._running = home.start(self._run, contextvars.copy_context())

    @property
    def _worker(self) -> AppWorker:
        worker = self._writer.connection.worker
        assert isinstance(worker, AppWorker)
        return worker

    @property
    def has_begun(self) -> bool:
        """Whether the response has started."""
        return self._writer.has_begun

    async def say(self, body: bytes, *, more: bool) -> None:
        """The app has sent a piece of its body."""
        await self._worker.say(body, more=more)
        if not more and self._ending is None:
            self._ending = self._home.start(self._end_soon, contextvars.copy_context())

    async def end(self, error: BaseException | None) -> None:
        """The app is over; returns when the request is, and raises a failure that the stream has not reported."""
        if self._ending is not None:
            self._ending.cancel()
        told = self._worker.done
        if self._nobody_reads() or not isinstance(error, (Exception, NoneType)):
            self._give_up()
        self._tell(error)
        try:
            await outlast(self._home, self._over.wait, self._hang_up)
            if self._error is not None and not self._given_up:
                raise self._error
            if error is not None and (told or not isinstance(error, Exception)):
                raise error
        finally:
            del error  # it leads back here

    def _tell(self, error: BaseException | None) -> None:
        """Report how the app ended, in a task of its own: so `on_end` is called whatever cancels the app's task."""
        if self._telling is None:
            tell = partial(self._worker.end, error)
            self._telling = self._home.start(tell, contextvars.copy_context())

    def _nobody_reads(self) -> bool:
        """Whether the client is really gone: the app is told so, too, for an ending yet to reach the client."""
        ending = self._writer.connection.stream.ending
        return self._inbox.is_over and ending in (None, Ending.GONE, Ending.SLOW)

    def _hang_up(self) -> None:
        self._writer.connection.pipe.hang_up()
        self._give_up()

    def _give_up(self) -> None:
        if self._giving_up is None:
            self._giving_up = self._home.start(self._give_up_soon, contextvars.copy_context())

    async def _give_up_soon(self) -> None:
        """The client does not read any more: do not wait long for a write that waits for it."""
        try:
            with anyio.move_on_after(GRACE):
                await self._over.wait()
        finally:
            if not self._over.is_set():
                self._given_up = True
                self._running.cancel()

    async def _end_soon(self) -> None:
        """Wait a moment in which the app may raise what ended its body; the client does not wait for more."""
        await anyio.sleep(GRACE)
        self._tell(None)

    async def _run(self) -> None:
        try:
            await self._writer.write_beside_app(self._first, self._inbox.look)
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()
