"""A WSGI server of one request, by the letter of PEP 3333."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

App = Callable[..., Iterable[bytes]]


class Server:
    """One request to an app, by the rules of PEP 3333; what breaks them raises."""

    def __init__(self, **more: Any) -> None:
        self.environ: dict[str, Any] = dict(more)
        setup_testing_defaults(self.environ)
        self.environ["wsgi.errors"] = io.StringIO()
        self.environ.setdefault("QUERY_STRING", "")
        self.told: list[tuple[Any, ...]] = []
        self.written: list[bytes] = []
        self.result: Any = None

    def start_response(self, *arguments: Any) -> Callable[[bytes], None]:
        if len(arguments) > 2 and arguments[2] is not None:
            if self.written:
                raise arguments[2][1]
        else:
            assert not self.told, "start_response was called twice"
        self.told.append(arguments)
        return self.written.append

    def open(self, app: App) -> Server:
        self.result = app(self.environ, self.start_response)
        return self

    def run(self, app: App) -> Server:
        """Walk the whole answer and close it."""
        self.open(app)
        self.read()
        self.close()
        return self

    def run_cut(self, app: App) -> Server:
        """The same of an answer that failed in a protocol which nobody knows: it must not end like a good one."""
        self.open(app)
        with pytest.raises(ConnectionResetError, match="failed and was cut"):
            self.read()
        self.close()
        return self

    def read(self) -> None:
        for item in self.result:
            assert self.told, "a body before its headers"
            self.written.append(item)

    def close(self) -> None:
        getattr(self.result, "close", lambda: None)()

    @property
    def status(self) -> str:
        return str(self.told[-1][0])

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.told[-1][1]}

    @property
    def body(self) -> bytes:
        return b"".join(self.written)
