"""A client as cheap as can be: it keeps its connections, asks, and reads until the end."""

import selectors
import socket
from typing import cast

from .over_process import PATIENCE

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
# The last chunk of an answer, with the end of the one before: no frame can end like this.
LAST = b"\r\n0\r\n\r\n"


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    # Not to be met by a server's delayed acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read(connections: list[socket.socket]) -> list[bytes]:
    """Ask on all connections at once and return their answers, chunked encoding and all."""
    answers = {connection: bytearray() for connection in connections}
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(REQUEST)
        while selector.get_map():
            take(selector, answers)
    return [bytes(answer) for answer in answers.values()]


def take(selector: selectors.BaseSelector, answers: dict[socket.socket, bytearray]) -> None:
    ready = selector.select(PATIENCE)
    if not ready:
        raise TimeoutError(f"no byte for {PATIENCE:g} seconds")
    for key, _ in ready:
        connection = cast("socket.socket", key.fileobj)
        receive(connection, answers[connection])
        if answers[connection].endswith(LAST):
            selector.unregister(connection)


def receive(connection: socket.socket, answer: bytearray) -> None:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionError("the server closed a connection in the middle of an answer")
    answer += data


def await_event(connection: socket.socket) -> bytearray:
    """Return all that has come when the first event is there."""
    answer = bytearray()
    while b"data: " not in answer:
        receive(connection, answer)
    return answer


def pieces(answer: bytes) -> list[bytes]:
    """Return the pieces in which the body of an HTTP/1.1 answer was sent, in chunked encoding."""
    _, _, rest = answer.partition(b"\r\n\r\n")
    found = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        found.append(rest[:length])
        rest = rest[length + 2 :]
    return found


def unchunked(answer: bytes) -> bytes:
    return b"".join(pieces(answer))
