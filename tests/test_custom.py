"""Adapters and dialects of the user's own: what is wrong is told by its name, and the client hears a failure."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from sse_bridge.dialects.plain import Plain, PlainVoice
from sse_bridge.parts import Choice, Finish, ToolCall, Usage, Value
from sse_bridge.wsgi import stream


class Reader:
    def __init__(self, given: Any, last: Any = ()) -> None:
        self.given, self.last = given, last

    def read(self, chunk: Any) -> Any:
        return self.given(chunk) if callable(self.given) else self.given

    def end(self) -> Any:
        return self.last


class Adapter:
    name = "mine"

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def reader(self, wish: Any) -> Any:
        return self._reader


class Dialect:
    name, headers, passes, takes_objects = "mine", (), None, True

    def __init__(self, voice: Any) -> None:
        self._voice = voice

    def voice(self) -> Any:
        return self._voice


def told(*chunks: Any, **options: Any) -> bytes:
    return b"".join(stream(iter(chunks), {}, **options))


@pytest.mark.parametrize(
    "adapter, words",
    [
        (5, "adapter must be a name or an Adapter, with a method `reader`, got 5"),
        (
            Adapter,
            r"adapter must be a name or an Adapter, got the class itself: did you mean Adapter\(",
        ),
        (Adapter(None), r"reader\(\) must return a Reader, with a method `read`, got None"),
        (Adapter("x"), r"reader\(\) must return a Reader, with a method `read`, got 'x'"),
        (Adapter(Reader(None)), "Reader.read must return a tuple of parts, got None"),
        (
            Adapter(Reader("text")),
            "Reader.read must return a tuple of parts, got a str of 4 characters",
        ),
        (Adapter(Reader([5])), "Reader.read must return a tuple of parts, got a list of length 1"),
        (
            Adapter(Reader(Finish("stop"))),
            "Reader.read must return a tuple of parts, got .*parts.Finish$",
        ),
        (Adapter(Reader((), 5)), "Reader.end must return a tuple of parts, got 5"),
    ],
)
def test_an_adapter_is_told_what_is_wrong_with_it(adapter: Any, words: str):
    with pytest.raises(TypeError, match=words):
        told("a", adapter=adapter)


class NoHeaders:
    name, passes, takes_objects = "mine", None, True

    def voice(self) -> Any:
        return lambda part: b""


@pytest.mark.parametrize(
    "dialect, words",
    [
        (5, "dialect must be a name or a Dialect, with a method `voice`, got 5"),
        (
            Dialect,
            r"dialect must be a name or a Dialect, got the class itself: did you mean Dialect\(",
        ),
        (NoHeaders(), "dialect must be a name or a Dialect, with an attribute `headers`, got"),
        (Dialect(None), r"voice\(\) must return a callable, got None"),
        (
            Dialect(lambda part: "text"),
            "must return bytes for .*parts.Start, got a str of 4 characters",
        ),
        (Dialect(lambda part: None), "must return bytes for .*parts.Start, got None"),
    ],
)
def test_a_dialect_is_told_what_is_wrong_with_it(dialect: Any, words: str):
    with pytest.raises(TypeError, match=words):
        told("a", dialect=dialect)


def test_what_goes_wrong_in_the_middle_is_a_failure_of_the_stream(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.ERROR)
    adapter = Adapter(Reader(lambda chunk: (chunk,) if chunk == "a" else chunk))
    body = told("a", "b", adapter=adapter)
    assert body.startswith(b"data: a\n\n")
    assert b"event: error" in body
    assert "Reader.read must return a tuple of parts, got a str of 1 characters" in caplog.text


def test_a_right_one_works_and_a_list_is_as_good_as_a_tuple():
    adapter = Adapter(Reader(lambda chunk: [chunk, chunk]))
    dialect = Dialect(lambda part: bytearray(part.encode()) if isinstance(part, str) else b"")
    assert told("a", "b", adapter=adapter, dialect=dialect) == b"aabb"


@pytest.mark.parametrize(
    "part, words",
    [
        (
            Choice('0,"evil":1', "x"),
            "Choice.number must be an int of 0 or more, got a str of 10 characters",
        ),
        (Choice(True, "x"), "Choice.number must be an int of 0 or more, got True"),
        (Choice(-1, "x"), "Choice.number must be an int of 0 or more, got -1"),
        (Choice(1, 5), "a part is within Choice, got 5"),
        (Choice(1, Finish(None)), "Finish.reason must be <class 'str'>, got None"),
        (ToolCall(0, 5, "f", "{}"), r"ToolCall.id must be str \| None, got 5"),
        (Usage(1, 2.5, 3), "Usage.output_tokens must be an int of 0 or more, got 2.5"),
        (Value("{}"), "Value.json must be <class 'bytes'>, got a str of 2 characters"),
        (Value(b"{}\n\ndata: evil"), "must return JSON of one line, got bytes of length 14"),
        (b"{}\r", "must return JSON of one line, got bytes of length 3"),
    ],
)
def test_a_part_with_a_field_of_another_type_is_refused_before_a_dialect_writes_it(
    part: Any, words: str
):
    with pytest.raises((TypeError, ValueError), match=words):
        told("a", adapter=Adapter(Reader(lambda chunk: (part,))))


class Counting(PlainVoice):
    """Calls a text one frame, as the package's own voices do, and keeps count."""

    said = 0

    def text(self, part: str) -> bytes:
        self.said += 1
        return super().text(f"{self.said} {part}")

    one_frame: ClassVar = {str: text}


class CountingDialect(Plain):
    def voice(self) -> Any:
        return Counting()


def test_a_voice_that_names_its_ways_to_say_one_frame_is_asked_itself_all_the_same():
    body = stream(iter("abcd"), {}, dialect=CountingDialect())
    assert b"".join(body).startswith(b"data: 1 a\n\ndata: 2 b\n\ndata: 3 c\n\ndata: 4 d\n\n")
