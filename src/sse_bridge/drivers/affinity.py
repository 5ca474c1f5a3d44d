"""Errors that come of a source being walked on another thread than the one that made it."""

from __future__ import annotations

import re

_SIGNS = re.compile(
    r"created in a thread can only be used"  # sqlite3, Django
    r"|outside of (the )?(request|application|app) context"  # Flask
    r"|[Rr]equest context not initialized"  # Bottle
    r"|'(ThreadedDict|_thread\._local)' object has no attribute"  # web.py, thread-locals of any kind
    r"|greenlet.{1,200}different thread"
)

_LINKS = 20
_LOOKED_AT = 10_000  # characters of a message, which may be as long as an upstream likes
_NOTE = (
    "sse-bridge walks this source on a thread of its own, beside the one that made it. With whole=True, of the "
    "Flask decorator or the WSGI middleware, the view or the app runs on that thread too."
)


def explain(error: BaseException | None) -> None:
    """Add a note that names the option to an error that it would mend."""
    try:
        if error is not None and _is_one(error) and _NOTE not in getattr(error, "__notes__", ()):
            error.add_note(_NOTE)
    except BaseException:  # of an error's attributes: it is told without a note
        return


def _is_one(error: BaseException) -> bool:
    at: BaseException | None = error
    for _ in range(_LINKS):  # a chain of causes may lead back into itself
        if at is None:
            return False
        if _SIGNS.search(str(at)[:_LOOKED_AT]):
            return True
        at = at.__cause__ or at.__context__
    return False
