"""What is framed already passes whole, frame by frame, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chunks import read, run, told
from sse_bridge import Decoder, ServerSentEvent
from sse_bridge.adapters import Frames
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.frames import FRAME_LIMIT
from sse_bridge.parts import Frame

FRAMES = Frames()
BOM = b"\xef\xbb\xbf"
LINE_ENDS = {"LF": b"\n", "CR": b"\r", "CR LF": b"\r\n"}

STREAM = (
    ": hello\n\n"
    "event: tick\nid: 7\ndata: 你好🌍\n\n"
    "data: a\ndata:\ndata: b\n\n"
    "retry: 5\ndata\n\n"
    'data: {"x": "\u2028"}\n\n'
).encode()


def bytes_of(parts):
    assert all(type(part) is Frame for part in parts)
    return b"".join(part.data for part in parts)


def pieces(data, cuts):
    cuts = sorted(min(cut, len(data)) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def decoded(data):
    decoder = Decoder()
    return decoder.feed(data), decoder.last_event_id, decoder.retry


# -- whole frames ---------------------------------------------------------------------------------


def test_frames_in_one_piece_come_one_by_one():
    parts = read(FRAMES, STREAM)
    assert [part.data for part in parts] == [
        frame + b"\n\n" for frame in STREAM.split(b"\n\n")[:-1]
    ]


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_frames_cut_in_two_anywhere_are_the_same_frames(line_end):
    stream = STREAM.replace(b"\n", line_end)
    whole = read(FRAMES, stream)
    assert (len(whole), bytes_of(whole)) == (5, stream)
    for cut in range(len(stream)):
        assert read(FRAMES, stream[:cut], stream[cut:]) == whole, f"cut at {cut}"


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_frames_byte_by_byte_are_the_same_frames(line_end):
    stream = STREAM.replace(b"\n", line_end)
    assert read(FRAMES, *pieces(stream, range(1, len(stream)))) == read(FRAMES, stream)


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_each_frame_is_whole_by_itself(line_end):
    stream = STREAM.replace(b"\n", line_end)
    events = [event for part in read(FRAMES, stream) for event in Decoder().feed(part.data)]
    assert events == decoded(stream)[0]


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_a_frame_leaves_with_its_last_byte(line_end):
    frame = b"data: x" + line_end * 2
    reader = FRAMES.reader(Wish())
    said = [reader.read(frame[at : at + 1]) for at in range(len(frame))]
    assert list(said[-1]) == [Frame(frame)]
    assert not any(said[:-1])


@pytest.mark.parametrize("frame", [b"data: x\n\r", b"data: x\r\n\r"])
def test_a_last_frame_does_not_wait_for_a_line_feed_that_never_comes(frame, caplog):
    assert bytes_of(read(FRAMES, frame)) == frame
    assert not caplog.records


LAST = (": last", "\n")
lines = st.sampled_from(["", "data: x", "data", "id: 1", "event: e", ": c", "retry: 3", "data: 你"])
cuts = st.lists(st.integers(0, 120), max_size=8)


def stream_of(rows):
    return "".join(line + end for line, end in rows).encode()


@settings(deadline=None, max_examples=150)
@given(st.lists(lines, max_size=20), st.sampled_from(["\n", "\r", "\r\n"]), cuts)
def test_any_lines_with_one_kind_of_end_in_any_pieces_are_the_same_frames(rows, end, cuts):
    stream = stream_of([(line, end) for line in [*rows, ": last", ""]])
    parts = read(FRAMES, *pieces(stream, cuts))
    assert parts == read(FRAMES, stream)
    assert decoded(bytes_of(parts)) == decoded(stream)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(lines, st.sampled_from(["\n", "\r", "\r\n"])), max_size=20), cuts)
@example([("data: x", "\r\n"), ("", "\r\n"), ("data: y", "\r\n"), ("", "\r\n")], [10])
@example([("data: x", "\n"), ("", "\r\n"), ("data: y", "\r"), ("", "\r\n")], [9, 10, 18, 20])
def test_any_lines_with_mixed_ends_in_any_pieces_say_the_same(rows, cuts):
    # Cut between CR CR and LF it looks like a stream of CRs and leaves at once; the LF says nothing.
    stream = stream_of([*rows, LAST, ("", "\n")])
    assert decoded(bytes_of(read(FRAMES, *pieces(stream, cuts)))) == decoded(stream)


def test_bytes_str_and_events_are_all_frames():
    event = ServerSentEvent("x", id="1")
    kinds = ["data: a\n\n", b"data: b\n\n", bytearray(b"data: c\n\n"), memoryview(b"data: d\n\n")]
    assert [part.data for part in read(FRAMES, *kinds, event, None, "", b"")] == [
        b"data: a\n\n",
        b"data: b\n\n",
        b"data: c\n\n",
        b"data: d\n\n",
        event.encode(),
    ]


def test_ids_are_kept():
    decoder = Decoder()
    [event, _done] = decoder.feed(run(["id: 42\ndata: x\n\n"], adapter="frames"))
    assert (event.data, event.id) == ("x", "42")


@pytest.mark.parametrize("cut", range(5))
def test_a_byte_order_mark_at_the_start_is_dropped(cut):
    stream = BOM + b"data: x\n\n"
    assert bytes_of(read(FRAMES, stream[:cut], stream[cut:])) == b"data: x\n\n"


def test_a_byte_order_mark_elsewhere_is_content():
    stream = b"data: x\n\ndata: " + BOM + b"\n\n"
    assert bytes_of(read(FRAMES, stream)) == stream


def test_lone_empty_lines_are_no_frames():
    assert bytes_of(read(FRAMES, "\n\n\ndata: x\n\n\n\n\r\n")) == b"data: x\n\n"


def test_a_frame_is_passed_under_every_dialect():
    for dialect in "plain", "delta", "openai":
        assert run(["data: x\n\n"], adapter="frames", dialect=dialect).startswith(b"data: x\n\n")


# -- what is not whole ----------------------------------------------------------------------------


def test_half_a_frame_at_the_end_is_dropped_with_one_warning(caplog):
    assert told(["data: a\n\nevent: e\nda", "ta: half\n"], adapter="frames") == [
        (None, "a"),
        ("done", "[DONE]"),
    ]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "data: half" in record.getMessage()


@pytest.mark.parametrize("rest", ["", "\n", "\r\n", "\n\n\n"])
def test_line_ends_at_the_end_are_no_half_frame(rest, caplog):
    read(FRAMES, "data: a\n\n" + rest)
    assert not caplog.records


def test_the_error_after_half_a_frame_is_not_swallowed_by_it():
    def breaking():
        yield "data: a\n\ndata: half"
        raise RuntimeError("never on the wire")

    (_, first), (name, error) = told(breaking(), adapter="frames")
    assert first == "a"
    assert (name, error["code"]) == ("error", "upstream_error")


@pytest.mark.parametrize("chunk", [{"a": 1}, 3, ["data: x\n\n"]])
def test_what_is_not_framed_text_is_refused_and_shown(chunk):
    with pytest.raises(TypeError, match='adapter="frames" takes str or bytes') as raised:
        read(FRAMES, chunk)
    assert repr(chunk) in str(raised.value)


def test_text_that_is_no_utf8_is_a_serialization_error():
    *_, (name, error) = told(["data: a\n\n", "data: \ud800\n\n"], adapter="frames")
    assert (name, error["code"]) == ("error", "serialization_error")


def test_a_frame_without_end_is_refused_at_last():
    reader = FRAMES.reader(Wish())
    reader.read(b"data: ")
    with pytest.raises(ValueError, match="no event stream"):
        reader.read(b"x" * FRAME_LIMIT)
