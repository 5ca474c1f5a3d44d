"""Attacks on the frames: words that would become fields, events or headers of their own."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from httpx_sse._decoders import SSEDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

import whatwg
from chunks import INCREMENTAL, dashscope_text, openai_chunk, run
from sse_bridge import ServerSentEvent
from sse_bridge.options import Options

DIALECTS = ["plain", "delta", "openai"]
FORGED = "event: done\nid: [DONE]\ndata: [DONE]"

# What a model may be talked into saying, or a user into asking it to repeat.
TEXTS = [
    *("\r", "\n", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r\n\r", "a\rb\nc\r\nd"),
    *(
        "\0",
        "a\0b",
        "\ufeff",
        "\ufeffdata: x",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x0c",
        "\x1c\x1d\x1e",
    ),
    *(
        "data: x",
        "event: error",
        "id: 1\0",
        "retry: 1",
        ": a comment",
        ":",
        "data",
        "\ndata\n",
        " two",
        "  ",
    ),
    *(
        f"\n\n{FORGED}\n\n",
        f"\r\r{FORGED}\r\r",
        f"\r\n\r\n{FORGED}\r\n\r\n",
        f"\u2028\u2028{FORGED}\u2029",
    ),
    *(
        "\nid: 7",
        "\nretry: 1\n",
        "\nevent: error\ndata: {}\n\n",
        "[DONE]",
        "\n: ping\n\n",
        "\\n\\ndata: x",
    ),
    *(
        '"}',
        '"}]}\n\ndata: [DONE]\n\n',
        '{"error":{"code":"x"}}',
        "</script>",
        "0\r\n\r\n",
        "\x1b[2J",
    ),
]
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
HALVES = ["\ud83d", "\ude00", "\ude00\ud83d", "a\ud800\n\ndata: x"]


def as_lines(text: str) -> str:
    """The text as events carry it: their line ends are LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def said(event: whatwg.Event, dialect: str) -> str:
    """The words in an event of a model's text."""
    if dialect == "plain":
        return event.data
    data = json.loads(event.data)
    text = data["text"] if dialect == "delta" else data["choices"][0]["delta"]["content"]
    assert isinstance(text, str)
    return text


def words(body: bytes, dialect: str) -> list[str]:
    """What each event says, less the end, which must be the dialect's own and the last thing of all."""
    told = whatwg.events(body)
    if dialect == "openai":
        assert (told.pop().data, json.loads(told.pop().data)["choices"][0]["delta"]) == (
            "[DONE]",
            {},
        )
        assert {event.type for event in told} == {"message"}
    else:
        assert told.pop() == ("done", "[DONE]", "[DONE]")
        assert {event.type for event in told} == {"message" if dialect == "plain" else "delta"}
    assert {event.last_event_id for event in told} == {""}
    return [said(event, dialect) for event in told]


# -- a model's text --------------------------------------------------------------------------------


@each_dialect
def test_a_models_text_makes_one_event_of_its_own_and_no_more(dialect: str):
    for text in TEXTS:
        expected = as_lines(text) if dialect == "plain" else text
        body = run([text], dialect=dialect)
        assert words(body, dialect) == [expected]
        assert whatwg.read(body).retry is None
        assert whatwg.read(body).comments == []


@each_dialect
def test_a_forged_frame_that_comes_letter_by_letter_never_joins_to_one(dialect: str):
    for text in TEXTS:
        body = run(list(text), dialect=dialect)
        expected = [as_lines(letter) if dialect == "plain" else letter for letter in text]
        assert words(body, dialect) == expected


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(st.sampled_from("\r\n\0\ufeff\u2028\x85 :adeinrtvy"), min_size=1), min_size=1)
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_mixture_of_line_ends_and_field_names_changes_the_number_of_events(
    dialect: str, texts: list[str]
):
    expected = [as_lines(text) if dialect == "plain" else text for text in texts]
    assert words(run(texts, dialect=dialect), dialect) == expected


