"""Responses that are not streams, through ``start_response``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from ..failures import diagnose
from ..options import FINISHED_ID, Options
from ..parts import Failure
from ..registry import Unavailable
from ..showing import report
from .early import EarlyAnswer, early_answer

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def refuse(
    start_response: StartResponse, full: Unavailable, more: Iterable[tuple[str, str]] = ()
) -> tuple[()]:
    """Answer that no stream can be opened now, with `more` headers."""
    headers = [
        ("Content-Type", "text/plain"),  # PEP 3333's checker wants one, with no body too
        ("Content-Length", "0"),
        ("Retry-After", str(full.retry_after)),
        *more,
    ]
    start_response(_status_line(full.status_code), headers)
    return ()


def answer_early(
    start_response: StartResponse,
    error: Exception,
    options: Options,
    more: Iterable[tuple[str, str]] = (),
) -> tuple[bytes] | None:
    """Answer a failure before the first byte, with `more` headers; None if the server has to make a 500 of it.

    An OSError always gets a response here: a server would take it for its connection's, and close that.
    """
    early = early_answer(error, options)
    if early is None:
        if not isinstance(error, OSError):
            return None
        report(error, "the source failed before its first chunk")
        early = EarlyAnswer(500, _servers_own(error), None)
    body = early.message.encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(_status_line(early.status_code), [*headers, *early.headers, *more])
    return (body,)


def _servers_own(error: OSError) -> Failure:
    return Failure("Internal Server Error", diagnose(error).code, retryable=False)


def _status_line(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def is_finished(environ: Environ) -> bool:
    """Whether this is the reconnect of an EventSource whose stream has finished."""
    return environ.get("HTTP_LAST_EVENT_ID") == FINISHED_ID
