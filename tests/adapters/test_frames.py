"""What is framed already passes as it is, line by line, however it is cut."""

from __future__ import annotations

import json
from contextvars import copy_context

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chunks import envelope, openai_chunk, read, run, told
from cuts import walk_cut
from sse_bridge import Decoder, ServerSentEvent, UpstreamError
from sse_bridge.adapters import Frames
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.frames import LINE_LIMIT, begins_an_event_stream
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.parts import Frame, Raw, Relayed
from sse_bridge.shapes import shape

FRAMES, EXACT = Frames(), Frames(exact=True)
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
    assert all(type(part) in (Frame, Raw, Relayed) for part in parts)
    return b"".join(part.data for part in parts if type(part) is not Relayed)


def pieces(data, cuts):
    cuts = sorted(min(cut, len(data)) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def decoded(data):
    decoder = Decoder()
    return decoder.feed(data), decoder.last_event_id, decoder.retry


# -- line by line ---------------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_a_stream_cut_in_two_anywhere_passes_as_it_is(line_end):
    stream = STREAM.replace(b"\n", line_end)
    for cut in range(len(stream)):
        assert bytes_of(read(FRAMES, stream[:cut], stream[cut:])) == stream, f"cut at {cut}"


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_a_line_leaves_with_its_last_byte_and_not_before(line_end):
    stream = STREAM.replace(b"\n", line_end)
    reader = FRAMES.reader(Wish())
    for at in range(len(stream)):
        said = bytes_of(reader.read(stream[at : at + 1]))
        assert bool(said) == (stream[at : at + 1] in b"\r\n"), f"byte {at}"


cuts = st.lists(st.integers(0, 120), max_size=8)
lines = st.sampled_from(["", "data: x", "data", "id: 1", "event: e", ": c", "retry: 3", "data: 你"])
ends = st.sampled_from(["\n", "\r", "\r\n", ""])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(lines, ends), max_size=20), cuts)
def test_any_lines_in_any_pieces_are_the_same_bytes(rows, cuts):
    stream = "".join(line + end for line, end in rows).encode()
    assert bytes_of(read(EXACT, *pieces(stream, cuts))) == stream


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60), cuts)
@example(BOM + b"data: x\n\n", [1, 2, 4])
@example(BOM + b"Hello", [1, 2, 4])
@example(b"dat", [1])
@example(BOM, [])
@example(b"", [])
def test_any_bytes_in_any_pieces_are_the_same_bytes(body, cuts):
    unmarked = body.removeprefix(BOM)
    expected = body if begins_an_event_stream(unmarked) is False else unmarked
    assert bytes_of(read(EXACT, *pieces(body, cuts))) == expected


def test_a_line_that_does_not_end_leaves_before_it_fills_the_memory():
    reader = FRAMES.reader(Wish())
    assert not reader.read(b"data: ")
    [part] = reader.read(b"x" * LINE_LIMIT)
    assert part.data == b"data: " + b"x" * LINE_LIMIT
    assert bytes_of(reader.read(b"rest\n\n")) == b"rest\n\n"


def test_a_frame_may_be_of_any_size():
    pieces = [b"data: " + b"x" * 1000 + b"\n"] * 20_000
    assert sum(len(part.data) for part in read(FRAMES, *pieces, b"\n")) == 20_000 * 1007 + 1


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
def test_a_byte_order_mark_passes_but_at_the_start_where_a_field_of_ours_may_precede_it(cut):
    stream = b"data: x\n\ndata: " + BOM + b"\n\n"
    marked = BOM + stream
    assert bytes_of(read(FRAMES, marked[:cut], marked[cut:])) == stream


def test_half_a_character_of_text_waits_for_the_other_half():
    assert bytes_of(read(FRAMES, "data: \ud83d", "\ude00\n\n")) == "data: 😀\n\n".encode()
    assert bytes_of(read(FRAMES, "data: \ud83d\n\n")) == "data: \ufffd\n\n".encode()


