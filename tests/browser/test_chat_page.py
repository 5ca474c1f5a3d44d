"""The chat page of the examples in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from doubles import SECRET, Fault, HttpError, OpenAIDouble, Reply, Stall
from example_apps import RunningApp, running


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture(scope="module", params=["flask", "starlette"])
def app(
    request: pytest.FixtureRequest, model: OpenAIDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-double"}
    with running(request.param, tmp_path_factory.mktemp(request.param), settings) as running_app:
        yield running_app


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your message").fill(question)
    page.get_by_role("button", name="Send").click()


def test_an_answer_grows_on_the_page_and_is_told_to_be_done(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(
        Reply(("Grüße ", "<b>&amp;", " 你好"), reasoning=("Hm, ",), gated=True, bytewise=True)
    )
    page.goto(app.url)
    ask(page, "Hello?")
    model.release(3)  # the role, the thought, the first token
    expect(page.locator(".assistant details p")).to_have_text("Hm, ")
    expect(page.locator(".assistant .text")).to_have_text("Grüße ")
    model.release(5)  # two more tokens, finish, usage, [DONE]
    expect(page.locator(".assistant .text")).to_have_text("Grüße <b>&amp; 你好")
    expect(page.locator(".status")).to_contain_text("first token after")
    expect(page.locator(".status")).to_contain_text("done after")


def test_a_question_in_the_address_is_asked_at_once_and_remembered(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    page.goto(f"{app.url}/?prompt=Hello")
    expect(page.locator(".status")).to_contain_text("done after")
    ask(page, "And now?")
    expect(page.locator(".status")).to_have_count(2)
    expect(page.locator(".status").last).to_contain_text("done after")
    asked = [message["content"] for message in model.requests[-1].json()["messages"]]
    assert asked == ["Hello", "Hello, world", "And now?"]


def test_the_stop_button_stops(page: Page, app: RunningApp, model: OpenAIDouble) -> None:
    model.queue(Reply(("Once", " upon"), at={3: Stall()}))
    page.goto(f"{app.url}/?prompt=Tell")
    expect(page.locator(".assistant .text")).to_have_text("Once upon")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".status")).to_have_text("Stopped by you.")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_failure_is_shown_with_what_came_before_it(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    page.goto(f"{app.url}/?prompt=Tell")
    expect(page.locator(".status.bad")).to_contain_text("(upstream_error)")
    expect(page.locator(".assistant .text")).to_have_text("Hello")
    assert SECRET not in page.content()


def test_a_refusal_is_shown_with_its_status(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(HttpError(401))
    page.goto(f"{app.url}/?prompt=Tell")
    expect(page.locator(".status.bad")).to_contain_text("500")


# An EventSource connects again whenever a body ends; this one notes what it hears.
LISTEN = """(path) => new Promise((resolve) => {
  const heard = [], source = new EventSource(path);
  for (const name of ["delta", "done"]) source.addEventListener(name, (e) => heard.push(e.data));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) resolve(heard);
  };
})"""


def test_an_event_source_stops_after_a_finished_stream(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    answered = len(model.requests)
    statuses: list[int] = []
    page.goto(app.url)
    page.on("response", lambda response: statuses.append(response.status))
    heard = page.evaluate(LISTEN, "/chat?prompt=Hello")
    assert heard == ['{"text":"Hello"}', '{"text":", "}', '{"text":"world"}', "[DONE]"]
    assert statuses == [200, 204]
    assert len(model.requests) == answered + 1
