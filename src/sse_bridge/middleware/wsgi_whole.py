"""A WSGI app that runs, with its result, on one thread of its own, as some apps need it.

Rules of this file:

1. The app, the iteration of its result and its `close` run on one thread; the server's thread does the rest.
2. Until the app has answered nothing can be written: a client that may have disconnected counts as gone.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from .. import hangup, interrupt
from ..answers.wsgi import Environ, StartResponse
from ..drivers.threads import Body
from ..drivers.walkers import Walked, Walker
from ..failures import CutShort
from ..interrupt import Interrupted
from ..loops.background import background_home
from ..options import Options
from ..private import WRAPPED
from ..watches import HandedOn
from .takeover import Takeover
from .wsgi_call import App, Call

_FRAMEWORKS = ("bottle", "cherrypy")  # and web.py: they keep the request in thread-locals


def keeps_to_its_thread(app: Any) -> bool:
    """Whether this is an app of a framework whose streams do not work on another thread, by the app's module."""
    for _ in range(10):  # so many middlewares may be around it
        home = app if hasattr(app, "__qualname__") else type(app)
        if _is_of_such(str(getattr(home, "__module__", "")).partition(".")[0]):
            return True
        inner = (getattr(app, name, None) for name in WRAPPED)
        app = next((one for one in inner if callable(one)), None)
    return False


def _is_of_such(package: str) -> bool:
    if package == "web":  # a name that many apps use for a package of their own
        return hasattr(sys.modules.get("web"), "wsgi") and hasattr(sys.modules["web"], "ctx")
    return package in _FRAMEWORKS


class WholeCall(Call):
    """One request of such an app."""

    __slots__ = ("_walker", "_watch")

    def __init__(self, takeover: Takeover, environ: Environ, server: StartResponse) -> None:
        super().__init__(takeover, environ, self._on_its_thread(server))
        interrupts = takeover.options.interrupt and interrupt.allowed()
        self._walker = Walker(contextvars.copy_context(), interrupts=interrupts)
        self._watch: HandedOn | None = None

    def run(self, app: App) -> Iterable[bytes]:
        try:
            if (watch := hangup.watch(self._environ)) is not None:
                self._watch = HandedOn(watch)
            return super().run(app)
        except Interrupted:
            return self._to_nobody()
        finally:
            if not self._walker.lent:
                self._walker.end()
                self._forget_client()

    def _ask(self, app: App) -> tuple[Iterable[bytes], Iterable[bytes]]:
        asked = self._walker.do(partial(super()._ask, app), self._watch)
        return cast(tuple[Iterable[bytes], Iterable[bytes]], asked)

    def _on_its_thread(self, server: StartResponse) -> StartResponse:
        """A server's function, for the app to call on its own thread: the server's thread makes the call."""

        def start_response(*arguments: Any) -> Callable[[bytes], Any]:
            write = self._walker.ask(lambda: server(*arguments))
            return lambda data: self._walker.ask(lambda: write(data))

        return start_response

    def _to_nobody(self) -> Iterable[bytes]:
        """The app was freed because its client has disconnected."""
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
        self._forget_client()
        return Walked(self._walker, passed)

    def _body(self, source: Any, options: Options) -> Body:
        walker = self._walker
        context, watch = walker.context.copy(), lambda: self._watch
        body = Body(source, options, context, watch=watch, leave=walker.end, threads=walker)
        walker.lent = True  # and ended with the source
        return body

    def _discard(self, source: Any) -> None:
        self._walker.discard(source, background_home)
