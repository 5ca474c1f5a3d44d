"""The example apps, served for real, with a double for the model."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from doubles import SECRET, DashScopeDouble, Fault, OpenAIDouble, Reply, ToolCall
from example_apps import APPS, RunningApp, running, start
from sse_bridge import Decoder, ServerSentEvent
from sse_bridge.static import FETCH_SSE

HELLO = [{"role": "user", "content": "Say hello"}]


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture(scope="module", params=APPS)
def app(
    request: pytest.FixtureRequest, model: OpenAIDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-double"}
    with running(request.param, tmp_path_factory.mktemp(request.param), settings) as running_app:
        yield running_app


@pytest.fixture
def client(app: RunningApp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url, timeout=10) as client:
        yield client


@contextlib.contextmanager
def events(
    client: httpx.Client, method: str, path: str, **options: object
) -> Iterator[Iterator[ServerSentEvent]]:
    with client.stream(method, path, **options) as response:
        assert response.status_code == 200
        decoder = Decoder()
        yield (event for data in response.iter_raw() for event in decoder.feed(data))


def told(event: ServerSentEvent) -> tuple[str | None, str | None]:
    return event.event, event.data


def openai_client(app: RunningApp) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{app.url}/v1", api_key="any", max_retries=0, timeout=10)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_counter_reads_as_the_readme_says(client: httpx.Client, method: str) -> None:
    sent = {"Content-Type": "application/json"} if method == "POST" else {}
    with client.stream(method, "/events", headers=sent) as response:
        lines = (line for line in response.iter_lines() if line)
        assert [next(lines), next(lines)] == ['data: {"count": 1}', 'data: {"count": 2}']
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_each_token_is_there_before_the_next_is_made(
    client: httpx.Client, model: OpenAIDouble
) -> None:
    model.queue(Reply(("Hel", "lo"), gated=True))
    model.release(2)  # the role, and the first token
    with events(client, "POST", "/chat", json={"messages": HELLO}) as received:
        assert told(next(received)) == ("delta", '{"text":"Hel"}')
        model.release()
        assert told(next(received)) == ("delta", '{"text":"lo"}')
        model.release(3)  # finish, usage, [DONE]
        assert [event.event for event in received] == ["finish", "usage", "done"]


def test_a_prompt_alone_is_answered_too(client: httpx.Client, model: OpenAIDouble) -> None:
    model.queue(Reply(("Fine",), reasoning=("Hm",)))
    with events(client, "POST", "/chat", json={"prompt": "How are you?"}) as received:
        *told_before, last = map(told, received)
    assert told_before[:2] == [("reasoning", '{"text":"Hm"}'), ("delta", '{"text":"Fine"}')]
    assert last == ("done", "[DONE]")
    assert model.requests[-1].json()["messages"] == [{"role": "user", "content": "How are you?"}]


def test_a_model_that_fails_in_the_middle_is_told_without_its_words(
    client: httpx.Client, model: OpenAIDouble
) -> None:
    model.queue(Reply(("Hel", "lo"), at={2: Fault()}))
    with events(client, "POST", "/chat", json={"prompt": "Hi"}) as received:
        first, last = received
    assert told(first) == ("delta", '{"text":"Hel"}')
    assert last.event == "error"
    assert SECRET not in str(last.data)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":[]}', b"not json"])
def test_a_request_without_a_question_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert client.post("/chat", content=body, headers=headers).status_code in (400, 422)


def test_the_page_is_served(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert ">sse-bridge chat</title>" in page.text


def test_the_browsers_client_is_served(client: httpx.Client) -> None:
    script = client.get("/fetch-sse.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.content == FETCH_SSE.read_bytes()


def test_a_whole_answer_is_saved_with_its_usage(
    app: RunningApp, client: httpx.Client, model: OpenAIDouble
) -> None:
    count = app.saved_count()
    client.post("/chat", json={"messages": HELLO})
    saved = app.saved(count + 1)
    assert (saved["messages"], saved["answer"], saved["ending"]) == (
        HELLO,
        "Hello, world",
        "finished",
    )
    assert saved["usage"]["output_tokens"] > 0


def test_what_was_answered_before_the_user_left_is_saved(
    app: RunningApp, client: httpx.Client, model: OpenAIDouble
) -> None:
    count = app.saved_count()
    model.queue(Reply(("Once", *[" more"] * 20_000)))  # longer than it takes to leave
    with events(client, "POST", "/chat", json={"messages": HELLO}) as received:
        assert next(received).data == '{"text":"Once"}'
    saved = app.saved(count + 1)
    assert saved["ending"] == "gone"
    assert saved["answer"].startswith("Once")


def test_an_openai_client_reads_text_and_usage(app: RunningApp, model: OpenAIDouble) -> None:
    with openai_client(app) as client:
        stream = client.chat.completions.create(model="any", messages=HELLO, stream=True)
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "Hello, world"
    assert chunks[-1].usage is not None


def test_an_openai_client_reads_tool_calls(app: RunningApp, model: OpenAIDouble) -> None:
    model.queue(Reply((), tool_calls=(ToolCall(),)))
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    with openai_client(app) as client:
        stream = client.chat.completions.create(
            model="any", messages=HELLO, tools=tools, stream=True
        )
        calls = [
            call
            for chunk in stream
            for choice in chunk.choices
            for call in choice.delta.tool_calls or ()
        ]
    assert calls[0].function.name == "get_weather"
    assert "".join(call.function.arguments or "" for call in calls) == '{"city": "Oslo"}'
    assert model.requests[-1].json()["tools"] == tools


def test_an_openai_client_raises_when_the_model_fails(app: RunningApp, model: OpenAIDouble) -> None:
    model.queue(Reply(at={2: Fault()}))
    with openai_client(app) as client, pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="any", messages=HELLO, stream=True))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", APPS)
def test_dashscope_own_sdk_may_be_the_model(name: str, tmp_path: Path) -> None:
    with DashScopeDouble() as double:
        settings = {
            "MODEL_API": "dashscope",
            "DASHSCOPE_API_KEY": "sk-double",
            "DASHSCOPE_HTTP_BASE_URL": double.base_address,
        }
        with running(name, tmp_path, settings) as app, httpx.Client(base_url=app.url) as client:
            double.queue(Reply(("ha", "ha", "ha")))
            with events(client, "POST", "/chat", json={"prompt": "Laugh"}) as received:
                laughs = [event.data for event in received if event.event == "delta"]
    assert laughs == ['{"text":"ha"}'] * 3
    assert double.requests[0].json()["parameters"]["incremental_output"] is True


@pytest.mark.parametrize("name", APPS)
def test_without_a_model_the_chat_says_so_and_the_counter_works(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path, {}) as app, httpx.Client(base_url=app.url) as client:
        refused = client.post("/chat", json={"prompt": "Hi"})
        assert (refused.status_code, "OPENAI_BASE_URL" in refused.text) == (503, True)
        with events(client, "GET", "/events") as received:
            assert next(received).data == '{"count": 1}'


def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start("starlette", {"MODEL_API": "openai"}, port=port) as process:
            said = process.communicate(timeout=20)[0]
    assert process.returncode == 1
    assert said.startswith(f"Port {port} of 127.0.0.1 cannot be had")
    assert "make demo PORT=" in said
