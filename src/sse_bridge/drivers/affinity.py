"""Errors that come of a source being walked on another thread than the one that made it."""

from __future__ import annotations

import re

_SIGNS = re.compile(
    r"created in a thread can only be used"  # sqlite3, Django
    r"|outside of (the )?(request|application|app) context"  # Flask
    r"|[Rr]equest context not initialized"  # Bottle
    r"|'(ThreadedDict|_thread\._local)' object has no attribute"  # web.py, thread-locals of any kind
    r"|greenlet.+different thread"
)

_LINKS = 20
_NOTE = (
    "sse-bridge walks this source on a thread of its own, beside the one that made it. With whole=True, of the "
    "Flask decorator or the WSGI middleware, the view or the app runs on that thread too."
)


def explain(error: BaseException | None) -> None:
    """Add a note that names the option to an error that it would mend."""
    at = error
    for _ in range(_LINKS):  # a chain of causes may lead back into itself
        if at is None:
            return
        if _SIGNS.search(str(at)) and _NOTE not in getattr(error, "__notes__", ()):
            assert error is not None
            error.add_note(_NOTE)
            return
        at = at.__cause__ or at.__context__
