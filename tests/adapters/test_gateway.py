"""Frames that pass where the client speaks their protocol, and are told in it where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunks import openai_chunk, run
from recorded import anthropic
from recorded.frames import (
    ANSWERS,
    DONE,
    ERRORS,
    HALF,
    OPENAI,
    OUR_DONE,
    TOLD,
    WORD,
    frame,
    in_chunks,
)
from sse_bridge import Decoder, ServerSentEvent, UpstreamError
from sse_bridge.adapters import Frames, gateway
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.protocols import FIRST_EVENTS
from sse_bridge.dialects import Delta
from sse_bridge.dialects.delta import DeltaVoice
from sse_bridge.failures import diagnose
from sse_bridge.options import Options
from sse_bridge.parts import Frame, Reasoning
from told import Answer, in_delta, in_openai
from vendors.replay import as_events

HEARS = {"delta": in_delta, "openai": in_openai}
every_way = pytest.mark.parametrize(
    ("upstream", "dialect"), [(upstream, dialect) for upstream in ANSWERS for dialect in HEARS]
)


def heard(chunks: Iterable[Any], dialect: str) -> Answer:
    answer, _ = HEARS[dialect](lambda: iter(chunks), adapter="frames")
    return answer


def as_given(data: bytes) -> list[bytes]:
    return [data]


def as_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def as_text(data: bytes) -> list[str]:
    return [data[at : at + 7].decode() for at in range(0, len(data), 7)]


def as_lines(data: bytes) -> list[str]:
    """What `iter_lines` of httpx and requests gives."""
    return data.decode().splitlines()


def as_lines_of_bytes(data: bytes) -> list[bytes]:
    return data.splitlines()


def as_lines_with_ends(data: bytes) -> list[bytes]:
    """What a body of aiohttp's gives."""
    return data.splitlines(keepends=True)


def as_our_events(data: bytes) -> list[ServerSentEvent]:
    return Decoder().feed(data)


FORMS = [
    *(as_given, as_bytes, as_text, as_lines, as_lines_of_bytes, as_lines_with_ends),
    as_our_events,
]


@every_way
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
def test_an_answer_is_the_same_in_every_protocol_however_it_comes(
    upstream: str, dialect: str, form: Callable[[bytes], list[Any]], line_end: bytes
):
    data = ANSWERS[upstream].replace(b"\n", line_end)
    assert heard(form(data), dialect) == TOLD


@every_way
@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 1000), max_size=12), mark=st.booleans())
def test_an_answer_is_the_same_wherever_it_is_cut(
    upstream: str, dialect: str, cuts: list[int], mark: bool
):
    opening = b": hello\r\n\r\nretry: 5\n\nevent: ping\ndata: {}\n\n: again\n\n"
    data = (b"\xef\xbb\xbf" if mark else b"") + opening + ANSWERS[upstream]
    if dialect == upstream == "openai":  # where all passes, its clients would hear the ping
        data = data.replace(b"event: ping\ndata: {}\n\n", b"")
    places = sorted(min(cut, len(data)) for cut in cuts)
    pieces = [
        data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)
    ]
    answer = heard(pieces, dialect) if dialect != "delta" else _told(run(pieces, **WAY))
    assert answer == TOLD


WAY: dict[str, Any] = {"adapter": "frames", "dialect": "delta", "hold": 0, "ping": None}


def _told(body: bytes) -> Answer:
    """What `delta` tells, less what the upstream's own pings and steps say where all passes."""
    events = [event for event in Decoder().feed(body) if event.event not in ("ping", "step")]
    return heard([event.encode() for event in events], "delta")


# -- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "delta"])
def test_in_the_dialects_own_protocol_every_byte_passes(name: str):
    for data in ANSWERS[name], b": c\n\n" + ANSWERS[name].replace(b"data", b"id: 7\ndata"):
        assert run([data], adapter="frames", dialect=name) == data
        assert run(as_bytes(data), adapter="frames", dialect=name) == data


@pytest.mark.parametrize("upstream", ANSWERS)
def test_without_a_dialect_and_under_plain_every_byte_passes(upstream: str):
    data = ANSWERS[upstream]
    assert run([data], adapter="frames") == data
    assert run([data], adapter="frames", dialect="plain").startswith(data)


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_where_every_byte_counts_every_byte_passes(dialect: str):
    for data in ANSWERS.values():
        body = run([data], adapter=Frames(exact=True), dialect=dialect)
        assert body.startswith(data)


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_an_answer_that_a_framework_or_a_middleware_has_passes(dialect: str):
    _, reader = Options(adapter="frames", dialect=dialect).framed().open()
    assert Frame(ANSWERS["anthropic"], dialect == "delta") in reader.read(ANSWERS["anthropic"])


