"""Failures under the status 200, in each service's own words."""

from __future__ import annotations

import types
from typing import Any

import pytest

from sse_bridge.adapters.refusals import error_in, error_of_chunk, refusal_in, told_failure


@pytest.mark.parametrize(
    "thing, message, status, code, retryable",
    [
        ({"error": {"message": "m", "code": 429}}, "m", 429, "429", True),
        ({"error": {"message": "m", "code": "429"}}, "m", 429, "429", True),
        (
            {"error": {"message": "m", "type": "rate_limit_error"}},
            "m",
            None,
            "rate_limit_error",
            True,
        ),
        (
            {"error": {"message": "m", "code": 401, "type": "authentication_error"}},
            "m",
            401,
            "authentication_error",
            False,
        ),
        (
            {"error": {"message": "m", "status": "UNAVAILABLE", "code": 503}},
            "m",
            503,
            "UNAVAILABLE",
            True,
        ),
        ({"error": "overloaded"}, "overloaded", None, None, True),
        ({"error": True}, "the model's service sent an error", None, None, True),
        ({"error": {"error": {"message": "m", "code": 400}}}, "m", 400, "400", False),
        ({"error": {"message": "m", "retryable": False}}, "m", None, None, False),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
            "m",
            None,
            "overloaded_error",
            True,
        ),
        (
            {"type": "error", "message": "m", "code": "server_error"},
            "m",
            None,
            "server_error",
            True,
        ),
        ({"object": "error", "message": "m", "code": 40001}, "m", None, "40001", True),
        (
            {"base_resp": {"status_code": 1004, "status_msg": "login fail"}},
            "login fail",
            401,
            "1004",
            False,
        ),
        (
            {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
            "rate limit",
            429,
            "1002",
            True,
        ),
        ({"code": 10013, "message": "refused", "sid": "x"}, "refused", 400, "10013", False),
        (
            {"code": "InvalidApiKey", "message": "m", "request_id": "r"},
            "m",
            None,
            "InvalidApiKey",
            False,
        ),
        (
            {"error_code": 18, "error_msg": "Open api qps request limit reached"},
            "Open api qps request limit reached",
            None,
            "18",
            True,
        ),
        ({"code": 1302, "msg": "m"}, "m", 429, "1302", True),
        ({"status": 401, "error": "Unauthorized"}, "Unauthorized", 401, "401", False),
        ({"error": "x", "code": 401}, "x", 401, "401", False),
        ({"error": True, "code": 401, "message": "x"}, "x", 401, "401", False),
        ({"error": {"message": "x"}, "status_code": 401}, "x", 401, "401", False),
        ({"error": {"message": "x", "http_code": "401"}}, "x", 401, "401", False),
        ({"error": {"code": "1002", "message": "m"}}, "m", 401, "1002", False),
        ({"status": "error", "message": "boom"}, "boom", None, "error", True),
        ({"code": 10013, "message": ""}, "the model's service sent an error", 400, "10013", False),
        ({"header": {"code": 11200, "message": "no"}}, "no", 401, "11200", False),
        (
            {"Response": {"Error": {"Code": "AuthFailure", "Message": "no"}}},
            "no",
            None,
            "AuthFailure",
            False,
        ),
        ({"success": False, "errors": [{"code": 1, "message": "A"}]}, "A", None, "1", True),
        (
            {"type": "about:blank", "title": "Too Many Requests", "status": 429},
            "Too Many Requests",
            429,
            "429",
            True,
        ),
        ({"detail": "Not authenticated"}, "Not authenticated", None, None, True),
        ({"detail": [{"msg": "field required"}]}, "[{'msg': 'field required'}]", None, None, True),
    ],
)
def test_a_refusal_is_known_by_its_shape(
    thing: Any, message: str, status: int | None, code: str | None, retryable: bool
):
    for shape in thing, types.SimpleNamespace(**thing):
        if "detail" in thing and shape is not thing:
            continue
        error = refusal_in(shape)
        assert error is not None
        assert (str(error), error.status_code, error.code, error.retryable) == (
            message,
            status,
            code,
            retryable,
        )


@pytest.mark.parametrize(
    "thing",
    [
        {},
        {"error": None},
        {"error": {}},
        {"error": ""},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"code": 0, "message": "Success", "sid": "x"},
        {"code": 200, "message": "ok"},
        {"code": "print(1)"},
        {"message": "hello"},
        {"detail": ""},
        {"detail": "x", "text": "y"},
        {"type": "text", "text": "error"},
        {"text": "x", "status": "searching"},
        "error",
        ["error"],
        None,
        5,
    ],
)
def test_what_is_no_refusal_is_not_taken_for_one(thing: Any):
    assert refusal_in(thing) is None


@pytest.mark.parametrize(
    "thing", [{"code": 500, "message": "m"}, {"detail": "m"}, {"type": "error"}]
)
def test_a_chunk_of_openais_shape_fails_only_by_its_error(thing: Any):
    assert error_of_chunk(thing) is None


@pytest.mark.parametrize(
    "own",
    [
        {"detail": "m"},
        {"type": "error", "message": "sorry"},
        {"status": "error", "message": "m"},
        {"code": "retrieval", "message": "Searching"},
        {"code": "SUCCESS", "message": "ok"},
        {"code": 500},
        {"success": False},
    ],
)
def test_what_may_be_an_apps_own_is_no_sure_error(own: Any):
    assert error_in(own) is None


@pytest.mark.parametrize(
    "sure",
    [
        {"code": 500, "message": ""},
        {"header": {"code": 11200, "message": "no"}},
        {"Response": {"Error": {"Code": "AuthFailure", "Message": "no"}}},
        {"success": False, "errors": [{"code": 1, "message": "A"}]},
        {"type": "error", "code": "server_error", "message": "m"},
        {"base_resp": {"status_code": 1004}},
    ],
)
def test_what_is_no_apps_own_is_a_sure_error(sure: Any):
    assert error_in(sure) is not None
    assert error_in(types.SimpleNamespace(**sure)) is not None


def test_groqs_error_stands_in_a_place_of_its_own():
    error = error_in({"choices": [], "x_groq": {"error": "over capacity"}})
    assert str(error) == "over capacity"


@pytest.mark.parametrize(
    "odd", [{"message": []}, {"message": {"a": 1}, "code": {}}, {"code": 10**40}, [], 5, object()]
)
def test_whatever_its_fields_are_a_failure_comes_of_it(odd: Any):
    assert str(told_failure(odd))
