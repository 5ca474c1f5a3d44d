"""Real servers that are told to stop, started as docs/deploy.md says, with streams open.

Their streams end truthfully, their sources are closed, and the servers' own ways of stopping stay in force.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import urlencode

import anyio
import pytest
import uvicorn

import sse_bridge
from sse_bridge.asgi import EventStream
from stalling import StallingUpstream

from .client import Connection, Response
from .gate import Gate
from .harness import Pool, Server, running
from .kinds import DEPLOYED_ASGI, DEPLOYED_HOOK, DEPLOYED_WSGI, RECYCLED_AFTER

GRACE = 1.0
LONG_GRACE = 5.0  # where all streams finish by themselves, and nobody waits for its end
MANY = 20  # streams, of which half are blocked
AT_ONCE = 0.5  # a server that stops accepting lets a new connection wait
PATIENCE = 15.0

APPS = dict.fromkeys(DEPLOYED_WSGI, "stopping_module:app")
APPS |= dict.fromkeys(DEPLOYED_HOOK, "stopping_flask:app")
APPS |= dict.fromkeys(DEPLOYED_ASGI, "stopping_starlette:app")
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
LAST = (
    b"retry: 1000\nevent: error\n"
    b'data: {"code":"shutdown","message":"The server is shutting down.","retryable":true}\n\n'
)
FAULTS = ("ERROR", "CRITICAL", "Traceback", "Exception", "still runs, more than")

Start = Callable[..., AbstractContextManager[Server]]
on_every_server = pytest.mark.parametrize("name", APPS)


class Notes:
    """What the sources of one server noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def counted(self) -> Counter[tuple[str, ...]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else ()
        return Counter(tuple(json.loads(line)) for line in lines)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def start(tmp_path: Path, notes: Notes) -> Start:
    """Give `start(name, app, grace)`: a server of its own, since it is going to stop."""

    def start(name: str, app: str, grace: float | None = GRACE, **env: str) -> Any:
        env |= {"NOTES": str(notes.path)} | ({} if grace is None else {"GRACE": str(grace)})
        log = tmp_path / f"log-{len(list(tmp_path.iterdir()))}"
        return running(name, app, log, threads=MANY + 4, env=env)

    return start


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    if rows:
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n\nTold to stop with {MANY} streams open, grace {GRACE} s:\n", *rows, sep="\n")


@pytest.fixture
def upstream() -> Iterator[StallingUpstream]:
    with StallingUpstream(0) as upstream:
        yield upstream


def opened(server: Server, path: str, who: str, **query: Any) -> Response:
    """An open stream, of which the first frame has been read."""
    response = server.get(f"{path}?{urlencode({'who': who, **query})}")
    assert response.status == 200
    assert response.read_until() == b"data: one\n\n"
    return response


def rest(response: Response, ending: str = "complete") -> bytes:
    """What comes until the end, less the repetitions; then the client hangs up, or gunicorn would wait for it."""
    with response:
        body = response.read_all()
    assert response.ending == ending
    return body.replace(b"data: one\n\n", b"")


def logged_no_fault(server: Server, but: str = "nothing") -> None:
    log = "\n".join(line for line in server.log().splitlines() if but not in line)
    assert not [fault for fault in FAULTS if fault in log], log


def stopped(server: Server) -> float:
    """Seconds until the server has ended, told as a supervisor tells it."""
    since = time.monotonic()
    server.terminate()
    assert server.ended(PATIENCE)
    return time.monotonic() - since


def all_told(who: Iterable[str], ending: str, name: str) -> Counter[tuple[str, ...]]:
    """What is noted when each source was closed and each stream ended, once, and the app with them."""
    notes = Counter[tuple[str, ...]]([("lifespan is over",)] * (name in DEPLOYED_ASGI))
    for one in who:
        notes.update([("finally", one), ("on_end", one, ending)])
    return notes


def exit_code(server: Server) -> int:
    """To be asked when the server has been ended."""
    assert server.process.returncode is not None
    return server.process.returncode


# Clients stand around their server: where one does not stop, it is ended first, and then nobody reads for ever.


@on_every_server
def test_open_streams_end_truthfully_and_the_server_exits(
    start: Start, name: str, notes: Notes, upstream: StallingUpstream, table: list[str]
):
    kinds = ["sync/silent", "async/silent", "sync/endless", "async/endless"]
    with ThreadPoolExecutor(MANY) as clients, start(name, APPS[name]) as server:
        responses = [
            opened(server, f"/{kinds[number % 4]}", str(number), upstream=upstream.url)
            for number in range(MANY)
        ]
        bodies = clients.map(rest, responses)
        seconds = stopped(server)
        assert set(bodies) == {LAST}
        logged_no_fault(server)
    assert notes.counted() == all_told(map(str, range(MANY)), "shutdown", name)
    table.append(f"{name}: {seconds:.2f} s, exit code {exit_code(server)}")


@pytest.mark.parametrize("name", DEPLOYED_WSGI | DEPLOYED_ASGI)
def test_whoever_finishes_within_the_grace_does_and_new_requests_are_refused(
    start: Start, name: str, notes: Notes, table: list[str]
):
    """And the server ends then, long before the grace does, with the exit code that it has without us."""
    with start(name, APPS[name], LONG_GRACE) as server, Gate() as gate:
        kept = server.connect()
        kept.request("GET", "/process").read_all()
        finishing = opened(server, "/sync/gated", "gated", gate=gate.port)
        asking = [opened(server, f"/{kind}/asking", kind) for kind in ("sync", "async")]
        server.terminate()
        assert [rest(response) for response in asking] == [b"data: bye\n\n" + DONE] * 2
        on_kept = refusal(lambda: kept)
        on_new = refusal(lambda: server.connect(AT_ONCE))
        gate.release()
        assert rest(finishing) == b"data: two\n\n" + DONE
        assert server.ended(PATIENCE)
        logged_no_fault(server)
    assert notes.counted() == all_told(["gated", "sync", "async"], "finished", name)
    with start(name, "raw_asgi:app" if name in DEPLOYED_ASGI else "raw_wsgi:app") as without_us:
        stopped(without_us)
    assert exit_code(server) == exit_code(without_us)
    table.append(f"{name}: one more stream: {on_new}; over an open connection: {on_kept}")


def refusal(connect: Callable[[], Connection]) -> str:
    """How a request for one more stream is turned away."""
    try:
        with connect() as connection:
            response = connection.request("GET", "/async/endless?who=late")
            assert response.status == 503
            assert response.headers["retry-after"] == "1"
            return "503"
    except (EOFError, ConnectionError, TimeoutError):
        return "not accepted"


# -- other ways to be told ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "app"),
    [
        ("recycling gunicorn gthread", "stopping_module:app"),
        ("recycling gunicorn uvicorn", "stopping_starlette:app"),
        ("recycling uvicorn", "stopping_starlette:app"),
    ],
)
def test_the_streams_of_a_worker_that_is_recycled_end_truthfully(
    start: Start, name: str, app: str, notes: Notes, upstream: StallingUpstream
):
    kinds = ["sync/silent", "async/silent", "sync/endless", "async/endless"]
    with ThreadPoolExecutor(len(kinds)) as clients, start(name, app) as server:
        before = process(server)
        responses = [opened(server, f"/{kind}", kind, upstream=upstream.url) for kind in kinds]
        bodies = clients.map(rest, responses)
        for _ in range(RECYCLED_AFTER):
            with suppress(EOFError, ConnectionError, TimeoutError):
                process(server)
        assert set(bodies) == {LAST}
        if name.startswith("recycling gunicorn"):
            assert process(server) != before
            opened(server, "/sync/endless", "next").hang_up()
        else:
            assert server.ended(PATIENCE)
        logged_no_fault(server)
    counted = notes.counted()
    for kind in kinds:
        assert counted["finally", kind] == counted["on_end", kind, "shutdown"] == 1


