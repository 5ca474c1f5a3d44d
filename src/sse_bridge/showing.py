"""An error as text, and in the log, even if looking at it raises."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from itertools import islice
from typing import cast

_log = logging.getLogger("sse_bridge")

_SHOWN = 10_000  # characters of an error's message, which may be an upstream's
# So many of an error's causes are named, with so many characters of their messages.
_LINKS, _SHOWN_OF_LINKS = 5, 200


def in_words(error: BaseException, form: Callable[[object], str] = str) -> str:
    """The error as text for another error's message; `form` is ``str`` (the default) or ``repr``."""
    try:
        return form(error)[:_SHOWN]
    except BaseException:  # SystemExit too: the message is still needed
        return f"an error of type {type(error).__name__!r:.100}, which cannot be shown"


def report(error: BaseException | None, message: str, *args: object) -> None:
    """Log a failure with its own traceback, and name its causes; if it cannot be shown, log as much as can be.

    The record's `exc_info` has the whole error. Its text leaves out the tracebacks of the causes: an HTTP client
    has sixty lines of its own for each broken connection.
    """
    try:
        # A log handler would do so too, but would hide that this raises.
        traceback.format_exception(error)
        shown, origin = (None, "") if error is None else (_own_traceback(error), _origin(error))
    except BaseException as raised:
        why = "" if error is None else in_words(error)
        _log.error("%s: %s (%s)", message % args, why, in_words(raised, repr))
    else:
        _log_with(
            shown, error, f"{message}{'%s' if origin else ''}", *args, *filter(None, [origin])
        )


def _log_with(shown: str | None, error: BaseException | None, message: str, *args: object) -> None:
    """The same as `Logger.error`, but with the text of the traceback already made."""
    if not _log.isEnabledFor(logging.ERROR):
        return
    file, line, function, _ = _log.findCaller(stacklevel=2)
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = _log.makeRecord(
        _log.name, logging.ERROR, file, line, message, args, exc_info, func=function
    )
    record.exc_text = shown
    _log.handle(record)


def _own_traceback(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error)
    _forget_origins(told)
    return "".join(told.format()).rstrip("\n")


def _forget_origins(told: traceback.TracebackException) -> None:
    told.__cause__ = told.__context__ = None
    for member in told.exceptions or ():
        _forget_origins(member)


def _origin(error: BaseException) -> str:
    """The causes of an error: `` (from KeyError('x') at app.py:12, from ...)``."""
    links = [f"from {_in_short(link)}" for link in islice(_links(error), _LINKS)]
    return f" ({', '.join(links)})" if links else ""


def _links(error: BaseException) -> Iterator[BaseException]:
    """All causes of an error, and of the errors that it is a group of."""
    waiting = [error]
    while waiting:
        at = waiting.pop(0)
        if issubclass(type(at), BaseExceptionGroup):
            waiting += cast(BaseExceptionGroup[BaseException], at).exceptions
        if (origin := _behind(at)) is not None:
            waiting.append(origin)
            yield origin


def _in_short(error: BaseException) -> str:
    """The error in one line, with the place where it was caught: in the app's own code, if that caught it."""
    words = " ".join(in_words(error, repr).split())
    at = error.__traceback__
    place = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return words[:_SHOWN_OF_LINKS] + place


def _behind(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__
