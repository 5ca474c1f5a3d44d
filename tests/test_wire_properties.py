"""What holds for any event, any bytes and any cut, against a decoder that reads the whole input."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sse_bridge.wire import BufferExceeded, Decoder, ServerSentEvent

some = settings(deadline=None, max_examples=150)

# Often the characters that matter, sometimes any other.
NASTY = "\r\n\0 :\t\v\f\x1c\x1e\x85\u2028\u2029\ufeff\xef\xbb\xbfadt0é你😀"
text = st.text(st.sampled_from(NASTY) | st.characters(exclude_categories=["Cs"]), max_size=12)
line = text.map(lambda value: re.sub("[\r\n\0]", "", value))
retries = st.integers(0, 10**20)


def events(data):
    maybe = st.none()
    return st.builds(
        ServerSentEvent, data, maybe | line, maybe | line, maybe | retries, maybe | text
    )


spoken = events(text)
silent = events(st.none())

FRAGMENTS = [b"data", b"event", b"id", b"retry", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n"]
FRAGMENTS += [
    b"data: x\n\n",
    b"id: 1\n",
    b"retry: 12\n",
    b"event: e\n",
    b"\0",
    b"7",
    b"\xef\xbb\xbf",
]
FRAGMENTS += [b"\xe4\xbd\xa0", b"\xe4", b"\xf0\x9f", b"\xed\xa0\x80", b"\xff", b"\xe2\x80\xa8"]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=30).map(b"".join)


def as_read(event):
    """What a reader gets of an event: line ends as LF, and no comment."""
    data = re.sub("\r\n|\r", "\n", event.data)
    return ServerSentEvent(data, event.event, event.id, event.retry)


def reference(stream):
    """The rules, word for word, on the whole stream: events, last event id, retry."""
    decoded = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, _unfinished = re.split("\r\n|\n|\r", decoded)
    found, data, kind, own_id, own_retry, last_id, retry = [], [], None, None, None, "", None
    for each in lines:
        name, _, value = each.partition(":")
        value = value.removeprefix(" ")  # one only
        if not each:
            last_id = last_id if own_id is None else own_id
            if data:
                found.append(("\n".join(data), kind, own_id, own_retry))
            data, kind, own_id, own_retry = [], None, None, None
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            own_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            retry = own_retry = int(value)
    return found, last_id, retry


def pieces(stream, cuts):
    borders = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(borders)]


def bytewise(stream):
    return [stream[i : i + 1] for i in range(len(stream))]


def every_way(stream):
    """Whole, byte by byte, and cut in two at each place."""
    yield [stream]
    yield bytewise(stream)
    for cut in range(len(stream) + 1):
        yield [stream[:cut], stream[cut:]]


def read(chunks, decoder=None):
    decoder = decoder or Decoder()
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return found, decoder.last_event_id, decoder.retry


def fields(events):
    return [(event.data, event.event, event.id, event.retry) for event in events]


@some
@given(spoken)
@example(ServerSentEvent("\ufeff\r", event="", id="", retry=0, comment="\r\ndata: x"))
def test_an_event_comes_back_whatever_the_cut(event):
    for chunks in every_way(event.encode()):
        assert read(chunks)[0] == [as_read(event)]


@some
@given(spoken, spoken, spoken, st.lists(st.integers(0, 10**6), max_size=20))
def test_an_event_leaves_its_neighbours_untouched(before, event, after, cuts):
    stream = before.encode() + event.encode() + after.encode()
    wanted = [as_read(each) for each in (before, event, after)]
    assert read(pieces(stream, cuts))[0] == wanted
    assert read(bytewise(stream))[0] == wanted


@some
@given(spoken, silent, spoken, st.lists(st.integers(0, 10**6), max_size=20))
def test_an_event_without_data_is_silent_between_its_neighbours(before, nothing, after, cuts):
    stream = before.encode() + nothing.encode() + after.encode()
    assert read(pieces(stream, cuts))[0] == [as_read(before), as_read(after)]


@some
@given(text, line)
def test_one_encode_is_one_event_whatever_the_text(anything, name):
    for event in (
        ServerSentEvent(anything),
        ServerSentEvent(anything, name, name, comment=anything),
    ):
        assert len(read([event.encode()])[0]) == 1


@some
@given(streams, st.lists(st.integers(0, 10**6), max_size=20))
@example(b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata\r\r\n", [1, 2, 4])
@example(b"data: \xed\xa0\x80\r\n\r\n\r\ndata\n\n", [7, 8])
def test_any_bytes_mean_what_the_rules_say(stream, cuts):
    wanted = reference(stream)
    for chunks in ([stream], pieces(stream, cuts), bytewise(stream)):
        found, last_id, retry = read(chunks)
        assert (fields(found), last_id, retry) == wanted


@some
@given(st.binary(max_size=40))
def test_raw_bytes_mean_what_the_rules_say_at_every_cut(stream):
    wanted = reference(stream)
    for chunks in every_way(stream):
        found, last_id, retry = read(chunks)
        assert (fields(found), last_id, retry) == wanted


@some
@given(streams)
def test_what_was_decoded_can_be_encoded_and_decoded_again(stream):
    found = read([stream])[0]
    assert read([b"".join(event.encode() for event in found)])[0] == found


@some
@given(streams, streams)
def test_after_eof_a_decoder_reads_like_a_new_one(first, second):
    decoder = Decoder()
    decoder.feed(first)
    decoder.eof()
    assert fields(read([second], decoder)[0]) == fields(read([second])[0])


def until_refused(chunks, limit):
    decoder, found = Decoder(max_buffer=limit), []
    try:
        for chunk in chunks:
            found += decoder.feed(chunk)
    except BufferExceeded as error:
        return found + error.events, decoder.last_event_id, decoder.retry, True
    return found, decoder.last_event_id, decoder.retry, False


@some
@given(streams, st.integers(3, 20), st.lists(st.integers(0, 10**6), max_size=20))
def test_the_limit_strikes_at_the_same_place_for_every_cut(stream, limit, cuts):
    wanted = until_refused([stream], limit)
    assert until_refused(pieces(stream, cuts), limit) == wanted
    assert until_refused(bytewise(stream), limit) == wanted


@some
@given(text, st.sampled_from("\r\n\0"), text)
def test_an_event_or_id_with_a_line_end_or_nul_is_always_refused(before, bad, after):
    value = before + bad + after
    for field in ("event", "id"):
        with pytest.raises(ValueError, match=f"{field} must be a single line") as refused:
            ServerSentEvent(**{field: value})
        assert repr(value) in str(refused.value)


@some
@given(
    text,
    st.characters(categories=["Cs"]),
    text,
    st.sampled_from(["data", "event", "id", "comment"]),
)
def test_a_lone_surrogate_is_always_refused(before, bad, after, field):
    with pytest.raises(ValueError, match=f"{field} "):
        ServerSentEvent(**{field: before + bad + after})
