"""What a failure means: its code, its status, and whether the same request may succeed later.

Rules of this file:

1. No SDK and no HTTP client is imported: an error is recognized by its attributes and the names of its classes.
2. Whatever an error's attributes are, and even if they raise, there is always a diagnosis.
3. The client gets our own code and message; the service's own are for the log.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from .codes import BY_STATUS, CLOSER_WORDS, CODES, LOST, SDKS, SPENT, TIMEOUTS, WORDS
from .shapes import noted

_DEPTH = 5  # so many causes are looked at


class UpstreamError(Exception):
    """The model's service failed: it reported an error within its stream, or it exceeded a timeout.

    Arguments: `message`, for the log; `status_code`, the HTTP status that fits (None: unknown);
    `code`, the service's own code for it (None: none given); `retryable`, whether the same request
    may succeed later (None, the default: decided by the status and the code).
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.retryable: bool = diagnose(self).retryable if retryable is None else retryable


class SerializationError(ValueError):
    """A chunk cannot be written as JSON or as UTF-8 text."""


class CutShort(ConnectionResetError):
    """Raised where a body is iterated, lest it end like a good one: its stream could not report its failure.

    It is a connection error: after such a one, these servers close the connection and add no error page of theirs.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the stream failed and was cut: see the log")


class Diagnosis(NamedTuple):
    """What a failure is.

    `code` is what the client gets; `status_code`, the response's where none was sent yet; `retryable`, whether the
    same request may succeed later; `is_upstream`, whether it is surely the model's service that failed.
    """

    code: str
    status_code: int
    retryable: bool
    is_upstream: bool


_NOTHING = "the source ended without any text, tool call, usage or finish reason: that is no answer"


def no_answer(message: str = _NOTHING) -> UpstreamError:
    """The error for a model that has not said a word."""
    return UpstreamError(message, status_code=502, code="empty_answer")


_CUT = "the model's stream ended without a finish reason: it was cut"


def upstream_cut(message: str = _CUT) -> UpstreamError:
    """The error for an answer that ended in the middle."""
    return UpstreamError(message, status_code=502, code="upstream_cut")


def no_chunk(line: bytes) -> UpstreamError:
    """The error for a source that begins with an object, one line of JSON, where only a model can speak."""
    message = (
        f"the source began with {noted(json.loads(line))}, which is not a chunk of a model, and the dialect "
        "cannot send it: if the service refused the request, its message is in there; if the object is your own, "
        'yield a ServerSentEvent, or give dialect="plain"'
    )
    return UpstreamError(message, retryable=False)


def diagnose(error: BaseException) -> Diagnosis:
    """What this failure is, by its status, its message and its type, or by those of what it was raised from."""
    told = None
    try:
        told = next(filter(None, map(_diagnosis, _causes(error))), None)
    except BaseException:  # of a class that lies about itself: then it tells nothing
        pass
    is_ours = issubclass(type(error), UpstreamError)
    return told or Diagnosis("upstream_error", *CODES["upstream_error"], is_upstream=is_ours)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The failure itself, what it was raised from, and what it is a group of."""
    waiting = [error]
    for _ in range(_DEPTH):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if (origin := _origin_of(cause)) is not None:
            waiting.append(origin)
        if issubclass(type(cause), BaseExceptionGroup):
            waiting += _members_of(cause)[:_DEPTH]


# As Python itself keeps them, whatever a class has in their place.
_origin_of: Callable[[BaseException], BaseException | None] = vars(BaseException)[
    "__cause__"
].__get__
_members_of: Callable[[BaseException], tuple[BaseException, ...]] = vars(BaseExceptionGroup)[
    "exceptions"
].__get__


