"""The clients: several streams at once, blocks that are left elsewhere, and the three styles of tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest

from endless import APPS, Source
from pytests import run_pytest
from sse_bridge.testing import AsyncClient, Client, no_open_streams  # noqa: F401
from sse_bridge.testing.answer import held


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest) -> Any:
    return APPS[request.param](lambda: Source(then="go on").task())


def test_several_streams_are_open_at_once(app: Any):
    client = Client(app)
    with client.stream("GET", "/") as first, client.stream("GET", "/") as second:
        assert [event.data for event in first.take(2)] == ["0", "1"]
        assert [event.data for event in second.take(2)] == ["0", "1"]
        first.hang_up()
        assert first.ending == "gone"
        assert [event.data for event in second.take(2)] == ["2", "3"]
        assert second.ending is None


def test_several_threads_have_a_stream_each(app: Any):
    def read(_: int) -> list[str | None]:
        with Client(app).stream("GET", "/") as stream:
            return [event.data for event in stream.take(20)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(8))) == [[str(number) for number in range(20)]] * 8


@pytest.mark.anyio
async def test_several_tasks_have_a_stream_each(app: Any):
    read = []

    async def one(client: AsyncClient) -> None:
        async with client.stream("GET", "/") as stream:
            read.append([event.data for event in await stream.take(3)])

    async with AsyncClient(app) as client, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one, client)
    assert read == [["0", "1", "2"]] * 5


@pytest.mark.anyio
async def test_a_stream_is_opened_in_one_task_and_left_in_another(app: Any):
    opening = AsyncClient(app).stream("GET", "/")
    streams = []

    async def enter() -> None:
        with anyio.CancelScope():
            streams.append(await opening.__aenter__())

    async def leave() -> None:
        with anyio.CancelScope():
            await opening.__aexit__(None, None, None)

    for step in (enter, leave):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)
    assert streams[0].source_closed


@pytest.mark.anyio
async def test_a_test_that_is_cancelled_leaves_its_stream(app: Any):
    with anyio.move_on_after(0.1) as scope:
        async with AsyncClient(app).stream("GET", "/") as stream:
            await stream.wait_for_ping()
    assert scope.cancelled_caught
    assert not held
    with anyio.fail_after(5):
        while not stream.source_closed:  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.005)


def test_a_request_that_cannot_be_made_leaves_nothing_open():
    before = threading.active_count()
    with pytest.raises(ValueError, match="path"):
        Client(APPS["starlette"](Source().task)).stream("GET", "nowhere")
    assert threading.active_count() == before
    assert not held


STYLES = """
import anyio, pytest
from endless import APPS, Source
from sse_bridge.testing import AsyncClient, Client, no_open_streams

@pytest.fixture(params=APPS)
def app(request):
    return APPS[request.param](lambda: Source(then="go on").task())

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

def test_plain(app):
    with Client(app).stream("GET", "/") as stream:
        assert [event.data for event in stream.take(3)] == ["0", "1", "2"]
    assert stream.ending == "gone" and stream.source_closed

@pytest.mark.anyio
async def test_anyio(app):
    async with AsyncClient(app).stream("GET", "/") as stream:
        assert [event.data for event in await stream.take(3)] == ["0", "1", "2"]
    assert stream.ending == "gone" and stream.source_closed

@pytest.mark.asyncio
async def test_pytest_asyncio(app):
    async with AsyncClient(app).stream("GET", "/") as stream:
        assert [event.data for event in await stream.take(3)] == ["0", "1", "2"]
    assert stream.ending == "gone" and stream.source_closed
"""

FIXTURES = """
import pytest_asyncio

@pytest_asyncio.fixture
async def client(app):
    async with AsyncClient(app) as client:
        yield client

@pytest_asyncio.fixture
async def stream(client):
    async with client.stream("GET", "/") as stream:
        yield stream

@pytest.mark.asyncio
async def test_fixtures_of_pytest_asyncio(stream):
    assert len(await stream.take(3)) == 3

@pytest.fixture
async def anyio_stream(app, anyio_backend):
    async with AsyncClient(app).stream("GET", "/") as stream:
        yield stream

@pytest.mark.anyio
async def test_fixtures_of_anyio(anyio_stream):
    assert len(await anyio_stream.take(3)) == 3
"""


def test_a_users_tests_pass_in_all_three_styles_and_as_fixtures(tmp_path: Path):
    endless = (Path(__file__).parents[1] / "endless.py").read_text("utf-8")
    files = {"endless.py": endless, "test_styles.py": STYLES + FIXTURES}
    ran = run_pytest(tmp_path, files)
    assert ran.returncode == 0, ran.stdout
    apps, runs = len(APPS), 1 + 2 + 1 + 1 + 2
    assert f"{apps * runs} passed" in ran.stdout
