"""Attacks by requests within requests: nothing of them is answered within a stream."""

from __future__ import annotations

import json
import random
import re
import time
from contextlib import suppress
from typing import Any

import pytest

from servers.harness import Pool, Server

# -- requests within requests ----------------------------------------------------------------------

SERVERS = [
    *((name, "attacked:flask_app") for name in ("gunicorn-gthread", "waitress")),
    *((name, "attacked:starlette_app") for name in ("uvicorn", "hypercorn")),
]
each_server = pytest.mark.parametrize("name, app", SERVERS)
# Uvicorn with httptools, as it is where that is installed, sends chunks to a client of HTTP/1.0, and writes
# its answer to what is no request in the middle of another's stream. With h11 it does neither.
each_strict_server = pytest.mark.parametrize(
    "name, app", [(name.replace("uvicorn", "uvicorn asyncio h11"), app) for name, app in SERVERS]
)
PATIENCE = 10.0


def fresh() -> str:
    return f"name{random.randrange(10**9)}"


def raw(server: Server, request: bytes, *, until: int = 15, more: bytes = b"") -> bytes:
    """What comes to a request as it is, until so many frames are there or the server has closed."""
    with server.connect() as connection:
        connection.socket.sendall(request)
        if more:
            time.sleep(0.05)
            with suppress(OSError):
                connection.socket.sendall(more)
        end = time.monotonic() + PATIENCE
        with suppress(OSError, EOFError, TimeoutError):
            while connection.buffer.count(b"\n\n") < until:
                connection.receive(end)
        return connection.buffer


def only_says(answer: bytes, name: str) -> None:
    """Nothing but one answer, and in it nothing but frames of this name."""
    assert answer.count(b"HTTP/1.") == 1, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0]
    words = {line for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data")}
    assert words == {f"data: {name}".encode()}
    assert b"open" not in body


def wait_until_none_is_open(server: Server) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        with server.get("/ended") as answer:
            seen: dict[str, Any] = json.loads(answer.read_all())
        if not seen["open"]:
            return seen
        assert time.monotonic() < end
        time.sleep(0.01)


PIPELINED = b"GET /ended HTTP/1.1\r\nHost: x\r\n\r\n"


@each_server
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_requests_behind_a_stream_are_not_answered_within_it(
    serve: Pool, name: str, app: str, kind: str
):
    server, who = serve(name, app, threads=24), fresh()
    request = f"GET /named/{who}?kind={kind} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    only_says(raw(server, request + PIPELINED * 3), who)
    only_says(raw(server, request, more=PIPELINED * 3), who)
    assert set(wait_until_none_is_open(server)["ended"][who]) <= {"gone"}


SMUGGLED = b"0\r\n\r\nGET /ended HTTP/1.1\r\nHost: x\r\n\r\n"
SHAPES = {
    "both lengths": "Content-Length: 4\r\nTransfer-Encoding: chunked",
    "two lengths": "Content-Length: 4\r\nContent-Length: 60",
    "a signed length": "Content-Length: +4",
    "a negative length": "Content-Length: -1",
    "an odd coding": "Transfer-Encoding: xchunked",
    "codings in a row": "Transfer-Encoding: chunked, identity",
    "a coding behind a tab": "Transfer-Encoding:\tchunked",
    "a space before the colon": "Transfer-Encoding : chunked",
    "a folded line": "X: a\r\n Transfer-Encoding: chunked",
    "a bare line feed": "X: a\nTransfer-Encoding: chunked",
}


@each_server
def test_no_shape_of_a_smuggled_request_is_answered_within_a_stream(
    serve: Pool, name: str, app: str
):
    server = serve(name, app, threads=24)
    for shape in SHAPES.values():
        who = fresh()
        request = f"POST /named/{who} HTTP/1.1\r\nHost: x\r\n{shape}\r\n\r\n".encode()
        answer = raw(server, request + SMUGGLED, until=5)
        if b" 200 " in answer.partition(b"\r\n")[0]:
            only_says(answer, who)
        else:
            assert who.encode() not in answer.partition(b"\r\n\r\n")[2].replace(b"/named/", b"")
    wait_until_none_is_open(server)


@each_strict_server
def test_a_client_of_http_1_0_gets_its_stream_without_chunks(serve: Pool, name: str, app: str):
    server, who = serve(name, app, threads=24), fresh()
    answer = raw(server, f"GET /named/{who} HTTP/1.0\r\n\r\n".encode())
    only_says(answer, who)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body.startswith(f"data: {who}\n\n".encode())
    wait_until_none_is_open(server)


@each_strict_server
@pytest.mark.parametrize(
    "end", [b"", b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_body_that_never_ends_or_never_comes_stops_no_stream_from_ending_as_gone(
    serve: Pool, name: str, app: str, end: bytes
):
    """The app does not read it: waitress does so itself before, and answers nothing then."""
    server, who = serve(name, app, threads=24), fresh()
    request = f"POST /named/{who} HTTP/1.1\r\nHost: x\r\n".encode() + end + b"\r\n5\r\nabcde\r\n"
    with server.connect() as connection:
        connection.socket.sendall(request)
        connection.timeout = 1.0 if name == "waitress" else PATIENCE
        with suppress(TimeoutError):
            answer = connection.response("POST")
            for _ in range(5):
                assert answer.read_until() == f"data: {who}\n\n".encode()
                with suppress(OSError):
                    connection.socket.sendall(b"5\r\nabcde\r\n")
    assert set(wait_until_none_is_open(server)["ended"].get(who, [])) <= {"gone"}


@each_strict_server
def test_garbage_behind_a_request_is_no_part_of_its_stream(serve: Pool, name: str, app: str):
    server = serve(name, app, threads=24)
    for garbage in (
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 500,
    ):
        who = fresh()
        request = f"GET /named/{who} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        only_says(raw(server, request, more=garbage), who)
    wait_until_none_is_open(server)


@each_server
def test_clients_that_wait_for_a_continue_or_an_upgrade_get_the_stream(
    serve: Pool, name: str, app: str
):
    server = serve(name, app, threads=24)
    for header in (
        "Expect: 100-continue\r\nContent-Length: 1",
        "Connection: Upgrade\r\nUpgrade: odd/1",
    ):
        who = fresh()
        method = "POST" if "Expect" in header else "GET"
        request = f"{method} /named/{who} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode()
        answer = raw(server, request, more=b"x" if method == "POST" else b"")
        only_says(re.sub(rb"^HTTP/1.1 100 .*?\r\n\r\n", b"", answer, flags=re.DOTALL), who)
    wait_until_none_is_open(server)
