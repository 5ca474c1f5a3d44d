"""The keywords of every face: what they take, and what they refuse at once."""

from __future__ import annotations

import gc
import inspect
import weakref
from functools import partial
from math import inf, nan
from typing import Any
from unittest.mock import MagicMock

import pytest

from sse_bridge import adapters, dialects
from sse_bridge.options import DEFAULT_HEADERS, Options, Words, merge_headers, options_of


def test_the_defaults_are_those_of_the_table():
    options = Options()
    limits = options.limits
    assert options.dialect.name == "plain"
    assert options.adapter.name == "auto"
    assert (limits.ping, limits.hold) == (15.0, 5.0)
    assert limits.first_chunk_timeout == limits.stall_timeout == limits.max_duration == inf
    assert (options.send_timeout, options.cleanup_timeout) == (30.0, 5.0)
    assert options.max_streams is options.on_end is options.retry is None
    assert (options.collect, options.interrupt) == (False, True)


def test_the_words_of_the_faces_are_the_arguments_of_options():
    assert set(Words.__annotations__) == set(inspect.signature(Options).parameters)


@pytest.mark.parametrize("off", [None, 0, 0.0])
def test_ping_can_be_switched_off(off: Any):
    assert Options(ping=off).limits.ping == inf


def test_hold_waits_for_ever_or_never():
    assert Options(hold=None).limits.hold == inf
    assert Options(hold=0).limits.hold == 0


TIMES = ["ping", "hold", "first_chunk_timeout", "stall_timeout", "max_duration", "send_timeout"]


@pytest.mark.parametrize("name", [*TIMES, "cleanup_timeout"])
@pytest.mark.parametrize("value", ["5", True, [], object])
def test_a_time_that_is_no_number_is_refused(name: str, value: Any):
    with pytest.raises(TypeError, match=name):
        Options(**{name: value})


@pytest.mark.parametrize("name", [*TIMES, "cleanup_timeout"])
@pytest.mark.parametrize("value", [-1, -0.001, nan, -inf])
def test_a_negative_time_is_refused(name: str, value: float):
    with pytest.raises(ValueError, match=rf"{name}.*{value}"):
        Options(**{name: value})


@pytest.mark.parametrize("name", ["first_chunk_timeout", "stall_timeout", "max_duration"])
def test_no_patience_at_all_is_a_mistake(name: str):
    with pytest.raises(ValueError, match=f"{name} must be more than 0"):
        Options(**{name: 0})


@pytest.mark.parametrize("name", ["max_streams", "retry"])
@pytest.mark.parametrize("value", [1.5, "1", True])
def test_a_count_that_is_no_int_is_refused(name: str, value: Any):
    with pytest.raises(TypeError, match=name):
        Options(**{name: value})


@pytest.mark.parametrize("name", ["max_streams", "retry"])
def test_a_negative_count_is_refused(name: str):
    with pytest.raises(ValueError, match=rf"{name}.*-1"):
        Options(**{name: -1})


@pytest.mark.parametrize("name", ["on_end", "describe", "cancel"])
def test_what_cannot_be_called_is_refused(name: str):
    with pytest.raises(TypeError, match=f"{name}.*'no'"):
        Options(**{name: "no"})


@pytest.mark.parametrize("value", ["lines", True, 1, ""])
def test_the_form_of_a_ping_is_line_or_block(value: Any):
    with pytest.raises(ValueError, match="ping_form must be"):
        Options(ping_form=value)


def ping_of(options: Options) -> bytes:
    stream, _ = options.open()
    stream.start(0.0)
    return stream.tick(5.0)


@pytest.mark.parametrize("variant", [lambda options: options, Options.framed, Options.json_lines])
def test_a_client_that_asks_for_event_streams_gets_pings_of_one_line(variant: Any):
    options = Options()
    assert ping_of(options.for_client("text/event-stream")) == b": ping\n"
    changed = variant(options)
    assert ping_of(changed.for_client("*/*")) == b": ping\n\n"
    asked = changed.for_client("text/event-stream")
    assert ping_of(asked) == b": ping\n"
    assert (asked.adapter, asked.dialect) == (changed.adapter, changed.dialect)
    assert changed.for_client("text/event-stream") is asked


