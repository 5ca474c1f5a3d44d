"""Which of Flask's answers a failure of the model's service becomes, and when it is the app's own to answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException, NotFound

from sse_bridge import UpstreamError
from sse_bridge.flask_errors import raise_early
from sse_bridge.options import Options


class Limited(UpstreamError):
    """A service's refusal that says when to come back."""

    def __init__(self, after: str) -> None:
        super().__init__("too often", status_code=429)
        self.response = type("Response", (), {"headers": {"retry-after": after}})()


def raised(error: Exception) -> HTTPException:
    with pytest.raises(HTTPException) as caught:
        raise_early(error, Options())
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    "after, expected",
    [
        ("7", 7),
        ("1.2", 2),
        ("Wed, 21 Oct 2037 07:28:00 GMT", datetime(2037, 10, 21, 7, 28, tzinfo=UTC)),
        ("soon", None),
    ],
)
def test_when_to_come_back_is_told_as_werkzeug_has_it(after: str, expected: Any):
    error: Any = raised(Limited(after))
    assert (error.code, error.retry_after) == (429, expected)


def test_what_is_http_already_or_the_apps_own_passes():
    for error in (NotFound(), ValueError("own")):
        raise_early(error, Options())


@pytest.mark.parametrize("kind", [UpstreamError, Limited])
@pytest.mark.parametrize("place", ["app", "blueprint"])
def test_a_handler_for_its_class_or_a_base_of_it_has_it(kind: type[Exception], place: str):
    app, pages = Flask(__name__), Blueprint("pages", __name__)

    @pages.route("/")
    def view() -> str:
        raise_early(Limited("7"), Options())
        return "passed"

    (app if place == "app" else pages).register_error_handler(kind, lambda error: "own")
    app.register_blueprint(pages)
    assert app.test_client().get("/").data == b"passed"


@pytest.mark.parametrize("kind", [Exception, ValueError])
def test_one_for_any_exception_or_another_has_not(kind: type[Exception]):
    app = Flask(__name__)
    app.register_error_handler(kind, lambda error: "own")

    @app.route("/")
    def view() -> str:
        assert raised(Limited("7")).code == 429
        return "raised"

    assert app.test_client().get("/").data == b"raised"
