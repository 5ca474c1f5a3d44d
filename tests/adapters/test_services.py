"""What services really send: each oddity as a dict, as an SDK's object, over HTTP, and as lines of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from chunks import ASK, openai_chunk, run
from doubles import OpenAIDouble
from driving import plain_sync
from heard import HEARD, Heard
from odd_chunks import EMPTY, FAILED, GOOD, MESSAGE, STOP, USAGE, Chunks, call, choice, word
from sse_bridge import Ending, UpstreamError
from sse_bridge.adapters import OpenAI
from sse_bridge.options import Options

# -- the ways by which a chunk comes ----------------------------------------------------------------


def as_dicts(chunks: Chunks, _double: Any) -> Any:
    return chunks, {}


def as_sdk_objects(chunks: Chunks, _double: Any) -> Any:
    return [ChatCompletionChunk.construct(**chunk) for chunk in chunks], {}


class JustThese(OpenAIDouble):
    """A server that sends these bytes, and no others."""

    body = b""

    def frames(self, reply: Any, request: Any) -> list[bytes]:
        return [self.body] if self.body else []


@pytest.fixture(scope="module")
def server() -> Iterator[JustThese]:
    with JustThese() as server:
        yield server


def ask(server: JustThese, body: bytes) -> Any:
    server.body = body
    return server.openai_client().chat.completions.create(**ASK)


def over_http(chunks: Chunks, server: JustThese) -> Any:
    """Through the real SDK, from a server that sends just these frames."""
    frames = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    return ask(server, frames + b"data: [DONE]\n\n"), {}


def as_lines_of_json(chunks: Chunks, _double: Any) -> Any:
    body = b"".join(json.dumps(chunk).encode() + b"\n" for chunk in chunks)
    return [body[at : at + 7] for at in range(0, len(body), 7)], {"lines": True}


WAYS: dict[str, Callable[..., Any]] = {
    "dicts": as_dicts,
    "sdk": as_sdk_objects,
    "http": over_http,
    "lines": as_lines_of_json,
}


def options_of(how: dict[str, Any], **more: Any) -> Options:
    options = Options(**more)
    return options.json_lines() if how.get("lines") else options


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, server: JustThese) -> Callable[[Chunks], Any]:
    return lambda chunks: WAYS[request.param](chunks, server)


def listen(way: Any, dialect: str, chunks: Chunks, **more: Any) -> Heard:
    source, how = way(chunks)
    body = plain_sync(lambda: source, options_of(how, dialect=dialect, **more))
    return HEARD[dialect](body)


# -- words ------------------------------------------------------------------------------------------

# What passes an OpenAI client whole keeps what is the service's own.
PASSES_WHOLE = {
    "a transcript of audio": "the protocol has a place for it",
    "usage in every chunk": "each chunk keeps its own",
    "a repeated reason to finish": "each chunk keeps its own",
    "a reason to finish with every word": "each chunk keeps its own",
    "a custom tool": "the protocol has a place for it",
    "reasoning details": "its clients know where it stands",
    "reasoning twice": "its clients know where it stands",
}


@pytest.mark.parametrize("name", GOOD)
def test_every_word_arrives_in_delta(name: str, way: Any):
    chunks, expected = GOOD[name]
    assert listen(way, "delta", chunks) == expected
    assert listen(way, "delta", chunks, adapter="openai") == expected


@pytest.mark.parametrize("name", [name for name in GOOD if name not in PASSES_WHOLE])
def test_every_word_reaches_a_client_of_openais(name: str, way: Any):
    chunks, expected = GOOD[name]
    heard = listen(way, "openai", chunks)
    # A call that a service gave no id gets one that is made of the answer's.
    calls = tuple((re.sub(r"^call_.*_\d$", "", id_), *rest) for id_, *rest in heard.calls)
    assert heard._replace(finish=expected.finish, calls=calls) == expected
    assert listen(way, "openai", chunks, adapter="openai").text == expected.text


@pytest.mark.parametrize("name", PASSES_WHOLE)
def test_what_speaks_openais_protocol_passes_field_for_field(name: str):
    chunks, _ = GOOD[name]
    body = run(chunks, dialect="openai").decode()
    assert [json.loads(line[6:]) for line in body.split("\n\n")[:-2]] == chunks


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_every_word_is_collected(name: str, dialect: str, way: Any):
    chunks, expected = GOOD[name]
    source, how = way(chunks)
    summaries: list[Any] = []
    stream, reader = options_of(how, dialect=dialect, collect=True).open()
    stream.start(0)
    for chunk in source:
        stream.feed(reader.read(chunk), 0)
    stream.feed(reader.end(), 0, 0)
    stream.finish(1)
    summaries.append(stream.summary(1))
    [summary] = summaries
    assert (summary.ending, summary.error) == (Ending.FINISHED, None)
    assert (summary.text, summary.reasoning) == (expected.text, expected.reasoning)
    calls = [tuple(word or "" for word in call.values()) for call in summary.tool_calls]
    assert calls == list(expected.calls)
    assert summary.finish_reason == expected.finish
    if expected.usage is not None:
        counts = summary.usage
        assert (counts["input_tokens"], counts["output_tokens"]) == expected.usage


@pytest.mark.parametrize(
    "place", [{"x_groq": {"usage": USAGE}}, {"usage": {**USAGE, "prompt_tokens": 7.2}}]
)
def test_usage_is_found_where_services_put_it(place: dict[str, Any]):
    for chunk in ({**STOP, **place}, choice(delta={}, finish_reason="stop", usage=USAGE)):
        for each in (chunk, ChatCompletionChunk.construct(**chunk)):
            body = run([word("x"), each], dialect="delta")
            assert HEARD["delta"](body) == Heard("x", finish="stop", usage=(7, 3))


def test_what_has_no_place_is_warned_of_once(caplog: pytest.LogCaptureFixture):
    odd = openai_chunk({"content": "x", "images": ["y"], "audio": {"data": "AAAA"}})
    run([odd, odd, STOP], dialect="delta")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) == 2
    assert any("'images'" in message for message in told)
    assert any("audio" in message for message in told)


# -- failures ---------------------------------------------------------------------------------------


# Behind a model's words this may as well be an app's own.
MAY_BE_AN_APPS = ["fastapi's"]


@pytest.mark.parametrize("dialect", ["delta", "openai"])
@pytest.mark.parametrize("name", FAILED)
@pytest.mark.parametrize("way_name", ["dicts", "sdk", "lines"])
def test_an_error_among_the_words_is_a_failure_behind_them(name: str, dialect: str, way_name: str):
    chunk, code, _ = FAILED[name]
    for adapter in ["openai"] if name in MAY_BE_AN_APPS else ["auto", "openai"]:
        source, how = WAYS[way_name]([word(), chunk, word("never")], None)
        body = plain_sync(lambda: source, options_of(how, dialect=dialect, adapter=adapter))  # noqa: B023
        heard = HEARD[dialect](body)
        assert (heard.text, heard.failure) == ("Hel", code)


@pytest.mark.parametrize("name", FAILED)
@pytest.mark.parametrize("dialect", ["delta", "openai"])
@pytest.mark.parametrize("way_name", ["dicts", "sdk", "lines"])
def test_an_error_from_the_start_is_raised_as_what_it_is(name: str, dialect: str, way_name: str):
    chunk, _, status = FAILED[name]
    for adapter in "auto", "openai":
        source, how = WAYS[way_name]([chunk], None)
        with pytest.raises(UpstreamError) as raised:
            plain_sync(
                lambda source=source: source, options_of(how, dialect=dialect, adapter=adapter)
            )
        assert raised.value.status_code == status
        assert MESSAGE in str(raised.value) or "finish" in name


@pytest.mark.parametrize("name", [name for name in FAILED if name not in MAY_BE_AN_APPS])
def test_under_plain_it_is_one_too_once_a_model_spoke_and_shows_nothing_of_it(name: str):
    chunk, code, _ = FAILED[name]
    body = run([word(), chunk]).decode()
    assert f'"code":"{code}"' in body
    assert "event: done" not in body
    assert MESSAGE not in body


@pytest.mark.parametrize("name", MAY_BE_AN_APPS)
def test_under_plain_what_may_be_an_apps_own_passes(name: str):
    chunk, _, _ = FAILED[name]
    assert MESSAGE in run([word(), chunk]).decode()


@pytest.mark.parametrize("own", [{"error": "sorry"}, {"type": "error", "error": {"message": "m"}}])
def test_a_dict_among_an_sdks_objects_is_the_apps_own(own: dict[str, Any]):
    body = run([ChatCompletionChunk.construct(**word()), own])
    assert json.dumps(own, separators=(",", ":")).encode() in body
    assert b"event: done" in body


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_words_beside_an_error_are_said_before_it(dialect: str):
    chunk = {**openai_chunk({"content": "lo"}, "error"), "error": {"message": MESSAGE, "code": 503}}
    body = run([word(), chunk], dialect=dialect)
    assert body.index(b'"lo"') < body.index(b"overloaded")
    assert MESSAGE.encode() not in body


# -- no answer --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_a_model_that_said_nothing_has_not_answered(name: str, dialect: str, way: Any):
    outcome: Any = None
    try:
        outcome = listen(way, dialect, EMPTY[name])
    except UpstreamError as error:
        outcome = error.code, error.status_code, error.retryable
    assert outcome in (Heard(failure="empty_answer"), ("empty_answer", 502, True))


@pytest.mark.parametrize("name", EMPTY)
def test_under_plain_it_has_failed_where_its_adapter_says_that_it_is_a_model(name: str):
    with pytest.raises(UpstreamError, match="no answer"):
        run(EMPTY[name], adapter="openai")
    assert run([]) == b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


@pytest.mark.parametrize("dialect", ["delta", "openai"])
@pytest.mark.parametrize(
    "body", [b"\n", b"<html>busy</html>", b'{"error": {"message": "busy"}}', b"data: [DONE]\n\n"]
)
def test_a_200_without_a_stream_in_it_is_no_answer_through_the_real_sdk(
    server: JustThese, dialect: str, body: bytes
):
    with pytest.raises(UpstreamError) as raised:
        run(ask(server, body), dialect=dialect)
    assert raised.value.code == "empty_answer"


@pytest.mark.parametrize("thing", [{"status": "searching"}, [1, 2], 5])
def test_an_object_first_where_only_a_model_can_speak_names_its_shape_and_what_to_do(thing: Any):
    with pytest.raises(
        UpstreamError, match=r"began with (a dict .*status|a list|5).*ServerSentEvent"
    ):
        run([thing, "x"], dialect="openai")
    assert b'"content":"x"' in run(["x", thing, "y"], dialect="openai")


# -- cut answers ------------------------------------------------------------------------------------


def told_or_raised(chunks: Chunks, dialect: str, adapter: Any) -> bytes:
    """What a client reads; or the code of what is raised, where nothing could be told before."""
    try:
        return run(chunks, dialect=dialect, adapter=adapter)
    except UpstreamError as error:
        return str(error.code).encode()


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
@pytest.mark.parametrize(
    "chunks",
    [[word()], [openai_chunk({"reasoning_content": "hm"})], [call("a", "f", "{", index=0)]],
)
def test_an_answer_without_a_finish_reason_is_cut_where_it_must_have_one(
    dialect: str, chunks: Chunks
):
    strict = told_or_raised(chunks, dialect, OpenAI(must_finish=True))
    assert b"upstream_cut" in strict
    assert b"event: done" not in strict
    assert b"upstream_cut" not in run(chunks, dialect=dialect)
    assert b"upstream_cut" not in run(
        [*chunks, STOP], dialect=dialect, adapter=OpenAI(must_finish=True)
    )


def test_whether_an_answer_must_finish_is_a_bool():
    with pytest.raises(TypeError, match="must_finish must be True or False, got 1"):
        OpenAI(must_finish=1)  # type: ignore[arg-type]


def test_each_choice_must_finish():
    both = [word(), openai_chunk({"content": "x"}, index=1)]
    adapter = OpenAI(must_finish=True)
    assert b"upstream_cut" in run([*both, STOP], dialect="delta", adapter=adapter)
    finished = [*both, STOP, openai_chunk({}, "stop", index=1)]
    assert b"upstream_cut" not in run(finished, dialect="delta", adapter=adapter)
