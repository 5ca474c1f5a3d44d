"""Failures that come in place of a chunk, with the status 200, in each service's own format."""

from __future__ import annotations

from typing import Any

from ..failures import UpstreamError, as_status
from .base import get, items, shown, text_of

# The HTTP statuses for the error numbers of services that have their own.
_MINIMAX = {
    "1001": 504,
    "1002": 429,
    "1004": 401,
    "1008": 402,
    "1013": 500,
    "1026": 400,
    "1027": 400,
    "1039": 429,
    "2013": 400,
    "2049": 401,
}
_NUMBERS = {
    # Zhipu
    "1000": 401,
    "1001": 401,
    "1002": 401,
    "1003": 401,
    "1004": 401,
    "1113": 402,
    "1210": 400,
    "1211": 400,
    "1213": 400,
    "1214": 400,
    "1215": 400,
    "1261": 400,
    "1301": 400,
    "1302": 429,
    "1303": 429,
    "1304": 429,
    "1305": 429,
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
_CODES = ("code", "status_code", "error_code", "errcode", "http_code", "Code")
_MESSAGES = (
    *("message", "msg", "status_msg", "error_msg", "errmsg", "Message"),
    *("detail", "title", "error_description"),
)
_FINE = ("", "0", "200", "ok", "success", "none", "null")


def error_of_chunk(thing: Any) -> UpstreamError | None:
    """The failure that a model's chunk reports; None where it reports none."""
    error = get(thing, "error") or get(get(thing, "x_groq"), "error")
    if error or get(thing, "object") == "error":
        return told_failure(error, thing)
    answer = get(thing, "base_resp")  # MiniMax's
    if _is_number(get(answer, "status_code")):
        return told_failure(answer, numbers=_MINIMAX)
    return None


def error_in(thing: Any) -> UpstreamError | None:
    """The failure surely reported by something that came between a model's chunks and is not a chunk itself."""
    if isinstance(thing, list) and len(thing) == 1:  # Google's
        return error_in(thing[0])
    if (error := error_of_chunk(thing)) is not None:
        return error
    for place in (thing, get(thing, "header")):  # Spark's
        if any(_is_number(get(place, field)) for field in _CODES) and _has_message(place):
            return told_failure(place)
    if refusal := get(get(thing, "Response"), "Error"):  # Tencent's
        return told_failure(refusal)
    if get(thing, "success") is False and (errors := items(get(thing, "errors"))):  # Cloudflare's
        return told_failure(errors[0])
    is_typed = get(thing, "type") == "error" and any(get(thing, field) for field in _CODES)
    return told_failure(thing) if is_typed else None


def refusal_in(thing: Any) -> UpstreamError | None:
    """The same for what came in place of a model's first chunk: there, more shapes are known to be refusals."""
    if (error := error_in(thing)) is not None:
        return error
    if "error" in (get(thing, "type"), get(thing, "status")):
        return told_failure(thing)
    for field in _CODES:
        if not _is_fine(get(thing, field)) and _message(thing):
            return told_failure(thing)
    fields = thing if isinstance(thing, dict) else getattr(thing, "__pydantic_extra__", None)
    is_bare = (
        isinstance(fields, dict) and fields.keys() == {"detail"} and get(thing, "detail")
    )  # FastAPI's
    is_problem = as_status(get(thing, "status")) is not None and _message(thing)  # RFC 9457
    return told_failure(thing) if is_bare or is_problem else None


def is_failed_finish(reason: Any) -> bool:
    """Whether a finish reason says that the answer failed."""
    return isinstance(reason, str) and reason.lower() in ("error", "network_error")


def told_failure(
    error: Any, around: Any = None, *, numbers: dict[str, int] = _NUMBERS
) -> UpstreamError:
    """The failure that `error` reports: a text, or an object with a message, a code, a status, a type.

    `around` is the object that it is in, which has what is missing in it; `numbers`, the HTTP statuses of the
    service's own error numbers.
    """
    inner = get(error, "error")
    if inner is not None and not isinstance(inner, (str, bool)):
        return told_failure(inner, error, numbers=numbers)
    fields = (*_CODES, "status", "type")
    words = [text_of(get(place, field))[:_WORD] for place in (error, around) for field in fields]
    statuses = (numbers.get(word) or as_status(word) for word in words)
    retryable = get(error, "retryable")
    return UpstreamError(
        _message(error) or _message(around) or "the model's service sent an error",
        status_code=next(filter(None, statuses), None),
        code=_code(words),
        retryable=retryable if isinstance(retryable, bool) else None,
    )


def _is_fine(code: Any) -> bool:
    return isinstance(code, (bool, type(None))) or text_of(code).lower() in _FINE


def _is_number(code: Any) -> bool:
    """Whether it is a number that means an error."""
    return not _is_fine(code) and text_of(code).isdigit()


def _has_message(thing: Any) -> bool:
    return any(isinstance(get(thing, field), str) for field in _MESSAGES)


def _message(error: Any) -> str:
    if isinstance(error, str):
        return text_of(error)[:_LENGTH]
    for field in _MESSAGES:
        message = get(error, field)
        if message and not isinstance(message, (bool, int, float)):
            return shown(message)[:_LENGTH]
    return text_of(error)


_LENGTH = 10_000  # characters of a message for the log, at most


def _code(words: list[str]) -> str | None:
    """The service's own code for it: a name rather than a number."""
    named = (word for word in words if word and not word.isdigit() and word not in _NO_CODES)
    return next(named, None) or next(filter(None, words), None)


_WORD = 200  # characters of a code
_NO_CODES = ("error", "about:blank")