UNKNOWN = [
    frame("Hello"),
    frame({"text": "Hello"}),
    frame({"text": "Hello", "mine": 1}, "delta"),
    frame({"index": 0}, "tool_call"),
    frame({"name": "weather"}, "data"),
    frame({"type": "message_start"}),
    frame({"type": "text-start", "id": "0"}),
    frame([openai_chunk({"content": "x"})]),
    b"id: 1\ndata: {\n\n",
]


@pytest.mark.parametrize("data", UNKNOWN)
@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_what_is_of_no_known_protocol_passes_with_its_ids(data: bytes, dialect: str):
    body = b"id: 7\n" + data + b": c\n\n" + OPENAI
    for chunks in [body], as_bytes(body):
        assert run(chunks, adapter="frames", dialect=dialect).startswith(body)


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_a_source_that_an_app_tells_in_front_of_a_models_frames_hides_none_of_them(dialect: str):
    source = frame({"url": "https://a.test/", "title": "A"}, "source")
    told = in_delta if dialect == "delta" else in_openai
    answer, _ = told(lambda: [source, OPENAI, DONE], adapter="frames")
    assert answer.text == TOLD.text
    assert answer.finish == TOLD.finish
    if dialect == "delta":
        assert answer.sources == ("https://a.test/",)


def test_a_dialect_of_ones_own_is_spoken_as_well():
    class Mine(Delta):
        name = "mine"

    assert run([ANSWERS["delta"]], adapter="frames", dialect=Mine()) != ANSWERS["delta"]
    [*_, done] = Decoder().feed(run([ANSWERS["openai"]], adapter="frames", dialect=Mine()))
    assert done.event == DeltaVoice.done.event


# -- what comes before the first frame ------------------------------------------------------------


def test_comments_and_pauses_pass_as_they_come():
    reader = Frames().reader(Wish(speaks="delta"))
    said = [reader.read(piece) for piece in (b": pro", b"cessing\n", b"\nretry: 5\n\n", b": x")]
    data = [b"".join(part.data for part in parts) for parts in said]
    assert data == [b"", b": processing\n", b"\nretry: 5\n\n", b""]
    [comment, _, *told] = reader.read(b"y\n\n" + OPENAI)
    assert comment.data == b": xy\n\n"
    assert told[:3] == [Reasoning("see."), "Hel", "lo"]


def test_a_ping_waits_for_the_frame_that_decides():
    ping, event = frame({"type": "ping"}, "ping"), b"event: mine\ndata: x\n\n"
    for first in ping, frame({"type": "ping"}), b"data:\n\n", b"event: heartbeat\ndata: 1\n\n":
        reader = Frames().reader(Wish(speaks="delta"))
        assert [*reader.read(first)] == []
        [part] = reader.read(event)
        assert part.data == first + event
    assert run([ping, WORD["openai"], DONE], **WAY).startswith(b"event: delta")


def test_nothing_but_pings_passes_when_it_is_over_or_when_there_are_too_many():
    ping = frame({}, "ping")
    assert run([ping], **WAY).startswith(ping)
    reader = Frames().reader(Wish(speaks="delta"))
    said = [part.data for _ in range(FIRST_EVENTS + 1) for part in reader.read(ping)]
    assert said == [ping * (FIRST_EVENTS + 1)]


def test_a_step_that_came_first_is_told():
    class Steps(Delta):
        name = "steps"

    body = run([ANSWERS["delta"]], adapter="frames", dialect=Steps())
    assert body.startswith(b'event: step\ndata: {"name":"first"}\n\nevent: reasoning\n')


def test_a_first_frame_that_is_too_large_passes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gateway, "LIMIT", 1000)
    pieces = [b"data: " + b"x" * 600, b"x" * 600]
    reader = Frames().reader(Wish(speaks="delta"))
    assert [*reader.read(pieces[0])] == []
    reader.read(pieces[1])
    assert b"".join(part.data for part in reader.read(b"\n")) == b"".join(pieces) + b"\n"


