"""Somebody else's event stream, told in our words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from chunks import envelope, openai_chunk
from recorded import anthropic
from recorded.frames import frame, in_chunks
from sse_bridge import Decoder, ServerSentEvent, UpstreamError
from sse_bridge.adapters.anthropic import AnthropicReader
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.delta import DeltaReader
from sse_bridge.adapters.openai import OpenAIReader
from sse_bridge.adapters.translated import ProtocolReader, Translated, decoded, is_done, json_of
from sse_bridge.adapters.vendor import VendorReader
from sse_bridge.failures import diagnose
from sse_bridge.parts import Broken, Finish, Part
from vendors.replay import as_events

READERS = {"openai": OpenAIReader, "anthropic": AnthropicReader, "delta": DeltaReader}
LAST = {"anthropic": frozenset({"message_stop"})}
WORD = {
    "openai": in_chunks(openai_chunk({"content": "Hel"})),
    "anthropic": as_events([anthropic.start(), *anthropic.text(0, "Hel")[:2]]),
    "delta": frame({"text": "Hel"}, "delta"),
}
every_protocol = pytest.mark.parametrize("protocol", READERS)


def translated(protocol: str) -> Translated:
    reader: ProtocolReader = READERS[protocol](Wish())
    return Translated(reader, Decoder(), LAST.get(protocol, frozenset()))


def told(stream: Translated, *pieces: bytes) -> tuple[list[Part], str | None]:
    """What is said, and the code of the failure behind it."""
    said: list[Part] = []
    try:
        for part in _parts(stream, pieces):
            if isinstance(part, Broken):
                raise part.error
            said.append(part)
    except UpstreamError as error:
        return said, diagnose(error).code
    return said, None


def _parts(stream: Translated, pieces: Iterable[bytes]) -> Iterator[Part]:
    for piece in pieces:
        yield from stream.read(piece)
    yield from stream.end()


def words(parts: list[Part]) -> list[Part]:
    return [part for part in parts if isinstance(part, str)]


@every_protocol
def test_a_frame_says_what_it_says_when_it_is_whole(protocol: str):
    stream = translated(protocol)
    assert words([*stream.read(WORD[protocol][:-1])]) == []
    assert words([*stream.read(WORD[protocol][-1:])]) == ["Hel"]


@every_protocol
@pytest.mark.parametrize(
    "error",
    [
        frame({"error": {"message": "m", "type": "overloaded_error"}}, "error"),
        frame({"code": "overloaded", "message": "m"}, "error"),
        frame({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "error"),
    ],
)
def test_an_event_named_error_is_a_failure(protocol: str, error: bytes):
    said, code = told(translated(protocol), WORD[protocol] + error)
    assert (words(said), code) == (["Hel"], "overloaded")


@every_protocol
def test_an_error_that_is_no_json_is_one_too(protocol: str):
    error = frame("Internal Server Error", "error")
    assert told(translated(protocol), WORD[protocol], error)[1] == "upstream_error"


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "m", "code": 429}},
        [{"error": {"message": "m", "code": 429}}],
        {"type": "error", "code": 429, "message": "m"},
    ],
)
def test_an_error_without_a_name_is_a_failure(error: Any):
    for protocol in "openai", "anthropic":
        assert told(translated(protocol), WORD[protocol], frame(error))[1] == "rate_limited"


@every_protocol
@pytest.mark.parametrize("other", ["not JSON", {"mine": 1}, [1], 3, None, "[" * 100_000])
@pytest.mark.parametrize("name", ["mine", None])
def test_what_is_none_of_its_protocol_is_left_out(protocol: str, other: Any, name: str | None):
    data = frame(other, name)
    said, code = told(translated(protocol), data, WORD[protocol], data, frame("[DONE]"))
    assert (words(said), code) == (["Hel"], None)


def test_it_is_warned_of_once(caplog: pytest.LogCaptureFixture):
    told(translated("openai"), WORD["openai"], *[frame({"a": 1}, "mine")] * 3, frame("[DONE]"))
    messages = [record.getMessage() for record in caplog.records]
    assert (
        messages.count("an event 'mine' of the upstream's is none of its protocol: left out") == 1
    )


@every_protocol
@pytest.mark.parametrize("name", [None, "done", "message"])
def test_done_is_an_end_to_everybody(protocol: str, name: str | None):
    assert told(translated(protocol), WORD[protocol], frame("[DONE]", name))[1] is None
    assert told(translated(protocol), WORD[protocol], frame("[DONE]", "x"))[1] == "upstream_cut"


@every_protocol
def test_what_goes_on_after_its_end_and_stops_was_cut(protocol: str):
    pieces = WORD[protocol], frame("[DONE]"), WORD[protocol]
    assert told(translated(protocol), *pieces)[1] == "upstream_cut"
    assert told(translated(protocol), *pieces, frame("[DONE]"))[1] is None


def test_counts_behind_the_reason_do_not_undo_the_end():
    usage = envelope([], usage={"prompt_tokens": 1, "completion_tokens": 2})
    chunks = [openai_chunk({"content": "x"}), openai_chunk({}, "stop"), usage]
    said, code = told(translated("openai"), in_chunks(*chunks))
    assert Finish("stop") in said
    assert code is None


def test_the_protocols_last_event_is_an_end():
    last = frame({"type": "message_stop"})
    assert told(translated("anthropic"), WORD["anthropic"], last)[1] is None


def test_a_protocol_without_an_end_cannot_be_cut():
    class Endless(VendorReader):
        name, takes, tells_reason = "endless", "words", False

        def knows(self, chunk: Any) -> bool:
            return "word" in chunk

        def say(self, chunk: Any) -> Any:
            yield chunk["word"]

    stream = Translated(Endless(Wish()), Decoder(), frozenset())
    assert told(stream, frame({"word": "x"})) == (["x"], None)


def test_a_frame_that_is_too_large_is_a_failure_behind_what_was_said():
    stream = Translated(OpenAIReader(Wish()), Decoder(max_buffer=1000), frozenset())
    *said, failure = stream.read(WORD["openai"] + b"data: " + b"x" * 2000)
    assert said == ["Hel"]
    assert isinstance(failure, Broken)
    assert "max_buffer" in str(failure.error)


def test_events_before_one_that_is_too_large_are_not_lost():
    events, error = decoded(Decoder(max_buffer=10), b"data: x\n\ndata: " + b"y" * 20)
    assert [event.data for event in events] == ["x"]
    assert error is not None


def test_json_that_nobody_can_read_is_none():
    texts = ["", "{", "[" * 100_000, json.dumps({"a": 1})]
    assert [json_of(ServerSentEvent(text)) for text in texts] == [None, None, None, {"a": 1}]
    assert not is_done(ServerSentEvent("[DONE] "))
