"""The FastAPI face: Starlette's, by another name, and the extra that installs it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from sse_bridge import fastapi, starlette
from sse_bridge.testing import Client

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_it_has_all_that_starlettes_has():
    assert fastapi.__all__ == starlette.__all__
    for name in fastapi.__all__:
        assert getattr(fastapi, name) is getattr(starlette, name)


def test_a_decorated_endpoint_streams_with_its_parameters():
    app = FastAPI()

    @app.get("/count/{number}")
    @fastapi.event_stream
    def count(number: int) -> Iterator[str]:
        yield from map(str, range(number))

    @app.get("/response")
    def response() -> Any:
        return fastapi.EventSourceResponse(iter(["a"]))

    with Client(app).stream("GET", "/count/2") as stream:
        assert [event.data for event in stream.read()] == ["0", "1", "[DONE]"]
    with Client(app).stream("GET", "/response") as stream:
        assert [event.data for event in stream.read()] == ["a", "[DONE]"]


def test_its_extra_has_what_starlettes_has_and_fastapi():
    extras = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(extras["fastapi"]) > set(extras["starlette"])
    (own,) = set(extras["fastapi"]) - set(extras["starlette"])
    assert own in extras["test"]
    assert own.startswith("fastapi>=")
