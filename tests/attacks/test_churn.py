"""Attacks by many connections at real servers: each stream is its own reader's, to its end."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from servers.harness import Pool, Server

PATIENCE = 10.0
SERVERS = [("gunicorn-gthread", "attacked:flask_app"), ("uvicorn", "attacked:starlette_app")]


def wait_for(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(server: Server) -> dict[str, Any]:
    with server.get("/ended") as answer:
        seen: dict[str, Any] = json.loads(answer.read_all())
        return seen


CLIENTS, ROUNDS = 6, 40


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name, app", SERVERS)
def test_a_churn_of_connections_on_reused_descriptors_stops_no_stream_but_their_own(
    serve: Pool, name: str, app: str, kind: str
):
    server = serve(name, app, threads=24)
    run = f"{kind}-{random.randrange(10**9)}"

    def asked(who: str) -> Any:
        return server.get(f"/named/{who}?kind={kind}")

    def come_and_go(client: int) -> list[str]:
        names = []
        for number in range(ROUNDS):
            names.append(f"{run}-{client}-{number}")
            answer = asked(names[-1])
            frame = f"data: {names[-1]}\n\n".encode()
            assert answer.read_until() == frame
            if number % 3 == 0:
                assert answer.read_until() == frame
            random.choice([answer.hang_up, answer.reset])()
        return names

    with asked(f"{run}-stays") as stays, ThreadPoolExecutor(CLIENTS) as clients:
        coming = [clients.submit(come_and_go, client) for client in range(CLIENTS)]
        while not all(client.done() for client in coming):
            assert stays.read_until() == f"data: {run}-stays\n\n".encode()
        names = [name for client in coming for name in client.result()]
        wait_for(lambda: ended(server)["open"] == 1)
        told = ended(server)["ended"]
        assert {name: told.get(name) for name in names} == {key: ["gone"] for key in names}
        assert f"{run}-stays" not in told
        assert stays.read_until() == f"data: {run}-stays\n\n".encode()
    wait_for(lambda: ended(server)["open"] == 0)
    assert ended(server)["ended"][f"{run}-stays"] == ["gone"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name, app", SERVERS)
def test_readers_that_do_not_read_slow_no_reader_that_does(
    serve: Pool, name: str, app: str, kind: str
):
    server = serve(name, app, threads=24)
    run = f"{kind}-{random.randrange(10**9)}"
    lazy = [server.get(f"/flood/{run}-{number}?kind={kind}") for number in range(5)]
    with server.get(f"/named/{run}?kind={kind}") as quick:
        for _ in range(100):
            assert quick.read_until() == f"data: {run}\n\n".encode()
    for one in lazy:
        one.reset()
    wait_for(lambda: ended(server)["open"] == 0)
    told = ended(server)["ended"]
    assert [told[f"{run}-{number}"] for number in range(5)] == [["gone"]] * 5