def process(server: Server) -> int:
    with server.connect() as connection:
        return int(connection.request("GET", "/process").read_all())


@pytest.mark.parametrize(
    ("name", "app"),
    [
        ("deployed gunicorn gthread", "stopping_module:wrapped"),
        ("deployed uvicorn", "stopping_starlette:wrapped"),
    ],
)
def test_a_stream_that_the_middleware_took_over_ends_as_shutdown(
    start: Start, name: str, app: str, notes: Notes
):
    with ThreadPoolExecutor(1) as client, start(name, app) as server:
        # Nobody knows these frames' protocol: so they are cut as well, as they would have been without us.
        body = client.submit(rest, opened(server, "/by-hand", "by hand"), "cut")
        stopped(server)
        assert body.result() == LAST
        logged_no_fault(server, but="ASGI callable returned without completing response.")
    counted = notes.counted()
    assert counted["finally", "by hand"] == counted["on_end", "by hand", "shutdown"] == 1


def test_under_gunicorns_sync_worker_one_warning_names_the_timeout_and_the_fix(serve: Pool):
    server = serve("gunicorn-sync", "bridge_flask:app")
    for _ in range(2):
        with server.get("/sync/told") as response:
            response.read_all()
    assert server.logged("a stream runs under gunicorn's sync worker") == 1
    assert server.log().count("after 60 seconds (timeout)") == 1
    assert server.log().count("use --worker-class gthread --threads 100") == 1


