"""Errors that occur because a source is iterated on another thread than the one that created it."""

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
_LOOKED_AT = 10_000  # characters of a message, whose length may be an upstream's choice
_NOTE = (
    "sse-bridge iterates this source on a thread of its own, not on the one that created it. With the option "
    "whole=True of the Flask decorator or the WSGI middleware, the view or the app runs on that thread too."
)


def explain(error: BaseException | None) -> None:
    """Add a note that names the option `whole` to an error that it would fix."""
    try:
        if error is not None and _is_one(error) and _NOTE not in getattr(error, "__notes__", ()):
            error.add_note(_NOTE)
    except BaseException:  # raised by the error's attributes: it gets no note
        return


def _is_one(error: BaseException) -> bool:
    at: BaseException | None = error
    for _ in range(_LINKS):  # a chain of causes may be a cycle
        if at is None:
            return False
        if _SIGNS.search(str(at)[:_LOOKED_AT]):
            return True
        at = at.__cause__ or at.__context__
    return False
