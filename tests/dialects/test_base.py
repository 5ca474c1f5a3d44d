"""What all dialects keep, and how they are named."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chunks import openai_chunk, run
from sse_bridge import Decoder, ServerSentEvent, dialects
from sse_bridge.dialects.base import failure_json
from sse_bridge.dialects.openai import OpenAIVoice
from sse_bridge.dialects.plain import PlainVoice
from sse_bridge.options import Options
from sse_bridge.parts import (
    Choice,
    End,
    Failure,
    Finish,
    Frame,
    Native,
    Reasoning,
    Start,
    ToolCall,
    Usage,
    Value,
)

NAMES = ["plain", "delta", "openai"]
START = Start("id-1", 1)
ONE_OF_EACH = [
    "text",
    b"{}",
    Reasoning("r"),
    ToolCall(0, "c", "f", "{}"),
    Usage(1, 2, 3),
    Usage(1, 2, 3, final=False),
    Value(b"[1]"),
    Frame(b"data: framed\n\n"),
    Native("other", b"{}", None, None),
    Choice(1, "text"),
    Choice(1, Reasoning("r")),
    Choice(1, ToolCall(0, "c", "f", "{}")),
    Choice(1, Finish("stop")),
    Finish("stop"),
]
DONE = {
    "plain": b"event: done\nid: [DONE]\ndata: [DONE]\n\n",
    "delta": b"event: done\nid: [DONE]\ndata: [DONE]\n\n",
    "openai": b"data: [DONE]\n\n",
}


def voice(name):
    made = dialects.by_name(name).voice()
    made(START)
    return made


# -- whatever is said -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ONE_OF_EACH, ids=lambda part: repr(part)[:40])
def test_a_part_is_whole_frames_or_nothing(name, part):
    said = voice(name)(part)
    assert not said or said.endswith(b"\n\n")
    assert len(Decoder().feed(said)) == said.count(b"\n\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("framed", [b"data: x\n\n", b": c\r\n\r\n", b"id: 1\ndata: x\n\n"])
def test_what_is_framed_passes_untouched(name, framed):
    assert voice(name)(Frame(framed)) == framed


@pytest.mark.parametrize("name", NAMES)
@given(texts=st.lists(st.text(min_size=1), min_size=1, max_size=5))
@example(texts=["a\n\ndata: b", "c"])
@example(texts=["a\r", "\nb"])
def test_a_run_of_text_is_said_as_each_text_would_be(name, texts):
    at_once, each = voice(name), voice(name)
    for _ in range(2):  # the first text may be told more than those after it
        assert at_once.run(texts) == b"".join(map(each, texts))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_cannot_be_said_leaves_the_voice_as_it_was(name):
    say, fresh = voice(name), voice(name)
    with pytest.raises(UnicodeEncodeError):
        say.run(["a", "\ud800"])
    assert say("a") == fresh("a")


def test_whoever_has_words_of_their_own_for_text_has_them_for_a_run_too():
    class Loud(PlainVoice):
        def text(self, part):
            return super().text(part.upper())

    assert Loud().run(["a", "b"]) is None


# -- lines of JSON --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, same", [("plain", Value(b"[1]")), ("openai", Native("openai", b"[1]", None, None))]
)
def test_lines_are_said_as_what_they_stand_for(name, same):
    say, other = voice(name), voice(name)
    assert say.takes_lines
    assert say.run([b"[1]", b"[1]"]) == other(same) * 2
    assert say(b"[1]") == other(same)
    assert say(End()) == other(End())


def test_lines_do_not_come_to_whoever_has_words_of_their_own_for_what_they_stand_for():
    class Named(PlainVoice):
        def value(self, part):
            return b"event: value\n" + super().value(part)

    class NamedPlain(dialects.Plain):
        def voice(self):
            return Named()

    class Passing(OpenAIVoice):
        def native(self, part):
            return b": passing\n" + super().native(part)

    own_words = [Named, Passing, type(dialects.Delta().voice())]
    assert not any(kind.takes_lines for kind in own_words)
    assert run([{"a": 1}], dialect=NamedPlain()).startswith(b'event: value\ndata: {"a":1}\n\n')
    assert Named()(b"{}") == b"event: value\ndata: {}\n\n"


def test_lines_come_again_to_whoever_also_says_several():
    class Loud(PlainVoice):
        def value(self, part):
            return b"event: value\n" + super().value(part)

        def lines(self, parts):
            return b"".join(self.value(Value(part)) for part in parts)

    assert Loud.takes_lines
    assert Loud().run([b"{}"]) == b"event: value\ndata: {}\n\n"


@pytest.mark.parametrize("name", NAMES)
def test_two_voices_of_a_dialect_share_nothing(name):
    dialect = dialects.by_name(name)
    one, other = dialect.voice(), dialect.voice()
    one(START), other(START)
    once = one("x")
    one(Finish("stop"))
    assert other("x") == once


@pytest.mark.parametrize("name", NAMES)
def test_a_dialect_has_no_headers_of_its_own(name):
    assert Options(dialect=name).headers() == Options().headers()


# -- what has no place ----------------------------------------------------------------------------

WITHOUT_PLACE = {
    "plain": [Reasoning("r"), ToolCall(0, "c", "f", "{}"), Choice(1, "x")],
    "openai": [Value(b"[1]"), Native("dashscope", b"{}", None, None)],
}


@pytest.mark.parametrize(
    "name, part", [(name, part) for name, parts in WITHOUT_PLACE.items() for part in parts]
)
def test_a_part_without_a_place_is_left_out_with_one_warning_a_stream(name, part, caplog):
    for stream in range(2):
        say = voice(name)
        assert [say(part) for _ in range(3)] == [b""] * 3
        assert say("x")
        assert len(caplog.records) == stream + 1
    assert f"the {name} dialect cannot express" in caplog.text


def test_each_kind_of_part_is_warned_of(caplog):
    say = voice("plain")
    for part in WITHOUT_PLACE["plain"] * 2:
        say(part)
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split(" cannot express ")[1] for message in messages] == [
        "reasoning: left out",
        "a tool call: left out",
        "another choice than the first: left out",
    ]


def test_finish_and_usage_are_no_loss_to_plain(caplog):
    say = voice("plain")
    assert say(Finish("stop")) + say(Usage(1, 2, 3)) == b""
    assert not caplog.records


def test_a_stream_with_parts_left_out_ends_well(caplog):
    chunks = [openai_chunk({"reasoning": "r", "content": "x"}), openai_chunk({"reasoning": "r"})]
    assert run(chunks, adapter="openai") == b"data: x\n\n" + DONE["plain"]
    assert ["cannot express" in record.message for record in caplog.records].count(True) == 1


# -- one ending -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_and_an_end_are_one_ending(name):
    say = voice(name)
    last = say(Failure("m", "upstream_error", retryable=True)) + say(End())
    assert b"upstream_error" in last
    assert b"event: done" not in last
    assert last.count(b"[DONE]") == (1 if name == "openai" else 0)
    assert say(End()) == b""


@pytest.mark.parametrize("name", NAMES)
def test_an_end_comes_once(name):
    say = voice(name)
    assert say(End()).endswith(DONE[name])
    assert say(End()) == b""


NAMED_DONE = [
    b"event: done\nid: [DONE]\ndata: [DONE]\n\n",
    b"event:done\r\nid:[DONE]\r\ndata:[DONE]\r\n\r\n",
    b"data: [DONE]\nevent: done\n\n",
]
OWN_DONE = {
    "plain": NAMED_DONE,
    "delta": NAMED_DONE,
    "openai": [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n"],
}


@pytest.mark.parametrize(
    "name, framed",
    [(name, frame) for name, frames in OWN_DONE.items() for frame in frames],
)
def test_a_source_that_said_done_itself_is_not_ended_twice(name, framed):
    chunks = [b"data: x\n\n", framed]
    assert run(chunks, adapter="frames", dialect=name) == b"".join(chunks)


@pytest.mark.parametrize("name", NAMES)
def test_done_or_error_but_never_both_even_if_the_source_said_done(name):
    def breaking():
        yield ServerSentEvent("x")
        yield Decoder().feed(DONE[name])[0]
        raise RuntimeError("never on the wire")

    assert run(breaking(), dialect=name) == b"data: x\n\n" + DONE[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_word_done_in_a_text_ends_nothing(name):
    body = run(["[DONE]", ServerSentEvent("[DONE]", event="other")], dialect=name)
    assert body.endswith(DONE[name])
    assert len(Decoder().feed(body)) == (4 if name == "openai" else 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk", [float("nan"), {"x": object()}])
def test_what_cannot_be_written_is_told_once_and_ends_the_stream(name, chunk):
    body = run(["before", chunk, "never"], dialect=name)
    assert body.count(b"serialization_error") == 1
    assert b"never" not in body
    assert b"event: done" not in body


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failure_is_told_by_message_code_and_whether_to_retry(retryable):
    line = failure_json(Failure("a\u2028b", "shutdown", retryable))
    word = "true" if retryable else "false"
    assert line == f'{{"code":"shutdown","message":"a\\u2028b","retryable":{word}}}'


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_dialect_is_found_by_its_name(name):
    assert dialects.by_name(name).name == name


def test_a_name_that_is_still_to_come_says_so():
    with pytest.raises(ValueError, match="'ai-sdk' comes in a later release"):
        dialects.by_name("ai-sdk")


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'plain', 'openai', 'delta'.* got 'opnai'"):
        dialects.by_name("opnai")


@pytest.mark.parametrize("name", dialects.__all__)
def test_all_that_dialects_announces_is_there(name):
    assert hasattr(dialects, name)


def test_a_dialect_of_ones_own_needs_no_base():
    class Shout:
        name = "shout"
        headers = (("X-Shout", "1"),)
        passes = None
        takes_objects = False

        def voice(self):
            return lambda part: f"data: {part.upper()}\n\n".encode() if type(part) is str else b""

    assert run(["a", "b"], dialect=Shout()) == b"data: A\n\ndata: B\n\n"
    assert ("X-Shout", "1") in Options(dialect=Shout()).headers()


class Farewells(PlainVoice):
    """Chooses its last event for each stream."""

    def __init__(self) -> None:
        super().__init__()
        self.done = ServerSentEvent("bye")  # type: ignore[misc] # not only the class's


class Property(PlainVoice):
    @property
    def done(self) -> ServerSentEvent:  # type: ignore[override]
        return ServerSentEvent("bye")


@pytest.mark.parametrize("voice", [Farewells, Property])
def test_the_last_event_may_be_a_streams_own(voice: type[PlainVoice]):
    assert voice().say(End()) == b"data: bye\n\n"
