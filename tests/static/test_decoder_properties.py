"""What holds for the browser's decoder: any events and any bytes, however cut, mean what they mean in Python."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import components
from sse_bridge.wire import Decoder
from test_wire_properties import as_read, bytewise, silent, some, spoken, streams

HERE = Path(__file__).parent

Outcome = tuple[list[list[str]], str, float | None]  # events, last event id, retry
Read = Callable[[bytes, list[int]], list[Outcome]]

several = st.lists(spoken | silent, max_size=6)
cuts = st.lists(st.integers(0, 10**6), max_size=20)


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    """Reads a stream whole, byte by byte, cut in two at each place, and cut as asked."""
    command = [components.program("node"), str(HERE / "decode.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None

        def ask(stream: bytes, cuts: list[int]) -> list[Outcome]:
            places = sorted(cut % (len(stream) + 1) for cut in cuts)
            task = {"stream": base64.b64encode(stream).decode(), "cuts": places}
            node.stdin.write(json.dumps(task).encode() + b"\n")
            node.stdin.flush()
            return [outcome(*each) for each in json.loads(node.stdout.readline())]

        try:
            yield ask
        finally:
            with suppress(BrokenPipeError):
                node.stdin.close()
            node.wait(timeout=10)


def outcome(events: list[list[str]], last_id: str, retry: str) -> Outcome:
    return events, last_id, None if retry == "undefined" else float(retry)


def in_python(stream: bytes) -> Outcome:
    decoder = Decoder()
    found: list[Any] = []
    for byte in bytewise(stream):  # so that each event finds the id that is in force with it
        found += [(each, decoder.last_event_id) for each in decoder.feed(byte)]
    events = [[each.event or "message", each.data, last_id] for each, last_id in found]
    return events, decoder.last_event_id, None if decoder.retry is None else float(decoder.retry)


def as_given(events: list[Any]) -> Outcome:
    """What a reader gets of these events, told from what they were made with."""
    found: list[Any] = []
    last_id, retry = "", None
    for event in events:
        last_id = last_id if event.id is None else event.id
        retry = retry if event.retry is None else float(event.retry)
        if event.data is not None:
            found.append([event.event or "message", as_read(event).data, last_id])
    return found, last_id, retry


@some
@given(events=several, cuts=cuts)
def test_any_events_come_back_whatever_the_cut(
    read: Read, events: list[Any], cuts: list[int]
) -> None:
    stream = b"".join(event.encode() for event in events)
    assert read(stream, cuts) == [as_given(events)]


@some
@given(stream=streams, cuts=cuts)
@example(b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata\r\r\n", [1, 2, 4])
@example(b"data: \xed\xa0\x80\r\n\r\n\r\ndata\n\n", [7, 8])
def test_any_bytes_mean_what_they_mean_in_python(
    read: Read, stream: bytes, cuts: list[int]
) -> None:
    assert read(stream, cuts) == [in_python(stream)]


@some
@given(stream=st.binary(max_size=60), cuts=cuts)
def test_raw_bytes_mean_what_they_mean_in_python(
    read: Read, stream: bytes, cuts: list[int]
) -> None:
    wrapped = b"id: 1\ndata: " + stream + b"\n\ndata: next\n\n"
    assert read(wrapped, cuts) == [in_python(wrapped)]
