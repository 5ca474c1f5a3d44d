"""What a reader makes of a stream, rule by rule."""

import inspect
import pickle

import pytest

from sse_bridge.framing import data_frame
from sse_bridge.wire import BufferExceeded, Decoder, ServerSentEvent

MARK = b"\xef\xbb\xbf"
NOT_LINE_ENDS = "\x85\u2028\u2029\v\f\x1c\x1d\x1e"


def feed_all(decoder, chunks):
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def decoded(*chunks):
    return feed_all(Decoder(), chunks)


def data_of(*chunks):
    return [event.data for event in decoded(*chunks)]


def bytewise(stream):
    return [stream[i : i + 1] for i in range(len(stream))]


# Decoding: bytes to text


def test_one_byte_order_mark_at_the_very_start_is_dropped():
    assert data_of(MARK + b"data: x\n\n") == ["x"]


def test_a_second_byte_order_mark_belongs_to_the_first_field_name():
    assert data_of(MARK + MARK + b"data: lost\n\ndata: x\n\n") == ["x"]


def test_a_byte_order_mark_later_on_is_an_ordinary_character():
    assert data_of(b"data: x\n\n" + MARK + b"data: lost\n\ndata: " + MARK + b"y\n\n") == [
        "x",
        "\ufeffy",
    ]


def test_latin_1_characters_that_look_like_the_mark_are_text():
    assert data_of("\xef\xbb\xbfdata: lost\n\ndata: x\n\n".encode()) == ["x"]


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_the_mark_may_come_cut(cut):
    stream = MARK + b"data: x\n\n"
    assert data_of(b"", stream[:cut], b"", stream[cut:]) == ["x"]


@pytest.mark.parametrize("start", [b"\xef", b"\xef\xbb"])
def test_half_a_mark_is_an_ordinary_beginning(start):
    assert data_of(start, b"data: lost\n\ndata: x\n\n") == ["x"]
    assert data_of(start, b"\n\ndata: x\n\n") == ["x"]


