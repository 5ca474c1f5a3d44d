"""A test's request to an app, in the form of WSGI and of ASGI, and where the app runs."""

from __future__ import annotations

import contextvars
import io
import json as json_module
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlencode

from ..loops.base import Home

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]

HOST = "testserver"
# What an EventSource sends. A middleware may stream only for clients that ask for it.
ACCEPT = ("accept", "text/event-stream")


class Headers(Mapping[str, str]):
    """Headers by case-insensitive name; several of one name are joined with a comma, and `pairs` has them apart."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = list(pairs)
        self._joined: dict[str, str] = {}
        for name, value in self.pairs:
            name = name.lower()
            self._joined[name] = f"{self._joined[name]}, {value}" if name in self._joined else value

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        return f"Headers({self._joined!r})"


class Request:
    """One request; `url` is a path with or without a query.

    `json` is a body of JSON, `data` a form's fields, `content` any other. Raises `ValueError` for another `url`,
    and for two bodies.
    """

    def __init__(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Pairs | None = None,
        json: Any = None,
        data: Any = None,
        content: bytes | str | None = None,
    ) -> None:
        if not url.startswith("/"):
            raise ValueError(f"url must be a path that starts with a slash, got {url!r}")
        if [json, data, content].count(None) < 2:
            raise ValueError("a request has one body: json, data or content")
        self.method = method.upper()
        self.path, _, query = url.partition("?")
        self.query = "&".join(filter(None, [query, urlencode(params or (), doseq=True)]))
        self.body, media_type = _body(json, data, content)
        self.headers = _with_defaults(headers, self.body, media_type)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def environ(self) -> dict[str, Any]:
        """The request for a WSGI app."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": self.query,
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": HOST,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return environ

    def scope(self, state: Mapping[str, Any]) -> MutableMapping[str, Any]:
        """The request for an ASGI app, with the `state` of its lifespan."""
        return {
            "type": "http",
            # As uvicorn says it. From 2.4 on `send` would have to raise for a client that has disconnected.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote_to_bytes(self.path).decode("utf-8", "surrogateescape"),
            "raw_path": self.path.encode("ascii", "backslashreplace"),
            "query_string": self.query.encode("ascii", "backslashreplace"),
            "root_path": "",
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers.items()
            ],
            "client": ("127.0.0.1", 50000),
            "server": (HOST, 80),
            "state": dict(state),
        }


class Place(NamedTuple):
    """Where an app runs: `home`, its loop (None for WSGI), its `context`, and the state of its lifespan."""

    home: Home | None
    context: contextvars.Context
    state: MutableMapping[str, Any]


def nowhere() -> Place:
    """No loop, and an empty context, as on a WSGI server's thread."""
    return Place(None, contextvars.Context(), {})


def _body(json: Any, data: Any, content: bytes | str | None) -> tuple[bytes, str | None]:
    """The bytes, and their media type where we know it."""
    if json is not None:
        return json_module.dumps(json).encode(), "application/json"
    if data is not None:
        return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    return content.encode() if isinstance(content, str) else content or b"", None


def _with_defaults(headers: Pairs | None, body: bytes, media_type: str | None) -> Headers:
    given = Headers(headers.items() if isinstance(headers, Mapping) else headers or ())
    pairs = [("host", HOST), ACCEPT]
    if body:
        pairs.append(("content-length", str(len(body))))
    if media_type is not None:
        pairs.append(("content-type", media_type))
    return Headers([pair for pair in pairs if pair[0] not in given] + given.pairs)
