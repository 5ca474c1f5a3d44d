"""The cookies that a client keeps between its requests, as a browser does.

Rules of this file:

1. A cookie is sent as it came, for the path and the time that its ``Set-Cookie`` says.
2. ``Secure`` cookies are sent, too: browsers trust a server on their own machine, as a test's server is.
3. A request that has a ``Cookie`` header is sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import Request as Url

from .request import HOST, Headers, Request

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: token
_VALUE = re.compile(r"(?! )[\x20-\x3a\x3c-\x7e\x80-\xff]*(?<! )")  # a semicolon would end it


class Cookies:
    """The cookies of one client; `given`, names to values, are there from the start (None: none)."""

    def __init__(self, given: Mapping[str, str] | None) -> None:
        policy = DefaultCookiePolicy(secure_protocols=("http", "https"))
        self._jar = CookieJar(policy)
        if given is not None:
            lines = [("set-cookie", f"{pair}; Path=/") for pair in _pairs(given)]
            self._keep(f"http://{HOST}/", Headers(lines))

    def send(self, request: Request) -> None:
        """Put the cookies into a request that are for it."""
        url = Url(_url_of(request))
        self._jar.add_cookie_header(url)
        cookie = url.get_header("Cookie")
        if cookie is not None and "cookie" not in request.headers:
            request.headers = Headers([*request.headers.pairs, ("cookie", cookie)])

    def keep(self, request: Request, headers: Headers) -> None:
        """Keep the cookies in the headers of its response."""
        self._keep(_url_of(request), headers)

    def _keep(self, url: str, headers: Headers) -> None:
        answer = _Answer(headers)
        self._jar.extract_cookies(answer, Url(url))  # type: ignore[arg-type] # it wants info() only

    def values(self) -> dict[str, str]:
        """Names to values."""
        return {cookie.name: cookie.value or "" for cookie in self._jar}


class _Answer:
    """A response as a cookie jar reads it."""

    def __init__(self, headers: Headers) -> None:
        self._message = Message()
        for name, value in headers.pairs:
            if name.lower() == "set-cookie":
                self._message[name] = value

    def info(self) -> Message:
        return self._message


def _url_of(request: Request) -> str:
    return f"http://{request.headers['host']}{request.path}"


def _pairs(given: Any) -> list[str]:
    """Each cookie as it is written in a header; raises for what is not a cookie."""
    if not isinstance(given, Mapping):
        raise TypeError(f"cookies must be a mapping of names to values, got {given!r}")
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"cookies must be names and values of str, got {(name, value)!r}")
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"cookies must fit into a Cookie header, got {(name, value)!r}")
    return [f"{name}={value}" for name, value in given.items()]
