r"""The test's end of a gate: an app's source waits for permits, and its end is seen here.

    with Gate() as gate, server.get(f"/?gate={gate.port}") as response:
        gate.release()
        assert response.read_until() == b"data: one\n\n"
        response.hang_up()
        gate.wait_closed()

The app's end is in apps/gates.py. A gate serves one source.
"""

import socket
import time
from typing import Self


class Gate:
    def __init__(self, timeout: float = 10.0) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(timeout)
        self.port: int = self._listener.getsockname()[1]
        self._timeout = timeout
        self._peer: socket.socket | None = None

    def accept(self) -> socket.socket:
        """Wait until the source has started."""
        if self._peer is None:
            self._peer, _ = self._listener.accept()
            self._peer.settimeout(self._timeout)
        return self._peer

    def release(self, permits: int = 1) -> None:
        self.accept().sendall(b"." * permits)

    def no_more(self) -> None:
        """The source is to end by itself."""
        self.accept().shutdown(socket.SHUT_WR)

    def wait_closed(self) -> float:
        """Wait until the source has been closed, and say when it was (`time.monotonic()`)."""
        try:
            while self.accept().recv(1):
                pass
        except ConnectionResetError:
            pass  # closed with permits unused
        return time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._peer is not None:
            self._peer.close()
