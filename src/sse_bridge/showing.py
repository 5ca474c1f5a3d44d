"""An error as text, and in the log, whatever it does when it is looked at."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from itertools import islice
from typing import cast

_log = logging.getLogger("sse_bridge")

_SHOWN = 10_000  # characters of an error's words, which may be an upstream's
# So many errors behind one are named, with so many characters of their words.
_LINKS, _SHOWN_OF_LINKS = 5, 200


def in_words(error: BaseException, form: Callable[[object], str] = str) -> str:
    """The error as text for another's message; `form` is ``str`` (the default) or ``repr``."""
    try:
        return form(error)[:_SHOWN]
    except BaseException:  # SystemExit too: somebody is yet to be told
        return f"an error of type {type(error).__name__!r:.100}, which cannot be shown"


def report(error: BaseException | None, message: str, *args: object) -> None:
    """Log a failure with its own traceback, and name what it came of; of one that cannot be shown, as much as can.

    The record has the whole error, for whoever reads it there. Its text leaves out the tracebacks of what lies
    behind it: an HTTP client has sixty lines of its own for each broken connection.
    """
    try:
        # A handler of the log would do so too, and keep to itself that it raises.
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
    """`Logger.error`, but where handlers show the error's traceback they have it ready."""
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
    """What an error came of: `` (from KeyError('x') at app.py:12, from ...)``."""
    links = [f"from {_in_short(link)}" for link in islice(_links(error), _LINKS)]
    return f" ({', '.join(links)})" if links else ""


def _links(error: BaseException) -> Iterator[BaseException]:
    """All that lies behind an error, and behind those that it is a group of."""
    waiting = [error]
    while waiting:
        at = waiting.pop(0)
        if issubclass(type(at), BaseExceptionGroup):
            waiting += cast(BaseExceptionGroup[BaseException], at).exceptions
        if (origin := _behind(at)) is not None:
            waiting.append(origin)
            yield origin


def _in_short(error: BaseException) -> str:
    """In one line, with the place where it was caught: that is in the app's own code, if the app has caught it."""
    words = " ".join(in_words(error, repr).split())
    at = error.__traceback__
    place = f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return words[:_SHOWN_OF_LINKS] + place


def _behind(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__
