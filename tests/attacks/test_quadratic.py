"""Somebody sends what is cheap to send, and hopes that it is dear to read: much of it, in small pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from chunks import CUMULATIVE, dashscope_choice, dashscope_chunk, envelope, openai_chunk
from sse_bridge import Decoder, adapters
from sse_bridge.adapters import JsonLines, OpenAI, Plain
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.lines import LINE_LIMIT
from sse_bridge.options import Options
from sse_bridge.parts import Broken, Finish, ToolCall, Value
from sse_bridge.testing.answer import Answer
from sse_bridge.testing.reading import Reading
from sse_bridge.testing.request import Request
from steps import Take, assert_linear
from streams import started

PIECE = 64  # bytes
FEW = 100


def cut(body: bytes, size: int = PIECE) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def of_pieces(begin: bytes, fill: bytes, end: bytes = b"") -> Callable[[int], list[bytes]]:
    """A body of so many pieces, nearly all of which are of the same kind."""
    return lambda count: cut(begin + fill * (count * PIECE // len(fill)) + end)


BODIES: dict[str, Callable[[int], list[bytes]]] = {
    "one long line of data": of_pieces(b"data: ", b"x", b"\n\n"),
    "one long comment": of_pieces(b": ", b"x", b"\n\n"),
    "one long field that nobody knows": of_pieces(b"some: ", b"x", b"\n\n"),
    "one long name": of_pieces(b"event: ", b"x", b"\ndata: y\n\n"),
    "one event of many lines": of_pieces(b"", b"data: x\n", b"\n"),
    "events": of_pieces(b"", b"data: x\n\n"),
    "line ends alone": of_pieces(b"", b"\n"),
    "carriage returns alone": of_pieces(b"", b"\r"),
    "a mark, and line ends": of_pieces(b"\xef\xbb\xbf", b"\r\n"),
    "colons, each in a piece": lambda count: [b":"] * count,
    "pieces of nothing": lambda count: [b""] * count,
    "no event stream at all": of_pieces(b"{", b" "),
    "chunks of a model's": of_pieces(
        b"", b"data: " + json.dumps(openai_chunk({"content": "x"})).encode() + b"\n\n"
    ),
    "chunks that never say a word": of_pieces(
        b"", b"data: " + json.dumps(openai_chunk()).encode() + b"\n\n"
    ),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_of_events_in_small_pieces_is_decoded_at_a_cost_that_grows_as_it_does(body: str):
    assert_linear(lambda: Decoder().feed, BODIES[body], FEW)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    "wish",
    [Wish(takes_objects=True), Wish(passes="openai"), Wish(speaks="delta")],
    ids=["plain", "openai", "a gateway"],
)
def test_a_body_of_events_in_small_pieces_is_passed_at_a_cost_that_grows_as_it_does(
    body: str, wish: Wish
):
    assert_linear(lambda: adapters.Frames().reader(wish).read, BODIES[body], FEW)


def passing() -> Take:
    """An answer's way through a middleware: its reader, and its stream."""
    stream, reader = Options().framed().open()
    stream.start(0.0)
    return lambda piece: stream.feed(reader.read(piece), 0.0)


@pytest.mark.parametrize("body", BODIES)
def test_an_answer_in_small_pieces_passes_a_middleware_at_a_cost_that_grows_as_it_does(body: str):
    assert_linear(passing, BODIES[body], FEW)


def watched() -> Take:
    """A test's own client."""
    answer = Answer()
    answer.start(200, [("content-type", "text/event-stream")])
    reading = Reading(Request("GET", "/"), answer, raises=True)

    def read(piece: bytes) -> None:
        answer.put(piece)
        assert reading._look_for_rest() is None

    return read


@pytest.mark.parametrize("body", BODIES)
def test_the_client_for_tests_reads_small_pieces_at_a_cost_that_grows_as_they_do(body: str):
    assert_linear(watched, BODIES[body], FEW)


# -- lines of JSON ---------------------------------------------------------------------------------

LINES: dict[str, Callable[[int], list[bytes]]] = {
    "one line": of_pieces(b'"', b"x", b'"\n'),
    "one line that never ends": of_pieces(b'"', b"x"),
    "spaces alone": of_pieces(b"", b" "),
    "empty lines": of_pieces(b"", b"\n"),
    "small lines": of_pieces(b"", b"[1]\n"),
    "text": of_pieces(b'"', "你".encode(), b'"\n'),
}


@pytest.mark.parametrize("kind", [bytes, str])
@pytest.mark.parametrize("body", LINES)
def test_lines_of_json_in_small_pieces_are_read_at_a_cost_that_grows_as_they_do(
    body: str, kind: type
):
    def things(count: int) -> list[Any]:
        pieces = LINES[body](count)
        return pieces if kind is bytes else [piece.decode("utf-8", "replace") for piece in pieces]

    assert_linear(lambda: JsonLines(Plain()).reader(Wish(takes_objects=True)).read, things, FEW)


def lines_read(*pieces: bytes) -> list[Any]:
    """What comes of these, up to the failure."""
    reader = JsonLines(Plain()).reader(Wish(takes_objects=True))
    said: list[Any] = []
    try:
        for piece in pieces:
            said += reader.read(piece)
        said += reader.end()
    except Exception as error:
        said.append(Broken(error))
    return [type(part) if type(part) is Broken else part for part in said]