@pytest.mark.parametrize("form, ping", [("line", b": ping\n"), ("block", b": ping\n\n")])
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_a_form_that_was_given_counts_for_all_clients(form: str, ping: bytes, accept: str):
    options = Options(ping_form=form)
    assert options.for_client(accept) is options
    assert ping_of(options) == ping


@pytest.mark.parametrize("name", ["collect", "interrupt"])
def test_a_flag_is_true_or_false(name: str):
    with pytest.raises(TypeError, match=f"{name}.*1"):
        Options(**{name: 1})


@pytest.mark.parametrize("name", ["dialect", "adapter"])
def test_an_unknown_name_is_refused_with_those_that_there_are(name: str):
    with pytest.raises(
        ValueError, match=f"{name} must be one of 'plain'.*got 'klingon'|{name}.*'klingon'"
    ):
        Options(**{name: "klingon"})


def test_a_name_that_is_still_to_come_says_so():
    with pytest.raises(ValueError, match="comes in a later release"):
        Options(dialect="ai-sdk")


@pytest.mark.parametrize("value", [5, None, dialects.Plain, object()])
def test_what_is_no_dialect_is_refused(value: Any):
    with pytest.raises(TypeError, match="dialect must be"):
        Options(dialect=value)


@pytest.mark.parametrize("value", [5, None, adapters.Plain, object()])
def test_what_is_no_adapter_is_refused(value: Any):
    with pytest.raises(TypeError, match="adapter must be"):
        Options(adapter=value)


def test_the_dashscope_adapter_by_name_asks_which_text_its_chunks_carry():
    with pytest.raises(ValueError, match=r"incremental_output=True.*incremental_output=False"):
        Options(adapter="dashscope")


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="pings"):
        Options(pings=1)  # type: ignore[call-arg]


def test_default_headers_are_exact_and_never_hop_by_hop():
    assert dict(DEFAULT_HEADERS) == {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
    }


def test_a_users_header_wins_whatever_its_case():
    merged = merge_headers(list(DEFAULT_HEADERS), {"cache-control": "no-store", "X-Own": "1"})
    names = [name.lower() for name, _ in merged]
    assert names.count("cache-control") == 1
    assert ("cache-control", "no-store") in merged
    assert ("X-Own", "1") in merged


