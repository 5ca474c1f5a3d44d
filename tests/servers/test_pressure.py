"""Many clients that leave at random moments, many that stay, and one that stops reading."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar
from urllib.parse import urlencode

import pytest

from doubles import BEFORE_HEADERS, OpenAIDouble, Reply, Stall
from sse_bridge import Decoder

from .client import Connection, Response
from .gate import Gate
from .harness import Pool, Server
from .leaving import APPS, NEVER

HANG_UPS = 150  # with sync sources, and as many with async ones
AT_ONCE = 4
SPAN = 0.015  # seconds after the request within which a client leaves: connect, headers, stream
TEXT = [f"word {number} " for number in range(20)]
PATIENCE = 10.0
Seen = TypeVar("Seen")
MEGABYTE = 1024 * 1024


@pytest.fixture
def whole() -> Iterator[OpenAIDouble]:
    with OpenAIDouble(Reply(TEXT)) as double:
        yield double


@pytest.fixture
def stalling() -> Iterator[OpenAIDouble]:
    """It stalls anywhere, or not at all."""
    with OpenAIDouble(Reply(TEXT)) as double:
        moments = [
            random.choice([BEFORE_HEADERS, *range(len(TEXT)), None]) for _ in range(HANG_UPS)
        ]
        double.queue(*(Reply(TEXT, at={} if k is None else {k: Stall()}) for k in moments))
        yield double


def path(kind: str, double: OpenAIDouble) -> str:
    query = {
        "vendor": "openai",
        "dialect": "delta",
        "upstream": double.base_url,
        "inside": 1,
        "hold": 0.005,
        "ping": NEVER,
    }
    return f"/{kind}/chat/completions?{urlencode(query)}"


def leave(server: Server, kind: str, double: OpenAIDouble) -> None:
    with server.connect() as connection:
        connection.send("POST", path(kind, double), body=b"{}")
        time.sleep(random.uniform(0, SPAN))
        random.choice([connection.reset, connection.hang_up])()


def read(server: Server, kind: str, double: OpenAIDouble) -> None:
    with server.post(path(kind, double), b"{}") as response:
        events = list(Decoder().feed(response.read_all()))
    text = [json.loads(event.data)["text"] for event in events if event.event == "delta"]
    assert text == TEXT
    assert events[-1].data == "[DONE]"


def census(server: Server) -> dict[str, int]:
    with server.get("/census") as response:
        return json.loads(response.read_all())  # type: ignore[no-any-return]


def settled(server: Server) -> dict[str, int]:
    """The census once no stream is open any more."""
    idle = {"streams": 0, "stragglers": 0, "unclosed": 0, "busy connections": 0}
    return until(lambda: census(server), lambda seen: idle.items() <= seen.items())


def until(look: Callable[[], Seen], good: Callable[[Seen], bool]) -> Seen:
    """What is seen, once it is good; fails if it does not become so."""
    end = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.05)
    return seen


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent", "uvicorn"])
def test_hundreds_of_hang_ups_at_random_moments_leave_nothing_and_disturb_nobody(
    serve: Pool, name: str, kind: str, whole: OpenAIDouble, stalling: OpenAIDouble
):
    server = serve(name, APPS[name])
    mark = server.mark()
    for upstream in (whole, stalling):
        stalling._queued.appendleft(Reply(TEXT))
        read(server, kind, upstream)  # the clients are made, and what else comes up with the first
    with ExitStack() as leaving:  # and a client has left
        gone = leaving.enter_context(server.connect())
        gone.send("POST", path(kind, whole), body=b"{}")
    before = settled(server)

    def client(number: int) -> None:
        leave(server, kind, stalling)
        if number % 10 == 0:
            read(server, kind, whole)

    with ThreadPoolExecutor(AT_ONCE) as clients:
        for done in [clients.submit(client, number) for number in range(HANG_UPS)]:
            done.result(PATIENCE)

    def more() -> dict[str, int]:
        """What is open beyond what was open before."""
        now = settled(server)
        return {what: many for what, many in now.items() if many > before.get(what, 0)}

    assert until(more, lambda more: not more) == {}
    for _ in range(10):
        read(server, kind, whole)
    assert "Traceback" not in server.log(mark)


def test_a_sync_endpoint_answers_while_hundreds_of_sync_sources_are_blocked(serve: Pool):
    server = serve("uvicorn", "bridge_starlette:app")
    with ExitStack() as stack:
        gates = [stack.enter_context(Gate()) for _ in range(200)]
        for gate in gates:
            response = server.get(f"/sync/silent?gate={gate.port}&ping={NEVER}")
            stack.enter_context(response)
            assert response.read_until() == b"data: one\n\n"
        with server.get("/health") as health:
            assert health.read_all() == b"well"
        for gate in gates:
            gate.no_more()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_reader_that_stops_reading_ends_as_slow_and_memory_stays_flat(serve: Pool, kind: str):
    server = serve("uvicorn", "bridge_starlette:app")
    readers = 10
    with slow_reader(server, kind, "warm"):
        assert ending(server, "warm") == "slow"
    before = int(text(server, "/memory"))
    keys = [f"{kind}{number}" for number in range(readers)]
    with ExitStack() as stack:
        for key in keys:
            stack.enter_context(slow_reader(server, kind, key))
        for key in keys:
            assert ending(server, key) == "slow"
            assert int(text(server, "/memory")) - before < readers * MEGABYTE


def ending(server: Server, key: str) -> str:
    return until(lambda: text(server, f"/ending?key={key}"), bool)


def slow_reader(server: Server, kind: str, key: str) -> Connection:
    """A client that reads the beginning of an endless stream, and then no more."""
    query = urlencode({"key": key, "send_timeout": 0.3})
    connection = server.connect()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    response = connection.request("GET", f"/{kind}/endless?{query}")
    assert response.read_piece()
    return connection


def text(server: Server, path: str) -> str:
    with server.get(path) as response:
        return response.read_all().decode()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("name", "app"),
    [("gunicorn-gthread", "bridge_flask:app"), ("uvicorn", "bridge_starlette:app")],
)
def test_one_stream_too_many_is_refused_until_a_client_has_left(
    serve: Pool, name: str, app: str, kind: str
):
    server = serve(name, app, threads=6)  # of its own: others' streams would count too
    until(lambda: status(server, kind, at_most=1), lambda status: status == 200)
    with ExitStack() as stack:
        gates = [stack.enter_context(Gate()) for _ in range(2)]
        query = (
            f"ping={NEVER}"  # no limit of theirs: the one before may be counted for a moment yet
        )
        opened = [server.get(f"/{kind}/silent?gate={gate.port}&{query}") for gate in gates]
        for response in opened:
            stack.enter_context(response)
            assert response.read_until() == b"data: one\n\n"
        with told(server, kind) as refused:
            assert refused.status == 503
            assert int(refused.headers["retry-after"]) > 0
        assert text(server, f"/runs?key={kind}-2") == "0"
        opened[0].hang_up()
        gates[0].no_more()  # a source that cannot be stopped keeps its place until it ends
        until(lambda: status(server, kind), lambda status: status == 200)
        gates[1].no_more()


def told(server: Server, kind: str, at_most: int = 2) -> Response:
    return server.get(f"/{kind}/told?max_streams={at_most}&key={kind}-{at_most}")


def status(server: Server, kind: str, at_most: int = 2) -> int:
    with told(server, kind, at_most) as response:
        return response.status
