"""OpenAI's own SDK: the Responses API, the helper streams of chat completions, and legacy completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from recorded.responses import (
    ANSWER,
    TOLD,
    breaking,
    call,
    cited,
    event,
    failing,
    life,
    numbered,
    of_llama_cpp,
    refusal,
    response,
    text,
    thinking,
)
from sse_bridge import Decoder, Ending
from sse_bridge.wsgi import stream
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

openai = vendor("openai")

ASK: dict[str, Any] = {"model": "gpt", "input": "hi"}
CHAT: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}
DONE = {"finish": "stop", "usage": (7, 9, 16)}


def client(url: str) -> Any:
    return openai.OpenAI(api_key="x", base_url=url, max_retries=0)


def client_async(url: str) -> Any:
    return openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0)


def raw(url: str) -> Iterator[Any]:
    with client(url) as ours:
        yield from ours.responses.create(**ASK, stream=True)


async def raw_async(url: str) -> AsyncIterator[Any]:
    async with client_async(url) as ours:
        async for one in await ours.responses.create(**ASK, stream=True):
            yield one


def helper(url: str) -> Iterator[Any]:
    with client(url) as ours, ours.responses.stream(**ASK) as events:
        yield from events


async def helper_async(url: str) -> AsyncIterator[Any]:
    async with client_async(url) as ours, ours.responses.stream(**ASK) as events:
        async for one in events:
            yield one


def dicts(url: str) -> Iterator[Any]:
    return (one.to_dict() for one in raw(url))


Ask = Callable[[str], Any]
WAYS = [raw, raw_async, helper, helper_async, dicts]
every_way = pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "openai-responses"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_event_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(as_events(ANSWER)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [one["type"] for one in said] == [one["type"] for one in ANSWER]
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@every_way
def test_under_plain_no_event_shows_what_the_model_was_asked(ask: Ask):
    asked = {"instructions": "a secret", "tools": [{"type": "function", "name": "secret"}]}
    events = [life("created", **asked), *response(text("Hello"), **asked)[1:]]
    with replay(as_events(numbered(events))) as url:
        said, _ = as_plain(lambda: ask(url))
    assert "secret" not in json.dumps(said)
    assert said[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("steered", "steered"),
        (None, "incomplete"),
    ],
)
def test_why_a_response_is_incomplete_is_told_in_the_words_that_clients_know(
    reason: str | None, finish: str
):
    events = response(text("Hello"), end="incomplete", incomplete_details={"reason": reason})
    with replay(as_events(events)) as url:
        assert_answers(lambda: raw(url), Answer("Hello", finish=finish, usage=(7, 9, 16)))


@every_way
def test_a_refusal_is_what_the_user_is_told(ask: Ask):
    with replay(as_events(response(refusal("I will not.")))) as url:
        assert_answers(lambda: ask(url), Answer("I will not.", **DONE))


@every_way
def test_what_models_with_open_weights_think_is_reasoning(ask: Ask):
    with replay(as_events(response(thinking("Let me see."), text("Hi")))) as url:
        assert_answers(lambda: ask(url), Answer("Hi", reasoning="Let me see.", **DONE))


@pytest.mark.parametrize("ask", [raw, raw_async])
def test_a_server_that_leaves_out_numbers_and_places_is_read(ask: Ask):
    told = TOLD._replace(reasoning="Let me see.")
    with replay(as_events(of_llama_cpp())) as url:
        assert_answers(lambda: ask(url), told)


@every_way
def test_a_custom_tools_input_is_its_arguments(ask: Ask):
    with replay(as_events(response(call("sh", "ls ", "-l", kind="custom_tool_call")))) as url:
        told = Answer(calls=(("call_1", "sh", "ls -l"),), finish="tool_calls", usage=(7, 9, 16))
        assert_answers(lambda: ask(url), told)


@every_way
def test_what_the_answer_cites_is_a_source(ask: Ask):
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    searching = event("web_search_call.searching", item_id="ws_1")
    events = response((search, [searching]), text("It is b.", notes=[cited("https://b.test/")]))
    with replay(as_events(events)) as url:
        assert_answers(lambda: ask(url), Answer("It is b.", sources=("https://b.test/",), **DONE))


@every_way
def test_an_image_that_is_made_is_a_file_and_its_drafts_are_none(ask: Ask):
    item = {"id": "ig_1", "type": "image_generation_call", "status": "completed"}
    image = {**item, "result": "aW1n", "output_format": "webp"}
    draft = event(
        "image_generation_call.partial_image",
        item_id="ig_1",
        partial_image_b64="ZHJhZnQ=",
        partial_image_index=0,
    )
    files = (("data:image/webp;base64,aW1n", "image/webp"),)
    with replay(as_events(response((image, [draft]), text("Here.")))) as url:
        assert_answers(lambda: ask(url), Answer("Here.", files=files, **DONE))


def test_two_responses_of_one_source_are_one_answer():
    def both(url: str) -> Iterator[Any]:
        yield from raw(url)
        yield from raw(url)

    [made] = TOLD.calls
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=(made, made), usage=(14, 18, 32)
    )
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: both(url), twice)


@every_way
@pytest.mark.parametrize("form", [failing, breaking])
@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("rate_limit_exceeded", "rate_limited"),
        ("server_error", "upstream_error"),
        ("invalid_prompt", "bad_request"),
        ("context_length_exceeded", "context_too_long"),
    ],
)
def test_an_error_in_mid_stream_is_a_failure_with_its_code(
    ask: Ask, form: Callable[[str], Any], word: str, code: str
):
    with replay(as_events(form(word))) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


@every_way
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_events(ANSWER[:-8]), cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer.text == "Hello"
    assert answer.code == "upstream_unreachable"


REFUSED = [
    (429, "rate_limit_exceeded", "rate_limited"),
    (401, "invalid_api_key", "credentials_refused"),
    (400, "context_length_exceeded", "context_too_long"),
]


@pytest.mark.parametrize(("status", "word", "code"), REFUSED)
@pytest.mark.parametrize("ask", [raw, raw_async, helper, helper_async])
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, word: str, code: str):
    error = json.dumps({"error": {"code": word, "message": "m"}}).encode()
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)


# -- the helper streams of chat completions -------------------------------------------------------


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**about, "choices": [choice], **more}


def fragment(arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **more.pop("function", {})}
    return {"tool_calls": [{"index": 0, "function": function, **more}]}


COUNTED = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "Let me see."}),
    *(chunk({"content": piece}) for piece in ("Hel", "lo")),
    chunk(fragment("", id="call_1", type="function", function={"name": "weather"})),
    *(chunk(fragment(piece)) for piece in ('{"city": ', '"Rome"}')),
    chunk({}, "tool_calls"),
    chunk({}, choices=[], usage=COUNTED),
]
CHAT_TOLD = TOLD._replace(reasoning="Let me see.")


def as_chunks(chunks: Iterable[dict[str, Any]]) -> bytes:
    return as_events(chunks, named=False) + b"data: [DONE]\n\n"


def chat(url: str) -> Iterator[Any]:
    with client(url) as ours, ours.chat.completions.stream(**CHAT) as events:
        yield from events


async def chat_async(url: str) -> AsyncIterator[Any]:
    async with client_async(url) as ours, ours.chat.completions.stream(**CHAT) as events:
        async for one in events:
            yield one


def chat_dicts(url: str) -> Iterator[Any]:
    return (one.to_dict() for one in chat(url))


every_chat = pytest.mark.parametrize("ask", [chat, chat_async, chat_dicts])


@every_chat
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_a_helper_streams_chunks_are_read_and_what_repeats_them_is_not(ask: Ask, adapter: str):
    with replay(as_chunks(CHUNKS)) as url:
        assert_answers(lambda: ask(url), CHAT_TOLD, adapter=adapter)


@every_chat
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_under_openai_a_helper_streams_chunks_pass_whole(ask: Ask, adapter: str):
    with replay(as_chunks(CHUNKS)) as url:
        options: dict[str, Any] = {"dialect": "openai", "adapter": adapter, "ping": None}
        body = b"".join(stream(lambda: ask(url), {}, **options))
    *passed, done = Decoder().feed(body)
    assert [one.json() for one in passed] == CHUNKS
    assert done.data == "[DONE]"


@every_chat
def test_under_plain_each_event_of_a_helper_stream_is_its_json(ask: Ask):
    with replay(as_chunks(CHUNKS)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [one["chunk"] for one in said if one["type"] == "chunk"] == CHUNKS
    assert "content.delta" in [one["type"] for one in said]
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@every_chat
def test_an_error_among_a_helper_streams_chunks_is_a_failure_with_its_code(ask: Ask):
    error = {"error": {"code": "rate_limit_exceeded", "message": "m"}}
    with replay(as_chunks([*CHUNKS[2:4], error])) as url:
        assert_answers(lambda: ask(url), Answer("Hello", code="rate_limited"))


@every_chat
def test_a_connection_that_breaks_in_a_helper_stream_is_a_failure(ask: Ask):
    with replay(as_events(CHUNKS[2:4], named=False), cut=True) as url:
        assert_answers(lambda: ask(url), Answer("Hello", code="upstream_unreachable"))


@pytest.mark.parametrize(("status", "word", "code"), REFUSED)
@pytest.mark.parametrize("ask", [chat, chat_async])
def test_a_refused_request_for_a_helper_stream_has_its_code(
    ask: Ask, status: int, word: str, code: str
):
    error = json.dumps({"error": {"code": word, "message": "m"}}).encode()
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)


# -- legacy completions ---------------------------------------------------------------------------


def legacy(url: str) -> Iterator[Any]:
    with client(url) as ours:
        yield from ours.completions.create(model="m", prompt="hi", stream=True)


async def legacy_async(url: str) -> AsyncIterator[Any]:
    async with client_async(url) as ours:
        async for one in await ours.completions.create(model="m", prompt="hi", stream=True):
            yield one


def old(words: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    about = {"id": "c1", "object": "text_completion", "created": 1, "model": "m"}
    choice = {"index": 0, "text": words, "logprobs": None, "finish_reason": reason}
    return {**about, "choices": [choice], **more}


@pytest.mark.parametrize("ask", [legacy, legacy_async])
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_legacy_completions_are_read(ask: Ask, adapter: str):
    chunks = [old("Hel"), old("lo"), old("", "stop"), old("", choices=[], usage=COUNTED)]
    with replay(as_chunks(chunks)) as url:
        assert_answers(lambda: ask(url), Answer("Hello", **DONE), adapter=adapter)
