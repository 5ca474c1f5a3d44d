"""A real browser.

It is started anew for each module, and ended with it: while Playwright is open, its event loop counts
as running in this thread, and no test could run another.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import components
from doubles import OpenAIDouble
from example_apps import RunningApp, running

# A fresh, silent browser that looks nothing up outside this machine.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = components.program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    yield page
    page.close()


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture(scope="module", params=["flask", "starlette"])
def app(
    request: pytest.FixtureRequest, model: OpenAIDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    """An example app whose model is the double."""
    settings = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-double"}
    with running(request.param, tmp_path_factory.mktemp(request.param), settings) as running_app:
        yield running_app
