"""Failures that come where a chunk should, under the status 200, in each service's own words."""

from __future__ import annotations

from typing import Any

from ..failures import UpstreamError, as_status
from .base import get, text_of

# What services with numbers of their own mean by these, as HTTP has it.
_NUMBERS = {
    # MiniMax
    "1001": 504,
    "1002": 429,
    "1004": 401,
    "1008": 402,
    "1013": 500,
    "1027": 400,
    "1039": 429,
    "2013": 400,
    # Spark
    "10007": 429,
    "10008": 503,
    "10013": 400,
    "10014": 400,
    "10110": 503,
    "10163": 400,
    "10907": 400,
    "11200": 401,
    "11202": 429,
    "11203": 429,
}
_CODES = ("code", "status_code", "error_code", "errcode")
_FINE = (None, 0, "0", 200, "200", "", "ok", "success")


def error_in(chunk: Any) -> UpstreamError | None:
    """The failure that something among a model's chunks surely tells; None where it tells none."""
    error = get(chunk, "error") or get(get(chunk, "x_groq"), "error")
    if error or get(chunk, "object") == "error":
        return told_failure(error or chunk)
    answer = get(chunk, "base_resp")  # MiniMax
    return None if get(answer, "status_code") in _FINE else told_failure(answer)


def refusal_in(thing: Any) -> UpstreamError | None:
    """The same of what stands where a model should speak: there other shapes are known for refusals, too."""
    if (error := error_in(thing)) is not None:
        return error
    if get(thing, "type") == "error":
        return told_failure(thing)
    for field in _CODES:
        if get(thing, field) not in _FINE and _message(thing):
            return told_failure(thing)
    fields = thing if isinstance(thing, dict) else getattr(thing, "__pydantic_extra__", None)
    is_bare = fields and set(fields) == {"detail"} and get(thing, "detail")  # FastAPI's
    return told_failure(thing) if is_bare else None


def told_failure(error: Any) -> UpstreamError:
    """The failure that these words tell: a text, or an object with a message, a code, a status, a type."""
    inner = get(error, "error")
    if inner is not None and not isinstance(inner, (str, bool)):
        return told_failure(inner)
    words = [text_of(get(error, field)) for field in (*_CODES, "status", "type")]
    status = next((found for word in words if (found := _status(word)) is not None), None)
    retryable = get(error, "retryable")
    return UpstreamError(
        _message(error) or "the model's service sent an error",
        status_code=status,
        code=_code(words),
        retryable=retryable if isinstance(retryable, bool) else None,
    )


def _message(error: Any) -> str:
    for field in ("message", "msg", "status_msg", "error_msg", "errmsg", "detail"):
        message = get(error, field)
        if message and not isinstance(message, (bool, int, float)):
            return str(message)
    return text_of(error)


def _code(words: list[str]) -> str | None:
    """The service's own word for it: a name sooner than a number."""
    named = (word for word in words if word and not word.isdigit() and word != "error")
    return next(named, None) or next(filter(None, words), None)


def _status(word: str) -> int | None:
    return _NUMBERS.get(word) or as_status(word)