BAD = {
    "no JSON": b"oops\n",
    "no JSON at the end": b"oops",
    "a line without end": b"x" * (LINE_LIMIT + 1),
    "a line that is too long": b'"' + b"x" * LINE_LIMIT + b'"\n',
    "too deep": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("size", [7, 1024 * 1024, LINE_LIMIT * 2])
def test_good_lines_in_the_piece_of_a_bad_one_are_not_lost(bad: str, size: int):
    body = b"[1]\n[2]\n" + BAD[bad]
    pieces = cut(body, size) if len(body) // size < 100_000 else [body[:9], body[9:]]
    assert lines_read(*pieces) == [Value(b"[1]"), Value(b"[2]"), Broken]


class Untidy(Plain):
    """An adapter of which nothing good comes in the end."""

    def reader(self, wish: Wish) -> Any:
        reader = super().reader(wish)

        class Reader:
            read = staticmethod(reader.read)

            def end(self) -> Any:
                raise RuntimeError("no end")

        return Reader()


def test_the_last_line_is_not_lost_where_the_end_is_a_failure():
    reader = JsonLines(Untidy()).reader(Wish(takes_objects=True))
    assert reader.read(b"[1]") == []
    said = [*reader.end()]
    assert said[0] == Value(b"[1]")
    assert type(said[1]) is Broken


# -- a model's chunks ------------------------------------------------------------------------------


def fragment(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "function": {"name": "f", "arguments": "{}"}, **more}


CHUNKS: dict[str, Callable[[int], Iterable[Any]]] = {
    "calls with an id each": lambda count: [
        openai_chunk({"tool_calls": [fragment(number)]}) for number in range(count)
    ],
    "calls with the same number each": lambda count: [
        openai_chunk({"tool_calls": [fragment(number, index=0)]}) for number in range(count)
    ],
    "calls with nothing but a name": lambda count: [
        openai_chunk({"tool_calls": [{"function": {"name": f"f{number}"}}]})
        for number in range(count)
    ],
    "many calls, and then many whole answers": lambda count: [
        *(openai_chunk({"tool_calls": [fragment(number)]}) for number in range(count // 2)),
        *[envelope([{"index": 0, "message": {"tool_calls": []}}])] * (count // 2),
    ],
    "fields that nobody knows": lambda count: [
        openai_chunk({"content": "x", f"field_{number}": 1}) for number in range(count)
    ],
    "fields around the choices that nobody knows": lambda count: [
        openai_chunk({"role": "x"}, **{f"field_{number}": 1}) for number in range(count)
    ],
    "choices that say nothing, and then other objects": lambda count: [
        *(openai_chunk({}, index=number + 1) for number in range(count // 2)),
        *[{"choices": None, "id": "x"}] * (count // 2),
    ],
    "text": lambda count: [openai_chunk({"content": "x"})] * count,
    "nothing": lambda count: [openai_chunk()] * count,
}
WISHES = {
    "plain": Wish(takes_objects=True, lines=True),
    "collected": Wish(takes_objects=True, collect=True),
    "openai": Wish(passes="openai"),
    "delta": Wish(),
}


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("kind", CHUNKS)
def test_chunks_of_which_each_is_new_are_read_at_a_cost_that_grows_as_they_do(
    kind: str, wish: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("ERROR")
    assert_linear(lambda: adapters.Auto().reader(WISHES[wish]).read, CHUNKS[kind], FEW)


def test_objects_behind_many_choices_that_say_nothing_are_read_at_a_cost_that_grows_as_they_do():
    chunks = CHUNKS["choices that say nothing, and then other objects"]

    def things(count: int) -> list[Any]:
        return [chunk if chunk["choices"] else {"a": 1} for chunk in chunks(count)]

    assert_linear(lambda: adapters.Auto().reader(WISHES["plain"]).read, things, FEW)


def test_pieces_of_a_dashscope_answer_are_read_at_a_cost_that_grows_as_they_do():
    calls = [fragment(number, index=number) for number in range(4 * FEW)]

    def things(count: int) -> list[Any]:
        return [dashscope_chunk(dashscope_choice("", tool_calls=[call])) for call in calls[:count]]

    for adapter in (CUMULATIVE, adapters.DashScope(incremental_output=True)):
        assert_linear(lambda adapter=adapter: adapter.reader(Wish()).read, things, FEW)


def test_half_a_character_does_not_make_what_follows_dear():
    def halved() -> Take:
        stream = started(dialect="delta")
        stream.feed(["\ud83d"], 0.0)
        return lambda part: stream.feed([part], 0.0)

    def parts(count: int) -> list[Any]:
        calls = [ToolCall(number, "x", "f", "{}") for number in range(count // 2)]
        return [*calls, *[Finish("stop")] * (count // 2)]

    assert_linear(halved, parts, FEW)


def test_fields_that_nobody_knows_do_not_fill_the_log(caplog: pytest.LogCaptureFixture):
    reader = OpenAI().reader(Wish())
    for number in range(1000):
        reader.read(openai_chunk({"content": "x", f"field_{number}": 1}))
    assert len(caplog.records) == 21
    assert "still others" in caplog.records[-1].getMessage()


# -- patterns: of these nothing can be counted, and what is dear takes hours -----------------------


def test_a_line_of_many_beginnings_of_a_chunk_is_looked_through_once():
    reader = adapters.Frames(exact=True).reader(Wish(takes_objects=True))
    line = b"data: " + b'"choices":[{' * 500_000 + b"\n\n"
    assert sum(len(getattr(part, "data", b"")) for part in reader.read(line)) == len(line)


def test_the_words_of_an_error_are_looked_through_once():
    from sse_bridge.drivers.affinity import explain

    error = RuntimeError("greenlet" * 1_000_000)
    explain(error)
    assert not hasattr(error, "__notes__")
