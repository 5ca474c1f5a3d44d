"""docs/moving.md says what the packages that users come from send; here they send it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import fastapi.sse
import pytest
import sse_starlette
from fastapi import FastAPI
from starlette.testclient import TestClient

import pages
from sse_bridge.starlette import EventSourceResponse

PAGE = pages.ROOT / "docs" / "moving.md"
CHUNKS: dict[str, Any] = {'`yield "Hi"`': "Hi", '`yield {"data": "Hi"}`': {"data": "Hi"}}


async def source(chunk: Any) -> AsyncIterator[Any]:
    yield chunk


def fastapis(chunk: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/", response_class=fastapi.sse.EventSourceResponse)
    async def endpoint() -> AsyncIterator[Any]:
        yield chunk

    return app


def answering(response: Callable[..., Any]) -> Callable[[Any], FastAPI]:
    def made(chunk: Any) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/", lambda: response(source(chunk)))
        return app

    return made


APPS = [fastapis, answering(sse_starlette.EventSourceResponse), answering(EventSourceResponse)]


@pytest.mark.parametrize("row", CHUNKS)
def test_each_package_sends_what_the_table_says(row: str):
    (line,) = [line for line in pages.prose(PAGE).splitlines() if line.startswith(f"| {row} ")]
    _, _by_hand, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
    sent = [TestClient(app(CHUNKS[row])).get("/").text.split("\r\n")[0] for app in APPS]
    assert [cell.strip("`") for cell in cells] == [text.split("\n")[0] for text in sent]
