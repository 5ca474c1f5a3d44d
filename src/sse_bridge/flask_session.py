"""Warns about a session that a source changes after its response has started: the change is lost, as in Flask.

Flask saves the session with the headers. What a source does before its first chunk, while the status is held, is
saved.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from flask import request_finished
from flask.globals import request_ctx

_log = logging.getLogger("sse_bridge")

_told: set[str] = set()  # the endpoints that were warned about: once is enough for each


class Saved:
    """What the session of one request held when it was saved."""

    def __init__(self, view_request: Any) -> None:
        self._endpoint = str(view_request.request.endpoint)
        self._items: dict[str, Any] | None = None
        others = getattr(
            view_request, "_sse_bridge_saved", ()
        )  # one for each stream of the request
        view_request._sse_bridge_saved = (*others, self)

    def note(self, session: Any) -> None:
        """The response is about to start, with this session."""
        with suppress(Exception):  # a session that cannot be read must not stop the response
            self._items = dict(session)

    def compare(self, session: Any) -> None:
        """The source is over: warn if it has changed the session too late."""
        if self._items is None or not session.modified or self._endpoint in _told:
            return
        if dict(session) != self._items:
            _told.add(self._endpoint)
            _log.warning(
                "the source of %s changed the session after its response had started, and that is lost: Flask "
                "saves a session with the headers. Change it in the view, or before the first chunk",
                self._endpoint,
            )


def _note(_app: Any, **_: Any) -> None:
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    for saved in vars(context).pop("_sse_bridge_saved", ()):
        saved.note(context.session)


request_finished.connect(_note)