@pytest.mark.parametrize(
    "raw, text",
    [
        (b"a\xffb", "a\ufffdb"),
        (b"\xc0\xaf", "\ufffd\ufffd"),  # overlong
        (b"\xe0\x80\xaf", "\ufffd\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # a surrogate
        (b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),  # beyond U+10FFFF
        (b"\xf0\x9f\x98", "\ufffd"),  # truncated: one maximal part
        (b"\xf0\x9fx", "\ufffdx"),
        (b"\xe4\xbd\xe4\xbd\xa0", "\ufffd\u4f60"),
        (b"\x80\x80", "\ufffd\ufffd"),
    ],
)
def test_each_maximal_invalid_part_becomes_one_replacement_character(raw, text):
    stream = b"data: " + raw + b"\n\n"
    assert data_of(stream) == data_of(*bytewise(stream)) == [text]


def test_invalid_bytes_are_replaced_in_event_and_id_too():
    assert decoded(b"event: \xff\nid: \xe4\ndata: x\n\n") == [
        ServerSentEvent("x", event="\ufffd", id="\ufffd")
    ]


def test_a_truncated_character_does_not_swallow_the_line_end():
    assert data_of(b"data: \xe4\xbd\ndata: x\n\n") == ["\ufffd\nx"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_character_may_be_cut_at_any_byte(cut):
    stream = "data: 😀é\n\n".encode()
    assert data_of(stream[:cut], stream[cut:]) == ["😀é"]


def test_nul_is_an_ordinary_character_in_data_and_event():
    (event,) = decoded(b"event: a\0b\ndata: c\0d\n\n")
    assert (event.event, event.data) == ("a\0b", "c\0d")


# Decoding: text to lines


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_each_of_three_line_ends_ends_a_line(end):
    stream = end.join([b"event: e", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    wanted = [ServerSentEvent("a\nb", event="e"), ServerSentEvent("c")]
    assert decoded(stream) == decoded(*bytewise(stream)) == wanted


def test_line_ends_may_be_mixed():
    stream = b"data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\ndata: e\r\r"
    assert data_of(stream) == data_of(*bytewise(stream)) == ["a\nb\nc", "d", "e"]


def test_lf_cr_is_two_line_ends():
    assert data_of(b"data: a\n\rdata: b\n\n") == ["a", "b"]


@pytest.mark.parametrize("char", NOT_LINE_ENDS)
def test_nothing_else_ends_a_line(char):
    text = f"a{char}data: b"
    assert data_of(f"data: {text}\n\n".encode()) == [text]
    assert decoded(f": {text}\n\n".encode()) == []


def test_a_cr_at_the_end_of_a_chunk_ends_its_line_at_once():
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\r") == [ServerSentEvent("a")]


def test_an_lf_after_that_cr_is_swallowed_once():
    assert data_of(b"data: a\r", b"", b"\ndata: b\n\n") == ["a\nb"]
    assert data_of(b"data: a\r", b"\n", b"\n", b"data: b\n\n") == ["a", "b"]
    assert data_of(b"data: a\r\n\r", b"\n\ndata: b\r", b"\n\r", b"\n") == ["a", "b"]


def test_a_cr_is_forgotten_by_the_next_other_byte():
    assert data_of(b"data: a\r", b"data: b", b"\n", b"\n") == ["a\nb"]
    assert data_of(b"data: a\rdata: b", b"\n", b"\n") == ["a\nb"]


# Decoding: lines to fields


@pytest.mark.parametrize(
    "line, data",
    [
        ("data: x", "x"),
        ("data:x", "x"),
        ("data:  x", " x"),
        ("data:\tx", "\tx"),
        ("data: x \t ", "x \t "),
        ("data:\u00a0x", "\u00a0x"),
        ("data:a: b:c", "a: b:c"),
        ("data: :", ":"),
        ("data:", ""),
        ("data: ", ""),
        ("data", ""),
    ],
)
def test_one_space_after_the_first_colon_is_dropped_and_no_more(line, data):
    assert data_of(f"{line}\n\n".encode()) == [data]


@pytest.mark.parametrize(
    "line",
    [
        ":",
        ": data: x",
        ":data: x",
        "data : x",
        " data: x",
        "\tdata: x",
        "Data: x",
        "DATA: x",
        "dat: x",
        "datas: x",
        "data\0: x",
        "\ufeffdata: x",
        "error: {}",
        "\u2028data: x",
    ],
)
def test_comments_and_unknown_names_are_ignored(line):
    stream = f"data: a\n{line}\ndata: b\n\n{line}\n\n".encode()
    assert data_of(stream) == ["a\nb"]


def test_several_data_lines_are_joined_by_lf():
    assert data_of(b"data: a\ndata:\ndata\ndata: b\n\n") == ["a\n\n\nb"]


def test_the_last_event_of_a_block_wins():
    assert decoded(b"event: a\nevent: b\ndata: x\n\n") == [ServerSentEvent("x", event="b")]


@pytest.mark.parametrize("line", [b"event", b"event:", b"event: "])
def test_an_empty_event_means_the_default_type_again(line):
    (event,) = decoded(b"event: a\n" + line + b"\ndata: x\n\n")
    assert not event.event


def test_an_id_with_nul_is_ignored():
    decoder = Decoder()
    assert decoder.feed(b"id: 1\nid: a\0b\ndata: x\n\n") == [ServerSentEvent("x", id="1")]
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize("line", [b"id", b"id:", b"id: "])
def test_an_empty_id_resets_it(line):
    decoder = Decoder()
    decoder.feed(b"id: 1\ndata: x\n\n")
    assert decoder.feed(line + b"\ndata: y\n\n") == [ServerSentEvent("y", id="")]
    assert decoder.last_event_id == ""


@pytest.mark.parametrize(
    "value, retry",
    [
        ("0", 0),
        ("1500", 1500),
        ("0001500", 1500),
        ("99999999999999999999", 99999999999999999999),
    ],
)
def test_retry_takes_ascii_digits(value, retry):
    decoder = Decoder()
    assert decoder.feed(f"retry: {value}\ndata: x\n\n".encode()) == [
        ServerSentEvent("x", retry=retry)
    ]
    assert decoder.retry == retry


@pytest.mark.parametrize(
    "value",
    [
        "",
        " 1",
        "1 ",
        "\t1",
        "1\0",
        "+1",
        "-1",
        "1_0",
        "1.5",
        "1e3",
        "0x10",
        "9ms",
        "1 0",
        "\u0661",
        "²",
    ],
)
def test_any_other_retry_is_ignored(value):
    decoder = Decoder()
    decoder.feed(b"retry: 7\n")
    assert decoder.feed(f"retry: {value}\ndata: x\n\n".encode()) == [ServerSentEvent("x", retry=7)]
    assert decoder.retry == 7


def test_a_retry_beyond_what_python_converts_raises_nothing():
    decoder = Decoder()
    decoder.feed(b"retry: " + b"0" * 5000 + b"7\n")
    decoder.feed(b"retry: " + b"9" * 641 + b"\n")
    decoder.feed(b"retry: " + b"9" * 5000 + b"\n")
    assert decoder.retry == 7
    decoder.feed(b"retry: " + b"9" * 640 + b"\n")
    assert decoder.retry == 10**640 - 1


def test_retry_takes_effect_at_the_end_of_its_line():
    decoder = Decoder()
    decoder.feed(b"retry: 5")
    assert decoder.retry is None
    decoder.feed(b"\n")
    assert decoder.retry == 5


def test_an_event_shows_the_retry_of_its_own_block_only():
    decoder = Decoder()
    assert decoder.feed(b"retry: 5\n\ndata: x\n\n") == [ServerSentEvent("x")]
    assert decoder.retry == 5


# Decoding: dispatch and end


def test_an_id_takes_effect_at_the_blank_line_without_an_event():
    decoder = Decoder()
    assert decoder.feed(b"id: 1\n") == []
    assert decoder.last_event_id == ""
    assert decoder.feed(b"\n") == []
    assert decoder.last_event_id == "1"


def test_an_id_stays_in_force_for_later_events():
    decoder = Decoder()
    events = decoder.feed(b"id: 1\ndata: x\n\ndata: y\n\n")
    assert [event.id for event in events] == ["1", None]
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize("block", [b"", b"event: e\n", b"id: 1\n", b"retry: 5\n", b": c\n"])
def test_a_block_without_data_is_silent(block):
    stream = b"id: 0\ndata: x\n\n" + block + b"\n\n\n" + b"data: y\n\n"
    assert decoded(stream) == [ServerSentEvent("x", id="0"), ServerSentEvent("y")]


@pytest.mark.parametrize(
    "lines, data",
    [
        (b"data\n", ""),
        (b"data:\n", ""),
        (b"data\ndata\n", "\n"),
        (b"data: a\ndata\n", "a\n"),
        (b"data\ndata: a\n", "\na"),
    ],
)
def test_one_trailing_lf_of_the_data_is_removed(lines, data):
    assert data_of(lines + b"\n") == [data]


@pytest.mark.parametrize(
    "rest",
    [b"", b"data: y", b"data: y\n", b"event: e\nid: 2\ndata: y\n", b"data: y\nid: 2", b"\xe4\xbd"],
)
def test_an_unfinished_block_is_discarded_at_the_end(rest):
    decoder = Decoder()
    assert decoder.feed(b"id: 1\ndata: x\n\n" + rest) == [ServerSentEvent("x", id="1")]
    decoder.eof()
    assert decoder.last_event_id == "1"
    assert decoder.feed(b"\n\ndata: z\n\n") == [ServerSentEvent("z")]
    assert decoder.last_event_id == "1"


def test_a_complete_retry_line_in_an_unfinished_block_keeps_its_effect():
    decoder = Decoder()
    decoder.feed(b"retry: 5\nretry: 6")
    decoder.eof()
    assert decoder.retry == 5
    assert decoder.feed(b"data: x\n\n") == [ServerSentEvent("x")]


def test_after_eof_a_new_stream_may_begin_with_a_mark():
    decoder = Decoder()
    decoder.feed(b"data: x\r")
    decoder.eof()
    assert decoder.feed(MARK + b"data: y\n\n") == [ServerSentEvent("y")]


# Decoding: the limit

OVER = [
    b"data: 0123456789",
    b"data: 0123456789\n\n",
    b"data: 0123\ndata: 01234",
    b"data: 012\ndata: 345\ndata: 67\n\n",
    b"event: 012345678\ndata: x\n\n",
]


@pytest.mark.parametrize("stream", OVER)
def test_too_large_an_event_is_refused_however_it_is_cut(stream):
    good = b"data: a\n\n"
    with pytest.raises(BufferExceeded) as whole:
        Decoder(max_buffer=15).feed(good + stream)
    assert whole.value.events == [ServerSentEvent("a")]
    decoder = Decoder(max_buffer=15)
    assert decoder.feed(good) == [ServerSentEvent("a")]
    with pytest.raises(BufferExceeded) as cut:
        feed_all(decoder, bytewise(stream))
    assert cut.value.events == []


@pytest.mark.parametrize("stream", OVER)
def test_what_just_fits_is_taken(stream):
    for chunks in ([stream], bytewise(stream)):
        decoder = Decoder(max_buffer=16)
        for chunk in chunks:
            decoder.feed(chunk)


def test_lines_without_a_value_count_too():
    decoder = Decoder(max_buffer=10)
    assert decoder.feed(b"data: abcd\ndata\ndata\n") == []
    with pytest.raises(BufferExceeded):
        decoder.feed(b"data\n")


def test_the_limit_is_for_one_event_and_not_for_the_stream():
    decoder = Decoder(max_buffer=16)
    for _ in range(100):
        assert decoder.feed(b": ping\ndata: 0123456789\n\n: ping\n") == [
            ServerSentEvent("0123456789")
        ]


def test_the_error_names_the_limit_and_how_to_change_it():
    with pytest.raises(ValueError, match=r"max_buffer, 9 bytes.*Decoder\(max_buffer=\.\.\.\)"):
        Decoder(max_buffer=9).feed(b"data: xxxx")


@pytest.mark.parametrize(
    "ignored",
    [b": " + b"x" * 100, b"x" * 100, b"unknown: " + b"x" * 100, b"database: " + b"x" * 100],
)
def test_what_says_nothing_may_be_of_any_length_however_it_is_cut(ignored):
    stream = b"data: a\n" + ignored + b"\ndata: b\n\n"
    for chunks in ([stream], bytewise(stream)):
        decoder = Decoder(max_buffer=16)
        assert feed_all(decoder, chunks) == [ServerSentEvent("a\nb")]
    decoder = Decoder(max_buffer=16)
    for _ in range(10_000):
        decoder.feed(ignored)
    assert len(decoder._tail) <= 200


# -- what has no effect, and the id in force -------------------------------------------------------


def test_who_asks_is_shown_what_has_no_effect():
    shown: list[str] = []
    decoder = Decoder(on_comment=shown.append)
    stream = b": ping\nHello\nid: a\0b\nretry: soon\ndata: x\n\nevent: e\n\n: \xff\r\n"
    for chunk in bytewise(stream):
        decoder.feed(chunk)
    assert shown == [": ping", "Hello", "id: a\0b", "retry: soon", ": \ufffd"]


def test_a_comment_at_the_very_start_is_shown_at_once_however_short():
    shown: list[str] = []
    Decoder(on_comment=shown.append).feed(b":\n")
    assert shown == [":"]


def test_a_retry_of_too_many_digits_has_no_effect_and_is_shown():
    shown: list[str] = []
    Decoder(on_comment=shown.append).feed(b"retry: " + b"9" * 641 + b"\nretry: 1\n")
    assert shown == ["retry: " + "9" * 641]


@pytest.mark.parametrize("wrong", ["print", 5, []])
def test_who_is_to_be_shown_it_must_be_callable(wrong):
    with pytest.raises(TypeError, match="on_comment must be callable or None") as refused:
        Decoder(on_comment=wrong)
    assert str(refused.value).endswith(f", got {wrong!r}")


def test_each_event_of_one_feed_knows_the_id_in_force():
    events = Decoder().feed(b"data: a\n\nid: 1\ndata: b\n\ndata: c\n\nid\ndata: d\n\n")
    assert [event.last_event_id for event in events] == ["", "1", "1", ""]
    assert [event.id for event in events] == [None, "1", None, ""]


def test_the_id_in_force_is_no_part_of_what_an_event_is():
    [first, second] = Decoder().feed(b"id: 1\ndata: a\n\ndata: b\n\n")
    assert second == ServerSentEvent("b")
    assert hash(second) == hash(ServerSentEvent("b"))
    assert "last_event_id" not in repr(second)
    assert second.encode() == b"data: b\n\n"
    assert pickle.loads(pickle.dumps(second)).last_event_id == "1"
    assert (ServerSentEvent("x", id="7").last_event_id, ServerSentEvent("x").last_event_id) == (
        "7",
        "",
    )
    with pytest.raises(AttributeError):
        first.last_event_id = "2"


def test_a_decoder_that_overflowed_refuses_more_until_eof():
    decoder = Decoder(max_buffer=16)
    with pytest.raises(BufferExceeded):
        decoder.feed(b"data: x\ndata: " + b"x" * 100)
    assert not decoder._data  # what was refused is not kept
    assert not decoder._tail
    with pytest.raises(BufferExceeded):
        decoder.feed(b"\n\ndata: x\n\n")
    decoder.eof()
    assert decoder.feed(b"data: x\n\n") == [ServerSentEvent("x")]


def test_the_default_limit_is_generous():
    text = "x" * (8 << 20)
    assert data_of(data_frame(text)) == [text]


def test_the_default_limit_is_16_mebibytes():
    signature = inspect.signature(Decoder)
    assert signature.parameters["max_buffer"].default == 16 * 2**20


def test_a_limit_may_be_as_small_as_anything():
    assert Decoder(max_buffer=1).feed(b"\n\n") == []


@pytest.mark.parametrize(
    "limit, shown",
    [(0, "0"), (-1, "-1"), (-(10**5000), "an int of 16610 bits")],
    ids=["none", "negative", "huge"],
)
def test_a_limit_must_be_positive(limit, shown):
    with pytest.raises(ValueError, match=f"max_buffer must be positive, got {shown}$"):
        Decoder(max_buffer=limit)


def test_text_is_not_bytes():
    with pytest.raises(TypeError):
        Decoder().feed("data: x\n\n")
