r"""A service writes the letters of its failure as escapes, `\u0065rror`: readers of JSON see the letters."""

from __future__ import annotations

import json
import re

import pytest

from sse_bridge import Ending, Summary
from sse_bridge.wsgi import stream

WORD = {
    "id": "1",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "x"}}],
}
DONE = b"data: [DONE]\n\n"

FAILURES = {
    "an error of openai's": ([WORD], {"error": {"message": "No.", "code": "c"}}),
    "an error in a choice of openai's": (
        [WORD],
        {**WORD, "choices": [{"index": 0, "delta": {}, "error": {"message": "No."}}]},
    ),
    "a finish_reason that is an error": (
        [WORD],
        {**WORD, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
    ),
    "an error of minimax's": (
        [WORD],
        {**WORD, "choices": [], "base_resp": {"status_code": 1002, "status_msg": "No."}},
    ),
    "an error of anthropic's": ([{"type": "message_start"}], {"type": "error", "error": {}}),
    "an error of the responses api's": (
        [{"type": "response.created"}],
        {"type": "response.failed"},
    ),
    "an error of the ai sdk's": ([{"type": "text-start"}], {"type": "error", "errorText": "No."}),
    "an error of ag-ui's": ([{"type": "RUN_STARTED"}], {"type": "RUN_ERROR", "message": "No."}),
}


def framed(chunk: object) -> bytes:
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def in_escapes(frame: bytes) -> bytes:
    """The same with each sign of a word of its JSON as an escape."""
    return re.sub(
        rb'(?<=")[\w.-]+(?=")', lambda word: b"".join(b"\\u%04x" % sign for sign in word[0]), frame
    )


def relayed(*frames: bytes) -> Ending:
    told: list[Summary] = []
    list(stream(iter(frames), {}, adapter="frames", on_end=told.append))
    return told[0].ending


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_cannot_hide_in_escapes_from_whoever_relays_it(name: str):
    begun, failed = FAILURES[name]
    frames = [*map(framed, begun), in_escapes(framed(failed)), DONE]
    assert relayed(*frames) is Ending.FAILED


def test_a_protocol_cannot_hide_in_escapes_so_that_its_cut_reads_as_a_good_end():
    assert relayed(in_escapes(framed(WORD))) is Ending.FAILED


def test_a_text_that_quotes_escapes_is_no_failure():
    said = json.dumps(r'{"\u0065rror": {"message": "No."}}')
    frame = framed(WORD).replace(b'"x"', said.encode())
    assert relayed(framed(WORD), frame, DONE) is Ending.FINISHED
