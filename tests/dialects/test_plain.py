"""Text as it is, an object as one line of JSON, `done` or `error` at the end."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunks import run, told
from sse_bridge import Decoder, ServerSentEvent, dialects
from sse_bridge.drivers.plain import drive
from sse_bridge.options import Options
from sse_bridge.parts import Failure, Native, Start, Value

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


def said(part):
    return dialects.Plain().voice()(part)


@pytest.mark.parametrize(
    "text, frame",
    [
        ("x", b"data: x\n\n"),
        (" x", b"data:  x\n\n"),
        ("a\nb", b"data: a\ndata: b\n\n"),
        ("a\r\nb\rc", b"data: a\ndata: b\ndata: c\n\n"),
        ("\n", b"data: \ndata: \n\n"),
        ("data: x\n\n", b"data: data: x\ndata: \ndata: \n\n"),
        ("你好🌍\u2028", "data: 你好🌍\u2028\n\n".encode()),
    ],
)
def test_text_is_data_as_it_is(text, frame):
    assert said(text) == frame


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n:"), min_size=1))
def test_a_client_reads_the_text_that_was_written(text):
    (event,) = Decoder().feed(said(text))
    assert event.data == text.replace("\r\n", "\n").replace("\r", "\n")
    assert (event.event, event.id) == (None, None)


def test_an_object_is_one_line_of_json():
    assert said(Value(b'{"a":1}')) == b'data: {"a":1}\n\n'
    assert said(Native("openai", b'{"a":1}', "stop", None)) == b'data: {"a":1}\n\n'


def test_it_begins_with_nothing():
    assert said(Start("id-1", 1)) == b""


def test_a_failure_is_an_event_error_without_an_id():
    assert said(Failure("m", "shutdown", retryable=True)) == (
        b'event: error\ndata: {"code":"shutdown","message":"m","retryable":true}\n\n'
    )


def test_a_finished_stream_ends_with_done_and_its_id():
    assert run(["a", "b"]) == b"data: a\n\ndata: b\n\n" + DONE
    assert run([]) == DONE


def test_a_failed_stream_ends_with_the_error_and_shows_nothing_of_it():
    def breaking():
        yield "a"
        raise RuntimeError("never on the wire")

    assert run(breaking()) == (
        b'data: a\n\nevent: error\ndata: {"code":"upstream_error",'
        b'"message":"The answer was interrupted by an error.","retryable":true}\n\n'
    )


def test_a_reader_learns_the_id_of_a_finished_stream_only():
    decoder = Decoder()
    decoder.feed(run(["a"]))
    assert decoder.last_event_id == "[DONE]"
    *_, (name, _error) = told(["a", float("nan")])
    assert name == "error"
    decoder = Decoder()
    decoder.feed(run(["a", float("nan")]))
    assert decoder.last_event_id == ""


def driven(chunks, **options):
    """A stream whose source takes ten seconds for each chunk."""
    clock = count(0, 10).__next__
    return b"".join(drive(chunks, Options(hold=0, ping=5, **options), clock))


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_a_ping_comes_in_silence_and_between_frames(dialect):
    frames = driven(["a", None, "b", "", None], dialect=dialect).split(b"\n\n")
    quiet = run(["a", "b"], dialect=dialect).split(b"\n\n")
    assert [frame for frame in frames if frame == b": ping"] == [b": ping"] * 3
    assert len([frame for frame in frames if frame != b": ping"]) == len(quiet)
    assert frames.index(b": ping") == 1


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_after_an_id_a_ping_is_one_line_and_makes_no_event(dialect):
    body = driven([ServerSentEvent("a", id="7"), None, None, "b"], dialect=dialect)
    assert body.startswith(b"id: 7\ndata: a\n\n: ping\n: ping\n")
    assert b": ping\n\n" not in body
    quiet = run([ServerSentEvent("a", id="7"), "b"], dialect=dialect)
    assert len(Decoder().feed(body)) == len(Decoder().feed(quiet))


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_retry_is_a_line_of_the_first_frame(dialect):
    body = run(["a", "b"], dialect=dialect, retry=3000)
    assert body.startswith(b"retry: 3000\n")
    assert body[len(b"retry: 3000\n")] != ord("\n")
    decoder = Decoder()
    events = decoder.feed(body)
    assert (decoder.retry, events[0].retry, events[1].retry) == (3000, 3000, None)


@pytest.mark.parametrize("chunk", [float("nan")])
@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_what_cannot_be_written_first_is_raised_while_nothing_was_said(dialect, chunk):
    with pytest.raises(ValueError, match=r"surrogate|nan"):
        run([chunk], dialect=dialect)
