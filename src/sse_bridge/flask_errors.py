"""Flask's responses to a failure of the model's service before the first byte, and to a stream that was refused."""

from __future__ import annotations

import math
from datetime import datetime

from flask import current_app, has_request_context, request
from werkzeug.exceptions import (
    HTTPException,
    ServiceUnavailable,
    TooManyRequests,
    default_exceptions,
)
from werkzeug.http import parse_date

from .answers.early import EarlyAnswer, early_answer
from .options import Options
from .registry import Unavailable


def raise_early(error: Exception, options: Options) -> None:
    """Raise the HTTPException for a failure of the model's service; return for what is the app's own to answer."""
    if isinstance(error, HTTPException) or _is_handled(error):
        return
    early = early_answer(error, options)
    if early is not None:
        raise _http_exception(early) from error


def refusal(full: Unavailable) -> HTTPException:
    """The HTTPException for a stream that cannot be opened now."""
    kind = TooManyRequests if full.status_code == 429 else ServiceUnavailable
    return kind(retry_after=full.retry_after)


def _is_handled(error: Exception) -> bool:
    """Whether the app has a handler for this type of error, and not just one for any exception."""
    if not has_request_context():
        return False
    specs = current_app.error_handler_spec
    places = (specs.get(name, {}).get(None, {}) for name in (*request.blueprints, None))
    kinds = [kind for kind in type(error).__mro__ if kind is not Exception]
    return any(kind in handlers for handlers in places for kind in kinds)


def _http_exception(early: EarlyAnswer) -> HTTPException:
    raised = default_exceptions[early.status_code](early.message)
    raised.failure = early.failure  # type: ignore[attr-defined] # for the app's own handler
    if isinstance(raised, (TooManyRequests, ServiceUnavailable)):
        raised.retry_after = _when(early.retry_after)
    return raised


def _when(retry_after: str | None) -> datetime | int | None:
    """The time to retry as werkzeug takes it: seconds or a date."""
    if retry_after is None or retry_after[0].isdigit():
        return None if retry_after is None else math.ceil(float(retry_after))
    return parse_date(retry_after)