def test_a_frame_is_passed_under_every_dialect():
    for dialect in "plain", "delta", "openai":
        assert run(["data: x\n\n"], adapter="frames", dialect=dialect).startswith(b"data: x\n\n")


# -- what is not whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["data: b", "data: b\n", "data: b\n\n", "data: b\r"])
def test_a_last_frame_without_its_ends_is_delivered_and_what_follows_is_not_swallowed(last):
    assert told(["data: a\n\n", last], adapter="frames") == [
        (None, "a"),
        (None, "b"),
        ("done", "[DONE]"),
    ]


def test_frames_that_are_parted_by_one_line_end_pass_line_by_line():
    parts = read(FRAMES, "data: a\n", "data: b\n")
    assert [part.data for part in parts] == [b"data: a\n", b"data: b\n"]


def test_the_error_after_half_a_frame_is_not_swallowed_by_it():
    def breaking():
        yield "data: a\n\ndata: half"
        raise RuntimeError("never on the wire")

    (_, first), (name, error) = told(breaking(), adapter="frames")
    assert first == "a"
    assert (name, error["code"]) == ("error", "upstream_error")


@pytest.mark.parametrize("chunk", [{"a": 1}, 3, ["data: x\n\n"]])
def test_what_is_not_framed_text_is_refused_and_its_shape_shown(chunk):
    with pytest.raises(TypeError, match='adapter="frames" takes str or bytes') as raised:
        read(FRAMES, chunk)
    assert str(raised.value).endswith(f"got {shape(chunk)}")


# -- lines without their ends ---------------------------------------------------------------------

EVENTS = b"event: e\ndata: a\ndata: b\n\ndata: c\n\n"


def from_iter_lines(body):
    """What `iter_lines` of requests and httpx give."""
    return body.decode().splitlines()


@pytest.mark.parametrize("encode", [str, str.encode])
@pytest.mark.parametrize(
    "body", [EVENTS, b"data: c\n\n", b": hello\n\ndata: c\n\n", b"data: [DONE]\n\n"]
)
def test_lines_without_their_ends_are_told_by_the_second(body, encode):
    lines = [encode(line) for line in from_iter_lines(body)]
    assert bytes_of(read(FRAMES, *lines, takes_objects=True)) == body


def test_once_they_are_told_each_line_leaves_at_once():
    reader = FRAMES.reader(Wish())
    said = [bytes_of(reader.read(line)) for line in from_iter_lines(EVENTS * 2)]
    assert said[2:] == [line + b"\n" for line in (EVENTS * 2).split(b"\n")[2:-1]]


def test_a_cut_within_a_line_is_not_taken_for_lines():
    for cut in range(1, len(EVENTS)):
        stream = EVENTS[:cut], EVENTS[cut:]
        assert bytes_of(read(FRAMES, *stream)) == EVENTS
    assert bytes_of(read(FRAMES, "data: a", None, "b\n\n")) == b"data: ab\n\n"


def test_where_every_byte_counts_nothing_is_taken_for_lines():
    assert bytes_of(read(EXACT, b"data: a", b"", b"data: b")) == b"data: adata: b"


# -- what is no event stream ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [["Hello", " world"], ['{"a": 1}\n', '{"a": 2}\n'], ["<html>", "</html>"], ["error: x\n"]],
)
def test_what_is_no_event_stream_passes_at_once_with_one_warning(body, caplog):
    reader = EXACT.reader(Wish())
    assert [list(reader.read(piece)) for piece in body] == [[Raw(piece.encode())] for piece in body]
    assert list(reader.end()) == []
    [record] = caplog.records
    assert "is not an event stream" in record.getMessage()


@pytest.mark.parametrize(
    "head, told",
    [
        (b"", None),
        (b"d", None),
        (b"data", None),
        (b"data:", True),
        (b"data\n", True),
        (b": ping", True),
        (b"\r\n", None),
        (b"retry: 5", True),
        (BOM, None),
        (BOM[:2], None),
        (BOM + b"id: 1", True),
        (BOM + b"x", False),
        (b"date", False),
        (b"data ", False),
        (b"Hello", False),
        (b" data: x", False),
    ],
)
def test_the_first_bytes_tell_whether_it_is_one(head, told):
    assert begins_an_event_stream(head) is told