# -- whoever owns the signal ----------------------------------------------------------------------


class UvicornInThread:
    """As a test or a desktop app runs it: nobody but the app itself can end its streams."""

    def __init__(self) -> None:
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def get(self, path: str) -> Response:
        return Connection(self.port).request("GET", path)

    def status(self, path: str) -> int:
        with self.get(path) as response:
            return response.status

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._socket.close()
        assert not self._thread.is_alive()


async def ticking(scope: Any) -> AsyncIterator[str]:
    while True:
        yield "one"
        await anyio.sleep(0.05)


app = EventStream(ticking)


def test_a_server_in_a_thread_is_stopped_by_hand_and_another_one_streams_in_its_place():
    for _ in range(2):
        with UvicornInThread() as server:
            response = server.get("/")
            assert response.read_until() == b"data: one\n\n"
            sse_bridge.shutdown(GRACE / 4)
            assert sse_bridge.closing()
            assert server.status("/") == 503
            assert rest(response) == LAST
        wait_for(lambda: not sse_bridge.closing())


def wait_for(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- Ctrl-C ---------------------------------------------------------------------------------------

LEFT_TO_PYTHON = ["werkzeug", "waitress", "cheroot"]


@pytest.mark.parametrize("name", LEFT_TO_PYTHON)
def test_ctrl_c_is_told_as_a_signal_is_where_a_server_leaves_it_to_python(
    start: Start, name: str, notes: Notes
):
    with ThreadPoolExecutor(4) as clients, start(name, "stopping_ctrl_c:app") as server:
        kinds = ["sync/endless", "async/endless", "async/asking"]
        responses = [opened(server, f"/{kind}", kind) for kind in kinds]
        bodies = clients.map(rest, responses)
        server.interrupt()
        assert list(bodies) == [LAST, LAST, b"data: bye\n\n" + DONE]
        assert server.ended(PATIENCE)
    counted = notes.counted()
    assert [counted["on_end", kind, "shutdown"] for kind in kinds] == [1, 1, 0]
    assert counted["on_end", "async/asking", "finished"] == 1


# Cheroot ends with the last of its threads, with and without us.
@pytest.mark.parametrize("name", ["werkzeug", "waitress"])
def test_a_second_ctrl_c_ends_at_once(start: Start, name: str):
    with (
        start(name, "stopping_ctrl_c:app", grace=60) as server,
        opened(server, "/sync/endless", "x"),
    ):
        server.interrupt()
        time.sleep(0.3)
        assert not server.ended()
        server.interrupt()
        assert server.ended(PATIENCE)