def test_a_later_frame_that_is_too_large_is_a_failure():
    chunks = [WORD["openai"], b"data: ", *[b"x" * 2**20] * 17]
    answer = heard(chunks, "delta")
    assert answer == HALF._replace(code="upstream_error")


# -- how they end ---------------------------------------------------------------------------------


@every_way
def test_an_error_in_mid_stream_is_the_failure_of_ours(upstream: str, dialect: str):
    data = WORD[upstream] + ERRORS[upstream] + (DONE if upstream == "openai" else b"")
    answer = heard([data], dialect)
    passes_its_own_code = upstream == dialect == "openai"
    assert answer == HALF._replace(code=503 if passes_its_own_code else "overloaded")


@pytest.mark.parametrize("upstream", ANSWERS)
@pytest.mark.parametrize("dialect", HEARS)
def test_an_error_before_the_first_word_is_raised_as_long_as_it_can_be_a_status(
    upstream: str, dialect: str
):
    with pytest.raises(UpstreamError) as raised:
        run([ERRORS[upstream]], adapter="frames", dialect=dialect)
    assert diagnose(raised.value).code == "overloaded"


@every_way
def test_an_upstream_that_ends_before_its_end_was_cut(upstream: str, dialect: str):
    if (upstream, dialect) == ("delta", "delta"):  # where it passes, only OpenAI's is judged
        return
    rests = (
        (b"", b": bye\n\n") if upstream == dialect else (b"", b": b\n\n", b"data: {", b"data: [DO")
    )
    for rest in rests:
        answer = heard([WORD[upstream], rest], dialect)
        assert answer._replace(usage=None) == HALF._replace(code="upstream_cut")


@pytest.mark.parametrize("dialect", HEARS)
def test_an_upstream_that_told_a_reason_to_finish_was_not_cut(dialect: str):
    assert heard([OPENAI], dialect) == TOLD
    message = as_events(anthropic.ANSWER[:-1])
    assert heard([message], dialect) == TOLD
    assert heard([ANSWERS["delta"].removesuffix(OUR_DONE)], "openai") == TOLD


def test_an_upstream_that_said_done_without_a_reason_was_not_cut():
    assert heard([WORD["openai"], DONE], "delta") == HALF
    assert heard([WORD["delta"], OUR_DONE], "openai") == HALF._replace(finish="stop")


@pytest.mark.parametrize("dialect", HEARS)
def test_a_last_frame_may_lack_its_end(dialect: str):
    for ending in b"\n\n", b"\n":
        assert heard([ANSWERS["anthropic"].removesuffix(ending)], dialect) == TOLD
    assert heard([b"data: " + WORD["openai"].split(b"data: ")[1].strip()], "delta") == (
        HALF._replace(code="upstream_cut")
    )


def test_two_upstreams_in_one_source_are_one_answer():
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=TOLD.calls * 2, usage=(14, 18, 32)
    )
    for upstream in "delta", "anthropic":
        assert heard([ANSWERS[upstream]] * 2, "openai") == twice


def test_an_answer_behind_one_that_is_over_may_be_cut():
    for upstream in "delta", "openai", "anthropic":
        dialect = "delta" if upstream == "openai" else "openai"
        answer = heard([WORD[upstream], DONE, WORD[upstream]], dialect)
        assert (answer.text, answer.code) == ("HelHel", "upstream_cut")


def test_a_connection_that_breaks_is_a_failure():
    def breaking() -> Iterable[bytes]:
        yield WORD["anthropic"]
        yield b"event: content_block_de"
        raise ConnectionResetError

    assert heard(breaking(), "openai") == HALF._replace(code="upstream_unreachable")


def test_collected_words_are_those_of_the_answer():
    _, summary = in_delta(lambda: iter([ANSWERS["anthropic"]]), adapter="frames", collect=True)
    assert (summary.text, summary.reasoning) == (TOLD.text, TOLD.reasoning)
    assert summary.finish_reason == TOLD.finish


def test_the_chunks_of_other_choices_are_theirs():
    first, second = openai_chunk({"content": "a"}), openai_chunk({"content": "b"}, index=1)
    stops = [openai_chunk({}, "stop", index=index) for index in (0, 1)]
    body = run([in_chunks(first, second, *stops), DONE], **WAY)
    assert b'event: delta\ndata: {"text":"b","choice":1}\n\n' in body
    back = run([body], adapter="frames", dialect="openai")
    assert b'"choices":[{"index":1,"delta":{"role":"assistant","content":"b"}' in back
