"""The chat page of the examples for those without a mouse, a large screen, or sight."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser.chat_page import visit_and_ask
from doubles import Fault, OpenAIDouble, Reply, Stall
from example_apps import RunningApp

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640},
    "is_mobile": True,
    "has_touch": True,
}


def prompt(page: Page) -> Locator:
    return page.get_by_label("Your message")


def answered(page: Page, state: str = "done") -> None:
    expect(page.get_by_role("article", name="Answer").last).to_have_attribute("data-state", state)


# -- the keyboard ---------------------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(page: Page, app: RunningApp, model: OpenAIDouble) -> None:
    page.goto(app.url)
    expect(prompt(page)).to_be_focused()
    page.keyboard.type("One line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and another")
    page.keyboard.press("Enter")
    answered(page)
    assert model.requests[-1].json()["messages"][0]["content"] == "One line\nand another"
    expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_be_empty()


def test_the_next_question_can_be_written_meanwhile_but_is_not_sent(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Stall()}))
    visit_and_ask(page, app.url, "Tell")
    expect(page.get_by_text("Hello")).to_be_visible()
    page.keyboard.type("And then?")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_have_value("And then?")
    expect(page.get_by_role("article", name="Answer")).to_have_count(1)
    page.keyboard.press("Escape")
    answered(page, "stopped")
    expect(prompt(page)).to_have_value("And then?")


def test_the_button_stops_by_the_keyboard_and_the_focus_goes_back_to_the_input(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Stall()}))
    visit_and_ask(page, app.url, "Tell")
    expect(page.get_by_text("Hello")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    answered(page, "stopped")
    expect(prompt(page)).to_be_focused()


def test_trying_again_is_one_step_back_from_the_input(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    visit_and_ask(page, app.url, "Tell")
    answered(page, "error")
    page.keyboard.press("Shift+Tab")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_focused()
    expect(again).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    answered(page)
    expect(prompt(page)).to_be_focused()


def test_the_focus_is_left_to_a_reader_who_has_moved_it(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(reasoning=("Hm",), gated=True))
    visit_and_ask(page, app.url, "Tell")
    model.release(3)
    summary = page.locator("summary")
    expect(summary).to_be_visible()
    summary.focus()
    model.release(5)
    answered(page)
    expect(summary).to_be_focused()


# -- a screen reader ------------------------------------------------------------------------------

NOTE_ANNOUNCEMENTS = """() => {
  window.heard = [];
  const announcer = document.querySelector("[role=status]");
  new MutationObserver(() => heard.push(announcer.textContent)).observe(announcer, {childList: true});
}"""


def test_a_screen_reader_hears_the_states_and_the_whole_answer_but_no_tokens(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(gated=True))
    page.goto(app.url)
    page.evaluate(NOTE_ANNOUNCEMENTS)
    prompt(page).fill("Hi")
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Answer")
    expect(answer).to_have_attribute("aria-busy", "true")
    for grown in ("Hello", "Hello, ", "Hello, world"):
        model.release(2 if grown == "Hello" else 1)
        expect(answer.locator(".text")).to_have_text(grown)
    model.release(3)
    expect(answer).to_have_attribute("aria-busy", "false")
    assert page.evaluate("heard") == ["Waiting for the model", "Answering", "Done. Hello, world"]
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")


def test_a_failure_is_announced_with_its_reason(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    model.queue(Reply(at={2: Fault()}))
    visit_and_ask(page, app.url, "Tell")
    answered(page, "error")
    said = page.get_by_role("status")
    expect(said).to_have_text("Error. The answer was interrupted by an error. (upstream_error)")


def test_everything_has_a_role_and_a_name(page: Page, app: RunningApp, model: OpenAIDouble) -> None:
    model.queue(Reply(("Fine",), reasoning=("Hm",), at={3: Stall()}))
    visit_and_ask(page, app.url, "Tell")
    expect(page.get_by_text("Fine")).to_be_visible()
    expect(page.locator("body")).to_match_aria_snapshot("""
      - banner:
        - heading "sse-bridge" [level=1]
      - main:
        - log "Conversation":
          - article "You": Tell
          - article "Answer":
            - group: Reasoning
            - paragraph: Fine
            - paragraph: /Answering first token after/
        - status: Answering
      - contentinfo:
        - textbox "Your message"
        - button "Stop"
    """)


# -- a phone, and what the reader prefers ---------------------------------------------------------


def test_a_phone_shows_it_all_without_scrolling_sideways(
    browser: Browser, app: RunningApp, model: OpenAIDouble
) -> None:
    long = "Donaudampfschifffahrtsgesellschaft" * 5
    model.queue(Reply((long,), reasoning=(long,), at={3: Fault()}))
    with browser.new_page(**PHONE) as page:
        page.goto(app.url)
        assert_fits(page)
        prompt(page).fill(long)
        page.get_by_role("button", name="Send").tap()
        answered(page, "error")
        page.get_by_text("Reasoning").tap()
        assert_fits(page)
        expect(prompt(page)).not_to_be_focused()  # the keyboard would cover the answer


def test_the_newest_words_stay_in_sight_unless_the_reader_scrolls_away(
    browser: Browser, app: RunningApp, model: OpenAIDouble
) -> None:
    lines = tuple(f"Line {number}\n" for number in range(40))
    model.queue(Reply(lines, gated=True, at={41: Fault()}))
    with browser.new_page(**PHONE) as page:
        visit_and_ask(page, app.url, "Tell")
        model.release(1 + 30)
        expect(page.get_by_text("Line 29")).to_be_visible()
        expect(page.get_by_role("article", name="You")).not_to_be_in_viewport()
        page.evaluate("scrollTo(0, 0)")
        expect(page.get_by_role("article", name="You")).to_be_in_viewport()
        model.release(9)
        expect(page.get_by_text("Line 38")).to_be_visible()
        assert page.evaluate("scrollY") == 0
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.get_by_role("article", name="You")).not_to_be_in_viewport()
        model.release(2)
        answered(page, "error")
        assert_at_the_end(page)


def test_a_long_reason_is_brought_into_sight_whole(browser: Browser, app: RunningApp) -> None:
    reason = {"detail": "No, and that for many reasons. " * 10}
    with browser.new_page(**PHONE) as page:
        page.route("**/chat", lambda route: route.fulfill(status=403, json=reason))
        page.goto(app.url)
        prompt(page).fill("Line\n" * 40 + "end")
        page.get_by_role("button", name="Send").tap()
        answered(page, "refused")
        assert_at_the_end(page)


def assert_at_the_end(page: Page) -> None:
    assert page.evaluate("document.body.scrollHeight - innerHeight - scrollY") < 2


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen, and whatever can be tapped is large enough for a thumb."""
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for target in page.locator("button:visible, textarea, summary:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    assert prompt(page).evaluate("(it) => parseFloat(getComputedStyle(it).fontSize)") >= 16
    box = prompt(page).bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 640


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_keeps_to_the_colours_that_the_reader_prefers(
    browser: Browser, app: RunningApp, scheme: Any
) -> None:
    with browser.new_page(color_scheme=scheme) as page:
        page.goto(app.url)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, _, _ = (int(part) for part in colour[len("rgb(") : -1].split(","))
        assert (red > 127) == (scheme == "light")


@pytest.mark.parametrize("motion, name", [("reduce", "none"), ("no-preference", "blink")])
def test_nothing_moves_for_those_whom_it_troubles(
    browser: Browser, app: RunningApp, model: OpenAIDouble, motion: Any, name: str
) -> None:
    model.queue(Reply(at={2: Stall()}))
    with browser.new_page(reduced_motion=motion) as page:
        visit_and_ask(page, app.url, "Tell")
        expect(page.get_by_text("Hello")).to_be_visible()
        moving = "getComputedStyle(document.querySelector('.text'), '::after').animationName"
        assert page.evaluate(moving) == name
