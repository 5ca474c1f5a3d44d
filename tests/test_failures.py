"""What a failure means, by the errors of the clients that people use."""

from __future__ import annotations

import http
import types
import urllib.error
from email.message import Message
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import requests
import urllib3
from starlette.exceptions import HTTPException
from werkzeug.exceptions import Forbidden, TooManyRequests

from sse_bridge import UpstreamError
from sse_bridge.failures import SerializationError, as_status, diagnose, status_of

URL = "http://model.test/"


def httpx_error(status: int) -> Exception:
    request = httpx.Request("POST", URL)
    return httpx.HTTPStatusError("m", request=request, response=httpx.Response(status))


def requests_error(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("m", response=response)


def aiohttp_error(status: int) -> Exception:
    info: Any = types.SimpleNamespace(real_url=URL)
    return aiohttp.ClientResponseError(info, (), status=status)


def urllib_error(status: int) -> Exception:
    return urllib.error.HTTPError(URL, status, "m", Message(), None)


def openai_error(status: int) -> Exception:
    response = httpx.Response(status, request=httpx.Request("POST", URL))
    return openai.APIStatusError("m", response=response, body=None)


def openai_in_stream(status: int) -> Exception:
    """What the SDK raises for an error in a frame: its code is text."""
    request = httpx.Request("POST", URL)
    return openai.APIError("m", request, body={"message": "m", "code": str(status)})


def botocore_error(status: int) -> Exception:
    error = Exception("m")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": status}}  # type: ignore[attr-defined]
    return error


def own_error(status: int) -> Exception:
    return UpstreamError("m", status_code=status)


CLIENTS = [
    httpx_error,
    requests_error,
    aiohttp_error,
    urllib_error,
    openai_error,
    openai_in_stream,
    botocore_error,
    own_error,
]

STATUSES = [
    (400, "bad_request", 502, False),
    (401, "credentials_refused", 502, False),
    (402, "credentials_refused", 502, False),
    (403, "credentials_refused", 502, False),
    (404, "bad_request", 502, False),
    (408, "upstream_timeout", 504, True),
    (409, "bad_request", 502, False),
    (413, "bad_request", 502, False),
    (422, "bad_request", 502, False),
    (429, "rate_limited", 429, True),
    (500, "upstream_error", 502, True),
    (502, "upstream_error", 502, True),
    (503, "overloaded", 503, True),
    (504, "upstream_timeout", 504, True),
    (529, "overloaded", 503, True),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status, code, answered, retryable", STATUSES)
def test_a_status_is_read_off_every_clients_error(
    client: Any, status: int, code: str, answered: int, retryable: bool
):
    error = client(status)
    assert status_of(error) == status
    assert diagnose(error) == (code, answered, retryable, True)


@pytest.mark.parametrize(
    "error, code",
    [
        (httpx.ReadTimeout("m"), "upstream_timeout"),
        (httpx.ConnectTimeout("m"), "upstream_timeout"),
        (httpx.ConnectError("m"), "upstream_unreachable"),
        (httpx.RemoteProtocolError("m"), "upstream_unreachable"),
        (httpx.ReadError("m"), "upstream_unreachable"),
        (requests.ConnectionError("m"), "upstream_unreachable"),
        (requests.ReadTimeout("m"), "upstream_timeout"),
        (requests.exceptions.ChunkedEncodingError("m"), "upstream_unreachable"),
        (aiohttp.ClientPayloadError("m"), "upstream_unreachable"),
        (aiohttp.ServerDisconnectedError(), "upstream_unreachable"),
        (aiohttp.ServerTimeoutError(), "upstream_timeout"),
        (urllib3.exceptions.ProtocolError("m"), "upstream_unreachable"),
        (urllib.error.URLError("m"), "upstream_unreachable"),
        (openai.APIConnectionError(request=httpx.Request("POST", URL)), "upstream_unreachable"),
        (openai.APITimeoutError(httpx.Request("POST", URL)), "upstream_timeout"),
        (ConnectionResetError("m"), "upstream_unreachable"),
        (TimeoutError("m"), "upstream_timeout"),
    ],
)
def test_what_was_lost_on_the_way_may_work_later(error: Exception, code: str):
    diagnosis = diagnose(error)
    assert (diagnosis.code, diagnosis.retryable, diagnosis.is_upstream) == (code, True, True)


@pytest.mark.parametrize(
    "word, code, retryable",
    [
        ("rate_limit_exceeded", "rate_limited", True),
        ("Throttling.RateQuota", "rate_limited", True),
        ("RESOURCE_EXHAUSTED", "rate_limited", True),
        ("insufficient_quota", "rate_limited", False),
        ("overloaded_error", "overloaded", True),
        ("UNAVAILABLE", "overloaded", True),
        ("authentication_error", "credentials_refused", False),
        ("InvalidApiKey", "credentials_refused", False),
        ("Arrearage", "credentials_refused", False),
        ("context_length_exceeded", "context_too_long", False),
        ("DataInspectionFailed", "content_filtered", False),
        ("content_filter", "content_filtered", False),
        ("invalid_request_error", "bad_request", False),
        ("RequestTimeOut", "upstream_timeout", True),
        ("server_error", "upstream_error", True),
        ("something_new", "upstream_error", True),
    ],
)
def test_where_there_is_no_status_the_services_word_tells(word: str, code: str, retryable: bool):
    for error in (
        UpstreamError("m", code=word),
        openai.APIError("m", httpx.Request("POST", URL), body={"type": word}),
    ):
        diagnosis = diagnose(error)
        assert (diagnosis.code, diagnosis.retryable) == (code, retryable)
    assert UpstreamError("m", code=word).retryable is retryable


@pytest.mark.parametrize("status", [None, 400, 413, 422])
def test_a_closer_word_says_more_than_a_bad_requests_status(status: int | None):
    error = UpstreamError("m", status_code=status, code="context_length_exceeded")
    assert diagnose(error) == ("context_too_long", 400, False, True)


def test_a_status_says_more_than_any_other_word():
    assert diagnose(UpstreamError("m", status_code=503, code="invalid")).code == "overloaded"


@pytest.mark.parametrize(
    ("code", "told"),
    [("throttlingException", "rate_limited"), ("validationException", "bad_request")],
)
def test_where_botocore_tells_no_status_the_services_word_does(code: str, told: str):
    error = Exception("m")
    error.response = {"Error": {"Code": code, "Message": "m"}}  # type: ignore[attr-defined]
    assert diagnose(error).code == told


@pytest.mark.parametrize(
    "body",
    ['{"type": "rate_limited"}', '{"data": {"type": "rate_limited"}}', {"type": "rate_limited"}],
)
def test_a_body_may_be_kept_as_its_text_or_be_an_events(body: Any):
    error = Exception("m")
    error.body = body  # type: ignore[attr-defined]
    assert diagnose(error).code == "rate_limited"


@pytest.mark.parametrize("body", ["no json", "[" * 5000, '{"data": 1}', "[1]", "1"])
def test_a_body_that_tells_nothing_is_no_error(body: str):
    error = Exception("m")
    error.body = body  # type: ignore[attr-defined]
    assert diagnose(error).code == "upstream_error"


def test_spent_money_does_not_come_back_by_waiting():
    error = UpstreamError("m", status_code=429, code="insufficient_quota")
    assert diagnose(error) == ("rate_limited", 429, False, True)


@pytest.mark.parametrize("told", [True, False])
def test_an_error_that_knows_whether_to_try_again_is_believed(told: bool):
    assert diagnose(UpstreamError("m", status_code=429, retryable=told)).retryable is told
    assert diagnose(UpstreamError("m", status_code=401, retryable=told)).retryable is told


@pytest.mark.parametrize("code", ["empty_answer", "upstream_cut", "upstream_stalled", "shutdown"])
def test_our_own_codes_stay(code: str):
    assert diagnose(UpstreamError("m", code=code)).code == code


@pytest.mark.parametrize("error", [LookupError("m"), RuntimeError("m"), SystemExit(1)])
def test_any_other_error_is_the_apps_own(error: BaseException):
    assert diagnose(error) == ("upstream_error", 502, True, False)


@pytest.mark.parametrize(
    "error, retryable",
    [(Forbidden(), False), (TooManyRequests(), True), (HTTPException(403), False)],
)
def test_an_apps_own_abort_is_no_upstreams(error: Exception, retryable: bool):
    assert diagnose(error) == ("upstream_error", 502, retryable, False)


@pytest.mark.parametrize(
    "error", [SerializationError("m"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "m")]
)
def test_what_cannot_be_written_is_nobody_elses_fault(error: Exception):
    assert diagnose(error) == ("serialization_error", 500, False, False)


@pytest.mark.parametrize(
    "value, status",
    [
        (429, 429),
        ("429", 429),
        (http.HTTPStatus.TOO_MANY_REQUESTS, 429),
        *((value, None) for value in (200, 0, 399, 600, 10013, -1, True, 4.29, "429 ", "x", None)),
        ("٤٢٩", None),
    ],
)
def test_a_status_is_a_number_that_http_has_for_failures(value: Any, status: int | None):
    assert as_status(value) == status


class Hostile(Exception):
    """Each of its attributes raises."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError(f"no {name} for you")


class Odd(Exception):
    def __init__(self, value: Any) -> None:
        self.status_code = self.code = self.status = self.type = self.retryable = value
        self.response = self.body = value


@pytest.mark.parametrize("value", [[], {}, object(), "x" * 10_000, 10**30, float("nan"), b"429"])
def test_whatever_its_attributes_are_a_diagnosis_comes_of_it(value: Any):
    for error in Odd(value), Hostile():
        assert diagnose(error) == ("upstream_error", 502, True, False)


# -- UpstreamError --------------------------------------------------------------------------------


def test_an_upstream_error_tells_what_is_known():
    error = UpstreamError("m", status_code=429, code="Throttling", retryable=False)
    assert (str(error), error.status_code, error.code, error.retryable) == (
        "m",
        429,
        "Throttling",
        False,
    )


def test_an_upstream_error_of_which_nothing_is_known_may_be_retried():
    error = UpstreamError("m")
    assert (error.status_code, error.code, error.retryable) == (None, None, True)


def test_what_cannot_be_written_is_a_value_error():
    assert issubclass(SerializationError, ValueError)


# -- an SDK's class, where there is neither a status nor a code ------------------------------------


def named_error(name: str, module: str, *bases: type[Exception]) -> Exception:
    kind = type(name, bases or (Exception,), {"__module__": module})
    made: Exception = kind("m")
    return made


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ContentFilterError", "content_filtered"),
        ("BadRequestError", "bad_request"),
        ("RequestTooLargeError", "bad_request"),
        ("NotFoundError", "bad_request"),
        ("AuthenticationError", "credentials_refused"),
        ("PermissionDeniedError", "credentials_refused"),
        ("RateLimitError", "rate_limited"),
        ("InternalServerError", "upstream_error"),
        ("ServiceUnavailableError", "overloaded"),
        ("GatewayTimeoutError", "upstream_timeout"),
    ],
)
def test_an_sdks_error_without_a_status_is_told_by_its_name(name: str, code: str):
    told = diagnose(named_error(name, "dashscope.v2.errors"))
    assert (told.code, told.is_upstream) == (code, True)
    assert told.retryable is diagnose(UpstreamError("m", code=code)).retryable


def test_an_error_that_ollama_tells_in_mid_stream_is_the_services():
    error = named_error("ResponseError", "ollama._types")
    error.status_code = -1  # type: ignore[attr-defined] # as the SDK has it
    assert (diagnose(error).code, diagnose(error).is_upstream) == ("upstream_error", True)


def test_a_key_that_google_calls_a_bad_request_is_a_refused_one():
    told = {"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}
    error = named_error("ClientError", "google.genai.errors")
    vars(error).update(code=400, status="INVALID_ARGUMENT", details={"error": told})
    assert diagnose(error).code == "credentials_refused"
    told["details"] = [None, {"reason": "FIELD_MISSING"}]
    assert diagnose(error).code == "bad_request"


def test_the_closest_class_that_says_something_counts():
    bad_request = type("BadRequestError", (Exception,), {"__module__": "dashscope.v2.errors"})
    error = named_error("ContentFilterError", "dashscope.v2.errors", bad_request)
    assert diagnose(error).code == "content_filtered"
    assert diagnose(named_error("Odd", "dashscope.v2.errors", bad_request)).code == "bad_request"


def test_an_apps_own_class_of_such_a_name_tells_nothing():
    told = diagnose(named_error("ContentFilterError", "shop.errors"))
    assert (told.code, told.is_upstream) == ("upstream_error", False)