def test_headers_may_be_pairs_and_repeat():
    merged = merge_headers([], [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert merged == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_describe_that_raises_costs_no_stream_its_ending(caplog: pytest.LogCaptureFixture):
    def describe(error: BaseException) -> str:
        raise LookupError("in describe")

    stream, _ = Options(describe=describe, hold=0).open()
    stream.start(0.0)
    assert b"interrupted by an error" in stream.fail(ValueError(), 1.0)
    assert "describe raised" in caplog.text


def test_describe_cannot_break_the_frame_it_is_in():
    stream, _ = Options(describe=lambda error: "two\nlines \ud800", hold=0).open()
    stream.start(0.0)
    assert b'"message":"two\\nlines \xef\xbf\xbd"' in stream.fail(ValueError(), 1.0)


def given_up(describe: Any, ending: str) -> bytes:
    """The last words of a stream that ended so."""
    options = Options(describe=describe, hold=0, stall_timeout=5, max_duration=60, retry=1)
    stream, _ = options.open()
    stream.start(0.0)
    stream.feed(["a"], 1.0)
    if ending == "shutdown":
        return stream.shutdown(2.0)
    if ending == "upstream_stalled":
        return stream.tick(7.0)
    if ending == "max_duration":
        stream.feed(["a"], 59.0)
        return stream.tick(60.0)
    return stream.fail(ConnectionError("hung up"), 2.0)


OURS = {
    "upstream_stalled": "The source was silent for too long.",
    "max_duration": "The stream reached its max_duration.",
    "shutdown": "The server is shutting down.",
    "upstream_unreachable": "The answer was interrupted by an error.",
}


@pytest.mark.parametrize("code", OURS)
def test_describe_that_gives_none_leaves_the_words_that_there_are_without_it(code: str):
    words = given_up(lambda error: None, code)
    assert words == given_up(None, code)
    assert OURS[code].encode() in words


@pytest.mark.parametrize("code", OURS)
def test_describe_that_takes_two_is_given_the_failures_code(code: str):
    def describe(error: BaseException, code: str) -> str | None:
        return f"{type(error).__name__} as {code}"

    told = "ConnectionError" if code == "upstream_unreachable" else "UpstreamError"
    assert f'"message":"{told} as {code}"'.encode() in given_up(describe, code)


class Describing:
    def told(self, error: BaseException, code: str) -> str:
        return f"told {code}"

    def __call__(self, error: BaseException, /) -> str:
        return "called"


def in_english(language: str, error: BaseException, code: str) -> str:
    return f"{language} {code}"


@pytest.mark.parametrize(
    ("describe", "said"),
    [
        (Describing().told, "told shutdown"),
        (Describing(), "called"),
        (partial(in_english, "en"), "en shutdown"),
        (lambda error, kept="kept": kept, "kept"),
        (lambda *given: str(len(given)), "1"),
        (str, OURS["shutdown"]),
        (MagicMock(return_value="mocked"), "mocked"),
    ],
    ids=["method", "object", "partial", "default", "any number", "builtin", "mock"],
)
def test_the_code_is_given_to_whatever_must_have_a_second_argument(describe: Any, said: str):
    assert f'"message":"{said}"'.encode() in given_up(describe, "shutdown")


@pytest.mark.parametrize("describe", [lambda: "x", lambda a, b, c: "x", lambda error, *, code: "x"])
def test_describe_that_takes_neither_one_argument_nor_two_is_refused(describe: Any):
    with pytest.raises(
        TypeError, match="describe must take an exception, or an exception and its code"
    ):
        Options(describe=describe)


def test_how_describe_is_called_is_looked_up_once(monkeypatch: pytest.MonkeyPatch):
    options = Options(describe=lambda error, code: code, hold=0)
    monkeypatch.setattr("inspect.signature", None)
    stream, _ = options.open()
    stream.start(0.0)
    assert b'"message":"upstream_error"' in stream.fail(ValueError(), 1.0)


def test_each_stream_has_an_id_of_its_own():
    ids = set()
    for _ in range(10):
        stream, _ = Options(dialect="openai", hold=0).open()
        stream.start(0.0)
        ids.add(stream.feed(["x"], 0.0).split(b'"')[3])
    assert len(ids) == 10


def test_the_same_plain_words_give_the_same_options_and_others_never_do():
    assert options_of({"ping": 5.0}, "face") is options_of({"ping": 5.0}, "face")
    assert options_of({"ping": 5.0}, "face") is not options_of({"ping": 6.0}, "face")
    told: list[object] = []
    assert options_of({"on_end": told.append}, "face") is not options_of(
        {"on_end": told.append}, "face"
    )


def test_true_is_not_taken_for_the_number_that_it_equals():
    options_of({"ping": 1}, "face")
    with pytest.raises(TypeError, match="ping must be a number of seconds, got True"):
        options_of({"ping": True}, "face")  # type: ignore[typeddict-item]


def test_what_was_held_already_leaves_nothing_for_the_collector():
    options = Options(describe=str)
    options.open()
    copied = options.holding(0.5)
    copied.open()
    reference = weakref.ref(copied)
    gc.disable()
    try:
        del copied
        assert reference() is None
    finally:
        gc.enable()
