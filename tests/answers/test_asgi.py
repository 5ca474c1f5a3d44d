"""ASGI's messages for answers that are no streams."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sse_bridge import UpstreamError
from sse_bridge.answers.asgi import (
    answer,
    answer_early,
    header,
    is_finished,
    raw,
    retry_after,
    ways,
)
from sse_bridge.options import Options
from sse_bridge.registry import ShuttingDown


class Client:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, message: Any) -> None:
        self.sent.append(message)


def start(status: int, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def test_an_answer_has_its_length_unless_it_may_have_none():
    client = Client()
    asyncio.run(answer(client.send, 503, [(b"retry-after", b"1")]))
    asyncio.run(answer(client.send, 204, []))
    length = (b"content-length", b"0")
    told = [start(503, (b"retry-after", b"1"), length), body(b""), start(204), body(b"")]
    assert client.sent == told


def test_a_failure_of_the_service_is_answered_and_the_apps_own_is_not():
    client = Client()
    early = answer_early(
        client.send, UpstreamError("busy", status_code=503), Options(), [("X", "y")]
    )
    assert asyncio.run(early)
    assert client.sent[0]["status"] == 503
    assert (b"x", b"y") in client.sent[0]["headers"]
    own = Client()
    assert not asyncio.run(answer_early(own.send, LookupError("own"), Options()))
    assert own.sent == []


def test_a_driver_begins_with_the_message_that_it_was_given():
    client = Client()
    begin, write = ways(client.send, start(200))
    asyncio.run(begin())
    asyncio.run(write(b"a", True))
    asyncio.run(write(b"", False))
    assert client.sent == [start(200), body(b"a", more=True), body(b"")]


@pytest.mark.parametrize(
    "headers, finished",
    [([(b"last-event-id", b"[DONE]")], True), ([(b"last-event-id", b"7")], False), ([], False)],
)
def test_a_reconnect_after_a_finished_stream_says_so(headers: Any, finished: bool):
    assert is_finished({"headers": headers}) is finished


def test_headers_are_bytes_in_lower_case_and_several_are_one_list():
    scope = {"headers": raw([("Accept", "a"), ("Other", "c"), ("accept", "b")])}
    assert (header(scope, b"accept"), header(scope, b"none")) == ("a,b", "")


def test_when_to_try_again_is_a_header():
    assert retry_after(ShuttingDown()) == (b"retry-after", b"1")
