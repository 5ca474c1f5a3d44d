"""A WSGI app that runs on one thread of its own, with its result: for those that keep to the thread they began on.

Rules of this file:

1. The app, the iteration of its result and its `close` are made on one thread; the server's does the rest.
2. Until the app has answered nothing can be written: a client that may have left is taken as gone.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from . import hangup, interrupt
from .drivers.threads import Body
from .drivers.walkers import Walker
from .drivers.watches import HandedOn
from .failures import CutShort
from .interrupt import Interrupted
from .options import Options
from .responses import Takeover
from .wsgi_middleware import App, Call, Environ, StartResponse

_FRAMEWORKS = ("bottle", "web", "cherrypy")  # the request's own is in thread-locals
_WRAPPERS = ("app", "wsgi_app", "application", "_app", "wrap_app", "__wrapped__", "__self__")


def keeps_to_its_thread(app: Any) -> bool:
    """Whether this is an app of a framework whose streams find nothing on another thread, by its module."""
    for _ in range(10):  # so many middlewares may be around it
        home = app if hasattr(app, "__qualname__") else type(app)
        if str(getattr(home, "__module__", "")).partition(".")[0] in _FRAMEWORKS:
            return True
        inner = (getattr(app, name, None) for name in _WRAPPERS)
        app = next((one for one in inner if callable(one)), None)
    return False


class WholeCall(Call):
    """One request of such an app."""

    __slots__ = ("_walker", "_watch")

    def __init__(self, takeover: Takeover, environ: Environ, server: StartResponse) -> None:
        super().__init__(takeover, environ, self._on_its_thread(server))
        interrupts = takeover.options.interrupt and interrupt.allowed()
        watch = hangup.watch(environ)
        self._watch = None if watch is None else HandedOn(watch)
        self._walker = Walker(contextvars.copy_context(), interrupts=interrupts)

    def run(self, app: App) -> Iterable[bytes]:
        try:
            return super().run(app)
        except Interrupted:
            return self._to_nobody()
        finally:
            if not self._walker.lent:
                self._walker.end()
                self._forget_client()

    def _ask(self, app: App) -> tuple[Iterable[bytes], Iterable[bytes]]:
        asked: tuple[Iterable[bytes], Iterable[bytes]]
        asked = self._walker.do(partial(super()._ask, app), self._watch)
        return asked

    def _on_its_thread(self, server: StartResponse) -> StartResponse:
        """The server's functions, for the app to call on its own thread."""

        def start_response(*arguments: Any) -> Callable[[bytes], Any]:
            write = self._walker.ask(lambda: server(*arguments))
            return lambda data: self._walker.ask(lambda: write(data))

        return start_response

    def _to_nobody(self) -> Iterable[bytes]:
        """The app was freed because its client has left."""
        if self._write_on is not None:
            raise CutShort
        self._server("499 Client Closed Request", [("Content-Length", "0")])
        return ()

    def _forget_client(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def _passed(self, items: Iterable[bytes], result: Iterable[bytes]) -> Iterable[bytes]:
        passed = super()._passed(items, result)
        if isinstance(passed, (list, tuple)) or self._is_file(passed):
            return passed
        self._walker.lent = True
        self._forget_client()
        return _Walked(self._walker, passed)

    def _body(self, source: Any, options: Options) -> Body:
        walker = self._walker
        context, watch = walker.context.copy(), lambda: self._watch
        body = Body(source, options, context, watch=watch, leave=walker.end, spawn=walker.go_on)
        walker.lent = True  # and ended with the source
        return body

    def _discard(self, source: Any) -> None:
        self._walker.do(source.close)


class _Walked(Iterator[bytes]):
    """A result that the server walks, and that is walked on the app's thread."""

    def __init__(self, walker: Walker, items: Iterable[bytes]) -> None:
        self._walker, self._items = walker, items
        self._next: Callable[[], bytes] | None = None

    def __next__(self) -> bytes:
        if self._next is None:
            self._next = self._walker.do(lambda: iter(self._items).__next__)
        item: bytes = self._walker.do(self._next)
        return item

    def close(self) -> None:
        """The server is through with it."""
        try:
            if (close := getattr(self._items, "close", None)) is not None:
                self._walker.do(close)
        finally:
            self._walker.end()

    def __del__(self) -> None:
        self._walker.end()
