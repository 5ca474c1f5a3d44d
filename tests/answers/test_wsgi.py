"""Answers that are no streams, by start_response."""

from __future__ import annotations

from typing import Any

from sse_bridge import UpstreamError
from sse_bridge.answers.wsgi import answer_early, is_finished, refuse
from sse_bridge.options import Options
from sse_bridge.registry import ShuttingDown


class Server:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.status, self.headers = "", {}

    def start_response(self, status: str, headers: Any) -> None:
        self.status, self.headers = status, dict(headers)


def test_where_no_stream_can_be_it_is_said_when_to_try_again():
    server = Server()
    assert refuse(server.start_response, ShuttingDown(), [("Vary", "Accept")]) == ()
    assert server.status == "503 Service Unavailable"
    told = {"Content-Type": "text/plain", "Content-Length": "0", "Retry-After": "1"}
    assert server.headers == {**told, "Vary": "Accept"}


def test_a_failure_of_the_service_is_answered_with_its_length():
    server, busy = Server(), UpstreamError("busy", status_code=503)
    told = answer_early(server.start_response, busy, Options(), [("Vary", "Accept")])
    assert told is not None
    assert server.status == "503 Service Unavailable"
    assert server.headers["Content-Length"] == str(len(told[0]))
    assert server.headers["Vary"] == "Accept"


def test_the_apps_own_is_the_servers_unless_it_would_take_it_for_its_connections():
    server = Server()
    assert answer_early(server.start_response, LookupError("own"), Options()) is None
    assert server.status == ""
    told = answer_early(server.start_response, OSError("a file of the app's"), Options())
    assert (server.status, told) == ("500 Internal Server Error", (b"Internal Server Error",))


def test_a_reconnect_after_a_finished_stream_says_so():
    assert is_finished({"HTTP_LAST_EVENT_ID": "[DONE]"})
    assert not is_finished({"HTTP_LAST_EVENT_ID": "7"})
    assert not is_finished({})
