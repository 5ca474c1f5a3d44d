"""A small HTTP/1.1 client on a bare socket: every piece as it arrives, and every way to leave.

1. Nothing waits for ever: each reading call has `timeout` seconds for all it waits for.
2. How the body ended is told apart: by its own end mark, by a closed connection, or by a reset.
"""

import contextlib
import socket
import ssl
import struct
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

# complete: by its end mark. closed: by FIN, where the framing knows no other end.
# cut: by FIN before the end mark. reset: by RST.
Ending = Literal["complete", "closed", "cut", "reset"]


@dataclass(frozen=True)
class Piece:
    """Body bytes that arrived together (one HTTP chunk at most), and when (`time.monotonic()`)."""

    at: float
    data: bytes


class Connection:
    """One connection to a server on loopback; a context manager that hangs up at the end."""

    def __init__(self, port: int, timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        self.port, self.timeout = port, timeout
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = b""

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> "Response":
        """Send a request and read the answer's head; the body is the caller's to read."""
        self.send(method, path, headers, body)
        return self.response(method)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        fields = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if body or method in {"POST", "PUT", "PATCH"}:
            fields["Content-Length"] = str(len(body))
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body)

    def response(self, method: str = "GET") -> "Response":
        """Read the head of the next answer."""
        deadline = time.monotonic() + self.timeout
        while b"\r\n\r\n" not in self.buffer:
            self.receive(deadline)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return Response(self, method, head.decode("latin-1"))

    def receive(self, deadline: float) -> None:
        """Add what arrives next to the buffer; EOFError for a FIN."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server is still sending")
        self.socket.settimeout(left)
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self.buffer += data

    def take(self, most: int) -> bytes:
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        return data

    def hang_up(self) -> None:
        """Close the connection: FIN, whatever has not been read yet."""
        self._drain()
        self.socket.close()

    def half_close(self) -> None:
        """Close the sending side only."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _drain(self) -> None:
        # Bytes left unread would make the kernel send RST in place of FIN.
        self.socket.setblocking(False)
        with contextlib.suppress(OSError):
            while self.socket.recv(65536):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class Response:
    """An answer whose body is read as it comes; a context manager that closes its connection."""

    def __init__(self, connection: Connection, method: str, head: str) -> None:
        self.connection = connection
        line, *fields = head.split("\r\n")
        self.version, status, *_ = line.split(" ")
        self.status = int(status)
        pairs = (field.partition(":") for field in fields)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.pieces: list[Piece] = []
        self.ending: Ending | None = None
        self._deadline = 0.0
        self._unread = bytearray()
        self._has_end_mark = True
        self._parts = self._framing(method)

    @property
    def ended_cleanly(self) -> bool:
        return self.ending in {"complete", "closed"}

    @property
    def body(self) -> bytes:
        """All that has been received so far."""
        return b"".join(piece.data for piece in self.pieces)

    def read_piece(self) -> bytes:
        """Return the next piece of the body, or b"" when it has ended (`ending` says how)."""
        self._start_waiting()
        return self._taken(len(self._unread)) if self._unread else self._arrival()

    def read_until(self, mark: bytes = b"\n\n") -> bytes:
        """Return the body up to and with `mark`; less when the body ends before."""
        self._start_waiting()
        looked_at = 0
        while (found := self._unread.find(mark, looked_at)) < 0:
            looked_at = max(len(self._unread) - len(mark) + 1, 0)
            if not (piece := self._arrival()):
                return self._taken(len(self._unread))
            self._unread += piece
        return self._taken(found + len(mark))

    def read_all(self) -> bytes:
        """Return the rest of the body."""
        self._start_waiting()
        while piece := self._arrival():
            self._unread += piece
        return self._taken(len(self._unread))

    def hang_up(self) -> None:
        self.connection.hang_up()

    def reset(self) -> None:
        self.connection.reset()

    def half_close(self) -> None:
        self.connection.half_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.socket.close()

    def _start_waiting(self) -> None:
        self._deadline = time.monotonic() + self.connection.timeout

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def _arrival(self) -> bytes:
        while self.ending is None:
            data = next(self._parts, b"")
            if data is None:
                self._receive()
            elif data:
                self.pieces.append(Piece(time.monotonic(), data))
                return data
            else:
                self.ending = "complete"
        return b""

    def _receive(self) -> None:
        try:
            self.connection.receive(self._deadline)
        except EOFError:
            self.ending = "cut" if self._has_end_mark else "closed"
        except ConnectionResetError:
            self.ending = "reset"

    # The framings give None for "receive more": a reading call that times out leaves them intact.

    def _framing(self, method: str) -> Iterator[bytes | None]:
        if method == "HEAD" or self.status in {204, 304}:
            return iter(())
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunked()
        if "content-length" in self.headers:
            return self._counted(int(self.headers["content-length"]))
        self._has_end_mark = False
        return self._counted(sys.maxsize)

    def _chunked(self) -> Iterator[bytes | None]:
        while size := int((yield from self._line()).partition(b";")[0], 16):
            yield from self._counted(size)
            yield from self._line()
        while (yield from self._line()):  # trailers
            pass

    def _counted(self, size: int) -> Iterator[bytes | None]:
        while size:
            if data := self.connection.take(size):
                size -= len(data)
                yield data
            else:
                yield None

    def _line(self) -> Generator[None, None, bytes]:
        while b"\r\n" not in self.connection.buffer:
            yield None
        line = self.connection.take(self.connection.buffer.index(b"\r\n") + 2)
        return line[:-2]
