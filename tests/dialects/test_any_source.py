"""Any source with any dialect: the vendors' own SDKs in, and the official openai client reads it."""

from __future__ import annotations

import logging

import dashscope
import openai
import pytest

from chunks import ASK, CUMULATIVE, INCREMENTAL, run, told
from doubles import Fault, OpenAIDouble, Reply, ToolCall
from doubles.reading import read_until_failure
from sse_bridge import ServerSentEvent, UpstreamError, adapters

ANSWER = Reply(["Hel", "lo ", "你好🌍\u2028"], reasoning=["h", "m"], tool_calls=[ToolCall()])
ARGUMENTS = '{"city": "Oslo"}'
TEXT, REASONING = "Hello 你好🌍\u2028", "hm"


def openai_stream(double):
    options = {"stream_options": {"include_usage": True}}
    return double.openai_client().chat.completions.create(**ASK, **options)


def dashscope_stream(double, mode, result_format="message"):
    options = {} if mode is None else {"incremental_output": mode}
    options |= {"result_format": result_format, "stream": True}
    return dashscope.Generation.call("m", prompt="hi", **options, **double.call_options)


@pytest.fixture(autouse=True)
def _quiet_sdk(monkeypatch):
    monkeypatch.setattr(logging.getLogger("dashscope"), "disabled", True)  # it logs each failure


@pytest.fixture(params=["openai", "cumulative", "merged", "incremental"])
def source(request, openai_double, dashscope_double):
    """A vendor's stream that says ANSWER, and the adapter for it."""
    openai_double.answer = dashscope_double.answer = ANSWER
    match request.param:
        case "openai":
            return openai_stream(openai_double), "auto"
        case "cumulative":
            return dashscope_stream(dashscope_double, None), CUMULATIVE
        case "merged":
            return dashscope_stream(dashscope_double, False), CUMULATIVE
    return dashscope_stream(dashscope_double, True), INCREMENTAL


def joined(events, name, field="text"):
    return "".join(data[field] for kind, data in events if kind == name)


# -- into each dialect ----------------------------------------------------------------------------


def test_every_source_says_the_same_in_delta(source):
    chunks, adapter = source
    events = told(chunks, adapter=adapter, dialect="delta")
    assert joined(events, "delta") == TEXT
    assert joined(events, "reasoning") == REASONING
    assert joined(events, "tool_call", "arguments") == ARGUMENTS
    calls = [data for name, data in events if name == "tool_call"]
    assert [(call.get("id"), call.get("name")) for call in calls] == [
        ("call_1", "get_weather"),
        (None, None),
        (None, None),
    ]
    assert [name for name, _ in events[-3:]] == ["finish", "usage", "done"]
    assert events[-3][1] == {"reason": "tool_calls"}


def test_every_source_says_its_text_in_plain(source, caplog):
    chunks, adapter = source
    adapter = "openai" if adapter == "auto" else adapter
    events = told(chunks, adapter=adapter)
    assert [data for _, data in events] == ["Hel", "lo ", "你好🌍\u2028", "[DONE]"]
    messages = [record.getMessage() for record in caplog.records]
    assert len([message for message in messages if "cannot express" in message]) == 2


@pytest.mark.parametrize("mode", [None, False, True])
@pytest.mark.parametrize("dialect", ["plain", "delta"])
def test_text_and_message_write_the_same_text(dashscope_double, dialect, mode):
    dashscope_double.answer = Reply(["Hel", "lo"])
    adapter = adapters.DashScope(incremental_output=bool(mode))
    bodies = {
        run(dashscope_stream(dashscope_double, mode, kind), adapter=adapter, dialect=dialect)
        for kind in ("text", "message")
    }
    assert len(bodies) == 1


def test_an_openai_stream_under_plain_is_its_chunks_as_json(openai_double):
    events = told(openai_stream(openai_double))
    assert all(data["object"] == "chat.completion.chunk" for _, data in events[:-1])
    assert events[-1] == ("done", "[DONE]")


# -- read by the official client ------------------------------------------------------------------


