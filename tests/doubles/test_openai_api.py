"""The real openai SDK reads its double as it would read the server."""

import json
import threading

import openai
import pytest

from doubles import (
    BEFORE_HEADERS,
    NULL_CHOICES,
    Cut,
    Fault,
    HttpError,
    OpenAIDouble,
    Raw,
    Reply,
    Reset,
    Stall,
    ToolCall,
)
from doubles.reading import read_until_failure

ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
# Frames of `Reply(("Hello", ", ", "world"))`: role, three texts, finish, [DONE].
AFTER_TWO_TEXTS = 3


@pytest.fixture
def anyio_backend():
    return "asyncio"


def openai_stream(double, **options):
    return double.openai_client().chat.completions.create(**ASK, **options)


def texts(chunks):
    return [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]


async def async_chunks(double, **options):
    async with double.async_openai_client() as client:
        return [c async for c in await client.chat.completions.create(**ASK, **options)]


# OpenAI: what is said.


def test_a_plain_answer_is_role_text_finish_and_then_usage(openai_double):
    chunks = list(openai_stream(openai_double, stream_options={"include_usage": True}))
    role, *_, finish, usage = chunks
    assert role.choices[0].delta.role == "assistant"
    assert texts(chunks) == ["Hello", ", ", "world"]
    assert finish.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage.total_tokens) == ([], 10)
    assert all(c.usage is None and "usage" in c.model_fields_set for c in chunks[:-1])


def test_usage_stays_away_unless_it_is_asked_for(openai_double):
    assert not any("usage" in c.model_fields_set for c in openai_stream(openai_double))


@pytest.mark.anyio
async def test_the_async_client_reads_the_same(openai_double):
    chunks = await async_chunks(openai_double)
    assert texts(chunks) == ["Hello", ", ", "world"]


def test_reasoning_comes_before_the_text(openai_double):
    openai_double.answer = Reply(["4"], reasoning=["2 and ", "2"])
    deltas = [c.choices[0].delta for c in openai_stream(openai_double)]
    assert [getattr(d, "reasoning_content", None) for d in deltas[1:3]] == ["2 and ", "2"]
    assert deltas[3].content == "4"


@pytest.mark.parametrize("empty_ids", [False, True])
def test_a_tool_call_names_itself_in_its_first_fragment_only(openai_double, empty_ids):
    openai_double.answer = Reply((), tool_calls=[ToolCall()], empty_tool_ids=empty_ids)
    *chunks, last = openai_stream(openai_double)
    first, *later = [c.choices[0].delta.tool_calls[0] for c in chunks[1:]]
    assert (first.id, first.function.name) == ("call_1", "get_weather")
    assert {part.id for part in later} == {"" if empty_ids else None}
    assert "".join(p.function.arguments for p in later) == '{"city": "Oslo"}'
    assert last.choices[0].finish_reason == "tool_calls"


def test_a_refusal_is_no_content(openai_double):
    openai_double.answer = Reply((), refusal=["I ", "won't"])
    chunks = list(openai_stream(openai_double))
    assert [c.choices[0].delta.refusal for c in chunks if c.choices[0].delta.refusal] == [
        "I ",
        "won't",
    ]
    assert texts(chunks) == []


def test_two_choices_interleave(openai_double):
    openai_double.answer = Reply(["a", "b"], more=[["A", "B"]])
    said = [(c.choices[0].index, c.choices[0].delta.content) for c in openai_stream(openai_double)]
    assert said[2:6] == [(0, "a"), (1, "A"), (0, "b"), (1, "B")]


def test_a_chunk_may_have_no_choices_at_all(openai_double):
    openai_double.answer = Reply(at={1: Raw(NULL_CHOICES)})
    assert [c.choices for c in openai_stream(openai_double)][1] is None


def test_one_byte_at_a_time_reads_the_same(openai_double):
    openai_double.answer = Reply(["你好", "😀"], bytewise=True)
    assert texts(openai_stream(openai_double)) == ["你好", "😀"]


def test_an_end_without_done_passes_for_an_end(openai_double):
    openai_double.answer = Reply(done=False)
    assert texts(openai_stream(openai_double)) == ["Hello", ", ", "world"]


def test_a_client_that_forgets_to_stream_gets_it_whole(openai_double):
    client = openai_double.openai_client()
    answer = client.chat.completions.create(**ASK | {"stream": False})
    assert answer.choices[0].message.content == "Hello, world"


