"""What a page of another site tries, in a real browser, in order to spend the model of an example app.

The app itself lends the page: to a browser `localhost` and `127.0.0.1` are two sites.
"""

import pytest
from playwright.sync_api import Page, expect

from browser.chat_page import ask, asked, status, visit_and_ask
from doubles import OpenAIDouble
from example_apps import RunningApp

QUESTION = '{"prompt": "Spend"}'
# Each is over when the browser has heard the app's answer.
TRIES = {
    "an image": """
        const image = new Image();
        image.onload = image.onerror = over;
        image.src = `${app}/chat?prompt=Spend`;""",
    "an EventSource": """
        const source = new EventSource(`${app}/chat?prompt=Spend`);
        source.onmessage = source.onerror = () => { source.close(); over(); };""",
    "a form": """
        const form = document.createElement("form"), field = document.createElement("input");
        const frame = document.createElement("iframe");
        Object.assign(form, { method: "POST", action: `${app}/chat`, enctype: "text/plain", target: "it" });
        Object.assign(field, { name: question.slice(0, -1) + ', "_": "', value: '"}' });
        Object.assign(frame, { name: "it" });
        form.append(field);
        document.body.append(frame, form);
        frame.onload = over;
        form.submit();""",
    "a fetch that reads nothing": """
        fetch(`${app}/chat`, { method: "POST", mode: "no-cors", body: question }).then(over, over);""",
    "a fetch of JSON": """
        const headers = { "Content-Type": "application/json" };
        fetch(`${app}/chat`, { method: "POST", headers, body: question })
          .then((answer) => answer.text()).then(over, over);""",
}


def elsewhere(app: RunningApp) -> str:
    return app.url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("way", TRIES)
def test_a_page_elsewhere_cannot_ask_the_model(
    page: Page, app: RunningApp, model: OpenAIDouble, way: str
) -> None:
    page.goto(elsewhere(app))
    before = len(model.requests)
    attempt = f"([app, question]) => new Promise((over) => {{ {TRIES[way]} }})"
    page.evaluate(f"{attempt}.then(() => null)", [app.url, QUESTION])
    assert len(model.requests) == before


def test_a_page_elsewhere_cannot_show_the_chat_in_a_frame(page: Page, app: RunningApp) -> None:
    page.goto(elsewhere(app))
    show = "(source) => document.body.append(Object.assign(document.createElement('iframe'), { src: source }))"
    with page.expect_event("framenavigated") as navigated:
        page.evaluate(show, f"{app.url}/?prompt=Spend")
    assert navigated.value.url.startswith("chrome-error:")


def test_a_page_elsewhere_that_leads_to_the_chat_asks_nothing_by_it(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    page.goto(elsewhere(app))
    before = len(model.requests)
    with page.expect_navigation():
        page.evaluate("(to) => { location = to }", f"{app.url}/?prompt=Spend")
    expect(page.get_by_label("Your message")).to_have_value("Spend")
    expect(page.get_by_role("article")).to_have_count(0)
    assert len(model.requests) == before
    page.get_by_role("button", name="Send").click()
    expect(status(page)).to_contain_text("Done")
    assert asked(model) == ["Spend"]


def test_a_page_of_another_name_of_this_machine_may_ask_its_own_app(
    page: Page, app: RunningApp, model: OpenAIDouble
) -> None:
    visit_and_ask(page, elsewhere(app), "Hi")
    expect(status(page)).to_contain_text("Done")
    ask(page, "And now?")
    expect(status(page)).to_contain_text("Done")