class Ours(OpenAIDouble):
    """A server whose answer is what we have written."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def frames(self, reply, request):
        return [self.body]


def client_reads(body):
    with Ours(body) as server:
        return list(server.openai_client().chat.completions.create(**ASK))


def all_deltas(chunks):
    return [choice.delta for chunk in chunks for choice in chunk.choices]


def test_the_official_client_reads_every_source(source):
    chunks, adapter = source
    seen = client_reads(run(chunks, adapter=adapter, dialect="openai"))
    deltas = all_deltas(seen)
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == TEXT
    assert "".join(getattr(delta, "reasoning_content", "") or "" for delta in deltas) == REASONING
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert (calls[0].id, calls[0].type, calls[0].function.name) == (
        "call_1",
        "function",
        "get_weather",
    )
    assert "".join(call.function.arguments for call in calls) == ARGUMENTS
    reasons = [choice.finish_reason for chunk in seen for choice in chunk.choices]
    assert [reason for reason in reasons if reason] == ["tool_calls"]
    assert seen[-1].choices == []
    assert seen[-1].usage.prompt_tokens == 7
    assert seen[-1].usage.total_tokens == 7 + seen[-1].usage.completion_tokens


def test_the_official_client_reads_a_plain_text_generator():
    seen = client_reads(run(["Hel", None, "lo", b"\xe4\xbd", b"\xa0"], dialect="openai"))
    assert "".join(delta.content or "" for delta in all_deltas(seen)) == "Hello你"
    assert [chunk.choices[0].finish_reason for chunk in seen] == [None, None, None, "stop"]
    assert {(chunk.object, chunk.model) for chunk in seen} == {
        ("chat.completion.chunk", "sse-bridge")
    }


def test_our_chunks_are_valid_by_the_clients_own_types():
    from openai.types.chat import ChatCompletionChunk

    body = told(["a", "b"], dialect="openai")[:-1]
    for _, data in body:
        chunk = ChatCompletionChunk.model_validate(data, strict=True)
        assert not chunk.model_extra


def test_the_official_client_reads_two_choices(openai_double):
    openai_double.answer = Reply(["a", "b"], more=[["A", "B"]])
    delta = told(openai_stream(openai_double), dialect="delta")
    seen = client_reads(run(openai_stream(openai_double), dialect="openai"))
    for number, text in enumerate(["ab", "AB"]):
        told_so = [data for name, data in delta if name == "delta"]
        assert "".join(data["text"] for data in told_so if data.get("choice", 0) == number) == text
        choices = [choice for chunk in seen for choice in chunk.choices if choice.index == number]
        assert "".join(choice.delta.content or "" for choice in choices) == text


@pytest.mark.parametrize("options", [{"retry": 3000}, {"ping": 0.0}])
def test_the_official_client_is_not_misled_by_what_is_around_the_chunks(options):
    chunks = ["a", ServerSentEvent(comment="c"), "b"]
    seen = client_reads(run(chunks, dialect="openai", **options))
    assert "".join(delta.content or "" for delta in all_deltas(seen)) == "ab"


def breaking(error):
    yield "before"
    raise error


@pytest.mark.parametrize(
    "error, code",
    [
        (RuntimeError("never on the wire"), "upstream_error"),
        (UpstreamError("never on the wire", status_code=429, code="Throttling"), "rate_limited"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "never on the wire"), "serialization_error"),
    ],
)
def test_the_official_client_raises_on_a_failure_in_the_middle(error, code):
    with Ours(run(breaking(error), dialect="openai")) as server:
        chunks = server.openai_client().chat.completions.create(**ASK)
        seen, raised = read_until_failure(chunks)
    assert [delta.content for delta in all_deltas(seen)] == ["before"]
    assert type(raised) is openai.APIError
    assert (raised.code, raised.type) == (code, "server_error")
    assert "never on the wire" not in str(raised)


@pytest.mark.parametrize("vendor", ["openai", "dashscope"])
def test_the_official_client_raises_when_the_upstream_fails(
    vendor, openai_double, dashscope_double
):
    openai_double.answer = dashscope_double.answer = Reply(["a", "b"], at={2: Fault()})
    if vendor == "openai":
        body = run(openai_stream(openai_double), dialect="openai")
    else:
        stream = dashscope_stream(dashscope_double, True)
        body = run(stream, adapter=INCREMENTAL, dialect="openai")
    with Ours(body) as server:
        chunks = server.openai_client().chat.completions.create(**ASK)
        seen, raised = read_until_failure(chunks)
    assert "".join(delta.content or "" for delta in all_deltas(seen)).startswith("a")
    assert isinstance(raised, openai.APIError)
    assert Fault().message not in str(raised)