@pytest.mark.parametrize("retry", [None, 5])
def test_nothing_of_ours_stands_in_what_is_no_event_stream_and_it_has_no_good_end(retry):
    body = Body(["Hello", " world"], Options(adapter="frames", retry=retry), copy_context())
    assert walk_cut(body) == b"Hello world"


@pytest.mark.parametrize("dialect", ["openai", "delta"])
@pytest.mark.parametrize(
    "body, status, code",
    [
        (["<html>", "gateway</html>"], 502, "empty_answer"),
        (['{"error": {"message": "busy", ', '"code": 429}}'], 429, "429"),
        (['{"detail": "Not authenticated"}'], None, None),
        (["data: [DONE]\n\n"], 502, "empty_answer"),
        (['data: {"error": {"message": "m", "code": 503}}\n\n'], 503, "503"),
    ],
)
def test_where_a_model_should_speak_it_is_no_answer(dialect, body, status, code):
    with pytest.raises(UpstreamError) as raised:
        run(body, adapter="frames", dialect=dialect)
    assert (raised.value.status_code, raised.value.code) == (status, code)


ROLE = {"role": "assistant", "content": ""}


@pytest.mark.parametrize("dialect", ["openai", "delta"])
def test_an_answer_without_a_word_fails_also_behind_a_comment(dialect):
    body = run([": ping\n\n", DONE], adapter="frames", dialect=dialect)
    assert body.startswith(b": ping\n\n")
    assert b"empty_answer" in body
    assert b"event: done" not in body


def test_an_answer_without_a_word_fails_also_behind_a_role():
    opening = frame(openai_chunk(ROLE))
    body = run([opening, DONE], adapter="frames", dialect="openai")
    assert body.startswith(opening.encode())
    assert b"empty_answer" in body


def test_in_another_protocol_a_role_alone_is_nothing_and_the_failure_is_a_status():
    with pytest.raises(UpstreamError) as raised:
        run([frame(openai_chunk(ROLE)), DONE], adapter="frames", dialect="delta")
    assert raised.value.code == "empty_answer"


# -- how they end ---------------------------------------------------------------------------------


def frame(data):
    return f"data: {json.dumps(data)}\n\n"


WORDS = frame(openai_chunk({"content": "half an ans"}))
FINISH = frame(openai_chunk({}, "stop"))
ERROR = frame({"error": {"message": "m", "code": 500}})
DONE = "data: [DONE]\n\n"


def body_of(*frames):
    return run(frames, adapter="frames").decode()


@pytest.mark.parametrize(
    "frames",
    [
        (WORDS, FINISH, DONE),
        (WORDS, DONE),
        (WORDS, ERROR),
        (WORDS, ERROR, DONE),
        (WORDS, FINISH, frame(envelope([], usage={"prompt_tokens": 1})), DONE),
    ],
)
def test_what_ended_in_its_own_words_gets_none_of_ours(frames):
    assert body_of(*frames) == "".join(frames)
    assert body_of(*"".join(frames)) == "".join(frames)


def test_an_answer_that_was_finished_and_lacks_its_last_frame_gets_it():
    assert body_of(WORDS, FINISH) == WORDS + FINISH + DONE


def test_an_answer_of_openais_protocol_that_was_cut_fails_in_its_words():
    body = body_of(WORDS)
    assert body.startswith(WORDS + 'data: {"error":')
    assert '"code":"upstream_cut"' in body
    assert body.endswith(DONE)


def test_a_failure_that_the_frames_tell_is_the_streams():
    reader = FRAMES.reader(Wish())
    reader.read(WORDS)
    reader.read(ERROR)
    with pytest.raises(UpstreamError, match="report a failure"):
        reader.end()


@pytest.mark.parametrize("exact", [None, 0, "yes"])
def test_exact_is_a_bool(exact):
    with pytest.raises(TypeError, match="exact must be True or False"):
        Frames(exact=exact)
