"""An ASGI server for one request, the lifespan of an app, and a loop for tests that have none.

Rules of this file:

1. An app runs in a plain task of the loop, outside every scope of the test: so a test may open a stream in one task
   and close it in another.
2. Its `send` waits while the client has much to read, and does nothing once it has disconnected: as uvicorn's.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

from ..loops.base import Home, Running
from ..loops.changes import Changes
from ..loops.current import current_home
from .answer import Answer, Bell
from .request import Place, Request

Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]


class AsgiServer:
    """Answers one request in the loop of `home`; `raises` as with WSGI."""

    def __init__(
        self,
        app: App,
        request: Request,
        answer: Answer,
        *,
        raises: bool,
        home: Home,
        state: MutableMapping[str, Any],
    ) -> None:
        self._app, self._request, self._answer, self._raises = app, request, answer, raises
        self._home, self._state = home, state
        self._changes = Changes()
        answer.wake_server = lambda: home.soon(self._changes.tell)
        self._body: bytes | None = request.body
        self._task: Running | None = None

    def start(self, context: contextvars.Context) -> None:
        def start() -> None:
            self._task = self._home.start(self._run, context)

        self._home.soon(start)

    def hang_up(self) -> None:
        self._answer.hang_up()

    def abandon(self) -> None:
        """End it as a closing loop does."""
        if self._task is not None:
            self._home.soon(self._task.cancel)

    @property
    def place(self) -> str:
        """Where the app is at the moment: empty, since a task does not easily show that."""
        return ""

    # -- the app's task ---------------------------------------------------------------------------

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            await self._app(self._request.scope(self._state), self._receive, self._send)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as raised:
            error = raised
            if self._answer.status_code is None and not self._raises:
                self._answer.start(500, [("content-length", "0")])
                self._answer.finish()
        finally:
            self._answer.end(error)
            del error

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while not (self._answer.gone or self._answer.complete):
            await self._changes.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        answer, kind = self._answer, message["type"]
        if kind == "http.response.start" and answer.status_code is None:
            headers = [
                (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
            answer.start(message["status"], headers)
        elif (
            kind == "http.response.body" and answer.status_code is not None and not answer.complete
        ):
            await self._send_body(message)
        elif not answer.gone:
            raise RuntimeError(f"unexpected message: {kind}")

    async def _send_body(self, message: Message) -> None:
        while not self._answer.has_room:
            await self._changes.wait()
        if self._answer.gone:  # an app that goes on regardless must not block the loop
            await self._home.pause()
        self._answer.put(message.get("body", b""))
        if not message.get("more_body", False):
            self._answer.finish()
            self._changes.tell()


class Lifespan:
    """An app's lifespan, in a task of its own; an app without one counts as started."""

    def __init__(self, app: App, place: Place) -> None:
        assert place.home is not None, "an ASGI app runs in a loop"
        self.bell = Bell()
        self.state: MutableMapping[str, Any] = {}
        self.error: BaseException | None = None
        self.started = self.over = False
        self._app, self._home, self._context = app, place.home, place.context.copy()
        self._failed: str | None = None
        self._asked = 0  # how often the app has asked for a message
        self._stopping = False
        self._changes = Changes()
        self._task: Running | None = None

    def start(self) -> None:
        def start() -> None:
            self._task = self._home.start(self._run, self._context)

        self._home.soon(start)

    def stop(self) -> None:
        self._stopping = True
        self._home.soon(self._changes.tell)

    def abandon(self) -> None:
        if self._task is not None:
            self._home.soon(self._task.cancel)

    def look_for_start(self) -> bool | None:
        """True once it has started; raises why it could not."""
        self._raise_failure()
        return True if self.started or self.over else None

    def look_for_end(self) -> bool | None:
        """True once it is over; raises what went wrong."""
        self._raise_failure()
        return True if self.over else None

    def _raise_failure(self) -> None:
        if self.over and self.error is not None and (self.started or self._failed is not None):
            error, self.error = self.error, None
            raise error
        if self.over and self._failed is not None:
            failed, self._failed = self._failed, None
            raise RuntimeError(f"the app's lifespan failed: {failed}")

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            self.error = error
        finally:
            self.over = True
            self.bell.ring()

    async def _receive(self) -> Message:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        while not self._stopping:
            await self._changes.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"].endswith(".failed"):
            self._failed = message.get("message", "")
        elif message["type"] == "lifespan.startup.complete":
            self.started = True
        self.bell.ring()


class LoopThread:
    """An event loop on a thread of its own, for a test that has none."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="sse_bridge test loop", daemon=True)
        self._error: BaseException | None = None
        self._place: Place | None = None

    def start(self) -> Place:
        self._thread.start()
        self._ready.wait()
        if self._place is None:
            raise RuntimeError(f"no loop could be started: {self._error!r}") from self._error
        return self._place

    def stop(self, timeout: float) -> None:
        """End it, and all that still runs in it; raises `AssertionError` if something does not end."""
        self._stop()
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise AssertionError(f"a task or a thread of the app still runs {timeout:g} s later")

    def _run(self) -> None:
        try:
            anyio.run(self._main, backend=self._backend)
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        stop, home = anyio.Event(), current_home()
        self._stop = lambda: home.soon(stop.set)
        self._place = Place(home, contextvars.copy_context(), {})
        self._ready.set()
        await stop.wait()