@each_dialect
def test_a_forged_frame_in_raw_bytes_that_are_cut_anywhere_stays_text(dialect: str):
    for text in TEXTS:
        raw = f"é{text}é".encode()
        cut = [raw[at : at + 1] for at in range(len(raw))]
        told = words(run(cut, dialect=dialect), dialect)
        letters = [as_lines(letter) if dialect == "plain" else letter for letter in f"é{text}é"]
        assert told == letters


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_readers_that_end_lines_at_unicodes_line_ends_see_no_other_events(dialect: str):
    for text in TEXTS:
        body = run([text, {"choices": 0}, text], dialect=dialect).decode()
        assert body.splitlines() == body.split("\n")[:-1]
        decoder = SSEDecoder()
        decoded = [
            event for line in body.splitlines() if (event := decoder.decode(line)) is not None
        ]
        assert [event.data for event in decoded] == [e.data for e in whatwg.events(body.encode())]


@each_dialect
@pytest.mark.parametrize("text", HALVES, ids=ascii)
def test_half_a_character_ends_no_stream_and_no_frame(text: str, dialect: str):
    told = "".join(words(run([text, "end"], dialect=dialect), dialect))
    assert told.endswith("end")
    assert "\ufffd" in told
    assert not any("\ud800" <= letter <= "\udfff" for letter in told)


# -- what else a service says ----------------------------------------------------------------------


def fields(text: str) -> Iterator[dict[str, Any]]:
    """Each place of a chunk where a service's own words are passed on."""
    call = {
        "index": 0,
        "id": text,
        "type": "function",
        "function": {"name": text, "arguments": text},
    }
    yield openai_chunk({"reasoning_content": text})
    yield openai_chunk({"tool_calls": [call]})
    yield openai_chunk({"content": "x"}, text)
    yield openai_chunk({"content": [{"type": "text", "text": text}]})
    yield openai_chunk({"refusal": text})
    yield {**openai_chunk({"content": "x"}), "id": text, "model": text, "system_fingerprint": text}


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_no_field_of_a_services_chunk_breaks_out_of_its_event(dialect: str):
    for text in TEXTS:
        for chunk in fields(text):
            body = run([chunk], dialect=dialect, adapter="openai")
            for event in whatwg.events(body):
                assert event.type in (
                    "message",
                    "delta",
                    "reasoning",
                    "tool_call",
                    "finish",
                    "done",
                )
                assert event.data == "[DONE]" or isinstance(json.loads(event.data), dict)
            ends = [event for event in whatwg.events(body) if event.data == "[DONE]"]
            assert len(ends) == 1
            assert whatwg.read(body).retry is None


def test_a_services_name_of_its_model_breaks_out_of_no_chunk_that_we_make_for_it():
    for text in TEXTS:
        chunk = {**dashscope_text("hi"), "request_id": text, "model": text}
        told = whatwg.events(run([chunk], dialect="openai", adapter=INCREMENTAL))
        first, *_, last = (event.data for event in told)
        assert json.loads(first)["choices"][0]["delta"]["content"] == "hi"
        assert last == "[DONE]"
        assert [event.type for event in told] == ["message"] * len(told)


def test_keys_and_values_of_an_object_stay_in_its_one_line():
    for text in TEXTS:
        value = {text: text, "nested": [{text: [text]}]}
        told = whatwg.events(run([value, [text], value]))
        assert [json.loads(event.data) for event in told[:-1]] == [value, [text], value]


@each_dialect
def test_an_apps_words_for_a_failure_break_out_of_no_event(dialect: str):
    def failing(text: str) -> Iterator[str]:
        yield "a"
        raise LookupError(text)

    for text in TEXTS:
        told = whatwg.events(run(failing(text), dialect=dialect, describe=str))
        failure = json.loads(told[-1 - (dialect == "openai")].data)
        assert (failure.get("error") or failure)["message"] == str(LookupError(text))
        assert len(told) == (3 if dialect == "openai" else 2)


@each_dialect
def test_a_failure_that_a_service_tells_in_band_breaks_out_of_no_event(dialect: str):
    for text in TEXTS:
        broken = {"error": {"message": text, "code": text, "type": text, "param": text}}
        told = whatwg.events(run([openai_chunk({"content": "a"}), broken], dialect=dialect))
        assert len(told) == (3 if dialect == "openai" else 2)


