"""The chat page of the examples in a real browser: what it shows, and what its model's server sees."""

import statistics
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.chat_page import TALE, ask, asked, status, text, visit_and_ask
from doubles import BEFORE_HEADERS, OpenAIDouble, Reply, Stall
from example_apps import RunningApp

STOPS = 10  # measured on each app


def test_tokens_appear_one_after_another_before_the_answer_is_complete(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(("Grüße ", "<b>&amp;", " 你好"), gated=True, bytewise=True))
    page.goto(app.url)
    ask(page, "Hello?")
    expect(status(page)).to_have_text("Waiting for the model")
    model.release()  # the role
    for grown in ("Grüße ", "Grüße <b>&amp;", "Grüße <b>&amp; 你好"):
        model.release()
        expect(text(page)).to_have_text(grown)
        expect(status(page)).to_contain_text("Answering first token after")
    model.release(3)  # finish, usage, [DONE]
    expect(status(page)).to_contain_text("Done first token after")
    expect(status(page)).to_contain_text(" tokens a second")
    expect(text(page)).to_have_text("Grüße <b>&amp; 你好")


def test_the_models_own_count_of_tokens_is_believed_and_ours_is_called_a_guess(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(gated=True))
    visit_and_ask(page, app.url, "Hello")
    model.release()  # the role
    for grown in ("Hello", "Hello, ", "Hello, world"):
        model.release()
        expect(text(page)).to_have_text(grown)
    expect(status(page)).to_contain_text("about")
    model.release(3)  # finish, usage, [DONE]
    expect(status(page)).to_contain_text("Done")
    expect(status(page)).not_to_contain_text("about")


def test_reasoning_is_shown_apart_and_makes_room_for_the_answer(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(("Fine.",), reasoning=("Hm, ", "well"), gated=True))
    visit_and_ask(page, app.url, "Hello")
    model.release(3)  # the role, the thought
    thought = page.get_by_text("Hm, well")
    expect(thought).to_be_visible()
    expect(text(page)).to_be_empty()
    model.release(4)
    expect(text(page)).to_have_text("Fine.")
    expect(thought).to_be_hidden()
    page.get_by_text("Reasoning").click()
    expect(thought).to_be_visible()


def test_what_was_said_before_is_told_to_the_model_again(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    visit_and_ask(page, app.url, "Hello")
    expect(status(page)).to_contain_text("Done")
    ask(page, "And now?")
    expect(page.locator(".status")).to_have_count(2)
    expect(status(page)).to_contain_text("Done")
    assert asked(model) == ["Hello", "Hello, world", "And now?"]


def test_an_answer_that_ended_for_another_reason_says_so(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(finish="length"))
    visit_and_ask(page, app.url, "Hello")
    expect(status(page)).to_contain_text("ended by length")


# -- stopped --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stops(request: pytest.FixtureRequest) -> Iterator[dict[str, list[float]]]:
    """Measured seconds, by app; told when the tests of this module have ended."""
    taken: dict[str, list[float]] = {}
    yield taken
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for name, seconds in taken.items():
            told = " ".join(f"{1000 * one:.1f}" for one in seconds)
            median = 1000 * statistics.median(seconds)
            print(f"\n\nFrom Stop to the end of the model's connection, {name}:")
            print(f"{told} ms, median {median:.1f} ms")


NOTE_CLICKS = "addEventListener('click', () => (window.clicked = performance.now()), true)"


def clock_of(page: Page) -> float:
    """What to add to the page's `performance.now()`, in seconds, for our `time.monotonic()`."""
    tries = []
    for _ in range(10):
        before = time.monotonic()
        there = page.evaluate("performance.now()") / 1000
        after = time.monotonic()
        tries.append((after - before, (before + after) / 2 - there))
    return min(tries)[1]


def test_stop_says_so_and_closes_the_source(
    page: Page,
    app: RunningApp,
    model: OpenAIDouble,
    stops: dict[str, list[float]],
    request: pytest.FixtureRequest,
) -> None:
    page.goto(app.url)
    page.evaluate(NOTE_CLICKS)
    difference, saved = clock_of(page), app.saved_count()
    for number in range(1, STOPS + 1):
        model.queue(TALE)
        ask(page, "Tell me a tale.")
        expect(text(page)).to_have_text("Once upon")
        page.get_by_role("button", name="Stop").click()
        hangup = model.requests[-1].wait_hangup()
        assert hangup.amid_answer
        taken = hangup.at - difference - page.evaluate("clicked") / 1000
        stops.setdefault(request.node.callspec.params["app"], []).append(taken)
        expect(status(page)).to_contain_text("Stopped by you")
        expect(text(page)).to_have_text("Once upon")
        expect(page.get_by_role("button", name="Send")).to_be_visible()
        line = app.saved(saved + number)
        assert (line["ending"], line["answer"]) == ("gone", "Once upon")


def test_escape_stops_before_the_first_token_too_and_the_question_is_forgotten(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={BEFORE_HEADERS: Stall()}))
    requests = len(model.requests)
    visit_and_ask(page, app.url, "Tell")
    request = model.wait_for_request(requests + 1)
    page.keyboard.press("Escape")
    expect(status(page)).to_have_text("Stopped by you")
    request.wait_hangup()
    ask(page, "And now?")
    expect(status(page)).to_contain_text("Done")
    assert asked(model) == ["And now?"]
