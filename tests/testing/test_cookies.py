"""The cookies of a client: kept, sent back, and given from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import sse_bridge.flask
from sse_bridge.starlette import EventSourceResponse
from sse_bridge.testing import AsyncClient, Client
from sse_bridge.testing.cookies import Cookies
from sse_bridge.testing.request import Headers, Request


def flask_app(secure: bool = False) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY="a secret", SESSION_COOKIE_SECURE=secure)

    @app.get("/login/<name>")
    def login(name: str) -> str:
        flask.session["user"] = name
        return name

    @app.get("/logout")
    def logout() -> str:
        flask.session.clear()
        return ""

    @app.get("/who")
    @sse_bridge.flask.event_stream
    def who() -> Iterable[Any]:
        yield {"user": flask.session.get("user")}

    return app


def starlette_app(secure: bool = False) -> Starlette:
    async def login(request: StarletteRequest) -> StarletteResponse:
        request.session["user"] = request.path_params["name"]
        return StarletteResponse()

    async def logout(request: StarletteRequest) -> StarletteResponse:
        request.session.clear()
        return StarletteResponse()

    async def who(request: StarletteRequest) -> EventSourceResponse:
        return EventSourceResponse([{"user": request.session.get("user")}])

    sessions = Middleware(SessionMiddleware, secret_key="a secret", https_only=secure)
    routes = [Route("/login/{name}", login), Route("/logout", logout), Route("/who", who)]
    return Starlette(routes=routes, middleware=[sessions])


APPS = pytest.mark.parametrize("make", [flask_app, starlette_app])
Make = Callable[..., Any]


def call(client: Client, url: str) -> None:
    with client.stream("GET", url) as answer:
        assert answer.status_code == 200


def who(client: Client) -> Any:
    with client.stream("GET", "/who") as stream:
        return stream.take()[0].json()["user"]


@APPS
@pytest.mark.parametrize("secure", [False, True])
def test_a_session_lasts_from_request_to_request_and_until_it_is_over(make: Make, secure: bool):
    client = Client(make(secure))
    assert who(client) is None
    call(client, "/login/ada")
    assert who(client) == who(client) == "ada"
    call(client, "/login/grace")
    assert who(client) == "grace"
    call(client, "/logout")
    assert who(client) is None
    assert client.cookies == {}


@APPS
def test_two_clients_share_no_session(make: Make):
    app = make()
    first, second = Client(app), Client(app)
    call(first, "/login/ada")
    assert (who(first), who(second)) == ("ada", None)


@APPS
def test_the_cookies_of_one_client_are_given_to_another(make: Make):
    app = make()
    first = Client(app)
    call(first, "/login/ada")
    assert who(Client(app, cookies=first.cookies)) == "ada"


@APPS
@pytest.mark.anyio
async def test_a_client_for_loops_keeps_and_takes_cookies_too(make: Make):
    app = make()
    client = AsyncClient(app)
    async with client.stream("GET", "/login/ada"):
        pass
    for asking in (client, AsyncClient(app, cookies=client.cookies)):
        async with asking.stream("GET", "/who") as stream:
            assert (await stream.take())[0].json() == {"user": "ada"}


def test_the_session_of_flasks_own_client_is_taken_over():
    app = flask_app()
    own = app.test_client()
    with own.session_transaction() as session:
        session["user"] = "ada"
    cookie = own.get_cookie("session")
    assert cookie is not None
    assert who(Client(app, cookies={"session": cookie.value})) == "ada"


def test_the_session_of_starlettes_own_client_is_taken_over():
    app = starlette_app()
    own = TestClient(app)
    own.get("/login/ada")
    assert who(Client(app, cookies=dict(own.cookies))) == "ada"


# -- one by one -----------------------------------------------------------------------------------


def kept(*lines: str, path: str = "/a/b", host: str = "testserver") -> Cookies:
    cookies = Cookies(None)
    asked = Request("GET", path, headers={"Host": host})
    cookies.keep(asked, Headers([("Set-Cookie", line) for line in lines]))
    return cookies


def sent(cookies: Cookies, path: str = "/a/b", **headers: str) -> str | None:
    request = Request("GET", path, headers=headers)
    cookies.send(request)
    return request.headers.get("cookie")


def test_several_cookies_go_into_one_header_as_they_came():
    assert sent(kept("x=1; HttpOnly", 'y="a\\054 b=="; SameSite=Lax')) == 'x=1; y="a\\054 b=="'


def test_a_cookie_belongs_to_its_path_and_host():
    assert sent(kept("x=1; Path=/a"), "/b") is None
    assert sent(kept("x=1; Path=/a"), "/a/c") == "x=1"
    assert sent(kept("x=1; Domain=shop.example", host="www.shop.example")) is None
    there = kept("x=1; Domain=shop.example", host="www.shop.example")
    assert sent(there, Host="api.shop.example") == "x=1"
    assert sent(kept("x=1; Domain=shop.example", host="evil.example"), Host="shop.example") is None


@pytest.mark.parametrize("end", ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_that_has_expired_is_sent_no_more(end: str):
    cookies = kept("x=1; Path=/")
    cookies.keep(Request("GET", "/"), Headers([("set-cookie", f"x=; {end}; Path=/")]))
    assert sent(cookies) is None


def test_a_cookie_header_of_the_requests_own_stays_alone():
    assert sent(Cookies({"x": "1"}), Cookie="y=2") == "y=2"


def test_given_cookies_are_sent_everywhere_as_they_are():
    given = {"x": "a=b==", "path": "/", "quoted": '"a\\054b"', "empty": ""}
    cookies = Cookies(given)
    assert cookies.values() == given
    assert sent(cookies, "/any/where") == 'x=a=b==; path=/; quoted="a\\054b"; empty='


@pytest.mark.parametrize("given", ["session=1", [("a", "b")], {"a": 1}, {"a": None}, {1: "a"}])
def test_cookies_are_a_mapping_of_text(given: Any):
    with pytest.raises(TypeError, match=r"cookies must be .*, got "):
        Client(flask_app(), cookies=given)


@pytest.mark.parametrize(
    "given",
    [{"": "x"}, {"a b": "x"}, {"a=b": "x"}, {"a": "x; y"}, {"a": "x\n"}, {"a": " x"}, {"a": "€"}],
)
def test_what_does_not_fit_into_a_header_is_refused(given: dict[str, str]):
    with pytest.raises(ValueError, match="cookies must fit into a Cookie header, got "):
        Client(flask_app(), cookies=given)
