"""What a stream counts, the times that it keeps, and what it makes of somebody else's frames."""

from __future__ import annotations

from math import inf

import pytest

from sse_bridge import UpstreamError
from sse_bridge.parts import (
    Finish,
    Frame,
    Part,
    Raw,
    Reasoning,
    Start,
    ToolCall,
    Usage,
)
from sse_bridge.stream import PINGS, Stream
from sse_bridge.times import FIRST_PING, Limits
from steps import cost
from streams import open_stream, started

PING = b": ping\n\n"
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


# -- what is counted ------------------------------------------------------------------------------


def test_times_count_from_the_start_and_the_first_chunk_is_heard_once():
    stream = started(at=100.0)
    stream.feed(["a"], 101.5)
    stream.feed(["b"], 102.0)
    stream.finish(103.0)
    summary = stream.summary(999.0)
    assert (summary.time_to_first_chunk, summary.duration) == (1.5, 3.0)


def test_a_stream_whose_client_left_lasted_until_it_is_summed_up():
    stream = started(at=100.0)
    stream.gone()
    summary = stream.summary(104.0)
    assert (summary.time_to_first_chunk, summary.duration) == (None, 4.0)


def test_time_that_is_skipped_has_passed_for_the_stream():
    stream = started(at=100.0)
    stream.feed(["a"], 101.0)
    stream.advance(4.0)
    assert stream.deadline == 112.0
    stream.gone()
    assert stream.summary(102.0).duration == 6.0


def test_before_its_end_a_stream_is_not_summed_up():
    with pytest.raises(AssertionError, match="made once the stream has ended"):
        started().summary(1.0)


def test_chunks_events_bytes_and_pings_are_what_came_and_what_left():
    stream = started(retry=3)
    written = stream.feed(["a", "b"], 0.0, chunks=2)
    written += stream.feed([], 1.0)
    written += stream.feed(["rest"], 1.0, chunks=0)
    written += stream.tick(16.0) + stream.probe(17.0)
    written += stream.feed([Frame(b"id: 1\ndata: c\n\ndata: d\n\n")], 18.0)
    written += stream.tick(40.0) + stream.finish(41.0)
    summary = stream.summary(41.0)
    assert (summary.chunks, summary.events, summary.pings) == (4, 6, 3)
    assert summary.bytes == len(written)


def test_a_kind_that_says_nothing_is_no_event():
    stream = started()
    stream.feed(["a", b"1", Usage(1, 1, 2)], 0.0)
    stream.gone()
    assert stream.summary(0.0).events == 2


def test_a_lone_part_costs_half_of_what_others_cost():
    stream, parts = started(), ["text"] * 100
    stream.feed(["a"], 0.0)
    lone = cost(lambda: lambda part: stream.lone(part, 0.0), parts)
    fed = cost(lambda: lambda part: stream.feed((part,), 0.0), parts)
    assert 2 * lone.bytecodes < fed.bytecodes


def test_what_is_gathered_up_is_gathered_from_each_part():
    stream = started(collect=True)
    stream.feed(["a"], 0.0)
    stream.lone("b", 1.0)
    stream.lone("c", 1.0)
    stream.feed([Reasoning("r"), Finish("stop"), Usage(1, 2, 3)], 1.0)
    stream.finish(2.0)
    summary = stream.summary(2.0)
    assert (summary.text, summary.reasoning, summary.finish_reason) == ("abc", "r", "stop")
    assert summary.usage == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def test_what_is_not_asked_for_is_not_gathered():
    stream = started()
    stream.feed(["a"], 0.0)
    stream.finish(1.0)
    assert stream.summary(1.0).text is None


# -- times, and words that users read -------------------------------------------------------------


def test_the_times_that_hold_where_none_are_given():
    assert Limits() == (15.0, 5.0, inf, inf, inf)
    assert FIRST_PING == 0.25
    assert PINGS == (b": ping\n\n", b": ping\n")


def test_before_its_start_a_stream_waits_for_nothing():
    assert open_stream().deadline == inf


def test_a_ping_that_is_due_early_anyway_comes_no_later():
    stream = open_stream(limits=Limits(hold=0, ping=0.125))
    stream.start(10.0)
    assert stream.deadline == 10.125


