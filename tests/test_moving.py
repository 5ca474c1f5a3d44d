"""docs/moving.md says what the packages that users come from send; here they send it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sse_starlette
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient

import pages
from sse_bridge.starlette import EventSourceResponse

sse = pytest.importorskip("fastapi.sse", reason="this FastAPI is too old to have events")

PAGE = pages.ROOT / "docs" / "moving.md"
CHUNKS: dict[str, Any] = {'`yield "Hi"`': "Hi", '`yield {"data": "Hi"}`': {"data": "Hi"}}


async def source(chunk: Any) -> AsyncIterator[Any]:
    if chunk is None:
        raise LookupError("no such model")
    yield chunk


def fastapis(chunk: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/", response_class=sse.EventSourceResponse)
    async def endpoint() -> AsyncIterator[Any]:
        async for given in source(chunk):
            yield given

    return app


def answering(response: Callable[..., Any]) -> Callable[[Any], FastAPI]:
    def made(chunk: Any) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/", lambda: response(source(chunk)))
        return app

    return made


def by_hand(source: AsyncIterator[Any]) -> StreamingResponse:
    return StreamingResponse(source, media_type="text/event-stream")


APPS = [fastapis, answering(sse_starlette.EventSourceResponse), answering(EventSourceResponse)]


@pytest.mark.parametrize("row", CHUNKS)
def test_each_package_sends_what_the_table_says(row: str):
    (line,) = [line for line in pages.prose(PAGE).splitlines() if line.startswith(f"| {row} ")]
    _, _by_hand, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
    sent = [TestClient(app(CHUNKS[row])).get("/").text.split("\r\n")[0] for app in APPS]
    assert [cell.strip("`") for cell in cells] == [text.split("\n")[0] for text in sent]


def test_a_failure_before_the_first_chunk_has_a_status_here_and_nowhere_else():
    made = [answering(by_hand), *APPS]
    clients = [TestClient(app(None), raise_server_exceptions=False) for app in made]
    assert [client.get("/").status_code for client in clients] == [200, 200, 200, 500]
