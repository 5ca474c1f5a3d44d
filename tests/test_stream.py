"""The state machine: parts and time in, bytes out; no clock, no sleep, no mock."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge import Ending, UpstreamError, dialects
from sse_bridge.failures import SerializationError
from sse_bridge.parts import (
    Broken,
    Finish,
    Frame,
    Native,
    Part,
    Reasoning,
    Start,
    ToolCall,
    Usage,
    Value,
)
from sse_bridge.stream import Stream
from sse_bridge.times import FIRST_PING, Limits
from streams import open_stream, started

PING = b": ping\n\n"
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


# -- held -----------------------------------------------------------------------------------------


def test_nothing_leaves_while_held():
    stream = started()
    assert stream.held
    assert stream.tick(4.9) == b""
    assert stream.held


def test_the_first_part_that_makes_bytes_commits():
    stream = started()
    assert stream.feed(["a"], 1.0) == b"data: a\n\n"
    assert not stream.held


def test_parts_that_make_no_bytes_do_not_commit():
    stream = started()
    assert stream.feed([Finish("stop")], 1.0) == b""
    assert stream.held


def test_when_hold_runs_out_the_stream_opens_with_a_ping_so_that_headers_leave():
    stream = started()
    assert stream.deadline == 5.0
    assert stream.tick(5.0) == PING
    assert not stream.held
    assert stream.deadline == 20.0


def test_without_pings_an_opening_in_silence_says_nothing():
    stream = started(limits=Limits(ping=inf))
    assert stream.tick(5.0) == b""
    assert not stream.held


def test_without_hold_the_stream_is_open_at_once_and_its_first_ping_does_not_wait_long():
    stream = open_stream(limits=Limits(hold=0))
    assert stream.start(0.0) == b""
    assert not stream.held
    assert stream.deadline == FIRST_PING
    assert stream.tick(FIRST_PING) == PING
    assert stream.deadline == FIRST_PING + 15.0


def test_without_hold_and_pings_there_is_none():
    stream = open_stream(limits=Limits(hold=0, ping=inf))
    stream.start(0.0)
    assert stream.deadline == inf


def test_hold_for_ever_waits_for_the_first_chunk():
    stream = started(limits=Limits(hold=inf))
    assert stream.deadline == inf
    assert stream.tick(1e9) == b""
    assert stream.held


def test_a_failure_while_held_says_nothing_and_leaves_the_error_to_be_raised():
    stream, error = started(), RuntimeError("early")
    assert stream.fail(error, 1.0) == b""
    assert stream.held
    assert stream.ending is Ending.FAILED
    assert stream.error is error


def test_an_empty_source_is_a_finished_stream():
    stream = started()
    assert stream.finish(1.0) == DONE
    assert not stream.held


# -- pings ----------------------------------------------------------------------------------------


def test_a_ping_counts_the_silence_since_the_last_byte_written():
    stream = started()
    stream.feed(["a"], 1.0)
    stream.feed(["b"], 10.0)
    assert stream.deadline == 25.0
    assert stream.tick(24.9) == b""
    assert stream.tick(25.0) == PING
    assert stream.tick(39.9) == b""
    assert stream.tick(40.0) == PING


def test_parts_without_bytes_do_not_end_the_silence_on_the_wire():
    stream = started()
    stream.feed(["a"], 0.0)
    stream.feed([], 10.0)
    assert stream.tick(15.0) == PING


def test_a_ping_has_one_line_end_for_those_who_read_lines():
    stream = started(line_pings=True)
    assert stream.tick(5.0) == stream.probe(6.0) == b": ping\n"
    assert stream.feed(["a"], 7.0) == b"data: a\n\n"


def test_after_an_id_a_ping_has_one_line_end():
    stream = started()
    stream.feed([Frame(b"data: a\n\nid: 7\ndata: b\n\n")], 0.0)
    assert stream.tick(15.0) == b": ping\n"


@pytest.mark.parametrize(
    "frame", [b"id: 1\ndata: a\n\n", b"data: a\rid: 1\r\r", b"data:a\r\nid\r\n\r\n"]
)
def test_an_id_is_seen_whatever_the_line_ends(frame: bytes):
    stream = started()
    stream.feed([Frame(frame)], 0.0)
    assert stream.tick(15.0) == b": ping\n"


@pytest.mark.parametrize("hold", [0.0, 5.0])
def test_an_id_is_seen_in_the_opening_too(hold: float):
    def write(part: Part) -> bytes:
        return b"id: 1\ndata: start\n\n" if isinstance(part, Start) else b"data: x\n\n"

    stream = Stream(write, Start("id-1", 1), Limits(hold=hold))
    stream.start(0.0)
    stream.feed(["a"], 0.0)
    assert stream.tick(15.0) == b": ping\n"


def test_text_about_ids_is_no_id():
    stream = started()
    stream.feed(["id: 1\nid: 2"], 0.0)
    assert stream.tick(15.0) == PING


# -- patience -------------------------------------------------------------------------------------


def test_a_source_that_never_speaks_stalls():
    stream = started(limits=Limits(hold=0.5, first_chunk_timeout=3.0))
    assert stream.tick(0.5) == PING
    assert stream.deadline == 3.0
    words = stream.tick(3.0)
    assert stream.ending is Ending.STALLED
    assert words.startswith(b'event: error\ndata: {"code":"upstream_stalled"')
    assert b'"retryable":true' in words


def test_a_stall_while_held_is_an_error_to_raise():
    stream = started(limits=Limits(first_chunk_timeout=3.0))
    assert stream.tick(3.0) == b""
    assert stream.held
    assert isinstance(stream.error, UpstreamError)
    assert (stream.error.status_code, stream.error.code) == (504, "upstream_stalled")


def test_pings_do_not_hide_a_silent_source():
    stream = started(limits=Limits(ping=1.0, stall_timeout=2.5))
    stream.feed(["a"], 0.0)
    assert stream.tick(1.0) == PING
    assert stream.tick(2.0) == PING
    stream.tick(2.5)
    assert stream.ending is Ending.STALLED


def test_a_chunk_without_bytes_still_shows_that_the_source_lives():
    stream = started(limits=Limits(stall_timeout=2.0))
    stream.feed(["a"], 0.0)
    stream.feed([], 1.5)
    stream.tick(3.0)
    assert stream.ending is None
    stream.tick(3.5)
    assert stream.ending is Ending.STALLED


def test_stall_timeout_does_not_apply_before_the_first_chunk():
    stream = started(limits=Limits(stall_timeout=1.0))
    stream.tick(4.0)
    assert stream.ending is None


def test_a_stream_lasts_no_longer_than_max_duration_however_busy():
    stream = started(limits=Limits(max_duration=10.0))
    stream.feed(["a"], 9.9)
    words = stream.tick(10.0)
    assert stream.ending is Ending.EXPIRED
    assert b'"code":"max_duration"' in words
    assert b'"retryable":false' in words


def test_shutdown_tells_the_client_to_come_back():
    stream = started()
    stream.feed(["a"], 0.0)
    words = stream.shutdown(1.0)
    assert stream.ending is Ending.SHUTDOWN
    assert b'"code":"shutdown"' in words
    assert b'"retryable":true' in words


@pytest.mark.parametrize(("retry", "told"), [(None, 1000), (0, 0), (250, 250)])
@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_the_frame_that_tells_of_a_shutdown_says_when_to_come_back(
    dialect: str, retry: int | None, told: int
):
    stream = started(dialect=dialect, retry=retry)
    stream.feed(["a"], 0.0)
    frame, *_ = stream.shutdown(1.0).split(b"\n\n")
    assert frame.startswith(b"retry: %d\n" % told)
    assert frame.count(b"retry:") == 1
    assert b"The server is shutting down." in frame
    assert b"shutdown" in frame


def test_a_shutdown_while_held_is_a_503_for_the_face_to_raise():
    stream = started(retry=250)
    assert stream.shutdown(1.0) == b""
    assert stream.held
    assert isinstance(stream.error, UpstreamError)
    assert (stream.error.status_code, stream.error.code) == (503, "shutdown")
    assert stream.error.retryable


def test_describe_has_its_word_over_a_shutdown_too():
    stream = started(describe=lambda error, _code: f"Sorry: {error}")
    stream.feed(["a"], 0.0)
    assert b'"message":"Sorry: The server is shutting down."' in stream.shutdown(1.0)


# -- endings --------------------------------------------------------------------------------------


def test_a_failure_after_text_ends_in_the_dialect_with_a_general_sentence():
    stream = started(dialect="openai")
    stream.feed(["a"], 0.0)
    words = stream.fail(ValueError("the secret"), 1.0)
    assert words.count(b"data: ") == 2
    assert words.endswith(b"data: [DONE]\n\n")
    assert b"secret" not in words
    assert b"ValueError" not in words


def test_describe_chooses_what_the_client_sees():
    stream = started(describe=lambda error, _code: f"sorry: {error}")
    stream.feed(["a"], 0.0)
    assert b'"message":"sorry: quota"' in stream.fail(ValueError("quota"), 1.0)


def test_what_cannot_be_written_ends_the_stream_behind_what_could():
    def write(part: object) -> bytes:
        if part == "bad":
            raise SerializationError("no words for it")
        return voice(part)  # type: ignore[arg-type]

    voice = dialects.by_name("plain").voice()
    stream = Stream(write, Start("", 0), Limits())
    stream.start(0.0)
    words = stream.feed(["good", "bad", "never"], 0.0)
    assert words.startswith(b"data: good\n\nevent: error\n")
    assert b'"code":"serialization_error"' in words
    assert b'"retryable":false' in words
    assert b"never" not in words
    assert stream.ending is Ending.FAILED


def test_a_serialization_error_of_an_adapter_has_the_same_code():
    stream = started()
    stream.feed(["a"], 0.0)
    assert b'"code":"serialization_error"' in stream.fail(SerializationError("NaN"), 0.0)


def test_an_error_that_knows_it_is_final_is_told_as_such():
    stream = started()
    stream.feed(["a"], 0.0)
    assert b'"retryable":false' in stream.fail(UpstreamError("no key", retryable=False), 0.0)


@pytest.mark.parametrize(
    ("status_code", "retryable"), [(401, b"false"), (429, b"true"), (None, b"true")]
)
def test_whether_to_try_again_is_read_off_an_errors_status(
    status_code: int | None, retryable: bytes
):
    class Refused(Exception):
        pass

    error = Refused()
    error.status_code = status_code  # type: ignore[attr-defined]
    for failure in (error, UpstreamError("x", status_code=status_code)):
        stream = started()
        stream.feed(["a"], 0.0)
        assert b'"retryable":' + retryable in stream.fail(failure, 0.0)


def test_a_stream_of_foreign_frames_leaves_the_good_end_to_them_and_tells_a_failure():
    finished, failed = started(say_end=False), started(say_end=False)
    for stream in (finished, failed):
        stream.feed([Frame(b"data: a\n\n")], 0.0)
    assert finished.finish(1.0) == b""
    assert failed.fail(ValueError(), 1.0).startswith(b"event: error\n")


def test_an_end_frame_that_the_source_sent_is_not_sent_again():
    stream = started(dialect="openai")
    stream.feed([Frame(b"data: [DONE]\n\n")], 0.0)
    assert stream.finish(1.0) == b""
    assert stream.ending is Ending.FINISHED


@pytest.mark.parametrize("ending", [Ending.GONE, Ending.SLOW])
def test_for_nobody_there_are_no_bytes(ending: Ending):
    stream = started()
    stream.gone(ending)
    assert stream.ending is ending
    assert stream.finish(1.0) == b""


def test_the_first_ending_wins():
    stream = started()
    stream.feed(["a"], 0.0)
    stream.finish(1.0)
    stream.gone()
    stream.fail(ValueError(), 2.0)
    assert stream.ending is Ending.FINISHED
    assert stream.error is None
    assert stream.deadline == inf


def test_a_dialect_that_fails_over_its_last_words_says_none():
    def write(part: object) -> bytes:
        if isinstance(part, str):
            return b"data: x\n\n"
        raise LookupError("no words")

    stream = Stream(
        lambda part: b"" if isinstance(part, Start) else write(part), Start("", 0), Limits()
    )
    stream.start(0.0)
    stream.feed(["x"], 0.0)
    assert stream.finish(1.0) == b""
    assert isinstance(stream.error, LookupError)


def test_what_the_dialect_says_first_is_counted_when_it_leaves_and_once():
    opening = b"data: start\n\n"

    def write(part: object) -> bytes:
        return opening if isinstance(part, Start) else b"data: x\n\n"

    failed = Stream(write, Start("", 0), Limits())
    failed.start(0.0)
    failed.fail(ValueError(), 1.0)
    assert (failed.summary(1.0).events, failed.summary(1.0).bytes) == (0, 0)
    stream = Stream(write, Start("", 0), Limits())
    stream.start(0.0)
    written = stream.feed(["x"], 1.0)
    stream.gone()
    assert written == opening + b"data: x\n\n"
    assert (stream.summary(1.0).events, stream.summary(1.0).bytes) == (2, len(written))


# -- retry ----------------------------------------------------------------------------------------


def test_retry_is_a_line_of_the_first_frame_never_a_block_of_its_own():
    stream = started(retry=3000)
    assert stream.tick(5.0) == PING
    assert stream.feed(["a"], 6.0) == b"retry: 3000\ndata: a\n\n"
    assert stream.feed(["b"], 7.0) == b"data: b\n\n"


def test_retry_is_told_even_if_the_only_frame_is_the_end():
    assert started(retry=0).finish(1.0) == b"retry: 0\n" + DONE


# -- laws -----------------------------------------------------------------------------------------

PARTS = st.lists(
    st.sampled_from(
        [
            "text",
            "",
            "\ud800",
            Reasoning("r"),
            Finish("stop"),
            Usage(1, 1, 2),
            ToolCall(0, "a", "b", "{}"),
            Frame(b"id: 1\ndata: x\n\n"),
        ]
    ),
    max_size=3,
)
INPUTS = st.one_of(
    st.tuples(st.just("feed"), PARTS),
    st.tuples(st.just("fail"), st.sampled_from([ValueError("x"), SerializationError("y")])),
    st.tuples(st.sampled_from(["tick", "finish", "shutdown", "gone"]), st.none()),
)
LIMITS = st.builds(
    Limits,
    ping=st.sampled_from([0.5, 2.0, inf]),
    hold=st.sampled_from([0.0, 1.0, inf]),
    first_chunk_timeout=st.sampled_from([1.5, inf]),
    stall_timeout=st.sampled_from([1.5, inf]),
    max_duration=st.sampled_from([4.0, inf]),
)


def apply(stream: Stream, word: str, argument: Any, now: float) -> bytes:
    if word == "gone":
        stream.gone()
        return b""
    method = getattr(stream, word)
    return method(now) if argument is None else method(argument, now)


@settings(deadline=None, max_examples=300)
@given(
    dialect=st.sampled_from(["plain", "delta", "openai"]),
    limits=LIMITS,
    steps=st.lists(st.tuples(st.floats(0, 2), INPUTS), max_size=12),
)
def test_no_sequence_of_inputs_makes_a_stream_speak_after_its_ending(
    dialect: str, limits: Limits, steps: list[Any]
):
    stream = open_stream(dialect, limits)
    written, now = stream.start(0.0), 0.0
    for pause, (word, argument) in steps:
        now += pause
        ended = stream.ending
        data = apply(stream, word, argument, now)
        assert not (ended and data)
        assert ended is None or stream.ending is ended
        assert not (stream.held and data)
        written += data
    stream.finish(now)
    last_words = b"data: [DONE]\n" if dialect == "openai" else b"event: error\n"
    assert written.count(last_words) + written.count(b"event: done\n") <= 1
    assert stream.summary(now).bytes >= len(written)


@settings(deadline=None, max_examples=200)
@given(limits=LIMITS, pauses=st.lists(st.floats(0.01, 3), max_size=10))
def test_a_tick_before_the_deadline_does_nothing(limits: Limits, pauses: list[float]):
    stream = open_stream("plain", limits)
    stream.start(0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        if now < stream.deadline:
            assert stream.tick(now) == b""
            assert stream.ending is None
        else:
            stream.tick(now)
        if stream.ending is not None:
            return


CHUNKS = st.one_of(
    st.sampled_from(["text", "two\nlines", "", "\ud83d", "\ude00", b"1", Reasoning("r")]),
    st.sampled_from(
        [
            Frame(b"id: 1\ndata: x\n\n"),
            Frame(b"data: cut"),
            Value(b"1"),
            Usage(1, 1, 2),
            Native("openai", b"{}", None, None),
            Broken(ValueError("in band")),
        ]
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    dialect=st.sampled_from(["plain", "delta", "openai"]),
    options=st.fixed_dictionaries(
        {
            "retry": st.sampled_from([None, 5]),
            "collect": st.booleans(),
            "must_speak": st.booleans(),
            "limits": LIMITS,
        }
    ),
    steps=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), CHUNKS | st.none()), max_size=12),
    end=st.sampled_from(["finish", "gone"]),
)
def test_a_lone_part_is_said_and_counted_as_any(
    dialect: str, options: dict[str, Any], steps: list[Any], end: str
):
    fed, lone = open_stream(dialect, **options), open_stream(dialect, **options)
    assert fed.start(0.0) == lone.start(0.0)
    now = 0.0
    for pause, part in steps:
        now += pause
        assert fed.tick(now) == lone.tick(now)
        if part is not None:
            assert fed.feed([part], now) == lone.lone(part, now)
        assert (fed.deadline, fed.ending, fed.held) == (lone.deadline, lone.ending, lone.held)
    assert apply(fed, end, None, now) == apply(lone, end, None, now)
    assert fed.feed(["more"], now) == lone.lone("more", now) == b""
    told, told_alone = fed.summary(now), lone.summary(now)
    assert told._replace(error=None) == told_alone._replace(error=None)
    assert str(told.error) == str(told_alone.error)