@pytest.mark.parametrize(
    "limits, words, code, status_code",
    [
        (Limits(stall_timeout=1.0), "The source was silent for too long.", "upstream_stalled", 504),
        (Limits(max_duration=1.0), "The stream reached its max_duration.", "max_duration", 504),
    ],
)
def test_whose_patience_has_ended_is_told_in_words(
    limits: Limits, words: str, code: str, status_code: int
):
    stream = started(limits=limits)
    stream.feed(["a"], 0.0)
    assert f'"code":"{code}","message":"{words}"'.encode() in stream.tick(1.0)
    assert isinstance(stream.error, UpstreamError)
    assert (stream.error.code, stream.error.status_code) == (code, status_code)
    assert str(stream.error) == words


def test_a_failure_is_told_in_a_general_sentence():
    stream = started()
    stream.feed(["a"], 0.0)
    words = stream.fail(ValueError("the secret"), 0.0)
    assert b'"message":"The answer was interrupted by an error."' in words


# -- somebody else's frames -----------------------------------------------------------------------


FRAMES = b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n"


@pytest.mark.parametrize("size", [1, 2, 3, 9, 10, len(FRAMES)])
def test_frames_that_come_in_pieces_are_counted_once(size: int):
    stream = started()
    for at in range(0, len(FRAMES), size):
        piece = FRAMES[at : at + size]
        assert stream.feed([Frame(piece)], 0.0) == piece
    stream.gone()
    assert stream.summary(0.0).events == 4


@pytest.mark.parametrize(
    "piece, ping, lacking",
    [
        (b"data: a\n\n", PING, b""),
        (b"data: a\n", b": ping\n", b"\n"),
        (b"data: a\r\n", b": ping\n", b"\n"),
        (b"data: a", b"", b"\n\n"),
        (b"data: a\r", b"", b"\n\n"),
    ],
)
def test_amid_a_frame_a_ping_is_no_empty_line_and_amid_a_line_there_is_none(
    piece: bytes, ping: bytes, lacking: bytes
):
    stream = started()
    stream.feed([Frame(piece)], 0.0)
    assert stream.tick(15.0) == ping
    assert stream.deadline == 30.0
    words = stream.fail(ValueError(), 16.0)
    assert words.startswith(lacking + b"event: error\n")
    assert stream.summary(16.0).bytes == len(piece + ping + words)
    assert stream.summary(16.0).events == 2


def test_a_frame_that_was_cut_is_left_so_where_there_are_no_last_words():
    stream = started(say_end=False)
    stream.feed([Frame(b"data: a")], 0.0)
    assert stream.finish(1.0) == b""


def test_an_id_once_seen_stays_seen():
    for frames in (
        [Frame(b"id: 1\ndata: a\n\n"), Frame(b"data: b\n\n")],
        [ToolCall(0, "a", "b", "{}"), "b"],
    ):
        stream = Stream(with_ids, Start("", 0), Limits())
        stream.start(0.0)
        for frame in frames:
            stream.feed([frame], 0.0)
        assert stream.tick(15.0) == b": ping\n"


def test_a_frame_with_a_name_has_no_id():
    stream = Stream(with_ids, Start("", 0), Limits())
    stream.start(0.0)
    stream.feed(["b"], 0.0)
    stream.feed(["c"], 0.0)
    assert stream.tick(15.0) == PING
    assert (stream.ending, stream.error) == (None, None)
    stream.gone()
    assert stream.summary(15.0).events == 2


def with_ids(part: Part) -> bytes:
    """A voice whose tool calls have ids."""
    if isinstance(part, Frame):
        return part.data
    if isinstance(part, ToolCall):
        return b"id: 1\ndata: call\n\n"
    return b"event: text\ndata: x\n\n" if isinstance(part, str) else b""


def test_among_bytes_that_are_no_event_stream_nothing_of_ours_stands():
    for end, cut in (("finish", False), ("fail", True)):
        stream = started(retry=5)
        assert stream.feed([Raw(b"<html>")], 0.0) == b"<html>"
        assert stream.feed([Frame(b"\n")], 0.0) == b"\n"
        assert stream.tick(15.0) == stream.probe(16.0) == b""
        assert stream.deadline == 31.0
        words = stream.finish(17.0) if end == "finish" else stream.fail(ValueError(), 17.0)
        assert words == b""
        assert stream.cut is cut
        assert stream.summary(17.0).pings == 0
