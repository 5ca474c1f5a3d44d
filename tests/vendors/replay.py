"""A service on loopback that answers every request with the same bytes, as they once came over the wire."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS = "text/event-stream"
PATIENCE = 5.0


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that has gone is nothing to be told."""


@contextlib.contextmanager
def replay(
    wire: bytes, media_type: str = EVENTS, *, status: int = 200, cut: bool = False, **headers: str
) -> Iterator[str]:
    """The base URL of a service that answers with `wire`; `cut`, whether the connection breaks behind it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(wire), wire) if wire else b"")
            if not cut:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = cut

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def as_events(events: Iterable[dict[str, Any]], *, named: bool = True) -> bytes:
    """Events as most services send them: each object's ``type`` is its event's name, too."""
    frames = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        frames.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join(frames).encode()


def as_lines(objects: Iterable[Any]) -> bytes:
    """Objects as lines of JSON."""
    return b"".join(json.dumps(thing).encode() + b"\n" for thing in objects)
