"""An upstream that stalls, plain or TLS, and says who left it: the least that any client takes for a model."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from typing import Self

CHUNK = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "a"}}],
    "request_id": "1",
    "output": {"text": "a", "finish_reason": "null"},
    "usage": {},
}
EVENT = b"data: %b\n\n" % json.dumps(CHUNK).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PATIENCE = 10.0


class StallingUpstream:
    """Answers each request with so many events, or not even with headers, and then says nothing more."""

    def __init__(self, events: int | None, proof: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        self.stalled = threading.Event()
        self.left = threading.Event()  # the client of the last connection
        self._events = events
        self._proof = proof
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if proof else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Everything is closed: whoever still reads gets to its end."""
        for sock in (self._listener, *self._connections):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def say(self) -> None:
        """One event more."""
        self._connections[-1].sendall(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:  # closed
            pass

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._proof:
                connection = self._proof.wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            self._read_request(connection)
            self.requests += 1
            if self._events is not None:
                connection.sendall(HEAD)
                for _ in range(self._events):
                    self.say()
            self.stalled.set()
            connection.recv(1)
        except OSError:
            pass
        self.left.set()

    def _read_request(self, connection: socket.socket) -> None:
        with connection.makefile("rb", buffering=0) as lines:
            size = 0
            while (line := lines.readline().lower()) != b"\r\n":
                if not line:
                    raise OSError("the client left")
                if line.startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            while size:
                size -= len(lines.read(size) or b" " * size)
