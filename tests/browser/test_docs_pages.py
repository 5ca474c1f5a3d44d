"""The `html` blocks of the documentation, whole pages, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Page, expect

import pages
from pages import ROOT
from static_docs import serving

START = ROOT / "docs" / "zh" / "start.md"
HTML = [block.text for block in pages.blocks(START) if block.language == "html"]
WAYS = ["GET", "POST"]  # as they are asked, in this order


@pytest.fixture(scope="module")
def run() -> Iterator[pages.Run]:
    with start_blocking_portal() as portal:
        run = pages.Run(portal)
        yield run
        run.close()


def apps(run: pages.Run) -> list[object]:
    """Every app that the page defines, complete."""
    found: list[object] = []
    for block in pages.blocks(START):
        if block.language == "python":
            run.block(block)
            found += [run.app] if run.app not in found else []
    return found


@pytest.fixture(scope="module", params=range(3), ids=["flask", "fastapi", "starlette"])
def address(request: pytest.FixtureRequest, run: pages.Run) -> Iterator[str]:
    with serving(apps(run)[request.param], run.portal) as address:
        yield address


def opened(page: Page, address: str, way: str) -> None:
    """Open the page that a reader would have put beside the app."""
    html = HTML[WAYS.index(way)]
    page.route(f"{address}/page", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{address}/page")


@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_the_chinese_tutorial_shows_what_comes_and_that_it_is_complete(
    page: Page, address: str, way: str
) -> None:
    opened(page, address, way)
    page.get_by_role("button", name="开始").click()
    expect(page.locator("#answer")).to_have_text("1 2 3 完成")


def test_its_button_stops_the_stream(page: Page, address: str) -> None:
    opened(page, address, "POST")
    # So long a count that it is still going on when the button is pressed.
    page.route("**/count", lambda route: route.continue_(post_data='{"upto": 1000}'))
    page.get_by_role("button", name="开始").click()
    expect(page.locator("#answer")).to_contain_text("1")
    page.get_by_role("button", name="停止").click()
    expect(page.locator("#answer")).to_contain_text("已停止")


@pytest.mark.parametrize("way", WAYS)
def test_it_says_that_the_answer_failed(page: Page, address: str, way: str) -> None:
    failed = 'event: error\ndata: {"code":"x","message":"坏了","retryable":false}\n\n'
    opened(page, address, way)
    page.route(
        "**/count*", lambda route: route.fulfill(body=failed, content_type="text/event-stream")
    )
    page.get_by_role("button", name="开始").click()
    expect(page.locator("#answer")).to_have_text(re.compile("^出错了.坏了$"))
