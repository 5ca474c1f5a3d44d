"""An attacker who connects and hangs up, again and again, while the sources do not hear that they should end."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import werkzeug.test
from flask import Flask

from servers.harness import Pool
from sse_bridge.asgi import EventStream
from sse_bridge.drivers import walkers
from sse_bridge.drivers.threads import Body
from sse_bridge.drivers.walkers import OwnThreads, own_threads
from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.options import Options
from sse_bridge.registry import TooManyStreams, TooManyThreads, streams
from sse_bridge.wsgi import Middleware

ROOM = 4
PATIENCE = 10.0


@pytest.fixture
def stuck() -> Iterator[Callable[[], Iterator[str]]]:
    """Makes sources that go on until the test is over; all have ended then."""
    free = threading.Event()
    ended = []

    def source() -> Iterator[str]:
        yield "begun"
        free.wait(PATIENCE)
        ended.append(True)

    yield source
    free.set()
    until = [thread for thread in threading.enumerate() if thread.name == "sse_bridge source"]
    for thread in until:
        thread.join(PATIENCE)
    assert (streams.open, streams.stragglers, own_threads.running) == (0, 0, 0)


def body_of(source: Any, **options: Any) -> Body:
    made = Options(**{"cleanup_timeout": 0, "interrupt": False, **options})
    return Body(source, made, contextvars.copy_context())


@pytest.mark.parametrize(
    ("name", "app"), [("gunicorn-gthread", "stuck:flask"), ("uvicorn", "stuck:starlette")]
)
def test_clients_that_come_and_go_leave_no_more_threads_than_there_is_room_for_streams(
    serve: Pool, name: str, app: str
):
    server = serve(name, app)
    statuses = []
    for _ in range(40):
        with server.connect() as connection:
            response = connection.request("GET", "/stuck")
            statuses.append(response.status)
            if response.status == 200:
                response.read_until()
    assert statuses[:ROOM] == [200] * ROOM
    assert set(statuses[ROOM:]) == {503}
    with server.connect() as connection:
        assert int(connection.request("GET", "/threads").read_all()) == ROOM


def test_stragglers_and_open_streams_share_the_room(stuck: Callable[[], Iterator[str]]):
    straggler, stream = body_of(stuck(), max_streams=2), body_of(stuck(), max_streams=2)
    next(straggler)
    straggler.close()
    with pytest.raises(TooManyStreams, match="1 sources of ended streams still run"):
        body_of(stuck(), max_streams=2)
    stream.close()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than two threads for sync sources."""
    monkeypatch.setattr(own_threads, "_most", 2)


@pytest.mark.usefixtures("few")
@pytest.mark.anyio
async def test_without_max_streams_asgi_clients_do_not_get_a_thread_each(
    stuck: Callable[[], Iterator[str]],
):
    bodies = [body_of(stuck()) for _ in range(2)]
    for body in bodies:
        next(body)
    transport = httpx.ASGITransport(EventStream(lambda request: stuck()))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        refused = await client.get("/")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    for body in bodies:
        body.close()


@pytest.mark.usefixtures("few")
def test_sources_that_outlive_their_streams_fill_no_more_threads_than_the_bound(
    stuck: Callable[[], Iterator[str]],
):
    for _ in range(2):
        body = body_of(stuck())
        next(body)
        body.close()
    with pytest.raises(TooManyThreads, match="2 threads run sync sources; SSE_BRIDGE_MAX_THREADS"):
        body_of(stuck())
    app = Flask(__name__)
    app.get("/")(lambda: EventSourceResponse(stuck()))
    assert app.test_client().get("/").status_code == 503


def test_the_last_thread_is_given_to_one_of_those_who_race_for_it():
    threads, free, refused = OwnThreads(3), threading.Event(), []
    start = threading.Barrier(16)

    def race() -> None:
        start.wait(PATIENCE)
        try:
            threads.spawn(contextvars.copy_context(), lambda: free.wait(PATIENCE) and None)
        except TooManyThreads as full:
            refused.append(full)

    racers = [threading.Thread(target=race) for _ in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(PATIENCE)
    assert len(refused) == 13
    free.set()


def test_a_thread_that_cannot_be_started_is_not_counted_as_one_that_runs(monkeypatch):
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    threads = OwnThreads(1)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threads.spawn(contextvars.copy_context(), lambda: None)
    threads.check()


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "1.5"])
def test_a_bound_that_is_no_number_is_told_by_its_name(value: str):
    code = "import sse_bridge.drivers.walkers"
    environment = {**os.environ, walkers.MOST_THREADS: value}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.returncode != 0
    assert f"SSE_BRIDGE_MAX_THREADS must be a whole number, 1 or more, got {value!r}" in ran.stderr


@pytest.mark.usefixtures("few")
def test_views_and_apps_that_run_whole_share_the_bound(stuck: Callable[[], Iterator[str]]):
    bodies = [body_of(stuck()) for _ in range(2)]
    for body in bodies:
        next(body)
    app = Flask(__name__)
    app.get("/")(event_stream(whole=True)(stuck))
    assert app.test_client().get("/").status_code == 503
    wrapped = werkzeug.test.Client(Middleware(app, whole=True))
    assert wrapped.get("/").status_code == 503
    for body in bodies:
        body.close()


def test_a_source_that_hops_to_a_thread_that_is_not_there_is_closed(monkeypatch):
    monkeypatch.setattr(own_threads, "_most", 0)
    closed = []

    class Source:
        def __iter__(self) -> Iterator[str]:
            return iter(["text"])

        def close(self) -> None:
            closed.append(True)

    async def give() -> Source:
        return Source()

    with pytest.raises(TooManyThreads):
        body_of(give(), hold=PATIENCE)
    assert closed == [True]


def test_whoever_is_ready_for_too_many_streams_is_ready_for_too_many_threads():
    assert issubclass(TooManyThreads, TooManyStreams)


def test_a_time_out_while_a_thread_starts_lets_nobody_be_counted_twice(monkeypatch):
    threads, start = OwnThreads(1), threading.Thread.start

    def start_late(self: threading.Thread) -> None:
        start(self)
        self.join(PATIENCE)
        raise TimeoutError("the server's own")

    monkeypatch.setattr(threading.Thread, "start", start_late)
    with pytest.raises(TimeoutError):
        threads.spawn(contextvars.copy_context(), lambda: None)
    assert threads.running == 0
