"""The raw client tells every ending of a body from the others, and leaves in every way there is."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .client import Connection

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
UNMARKED = b"HTTP/1.0 200 OK\r\n\r\n"
RST = struct.pack("ii", 1, 0)


@contextmanager
def pair(timeout: float = 5.0) -> Iterator[tuple[socket.socket, Connection]]:
    """Give a server's bare socket and the client that has asked it for something."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Connection(listener.getsockname()[1], timeout) as client,
        listener.accept()[0] as server,
    ):
        client.send("GET", "/")
        server.settimeout(5)
        server.recv(65536)
        yield server, client


@pytest.mark.parametrize(
    ("sent", "body", "ending"),
    [
        (CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n", b"abcd", "complete"),
        (CHUNKED + b"4;x=y\r\nabcd\r\n0\r\nTrailer: t\r\n\r\n", b"abcd", "complete"),
        (CHUNKED + b"4\r\nabcd\r\n", b"abcd", "cut"),
        (CHUNKED + b"4\r\nab", b"ab", "cut"),
        (COUNTED + b"abcd", b"abcd", "complete"),
        (COUNTED + b"ab", b"ab", "cut"),
        (UNMARKED + b"abcd", b"abcd", "closed"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", "complete"),
    ],
)
def test_the_ending_of_a_body_is_told(sent, body, ending):
    with pair() as (server, client):
        server.sendall(sent)
        server.shutdown(socket.SHUT_WR)
        response = client.response()
        assert (response.read_all(), response.ending) == (body, ending)


def test_a_reset_is_not_a_cut():
    with pair() as (server, client):
        server.sendall(CHUNKED + b"4\r\nabcd\r\n")
        response = client.response()
        assert response.read_piece() == b"abcd"
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        server.close()
        assert (response.read_all(), response.ending) == (b"", "reset")


def test_reading_goes_on_after_a_silence_that_was_too_long():
    with pair(timeout=0.05) as (server, client):
        server.sendall(CHUNKED + b"4\r\nab")
        response = client.response()
        with pytest.raises(TimeoutError):
            response.read_all()
        server.sendall(b"cd\r\n0\r\n\r\n")
        client.timeout = 5.0
        assert (response.read_all(), response.ending) == (b"abcd", "complete")


def test_a_server_that_never_stops_does_not_hold_a_reader_for_ever():
    with pair(timeout=0.2) as (server, client):
        server.sendall(CHUNKED)
        response = client.response()
        talker = threading.Thread(target=talk_until_the_client_leaves, args=[server])
        talker.start()
        with pytest.raises(TimeoutError):
            response.read_until(b"never said")
        client.reset()
        talker.join(5)
        assert not talker.is_alive()


def talk_until_the_client_leaves(server):
    try:
        while True:
            server.sendall(b"7\r\n: ping\n\r\n")
    except OSError:
        pass


def test_what_stands_behind_the_mark_is_kept_for_the_next_reading():
    with pair() as (server, client):
        server.sendall(COUNTED.replace(b"4", b"6") + b"a\n\nb\n\n")
        response = client.response()
        assert [response.read_until() for _ in range(3)] == [b"a\n\n", b"b\n\n", b""]


def test_hanging_up_is_a_fin_even_with_bytes_unread():
    with pair() as (server, client):
        server.sendall(UNMARKED + b"x" * 1000)
        client.hang_up()
        assert server.recv(1) == b""


def test_a_reset_reaches_the_server_as_one():
    with pair() as (server, client):
        client.reset()
        with pytest.raises(ConnectionResetError):
            server.recv(1)


def test_after_a_half_close_the_client_still_reads():
    with pair() as (server, client):
        client.half_close()
        assert server.recv(1) == b""
        server.sendall(COUNTED + b"abcd")
        assert client.response().read_all() == b"abcd"
