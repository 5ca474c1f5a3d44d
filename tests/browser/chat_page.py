"""The chat page of the examples, as a user meets it."""

from playwright.sync_api import Locator, Page

from doubles import OpenAIDouble, Reply, Stall

TALE = Reply(("Once", " upon"), at={3: Stall()})


def ask(page: Page, question: str) -> None:
    page.get_by_label("Your message").fill(question)
    page.get_by_role("button", name="Send").click()


def visit_and_ask(page: Page, url: str, question: str) -> None:
    page.goto(url)
    ask(page, question)


def text(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer").last.locator(".text")


def status(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer").last.locator(".status")


def failure(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer").last.locator(".failure")


def asked(model: OpenAIDouble) -> list[str]:
    return [message["content"] for message in model.requests[-1].json()["messages"]]
