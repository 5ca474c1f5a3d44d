"""A WSGI server for one request: a thread of its own, and a client that is connected by a real socket.

Rules of this file:

1. The app finds the connection where werkzeug's server has it, and so watches it as in production.
2. As on every server the status is sent with the first bytes of the body, or with its end.
3. Once the client has disconnected, or was given up, a write fails, and then the body is closed.
"""

from __future__ import annotations

import contextvars
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from ..loops.base import ThreadSignal
from .answer import Answer
from .request import Request

App = Callable[..., Iterable[bytes]]
Head = tuple[int, list[tuple[str, str]]]

LOOK = 0.02  # seconds between two checks whether a client that does not read was given up


class _Unheard(BrokenPipeError):
    """There is no client to write to."""


class WsgiServer:
    """Answers one request; `raises`, whether a failure of the app is raised in the test, or becomes a 500."""

    def __init__(self, app: App, request: Request, answer: Answer, *, raises: bool) -> None:
        self._app, self._request, self._answer, self._raises = app, request, answer, raises
        self._here, self._there = socket.socketpair()
        self._signal = ThreadSignal()
        answer.wake_server = self._signal.set
        self._head: Head | None = None
        self._thread: threading.Thread | None = None

    def start(self, context: contextvars.Context) -> None:
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="sse_bridge test server", daemon=True
        )
        self._thread.start()

    def hang_up(self) -> None:
        self._answer.hang_up()
        self._there.close()
        connection = self._answer.connection
        if connection is not None and not hasattr(select, "POLLRDHUP"):
            # There only a write shows a disconnect, and the next may be a whole `ping` away.
            connection.pipe.hang_up()

    def abandon(self) -> None:
        """Does nothing: a thread cannot be ended from outside."""

    @property
    def place(self) -> str:
        """Where the app is at the moment."""
        ident = self._thread.ident if self._thread is not None else None
        frame = sys._current_frames().get(ident) if ident is not None else None
        stack = traceback.extract_stack(frame) if frame is not None else []
        ours = [at for at, entry in enumerate(stack) if entry.filename == __file__]
        return "".join(traceback.format_list(stack[ours[-1] + 1 :])) if ours else ""

    # -- the server's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._serve()
        except BaseException as raised:
            error = raised
            if self._answer.status_code is None and not self._raises:
                self._answer.start(500, [("Content-Type", "text/plain"), ("Content-Length", "0")])
                self._answer.finish()
        finally:
            self._here.close()
            self._answer.end(error)

    def _serve(self) -> None:
        environ = {**self._request.environ(), "werkzeug.socket": self._here}
        body = self._app(environ, self._start_response)
        try:
            for piece in body:
                self._write(piece)
            self._send_head()
            self._answer.finish()
        except _Unheard:
            pass
        finally:
            if hasattr(body, "close"):
                body.close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info and self._answer.status_code is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._head is not None and not exc_info:
            raise AssertionError("start_response was called twice")
        self._head = int(status.split()[0]), list(headers)
        return self._write

    def _write(self, piece: bytes) -> None:
        if not piece:
            return
        self._send_head()
        while not self._answer.has_room:
            self._signal.wait(monotonic() + LOOK)
            self._fail_if_given_up()
        if self._answer.gone:
            raise _Unheard("the client has disconnected")
        self._answer.put(piece)

    def _fail_if_given_up(self) -> None:
        try:
            self._here.send(b"")
        except OSError as error:
            raise _Unheard("the connection was closed") from error

    def _send_head(self) -> None:
        if self._answer.status_code is None:
            if self._head is None:
                raise AssertionError("the app has not called start_response")
            self._answer.start(*self._head)
