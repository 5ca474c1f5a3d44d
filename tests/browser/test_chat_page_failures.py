"""The chat page of the examples when the model fails, the server dies, or the question is refused."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from browser.chat_page import TALE, ask, asked, failure, status, text, visit_and_ask
from doubles import SECRET, Fault, HttpError, OpenAIDouble, Reply
from example_apps import RunningApp, address, asking, start


def test_a_failure_is_shown_with_what_came_before_it_and_can_be_tried_again(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    visit_and_ask(page, app.url, "Tell")
    expect(status(page)).to_contain_text("Error")
    expect(failure(page)).to_contain_text("(upstream_error)")
    expect(text(page)).to_have_text("Hello")
    assert SECRET not in page.content()
    page.get_by_role("button", name="Try again").click()
    expect(text(page)).to_have_text("Hello, world")
    expect(status(page)).to_contain_text("Done")
    expect(failure(page)).to_be_hidden()
    expect(page.get_by_role("article")).to_have_count(2)
    assert asked(model) == ["Tell"]


def test_after_a_failure_one_may_also_go_on(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    visit_and_ask(page, app.url, "Tell")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    ask(page, "Go on.")
    expect(status(page)).to_contain_text("Done")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    assert asked(model) == ["Tell", "Hello", "Go on."]


@pytest.mark.parametrize("name", ["flask", "starlette"])
def test_a_server_that_is_killed_leaves_a_truncated_answer(
    page: Page, model: OpenAIDouble, name: str, tmp_path: Path
) -> None:
    model.queue(TALE)
    settings = asking(model, tmp_path)
    with start(name, settings) as process:
        try:
            url = address(process)
            visit_and_ask(page, url, "Tell")
            expect(text(page)).to_have_text("Once upon")
        finally:
            process.kill()
    expect(status(page)).to_contain_text("Cut before it was complete")
    expect(text(page)).to_have_text("Once upon")
    page.get_by_role("button", name="Try again").click()
    expect(failure(page)).to_contain_text("(network_error)")
    with start(name, settings, port=urlsplit(url).port or 0) as process:
        try:
            address(process)
            page.get_by_role("button", name="Try again").click()
            expect(text(page)).to_have_text("Hello, world")
        finally:
            process.kill()


def test_a_refusal_is_shown_with_its_status(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(HttpError(401))
    visit_and_ask(page, app.url, "Tell")
    expect(status(page)).to_have_text("Refused")
    expect(failure(page)).to_contain_text("refused the credentials of this server. (HTTP 502)")
    page.get_by_role("button", name="Try again").click()
    expect(text(page)).to_have_text("Hello, world")


@pytest.mark.parametrize(
    "kind, body, told",
    [
        ("application/json", '{"detail":"Not you."}', "Not you. (HTTP 403)"),
        ("text/html", "<h1>No</h1><p>Not <b>you</b>.</p>", "Not you. (HTTP 403)"),
        ("text/plain", "Not you.\n", "Not you. (HTTP 403)"),
    ],
)
def test_a_refusal_tells_its_reason_and_is_not_tried_again_where_that_is_vain(
    page: Page, app: RunningApp, kind: str, body: str, told: str
) -> None:
    page.route("**/chat", lambda route: route.fulfill(status=403, content_type=kind, body=body))
    visit_and_ask(page, app.url, "Tell")
    expect(failure(page)).to_contain_text(told)
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