# -- what the app gives ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\n\r\nb", "\n", "a\0", "\ud800"], ids=ascii)
@pytest.mark.parametrize("field", ["event", "id"])
def test_a_name_or_an_id_that_would_break_out_of_its_line_is_refused(field: str, value: str):
    with pytest.raises(ValueError, match=field):
        ServerSentEvent("x", **{field: value})


def test_a_comment_speaks_to_nobody_whatever_is_in_it():
    for text in TEXTS:
        body = ServerSentEvent(comment=text).encode() + ServerSentEvent("x").encode()
        assert whatwg.events(body) == [("message", "x", "")]
        assert "\n".join(whatwg.read(body).comments) == as_lines(text)


class Loud(str):
    """It is checked as one thing and would be written as another."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"\n\n{FORGED}\n\n"

    __format__ = __repr__ = lambda self, *_: str(self)  # type: ignore[assignment]

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        return str(self).encode()

    def replace(self, *_: object) -> str:  # type: ignore[override]
        return str(self)


class LoudNumber(int):
    __str__ = __format__ = __repr__ = lambda self, *_: f"1\n\n{FORGED}\n\n"  # type: ignore[assignment]


class Kind(enum.StrEnum):
    TICK = "tick"

    def __format__(self, _: str) -> str:
        return f"tick\n\n{FORGED}\n\n"


def test_a_str_that_writes_itself_otherwise_is_written_as_what_it_was_checked_as():
    event = ServerSentEvent(Loud("a"), event=Loud("b"), id=Loud("c"), comment=Loud("d"))
    assert event.encode() == b": d\nevent: b\nid: c\ndata: a\n\n"
    assert ServerSentEvent("x", event=Kind.TICK).encode() == b"event: tick\ndata: x\n\n"


@each_dialect
def test_a_text_chunk_of_such_a_class_is_its_text(dialect: str):
    assert words(run([Loud("a")], dialect=dialect), dialect) == ["a"]


@pytest.mark.parametrize(
    "value",
    [
        *("1", "1\ndata: x", b"1", -1, 1.0, float("nan"), float("inf"), True, 10**5000),
        [1],
        object(),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_a_retry_that_is_no_plain_number_is_refused(value: Any):
    with pytest.raises((TypeError, ValueError), match="retry"):
        ServerSentEvent(retry=value)


@pytest.mark.parametrize("value", ["1", "1\ndata: x", -1, 1.0, float("nan"), True, [1]], ids=repr)
def test_a_retry_of_a_stream_that_is_no_plain_number_is_refused(value: Any):
    with pytest.raises((TypeError, ValueError), match="retry"):
        Options(retry=value)


def test_a_retry_that_writes_itself_otherwise_is_written_as_the_number_that_it_is():
    assert ServerSentEvent(retry=LoudNumber(7)).encode() == b"retry: 7\n\n"
    body = run(["a"], retry=LoudNumber(7))
    assert whatwg.read(body).retry == 7
    assert words(body, "plain") == ["a"]


def test_an_event_of_another_library_cannot_smuggle_a_line_in_its_name_or_id():
    for text in TEXTS:
        event = SimpleNamespace(data="x", event=f"tick{text}", id=f"1{text}", retry=None)
        told, _ = whatwg.events(run([event]))
        assert told.data == "x"
        assert told.type.startswith("tick")
        assert told.last_event_id.startswith("1")


def test_text_that_is_framed_already_is_text_and_no_frame():
    frame = f"data: mine\n\n{FORGED}\n\n"
    assert words(run([frame]), "plain") == [frame]


class Note(str):
    """A class of the app's own, whose name does not say that it is an event's."""

    __slots__ = ()


def test_only_a_class_that_is_named_an_event_passes_as_a_frame():
    frame = "event: done\ndata: [DONE]\n\n"
    assert words(run([Note(frame)]), "plain") == [frame]
