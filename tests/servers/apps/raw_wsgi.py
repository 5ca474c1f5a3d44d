"""Three frames by hand under WSGI; with `?gate=PORT` each waits for its permit."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

from gates import gate

FRAMES = (b"data: one\n\n", b"data: two\n\n", b"data: three\n\n")
HEADERS = [("Content-Type", "text/event-stream; charset=utf-8")]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", list(HEADERS))  # wsgiref adds to the very list that it is given
    if environ["REQUEST_METHOD"] == "HEAD":
        return iter(())
    port = parse_qs(environ["QUERY_STRING"]).get("gate")
    return gated(port[0]) if port else iter(FRAMES)


def gated(port: str) -> Iterator[bytes]:
    with gate(port) as wait:
        for frame in FRAMES:
            if not wait():
                return
            yield frame
