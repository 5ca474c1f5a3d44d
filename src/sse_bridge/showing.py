"""An error as text, and in the log, whatever it does when it is looked at."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

_log = logging.getLogger("sse_bridge")

_SHOWN = 10_000  # characters of an error's words, which may be an upstream's


def in_words(error: BaseException, form: Callable[[object], str] = str) -> str:
    """The error as text for another's message; `form` is ``str`` (the default) or ``repr``."""
    try:
        return form(error)[:_SHOWN]
    except BaseException:  # SystemExit too: somebody is yet to be told
        return f"an error of type {type(error).__name__!r:.100}, which cannot be shown"


def report(error: BaseException | None, message: str, *args: object) -> None:
    """Log a failure with its traceback; of an error that cannot be shown, as much as can."""
    try:
        # A handler of the log would do so too, and keep to itself that it raises.
        traceback.format_exception(error)
    except BaseException as raised:
        why = "" if error is None else in_words(error)
        _log.error("%s: %s (%s)", message % args, why, in_words(raised, repr))
    else:
        _log.error(message, *args, exc_info=error)
