"""Bedrock's events by boto3, which takes them out of Amazon's frames."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from recorded.bedrock import ANSWER, START, TOLD, failure, stop, text
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import replay

boto3 = vendor("boto3")
config = vendor("botocore.config")

FRAMES = "application/vnd.amazon.eventstream"


def framed(events: Iterable[dict[str, Any]]) -> bytes:
    """Events in frames of Amazon's, as they come over the wire; botocore can read them only."""
    return b"".join(_frame(*event.popitem()) for event in map(dict, events))


def _frame(kind: str, event: Any) -> bytes:
    is_failure = kind.endswith("Exception")
    headers = {
        ":exception-type" if is_failure else ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception" if is_failure else "event",
    }
    head = b"".join(_string(name, 1) + b"\x07" + _string(headers[name], 2) for name in headers)
    payload = json.dumps(event).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    checked = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return checked + struct.pack(">I", zlib.crc32(checked))


def _string(text: str, width: int) -> bytes:
    return len(text).to_bytes(width, "big") + text.encode()


def ask(url: str) -> Iterator[Any]:
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=config.Config(retries={"total_max_attempts": 1}),
    )
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    try:
        stream = client.converse_stream(modelId="m", messages=messages)["stream"]
        try:
            yield from stream
        finally:
            stream.close()
    finally:
        client.close()


@pytest.mark.parametrize("adapter", ["auto", "bedrock"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(adapter: str):
    with replay(framed(ANSWER), FRAMES) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


def test_under_plain_each_event_is_its_json_and_the_summary_knows_the_rest():
    with replay(framed(ANSWER), FRAMES) as url:
        said, summary = as_plain(lambda: ask(url))
    assert said == ANSWER
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "malformed_tool_use"),
    ],
)
def test_a_reason_to_stop_is_told_in_the_words_that_clients_know(reason: str, finish: str):
    with replay(framed([START, *text(0, "Hello"), *stop(reason)]), FRAMES) as url:
        assert_answers(lambda: ask(url), Answer("Hello", finish=finish, usage=(7, 9, 16)))


def test_two_messages_of_one_source_are_one_answer():
    def both(url: str) -> Iterator[Any]:
        yield from ask(url)
        yield from ask(url)

    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=TOLD.calls * 2, usage=(14, 18, 32)
    )
    with replay(framed(ANSWER), FRAMES) as url:
        assert_answers(lambda: both(url), twice)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("throttlingException", "rate_limited"),
        ("serviceUnavailableException", "overloaded"),
        ("internalServerException", "upstream_error"),
        ("modelStreamErrorException", "upstream_error"),
        ("validationException", "bad_request"),
    ],
)
def test_an_exception_in_mid_stream_is_a_failure_with_its_code(kind: str, code: str):
    with replay(framed([START, *text(0, "Hel"), failure(kind)]), FRAMES) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


def test_a_connection_that_breaks_in_mid_stream_is_a_failure():
    with replay(framed([START, *text(0, "Hel")]), FRAMES, cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer.text == "Hel"
    assert answer.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "ThrottlingException", "rate_limited"),
        (503, "ServiceUnavailableException", "overloaded"),
        (403, "AccessDeniedException", "credentials_refused"),
        (408, "ModelTimeoutException", "upstream_timeout"),
        (400, "ValidationException", "bad_request"),
    ],
)
def test_a_refused_request_is_a_failure_with_its_code(status: int, kind: str, code: str):
    headers = {"X_Amzn_ErrorType": kind}
    with replay(b'{"message":"m"}', "application/json", status=status, **headers) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
