"""A page that is left: the browser keeps it for going back, and its stream must not go on meanwhile."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

import components
from servers.harness import Server, running

from .conftest import FLAGS

PATIENCE = 10.0


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Of a browser with its cache for going back, which Playwright switches off."""
    path = components.program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        page = browser.new_page()
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[Server]]:
    with (
        running("uvicorn", "left_page:app", tmp_path / "one") as one,
        running("uvicorn", "left_page:app", tmp_path / "two") as two,
    ):
        yield [one, two]


def noted(server: Server, name: str, *expected: str) -> None:
    """Wait until the server has noted just this."""
    end = time.monotonic() + PATIENCE
    while sorted(seen := notes(server)[name]) != sorted(expected):
        assert time.monotonic() < end, seen
        time.sleep(0.02)


def notes(server: Server) -> Any:
    import httpx

    return httpx.get(f"{server.url}/notes").json()


@pytest.mark.parametrize("origin", ["the same", "another"])
def test_its_stream_ends_at_once_and_it_is_told_when_it_comes_back(
    page: Page, sites: list[Server], origin: str
):
    site, source = sites[0], sites[0 if origin == "the same" else 1]
    page.goto(f"{site.url}/?from={source.url}")
    noted(site, "page", "begun")
    page.goto(f"{site.url}/other")
    noted(source, "endings", "gone")
    noted(site, "page", "begun")
    page.evaluate("history.back()")
    noted(site, "page", "begun", "shown", "page_hidden")


def test_an_option_keeps_it_going_and_then_nobody_notices(page: Page, sites: list[Server]):
    site, source = sites
    page.goto(f"{site.url}/?pagehide=no&from={source.url}")
    noted(site, "page", "begun")
    page.goto(f"{site.url}/other")
    page.wait_for_timeout(500)
    assert notes(source)["endings"] == []
