"""A client announces a request's body and sends none of it, or far more than anybody reads: on a2wsgi."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from servers.client import Connection
from servers.gate import Gate
from servers.harness import Pool, Server

THREADS = 4
MEGABYTE = 1024 * 1024
APPS = ["bodies:app", "bodies:whole"]


@pytest.fixture(params=APPS)
def server(request: pytest.FixtureRequest, serve: Pool) -> Server:
    return serve("a2wsgi", request.param, threads=THREADS)


def announce(server: Server, path: str, size: int) -> Connection:
    """A client that has sent the head of its request."""
    connection = server.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
    connection.socket.sendall(head.encode())
    return connection


def test_as_many_bodies_that_never_come_as_there_are_workers_block_none_of_them(server: Server):
    with ExitStack() as clients:
        announced = [
            clients.enter_context(announce(server, "/unread", 900_000)) for _ in range(THREADS)
        ]
        for connection in announced:
            response = connection.response("POST")
            assert response.status == 200
            assert response.read_all().startswith(b"data: one\n\ndata: two\n\n")
        with server.get("/health") as health:
            assert health.read_all() == b"well"


def memory(server: Server) -> int:
    with server.get("/memory") as response:
        return int(response.read_all())


def send_what_is_taken(connection: Connection, size: int) -> int:
    """Send so much, or as much as goes into the buffers on the way: how much it was."""
    connection.socket.settimeout(1.0)
    sent = 0
    while sent < size:
        try:
            sent += connection.socket.send(b"x" * MEGABYTE)
        except TimeoutError:
            break
    return sent


def test_a_body_that_nobody_reads_is_not_kept(server: Server, gate: Gate):
    before, size = memory(server), 100 * MEGABYTE
    with announce(server, f"/silent?gate={gate.port}", size) as connection:
        assert send_what_is_taken(connection, size) < size
        assert memory(server) - before < 20 * MEGABYTE
        assert connection.response("POST").read_until() == b"data: one\n\n"
        gate.no_more()


def test_the_apps_own_limit_is_answered_413_before_any_of_the_body_has_come(server: Server):
    with announce(server, "/limited", 100 * MEGABYTE) as connection:
        assert connection.response("POST").status == 413


def test_a_client_that_leaves_its_body_half_sent_is_noticed_at_once(server: Server, gate: Gate):
    with announce(server, f"/silent?gate={gate.port}", MEGABYTE) as connection:
        connection.socket.sendall(b"x" * 1000)
        assert connection.response("POST").read_until() == b"data: one\n\n"
    gate.wait_closed()


def test_a_client_that_leaves_after_more_than_anybody_reads_is_noticed_by_the_pings(
    server: Server, gate: Gate
):
    with announce(server, f"/silent?gate={gate.port}", MEGABYTE) as connection:
        connection.socket.sendall(b"x" * 200_000)
        assert connection.response("POST").read_until() == b"data: one\n\n"
    gate.wait_closed()


def test_a_source_that_reads_the_body_itself_gets_all_of_it_as_it_comes(server: Server):
    half = b"x" * 300_000
    with announce(server, "/counted", 2 * len(half)) as connection:
        response = connection.response("POST")
        assert response.read_until() == b"data: one\n\n"
        sending = threading.Thread(target=connection.socket.sendall, args=(2 * half,))
        sending.start()
        assert response.read_until() == b"data: 600000\n\n"
        sending.join()
