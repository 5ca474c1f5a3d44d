"""Frames of data and a name alone."""

import pytest

from sse_bridge.framing import (
    count_frames,
    count_lines_of_data,
    data_frame,
    data_frames,
    end_of_frame,
    ends_line,
    has_id,
    json_frame,
    json_frames,
)
from sse_bridge.wire import Decoder, ServerSentEvent


def test_data_frame_is_the_same_frame():
    for text in ("x", "", "a\nb", "a\rb", "a\r\nb\r", "\n", "é\u2028"):
        assert data_frame(text) == ServerSentEvent(text).encode()
        assert data_frame(text, "e") == ServerSentEvent(text, "e").encode()


@pytest.mark.parametrize("event", ["a\nb", "a\r", "a\0"])
def test_data_frame_refuses_what_breaks_out_of_its_line(event):
    with pytest.raises(ValueError, match="event must be a single line"):
        data_frame("x", event)


@pytest.mark.parametrize(
    "lines", [["a"], ["a", "b"], ["a\nb", "c"], ["a\r", "\nb"], ["a\n\ndata: b"]]
)
@pytest.mark.parametrize("event", [None, "e"])
def test_data_frames_are_the_frames_of_each(lines, event):
    assert data_frames(lines, event) == b"".join(data_frame(line, event) for line in lines)


@pytest.mark.parametrize("event", [None, "e"])
def test_frames_of_json_are_the_frames_of_its_text(event):
    lines = ['{"a":1}', "2", '"\u4f60"']
    assert json_frames([line.encode() for line in lines], event) == data_frames(lines, event)
    assert json_frame(lines[2].encode(), event) == data_frame(lines[2], event)


@pytest.mark.parametrize("texts", [["a"], [""], ["a", "", "data: "], ["data: "] * 3])
def test_single_lines_of_data_are_counted(texts):
    assert count_lines_of_data(data_frames(texts)) == len(texts)


@pytest.mark.parametrize(
    "frames",
    [
        *(b"", b"data: a\n\nid: 1\ndata: b\n\n", b"id: 1\ndata: a\n\n", b"data: a\nid: 1\n\n"),
        *(b": c\n\n", b"data: a\n\n: c\n\n", b"data: a\n\n\n", b"data: a\n\ndata: b"),
        *(b"data: a\r\r", b"data: a\rid: 1\n\n", b"data: a\ndata: b\n\n", b"data: \n\ndata: "),
    ],
)
def test_where_there_is_anything_else_lines_of_data_are_not_counted(frames):
    assert count_lines_of_data(frames) == 0


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_frames_are_counted_whatever_their_line_ends(end):
    assert count_frames(b"data: 1" + end + b"data: 2" + end) == 2
    assert count_frames(b"") == 0


def test_data_frame_cannot_carry_a_lone_surrogate():
    with pytest.raises(UnicodeEncodeError):
        data_frame("\ud800")


@pytest.mark.parametrize(
    "last, lacking, line",
    [
        (b"data: a\n\n", b"", True),
        (b"\r\n\r\n", b"", True),
        (b"data: a\r\r", b"", True),
        (b"\r\n\r", b"", True),
        (b"\n\r\n", b"", True),
        (b"data: a\n", b"\n", True),
        (b"data: a\r\n", b"\n", True),
        (b"data: a\r", b"\n\n", False),
        (b"data: a", b"\n\n", False),
    ],
)
def test_what_lacks_of_a_frame_is_known_by_its_last_bytes(last, lacking, line):
    assert end_of_frame(last) == lacking
    assert ends_line(last) is line
    decoded = Decoder().feed(last + lacking + b"data: next\n\n")
    assert decoded[-1].data == "next"


@pytest.mark.parametrize(
    "frames, has",
    [(b"id: 1\n\n", True), (b"data: a\rid: 1\r\r", True), (b"data: id: 1\n\n", False)],
)
def test_an_id_is_found_whatever_the_line_ends(frames, has):
    assert has_id(frames) is has
