"""Who has spoken, what becomes of halves of characters, and what is said first and last."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from sse_bridge import Ending, UpstreamError, dialects
from sse_bridge.parts import (
    Broken,
    End,
    Failure,
    Finish,
    Frame,
    Native,
    Origin,
    Part,
    Reasoning,
    Relayed,
    Start,
    ToolCall,
    Value,
)
from sse_bridge.stream import Stream
from sse_bridge.times import Limits
from streams import started

PING = b": ping\n\n"
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


# -- who has spoken -------------------------------------------------------------------------------

SILENT: list[Part] = [
    "",
    Origin("id", 1, "m"),
    Relayed("openai", False),
    Frame(b": hello\n\n", speaks=False),
    Native("openai", b"{}", None, None, speaks=False),
]
SPEAKING: list[Part] = [
    "a",
    Reasoning("r"),
    ToolCall(0, "a", "b", "{}"),
    Value(b"1"),
    Frame(b"data: a\n\n"),
    Native("openai", b"{}", None, None),
]


@pytest.mark.parametrize("part", SILENT)
def test_a_model_that_has_not_said_a_word_has_failed(part: Part):
    stream = started(must_speak=True)
    stream.feed([part], 0.0)
    stream.finish(1.0)
    assert stream.ending is Ending.FAILED
    assert isinstance(stream.error, UpstreamError)
    assert (stream.error.code, stream.error.status_code) == ("empty_answer", 502)


@pytest.mark.parametrize("part", SILENT)
def test_where_nobody_must_speak_silence_is_no_failure(part: Part):
    stream = started()
    stream.feed([part], 0.0)
    stream.finish(1.0)
    assert stream.ending is Ending.FINISHED


@pytest.mark.parametrize("part", SPEAKING)
@pytest.mark.parametrize("silent", SILENT)
def test_a_word_is_a_word_whatever_stands_around_it(part: Part, silent: Part):
    for parts in ([part], [silent, part], [part, silent]):
        for run in ([parts], [[each] for each in parts]):
            stream = started(must_speak=True)
            for some in run:
                stream.feed(some, 0.0)
            stream.finish(1.0)
            assert stream.ending is Ending.FINISHED, parts


def test_frames_that_tell_their_end_before_a_word_have_failed_at_once():
    stream = started(must_speak=True)
    assert stream.feed([Relayed("openai", False)], 0.0) == b""
    assert stream.ending is None
    assert stream.feed([Relayed("openai", True)], 0.0) == b""
    assert isinstance(stream.error, UpstreamError)
    assert stream.error.code == "empty_answer"


@pytest.mark.parametrize("overs, fails", [((False, True), True), ((True, False), False)])
def test_of_several_words_on_whether_frames_are_over_the_last_counts(
    overs: tuple[bool, ...], fails: bool
):
    stream = started(must_speak=True)
    stream.feed([Relayed("openai", over) for over in overs] + [Relayed("openai", overs[-1])], 0.0)
    assert (stream.ending is Ending.FAILED) is fails


@pytest.mark.parametrize("must_speak, said", [(False, []), (True, ["a"])])
def test_frames_that_tell_their_end_otherwise_just_go_on(must_speak: bool, said: list[Part]):
    stream = started(must_speak=must_speak)
    stream.feed(said, 0.0)
    stream.feed([Relayed("openai", True)], 0.0)
    assert stream.ending is None
    assert stream.feed(["b"], 0.0) == b"data: b\n\n"


def test_a_failure_that_is_told_in_band_comes_behind_the_words_before_it():
    stream, error = started(), ValueError("in band")
    words = stream.feed(["a", "b", Broken(error), Broken(KeyError()), "never"], 0.0)
    assert words.startswith(b"data: a\n\ndata: b\n\nevent: error\n")
    assert b"never" not in words
    assert stream.error is error
    assert stream.summary(0.0).events == 3


OBJECT = Value(b'{"error":1}')


@pytest.mark.parametrize("before", [[], [Frame(b": hello\n\n", speaks=False)]])
def test_an_object_for_which_there_is_no_place_is_no_beginning(before: list[Part]):
    stream = started(dialect="openai")
    stream.feed([*before, OBJECT], 0.0)
    assert stream.ending is Ending.FAILED
    assert "which is not a chunk of a model" in str(stream.error)


def test_an_object_for_which_there_is_no_place_is_left_out_behind_words():
    stream = started(dialect="openai")
    stream.feed(["a"], 0.0)
    assert stream.feed([OBJECT], 0.0) == b""
    assert stream.feed([Finish("stop"), OBJECT], 0.0)
    assert stream.ending is None


def test_the_first_object_for_which_there_is_no_place_is_the_one_that_is_told_of():
    stream = started(dialect="openai")
    stream.feed([OBJECT, Value(b"[]")], 0.0)
    assert "with the fields 'error'" in str(stream.error)


def test_a_beginning_is_one_of_which_any_object_is_said():
    stream = Stream(lambda part: b"data: 1\n\n" if part == OBJECT else b"", None, Limits())
    stream.start(0.0)
    assert stream.feed([OBJECT, Value(b"[]")], 0.0) == b"data: 1\n\n"
    assert stream.ending is None


def test_words_for_which_there_is_no_place_are_left_out_even_first():
    stream = started()
    assert stream.feed([Reasoning("r")], 0.0) == b""
    assert stream.ending is None


# -- halves of characters -------------------------------------------------------------------------


def test_two_halves_that_come_apart_are_one_character():
    stream = started()
    assert stream.feed(["a\ud83d"], 0.0) == b"data: a\n\n"
    assert stream.lone("\ude00", 0.0) == "data: 😀\n\n".encode()
    assert stream.feed(["b", "\ud83d"], 0.0) == b"data: b\n\n"
    assert stream.feed(["c"], 0.0) == "data: \ufffdc\n\n".encode()
    stream.gone()
    assert stream.summary(0.0).events == 4


def test_a_half_that_stayed_alone_is_told_before_what_is_no_text():
    stream = started()
    assert stream.feed(["\ud83d"], 0.0) == b""
    assert stream.feed([b"1"], 0.0) == "data: \ufffd\n\ndata: 1\n\n".encode()


def test_a_half_that_stayed_alone_is_told_before_the_end():
    for end in ("finish", "fail"):
        stream = started()
        stream.feed(["a", "\ud83d"], 0.0)
        words = stream.finish(1.0) if end == "finish" else stream.fail(ValueError(), 1.0)
        assert words.startswith("data: \ufffd\n\nevent: ".encode())


def test_each_half_that_stayed_alone_is_told():
    stream = started(dialect="delta")
    stream.feed([Reasoning("\ud83d")], 0.0)
    stream.feed(["\ud83d"], 0.0)
    words = stream.finish(1.0).decode()
    names = [frame.partition("\n")[0] for frame in words.split("\n\n")]
    assert names == ["event: reasoning", "event: delta", "event: done", ""]


def test_a_half_that_cannot_be_told_costs_no_last_words():
    plain = dialects.by_name("plain").voice()

    def write(part: Part) -> bytes:
        if part == "\ufffd":
            raise LookupError("no place for it")
        return plain(part)

    stream = Stream(write, Start("", 0), Limits())
    stream.start(0.0)
    stream.feed(["a", "\ud83d"], 0.0)
    assert stream.finish(1.0) == DONE


# -- first and last words -------------------------------------------------------------------------

OPENING = b"data: start\n\n"


class Words:
    """A voice that says what it is given for each kind of part."""

    def __init__(self, words: dict[type, Any], cuts: bool = False) -> None:
        self.words = {Start: OPENING, str: b"data: x\n\n", End: b"", Failure: b""} | words
        self.cuts = cuts

    def __call__(self, part: Part) -> bytes:
        words = self.words[type(part)]
        if isinstance(words, Exception):
            raise words
        assert isinstance(words, bytes)
        return words


def spoken_by(
    words: dict[type, Any], *, cuts: bool = False, limits: Limits | None = None, **options: Any
) -> Stream:
    return Stream(Words(words, cuts), Start("", 0), limits or Limits(), **options)


def test_parts_of_a_kind_are_said_at_once_by_a_dialect_that_can():
    class Runs(Words):
        def run(self, parts: list[Part]) -> bytes:
            return b"data: %d at once\n\n" % len(parts)

    stream = Stream(Runs({}), None, Limits())
    stream.start(0.0)
    assert stream.feed(["a", "b"], 0.0) == b"data: 2 at once\n\n"


def test_a_dialect_without_an_ear_for_the_start_is_not_told_of_it():
    stream = Stream(Words({Start: LookupError("no ear")}), None, Limits())
    assert stream.start(0.0) == b""
    assert stream.feed(["a"], 0.0) == b"data: x\n\n"


@pytest.mark.parametrize("retry, line", [(None, b""), (7, b"retry: 7\n")])
def test_an_opening_that_leaves_by_itself_has_the_retry_line_and_needs_no_ping(
    retry: int | None, line: bytes
):
    at_once = spoken_by({}, limits=Limits(hold=0), retry=retry)
    assert at_once.start(0.0) == line + OPENING
    in_time = spoken_by({}, retry=retry)
    in_time.start(0.0)
    assert in_time.tick(5.0) == line + OPENING
    assert in_time.deadline == 20.0
    for stream in (at_once, in_time):
        assert not stream.held
        assert stream.feed(["a"], 6.0) == b"data: x\n\n"
        stream.gone()
        assert stream.summary(6.0).bytes == len(line + OPENING + b"data: x\n\n")


def test_a_probe_opens_a_stream_that_is_held():
    stream = spoken_by({})
    stream.start(0.0)
    assert stream.probe(1.0) == OPENING + PING
    assert not stream.held
    assert stream.probe(2.0) == PING
    stream.gone()
    assert stream.summary(2.0).bytes == len(OPENING + PING + PING)


def test_a_probe_says_nothing_without_pings_or_after_the_end():
    stream = spoken_by({}, limits=Limits(ping=inf))
    stream.start(0.0)
    assert stream.probe(1.0) == b""
    assert stream.held
    ended = spoken_by({})
    ended.start(0.0)
    ended.gone()
    assert ended.probe(1.0) == b""
    assert ended.summary(1.0).pings == 0


def test_a_stream_without_last_words_still_says_its_first():
    stream = spoken_by({}, say_end=False)
    stream.start(0.0)
    assert stream.finish(1.0) == OPENING
    assert not stream.held
    assert stream.summary(1.0).bytes == len(OPENING)


def test_a_plain_function_may_be_a_voice_and_what_it_told_is_not_cut():
    stream = Stream(lambda part: b"data: x\n\n", Start("", 0), Limits())
    stream.start(0.0)
    assert not stream.cut
    stream.feed(["a"], 0.0)
    assert stream.fail(ValueError(), 1.0) == b"data: x\n\n"
    assert not stream.cut


def test_a_stream_that_has_said_all_says_nothing_more_at_its_end():
    stream = spoken_by({}, say_end=False)
    stream.start(0.0)
    stream.feed(["a"], 0.0)
    assert stream.finish(1.0) == b""
    assert stream.lone("b", 2.0) == stream.tick(99.0) == stream.feed(["b"], 2.0) == b""


def test_a_dialect_that_fails_over_the_end_has_failed_in_words():
    error = LookupError("no end")
    stream = spoken_by({End: error, Failure: b"data: sorry\n\n"})
    stream.start(0.0)
    stream.feed(["a"], 0.0)
    assert stream.finish(1.0) == b"data: sorry\n\n"
    assert (stream.ending, stream.error, stream.cut) == (Ending.FAILED, error, False)


def test_a_dialect_that_fails_over_the_end_of_a_held_stream_leaves_that_to_be_raised():
    error = LookupError("no end")
    stream = spoken_by({End: error, Failure: b"data: sorry\n\n"})
    stream.start(0.0)
    assert stream.finish(1.0) == b""
    assert (stream.ending, stream.error, stream.held) == (Ending.FAILED, error, True)


@pytest.mark.parametrize(
    "words, cuts, cut",
    [
        (b"data: sorry\n\n", False, False),
        (b"data: sorry\n\n", True, True),
        (b"", True, False),  # the source has told it itself
        (b"", False, False),
        (LookupError("no words"), False, True),
    ],
)
def test_a_failure_that_could_not_be_told_ends_as_a_cut(words: Any, cuts: bool, cut: bool):
    stream = spoken_by({Failure: words}, cuts=cuts)
    stream.start(0.0)
    stream.feed(["a"], 0.0)
    stream.fail(ValueError(), 1.0)
    assert stream.cut is cut
