"""A client asks for a stream and does not read it: how long does it hold what it was given?"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest

from servers.client import Connection
from servers.harness import SERIAL_SERVERS, WSGI_SERVERS, Pool, Server

BLIND = {"granian-wsgi"}  # it shows no handle on the connection
THREADS = 2
PATIENCE = 8.0


def deaf(server: Server, path: str, **query: object) -> Connection:
    """A client that takes the beginning of an endless stream, and then no more."""
    connection = server.connect(PATIENCE)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert connection.request("GET", f"{path}?{urlencode(query)}").read_piece()
    return connection


def ending(server: Server, key: str) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with server.connect(PATIENCE) as connection:
            if told := connection.request("GET", f"/ending?key={key}").read_all().decode():
                return told
        time.sleep(0.02)
    return "none"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name", sorted(set(WSGI_SERVERS) - BLIND))
def test_as_many_clients_that_do_not_read_as_there_are_threads_hold_them_for_send_timeout_only(
    serve: Pool, name: str, kind: str
):
    server = serve(name, "bridge_flask:app", threads=THREADS)
    keys = [f"{kind}{number}" for number in range(1 if name in SERIAL_SERVERS else THREADS)]
    with ExitStack() as clients:
        for key in keys:
            client = deaf(server, f"/{kind}/endless", key=key, send_timeout=0.5)
            clients.enter_context(client)
        assert [ending(server, key) for key in keys] == ["slow"] * len(keys)


@pytest.mark.parametrize("name", ["gunicorn-gthread", "waitress"])
def test_a_client_that_does_not_read_outlives_max_duration_by_send_timeout_only(
    serve: Pool, name: str
):
    server = serve(name, "bridge_flask:app", threads=THREADS)
    limits = {"max_duration": 0.2, "send_timeout": 0.5}
    with deaf(server, "/sync/endless", key="lasting", **limits):
        assert ending(server, "lasting") in {"slow", "expired"}
        with server.connect(PATIENCE) as other:
            assert other.request("GET", "/health").read_all() == b"well"


@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent", "waitress", "a2wsgi"])
def test_among_them_a_client_that_reads_slowly_gets_all_of_its_stream(serve: Pool, name: str):
    server = serve(name, "bridge_flask:app", threads=THREADS)
    with (
        deaf(server, "/sync/endless", key="beside", send_timeout=0.5),
        server.connect(PATIENCE) as slow,
    ):
        response = slow.request("GET", "/sync/long?send_timeout=0.5")
        while response.read_piece():
            time.sleep(0.0005)
        assert response.ended_cleanly
        assert response.body.count(b"\n\n") == 1001
        assert ending(server, "beside") == "slow"
