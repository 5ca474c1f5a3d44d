"""Lines of somebody else's event stream, on their way through."""

from __future__ import annotations

import pytest

from chunks import openai_chunk, run
from sse_bridge import ServerSentEvent, UpstreamError
from sse_bridge.adapters.relayed import LINE_LIMIT, RelayedLines
from sse_bridge.parts import Broken, Frame, Relayed
from sse_bridge.payload import encode_json


def event(data: object, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else encode_json(data)
    return ServerSentEvent(text, event=name).encode()


WORD = event(openai_chunk({"content": "Hel"}))
STOP = event(openai_chunk({}, "stop"))
DONE = b"data: [DONE]\n\n"


def relay(*pieces: bytes, must_speak: bool = False, **how: object):
    """The parts, and the failure behind them."""
    lines = RelayedLines(must_speak=must_speak, **how)
    parts = [part for piece in pieces for part in lines.read(piece)]
    try:
        *rest, last = lines.end() or (None,)
    except UpstreamError as error:
        return parts, error
    if isinstance(last, Broken):
        return [*parts, *rest], last.error
    return [*parts, *rest, last] if last else parts, None


def bytes_of(parts: list[object]) -> bytes:
    return b"".join(part.data for part in parts if isinstance(part, Frame))


def test_a_line_leaves_with_its_end():
    lines = RelayedLines(must_speak=False)
    assert lines.read(b"data: a") == ()
    assert lines.read(b"b\nda") == (Frame(b"data: ab\n"),)
    assert lines.read(b"ta: c\r") == (Frame(b"data: c\r"),)
    assert lines.read(b"\n\r\n") == (Frame(b"\n\r\n"),)


def test_behind_the_end_of_a_line_that_was_too_long_everything_is_seen_again():
    big = event(openai_chunk({"content": "y" * (LINE_LIMIT + 100)}))
    cut = LINE_LIMIT + 50
    parts, error = relay(WORD, big[:cut], big[cut:] + STOP + DONE)
    assert bytes_of(parts) == WORD + big + STOP + DONE
    assert parts.count(Relayed("openai", over=True)) == 1
    assert error is None


@pytest.mark.parametrize("ending", [b"", b"data: {", b": bye\n\n"])
def test_what_ends_in_its_middle_was_cut(ending: bytes):
    parts, error = relay(WORD, ending)
    assert bytes_of(parts) == WORD + ending
    assert error.code == "upstream_cut"
    assert relay(WORD, STOP, ending)[1] is None


@pytest.mark.parametrize(
    "failure",
    [
        event({"error": {"message": "m", "code": 429}}),
        event({"base_resp": {"status_code": 1002, "status_msg": "m"}}),
        event({"code": 10013, "message": "m"}),
        event({"object": "error", "message": "m"}),
        event(openai_chunk({}, "error")),
    ],
)
def test_what_told_of_its_failure_has_failed(failure: bytes):
    assert isinstance(relay(WORD, failure, DONE)[1], UpstreamError)


@pytest.mark.parametrize("nothing", ["", {}, [], None])
def test_an_error_that_is_nothing_is_none(nothing: object):
    fine = event(openai_chunk({"content": "x"}, error=nothing))
    assert relay(fine, STOP, DONE)[1] is None


def test_a_failure_before_the_first_word_is_raised():
    with pytest.raises(UpstreamError, match="busy"):
        relay(event({"error": {"message": "busy"}}), must_speak=True)
    with pytest.raises(UpstreamError, match="busy"):
        relay(event({"error": "busy"}, "error"), must_speak=True)


def test_an_event_with_a_name_of_its_own_may_be_a_word_or_not():
    named = event({"step": 1}, "progress")
    assert relay(named, must_speak=True)[0][0].speaks
    assert not relay(named, must_speak=True, passes="openai")[0][0].speaks
    own = event({"error": "x"}, "tool")
    assert not relay(own, must_speak=True, passes="openai")[0][0].speaks


@pytest.mark.parametrize("dialect", ["openai", "delta"])
def test_an_answer_that_comes_in_one_piece_with_its_end_has_spoken(dialect: str):
    named = event({"text": "Hel"}, "delta") + b"event: done\ndata: [DONE]\n\n"
    body = WORD + STOP + DONE if dialect == "openai" else named
    parts, _ = relay(body, must_speak=True)
    assert parts == [Frame(body), Relayed(dialect, over=True)]
    assert run([body], adapter="frames", dialect=dialect) == body


def test_the_dialect_is_told_before_the_frame_and_only_if_it_asks():
    assert relay(DONE)[0] == [Relayed(None, over=True), Frame(DONE)]
    assert relay(DONE, tells=False)[0] == [Frame(DONE)]
