"""The WSGI middleware.

Formats: PEP 3333 (WSGI), the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Unpack

from ..answers.mark import OVER
from ..answers.wsgi import Environ, refuse
from ..media import JSON_LINES
from ..options import Words, options_of
from ..registry import Unavailable
from .takeover import Takeover
from .wsgi_call import Call
from .wsgi_whole import WholeCall, keeps_to_its_thread


class Middleware:
    """Wraps a WSGI app: its event streams get keep-alives, disconnect detection and a proper end; all else passes.

    Arguments: `app`; `end` (default False), whether an event stream that ends well without an end frame gets the
    dialect's, and a reconnect after that is answered 204 without calling the app; `chunks`, media types whose
    bodies become event streams for clients whose ``Accept`` names ``text/event-stream`` (default: the names of
    JSON lines; a type without ``json`` in it is read as text); `streams`, further media types under which the
    app's bodies are event streams (default: none); `whole`, whether the app itself runs on the thread that iterates
    its streams, so that its blocked calls are stopped too, and what only one thread may use can be used in both
    (default None: for Bottle, web.py and CherryPy only); `options`, see `sse_bridge.options.Options`. An app's
    failure within `hold` is raised here, before the response has started.

    Raises `TypeError` or `ValueError` that names the argument and shows the value.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        end: bool = False,
        chunks: Iterable[str] = JSON_LINES,
        streams: Iterable[str] = (),
        whole: bool | None = None,
        **options: Unpack[Words],
    ) -> None:
        _check_app(app)
        if whole is not None and not isinstance(whole, bool):
            raise TypeError(f"whole must be True, False or None, got {whole!r}")
        self.app = app
        self._whole = keeps_to_its_thread(app) if whole is None else whole
        self._takeover = Takeover(
            options_of(options, "Middleware"), end=end, chunks=chunks, streams=streams
        )

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_LAST_EVENT_ID" in environ and self._is_over(environ):
            start_response("204 No Content", list(OVER))
            return ()
        kind = WholeCall if self._whole else Call
        try:
            call = kind(self._takeover, environ, start_response)
        except Unavailable as full:  # no room for another thread
            return refuse(start_response, full)
        return call.run(self.app)

    def _is_over(self, environ: Environ) -> bool:
        method, accept = environ.get("REQUEST_METHOD", ""), environ.get("HTTP_ACCEPT", "")
        return self._takeover.is_over(method, accept, environ["HTTP_LAST_EVENT_ID"])


def _check_app(app: Any) -> None:
    if not callable(app):
        raise TypeError(f"app must be a WSGI app, got {app!r}")
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        raise TypeError(
            f"app must be a WSGI app (for an ASGI app use asgi.Middleware), got {app!r}"
        )