# OpenAI: where it goes astray.


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_an_error_from_the_start_raises_the_sdks_own_class(openai_double, status, error):
    openai_double.answer = HttpError(status, headers={"Retry-After": "7"})
    with pytest.raises(error) as raised:
        openai_stream(openai_double)
    assert raised.value.response.headers["retry-after"] == "7"
    assert len(openai_double.requests) == 1


def test_answers_are_given_in_the_order_they_were_queued(openai_double):
    soon = {"Retry-After-Ms": "1"}
    openai_double.queue(HttpError(429, headers=soon), HttpError(500, headers=soon), Reply(["3rd"]))
    client = openai_double.openai_client(max_retries=2)
    assert texts(client.chat.completions.create(**ASK)) == ["3rd"]
    assert len(openai_double.requests) == 3


@pytest.mark.parametrize(
    ("turn", "error"),
    [
        (Fault(), openai.APIError),
        (Cut(), openai.APIConnectionError),
        (Reset(), openai.APIConnectionError),
        (Raw(b"data: {nonsense\n\n"), json.JSONDecodeError),
    ],
)
def test_a_failure_in_the_middle_comes_after_the_chunks_before_it(openai_double, turn, error):
    openai_double.answer = Reply(at={AFTER_TWO_TEXTS: turn})
    seen, failure = read_until_failure(openai_stream(openai_double))
    assert texts(seen) == ["Hello", ", "]
    assert isinstance(failure, error)


@pytest.mark.anyio
@pytest.mark.parametrize("turn", [Fault(), Cut(), Reset()])
async def test_the_async_client_raises_in_the_middle_too(openai_double, turn):
    openai_double.answer = Reply(at={AFTER_TWO_TEXTS: turn})
    with pytest.raises(openai.APIError):
        await async_chunks(openai_double)


@pytest.mark.parametrize("position", [BEFORE_HEADERS, 0, 2])
def test_a_stall_lasts_until_the_client_has_had_enough(openai_double, position):
    openai_double.answer = Reply(at={position: Stall()})
    client = openai_double.openai_client(timeout=0.05)
    with pytest.raises(openai.APITimeoutError):
        list(client.chat.completions.create(**ASK))
    request = openai_double.wait_for_request()
    assert request.stalled.is_set()
    assert request.wait_hangup().amid_answer
    assert request.frames_sent == max(position, 0)


def test_a_gate_holds_each_frame_until_it_is_released(openai_double):
    openai_double.answer = Reply(["a", "b"], gated=True)
    chunks = iter(openai_stream(openai_double))
    request = openai_double.wait_for_request()
    for sent, text in enumerate(["", "a", "b"], 1):
        openai_double.release()
        assert next(chunks).choices[0].delta.content == text
        assert request.frames_sent == sent
    openai_double.release_all()
    assert next(chunks).choices[0].finish_reason == "stop"


# What is recorded.


def test_a_request_is_recorded_as_it_came(openai_double):
    list(openai_stream(openai_double))
    request = openai_double.wait_for_request()
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-double"
    assert request.json()["messages"] == ASK["messages"]
    assert request.finished.is_set()
    assert request.hangup is None or not request.hangup.amid_answer


def test_a_client_that_leaves_while_another_reads_on_is_told_apart(openai_double):
    openai_double.answer = Reply(at={1: Stall()})
    staying, leaving = openai_stream(openai_double), openai_stream(openai_double)
    next(iter(leaving))  # to leave with bytes unread would be a reset
    leaving.close()
    assert openai_double.wait_for_request(2).wait_hangup().how == "fin"
    assert not openai_double.wait_for_request(1).hung_up.is_set()
    staying.close()


def test_a_stalled_double_ends_while_its_client_still_waits():
    with OpenAIDouble(Reply(at={1: Stall()})) as double:
        chunks = iter(openai_stream(double))
        next(chunks)
        failed = threading.Event()
        reader = threading.Thread(target=lambda: read_until_failure(chunks) and failed.set())
        reader.start()
        assert double.wait_for_request().stalled.wait(5)
        client = double._on_exit.pop_all()  # it must outlive the double, to be cut off by it
    assert failed.wait(5)
    reader.join(5)
    client.close()
