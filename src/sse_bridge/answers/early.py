"""A failure before the first byte, as the HTTP response that it becomes.

Rules of this file:

1. Only a failure of the model's service gets a response of ours: all else that a source raises is the app's own.
2. The client gets our message, or the app's (`describe`), never the service's: that goes to the log.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..failures import Diagnosis, diagnose, retry_after
from ..options import Options
from ..parts import Failure
from ..showing import report

_SENTENCES = {
    "rate_limited": "The model is asked too often. Try again later.",
    "overloaded": "The model is overloaded. Try again later.",
    "upstream_timeout": "The model did not answer in time.",
    "upstream_stalled": "The model did not answer in time.",
    "max_duration": "The model did not answer in time.",
    "upstream_unreachable": "The model cannot be reached.",
    "credentials_refused": "The model's service refused the credentials of this server.",
    "bad_request": "The model's service refused the request of this server.",
    "context_too_long": "The conversation is too long for the model.",
    "content_filtered": "The request was refused by a content filter.",
    "empty_answer": "The model gave no answer.",
}
_GENERAL = "The model's service failed."
_RETRIED = (429, 503)  # the statuses that a Retry-After belongs to


class EarlyAnswer(NamedTuple):
    """The status, what the client may know, and the service's word for when to try again, if it gave one."""

    status_code: int
    failure: Failure
    retry_after: str | None

    @property
    def message(self) -> str:
        """The sentence for the client."""
        return self.failure.message

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that go with the status."""
        return [] if self.retry_after is None else [("Retry-After", self.retry_after)]


def early_answer(error: BaseException, options: Options) -> EarlyAnswer | None:
    """The response to this failure, which is logged, as nothing else logs it; None where it is the app's own."""
    diagnosis = diagnose(error)
    if not diagnosis.is_upstream:
        return None
    message = _message(error, diagnosis, options)
    failure = Failure(message, diagnosis.code, diagnosis.retryable)
    answer = EarlyAnswer(diagnosis.status_code, failure, _after(error, diagnosis))
    report(
        error,
        "the source failed before its first chunk; answered with status %d",
        answer.status_code,
    )
    return answer


def _message(error: BaseException, diagnosis: Diagnosis, options: Options) -> str:
    told = options.description(error, diagnosis.code)
    return _SENTENCES.get(diagnosis.code, _GENERAL) if told is None else told


def _after(error: BaseException, diagnosis: Diagnosis) -> str | None:
    told = retry_after(error) if diagnosis.status_code in _RETRIED else None
    return told if told is not None and _AFTER.fullmatch(told) else None


# Seconds, which some services send with a fraction, or an HTTP date: nothing else may go into the header.
_AFTER = re.compile(
    r"\d{1,9}(\.\d{1,9})?|[A-Za-z]{3}, \d{1,2}[ -][A-Za-z]{3}[ -]\d{4} \d\d:\d\d:\d\d GMT",
    re.ASCII,
)