def _diagnosis(error: BaseException) -> Diagnosis | None:
    """The diagnosis of this error alone; None where nothing in it is known."""
    if issubclass(type(error), (SerializationError, UnicodeEncodeError)):
        return Diagnosis("serialization_error", *CODES["serialization_error"], is_upstream=False)
    words = [_plain(word) for word in _words_of(error)]
    code = _code(error, words)
    status_code, retryable = CODES[code or "upstream_error"]
    if any(spent in word for word in words for spent in SPENT):
        retryable = False
    if isinstance(told := read(error, "retryable"), bool):
        retryable = told
    if _is_apps_own(error):
        return Diagnosis("upstream_error", 502, retryable, is_upstream=False)
    is_ours = issubclass(type(error), UpstreamError)
    if code is None and not is_ours and not isinstance(told, bool):
        return None
    is_upstream = is_ours or (code is not None and _is_clients(error))
    return Diagnosis(code or "upstream_error", status_code, retryable, is_upstream)


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error, wherever its library keeps it; None if it has none."""
    response = read(error, "response")
    if isinstance(response, Mapping):  # botocore's
        response = read(response.get("ResponseMetadata"), "HTTPStatusCode")
        return as_status(response)
    body = _body_of(error)
    for thing in (error, response, body, read(body, "error")):
        for name in ("status_code", "status", "code", "http_code"):
            status = as_status(read(thing, name))
            if status is not None:
                return status
    return None


def as_status(value: Any) -> int | None:
    """The value, a number or its text, if it is the HTTP status of a failure; else None."""
    if isinstance(value, str):
        text = str.__str__(value)
        value = int(text) if len(text) == 3 and text.isascii() and text.isdigit() else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    number = int.__int__(value)
    return number if 400 <= number <= 599 else None


def read(thing: Any, name: str) -> Any:
    """A field of an object or a mapping; None where there is none, or where reading it raises."""
    try:
        return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
    except BaseException:  # a property may raise anything, and the client still has to be told
        return None


def _code(error: BaseException, words: list[str]) -> str | None:
    """Our code for it; None where nothing shows that an upstream has failed."""
    own = read(error, "code")
    if issubclass(type(error), UpstreamError) and isinstance(own, str):
        own = str.__str__(own)
        if own in CODES:
            return own
    status = status_of(error)
    if status in (None, 400, 413, 422) and (said := _first(CLOSER_WORDS, words)):
        return said
    if status is not None:
        return BY_STATUS.get(status) or ("upstream_error" if status >= 500 else "bad_request")
    return _by_kind(error) or _first(WORDS, words) or _by_name(error)


def _by_kind(error: BaseException) -> str | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & TIMEOUTS:
        return "upstream_timeout"
    return "upstream_unreachable" if names & LOST else None


def _by_name(error: BaseException) -> str | None:
    """Our code by the names of an error's classes, the closest first, for SDK errors without status and code."""
    names = [_plain(kind.__name__) for kind in type(error).__mro__ if _package(kind) in SDKS]
    return _first(CLOSER_WORDS, names) or _first(WORDS, names)


def _first(meanings: Mapping[str, str], words: Iterable[str]) -> str | None:
    for word in words:
        for part, code in meanings.items():
            if part in word:
                return code
    return None


def _words_of(error: BaseException) -> Iterator[str]:
    """The service's own codes, where SDKs keep them: on the error, or in the response body that it came with."""
    body = _body_of(error)
    botocores = {"code": read(read(read(error, "response"), "Error"), "Code")}
    places = (error, body, read(body, "error"), botocores)
    words = [read(place, name) for place in places for name in ("code", "type", "status")]
    details = read(read(read(error, "details"), "error"), "details")  # Google's
    more = details[:_DEPTH] if isinstance(details, list) else ()
    for word in (*words, *(read(detail, "reason") for detail in more)):
        if isinstance(word, str) and len(text := str.__str__(word)) <= 100:
            yield text


def _body_of(error: BaseException) -> Any:
    """What the service has answered; Mistral's SDK keeps the text of that, or of the event."""
    body = read(error, "body")
    if isinstance(body, str) and len(body) < _BODY:
        with suppress(ValueError, RecursionError):
            body = json.loads(body)
    return read(body, "data") or body


_BODY = 10_000  # characters of an answer that is read for its code


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.lower()))


def _is_clients(error: BaseException) -> bool:
    """Whether it is the error of an HTTP client or an SDK: an app's own may have a status or a code, too."""
    if _by_kind(error) is not None or any(_has(error, field) for field in _OF_CLIENTS):
        return True
    return any(_package(kind) in SDKS for kind in type(error).__mro__)


def _has(error: BaseException, field: str) -> bool:
    try:
        return hasattr(error, field)
    except BaseException:  # it has, as httpx's `request` which nobody has set
        return True


def _package(kind: type) -> str:
    module: object = kind.__module__  # a class may have put anything there
    return module.partition(".")[0] if isinstance(module, str) else ""


_OF_CLIENTS = ("response", "request", "request_info", "body", "hdrs")


def retry_after(error: BaseException) -> str | None:
    """The Retry-After of the service's response: when it may be asked again; None where it does not say."""
    for cause in _causes(error):
        response = read(cause, "response")
        places = (read(response, "headers"), read(cause, "headers"), read(cause, "hdrs"))
        for headers in (*places, read(read(response, "ResponseMetadata"), "HTTPHeaders")):
            for name in ("retry-after", "Retry-After"):  # of a mere dict, as it came
                value = _header(headers, name)
                if value is not None:
                    return value
    return None


def _header(headers: Any, name: str) -> str | None:
    try:
        value = headers.get(name)
        if isinstance(value, str):
            return str.__str__(value)
        return str(value) if isinstance(value, (int, float)) else None
    except BaseException:  # there are none, or of an odd kind
        return None


def _is_apps_own(error: BaseException) -> bool:
    """Whether it is a framework's exception for a status: an app's ``abort()``, for example."""
    return any(
        kind.__name__ == "HTTPException" and _package(kind) in ("werkzeug", "starlette")
        for kind in type(error).__mro__
    )
