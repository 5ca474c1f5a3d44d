"""Google's responses and events, by its own SDK: `models` and `interactions`, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.google import (
    ANSWER,
    INTERACTION,
    INTERACTION_TOLD,
    STOPPED,
    TOLD,
    answer,
    broken,
    completed,
    created,
    failing,
    interaction,
    says,
    step,
    stop,
    text,
)
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

genai = vendor("google.genai")

# The SDK's own, where aiohttp is installed: it goes through that where it is async.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class Aiohttp:DeprecationWarning")

Ask = Callable[[str], Any]
MODEL = "gemini-x"


def client(url: str) -> Any:
    return genai.Client(
        api_key="x", http_options={"base_url": url, "retry_options": {"attempts": 1}}
    )


def responses(url: str) -> Iterator[Any]:
    with client(url) as google:
        yield from google.models.generate_content_stream(model=MODEL, contents="hi")


async def responses_async(url: str) -> AsyncIterator[Any]:
    async with client(url).aio as google:
        stream = await google.models.generate_content_stream(model=MODEL, contents="hi")
        async for response in stream:
            yield response


def as_python(url: str) -> Iterator[Any]:
    return (response.model_dump() for response in responses(url))


def as_json(url: str) -> Iterator[Any]:
    return (response.model_dump(mode="json", by_alias=True) for response in responses(url))


def events(url: str) -> Iterator[Any]:
    with client(url) as google:
        yield from google.interactions.create(model=MODEL, input="hi", stream=True)


async def events_async(url: str) -> AsyncIterator[Any]:
    async with client(url).aio as google:
        async for event in await google.interactions.create(model=MODEL, input="hi", stream=True):
            yield event


def event_dicts(url: str) -> Iterator[Any]:
    return (event.model_dump() for event in events(url))


def asked(*ways: Ask) -> Any:
    return pytest.mark.parametrize("ask", ways, ids=lambda ask: ask.__name__)


every_response = asked(responses, responses_async, as_python, as_json)
every_event = asked(events, events_async, event_dicts)
every_way = asked(responses, responses_async, events, events_async)


def wire(chunks: list[dict[str, Any]]) -> bytes:
    return as_events(chunks, named=False)


@every_response
@pytest.mark.parametrize("adapter", ["auto", "google"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(wire(ANSWER)) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_event
@pytest.mark.parametrize("adapter", ["auto", "google"])
def test_so_is_an_interaction(ask: Ask, adapter: str):
    with replay(wire(INTERACTION)) as url:
        assert_answers(lambda: ask(url), INTERACTION_TOLD, adapter=adapter)


@every_way
def test_under_plain_each_chunk_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    chunks = INTERACTION if ask in (events, events_async) else ANSWER
    with replay(wire(chunks)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert len(said) == len(chunks)
    assert not any("sdk_http_response" in chunk for chunk in said)
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 7, "total_tokens": 14}


@every_event
def test_under_plain_no_event_shows_what_the_model_was_asked(ask: Ask):
    asked = {"system_instruction": "a secret", "input": "a secret"}
    begun = created()
    begun["interaction"] |= asked
    chunks = [
        begun,
        *step(0, "user_input", *text("a secret"), content=text("a secret")),
        *step(1, "model_output", *text("Hello")),
        completed(steps=[{"type": "user_input", "content": text("a secret")}], **asked),
    ]
    with replay(wire(chunks)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert "secret" not in str(said)
    assert (len(said), summary.finish_reason) == (len(chunks), "stop")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
    ],
)
def test_a_reason_to_stop_is_told_in_the_words_that_clients_know(reason: str, finish: str):
    with replay(wire([stop(reason, {"text": "Hello"})])) as url:
        told = Answer("Hello", finish=finish, usage=(7, 7, 14))
        assert_answers(lambda: responses(url), told)


def test_a_prompt_that_is_blocked_is_content_filtered():
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}
    with replay(wire([blocked])) as url:
        assert_answers(lambda: responses(url), Answer(code="content_filtered"))


@every_response
def test_files_code_and_citations_are_told(ask: Ask):
    web = {"web": {"uri": "https://a.test/", "title": "A"}}
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": "a+/b"}},
        {"executableCode": {"language": "PYTHON", "code": "1", "id": "x"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "x"}},
    ]
    chunk = stop("STOP", *parts, groundingMetadata={"groundingChunks": [web]})
    told = Answer(
        calls=(("x", "code_execution", '{"language":"PYTHON","code":"1"}'),),
        results=(("x", "1"),),
        files=(("data:image/png;base64,a+/b", "image/png"),),
        sources=("https://a.test/",),
        **STOPPED,
    )
    with replay(wire([chunk])) as url:
        assert_answers(lambda: ask(url), told)


@every_event
def test_what_the_services_tools_do_is_told_with_what_is_cited(ask: Ask):
    notes = [{"type": "url_citation", "url": "https://a.test/", "title": "A"}]
    deltas = [*text("x"), {"type": "text_annotation_delta", "annotations": notes}]
    ran = {"type": "code_execution_call", "arguments": {"code": "1", "language": "python"}}
    chunks = [
        created(),
        *step(0, "code_execution_call", ran, id="c", arguments={}),
        *step(1, "code_execution_result", call_id="c", result="1"),
        *step(2, "model_output", *deltas),
        {"event_type": "later.kind", "index": 3},
        completed(),
    ]
    told = Answer(
        "x",
        calls=(("c", "code_execution", '{"code":"1","language":"python"}'),),
        results=(("c", "1"),),
        sources=("https://a.test/",),
        **STOPPED,
    )
    with replay(wire(chunks)) as url:
        assert_answers(lambda: ask(url), told)


@pytest.mark.parametrize("ask", [responses, events])
def test_two_answers_of_one_source_are_one(ask: Ask):
    tell, told = (answer, TOLD) if ask is responses else (interaction, INTERACTION_TOLD)
    twice = told._replace(
        text="HelloHello",
        reasoning=told.reasoning * 2,
        calls=told.calls * 2,
        usage=(14, 14, 28),
    )
    with replay(wire(tell("one"))) as one, replay(wire(tell("two"))) as two:

        def both() -> Iterator[Any]:
            yield from ask(one)
            yield from ask(two)

        assert_answers(both, twice)


@every_way
@pytest.mark.parametrize(
    ("status", "word", "code"),
    [
        (429, "RESOURCE_EXHAUSTED", "rate_limited"),
        (503, "UNAVAILABLE", "overloaded"),
        (500, "INTERNAL", "upstream_error"),
        (400, "INVALID_ARGUMENT", "bad_request"),
    ],
)
def test_an_error_in_mid_stream_is_a_failure_with_its_code(
    ask: Ask, status: int, word: str, code: str
):
    is_event = ask in (events, events_async)
    with replay(wire(broken(word.lower()) if is_event else failing(status, word))) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


@every_way
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    is_event = ask in (events, events_async)
    chunks = broken("")[:-1] if is_event else [says({"text": "Hel"})]
    with replay(wire(chunks), cut=True) as url:
        answered, _ = in_delta(lambda: ask(url))
    assert answered == Answer("Hel", code="upstream_unreachable")


@every_way
@pytest.mark.parametrize(
    ("status", "word", "code"),
    [
        (429, "RESOURCE_EXHAUSTED", "rate_limited"),
        (401, "UNAUTHENTICATED", "credentials_refused"),
        (404, "NOT_FOUND", "bad_request"),
    ],
)
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, word: str, code: str):
    error = b'{"error":{"code":%d,"status":"%b","message":"m"}}' % (status, word.encode())
    with replay(error, "application/json", status=status) as url:
        answered, _ = in_delta(lambda: ask(url))
    assert answered == Answer(code=code)


def test_a_key_that_is_none_is_refused():
    details = '[{"@type": "ErrorInfo", "reason": "API_KEY_INVALID"}]'
    error = '{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"m","details":%s}}'
    with replay((error % details).encode(), "application/json", status=400) as url:
        answered, _ = in_delta(lambda: responses(url))
    assert answered == Answer(code="credentials_refused")
