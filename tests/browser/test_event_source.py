"""The browser's own EventSource against our streams."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import pages
from servers.harness import running

(MOVING,) = pages.file(pages.ROOT / "docs" / "moving.md", "event-source.html")
APPS = {"gunicorn-gthread": "bridge_flask:app", "uvicorn": "bridge_starlette:app"}

# Collects what comes until the browser has given up for good; `opened` counts connections.
LISTEN = """
path => new Promise(resolve => {
    const seen = {messages: [], done: 0, opened: 0};
    const source = new EventSource(path);
    source.onopen = () => seen.opened++;
    source.onmessage = event => seen.messages.push(event.data);
    source.addEventListener("done", () => seen.done++);
    source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve(seen);
    };
})
"""


@pytest.mark.parametrize("name", APPS)
def test_it_stops_after_a_finished_stream_and_the_source_ran_once(
    page: Page, name: str, tmp_path: Path
) -> None:
    with running(name, APPS[name], tmp_path / "log") as server:
        page.goto(f"{server.url}/health")
        seen = page.evaluate(LISTEN, "/sync/told?key=browser&retry=50")
        with server.get("/runs?key=browser") as response:
            assert response.read_all() == b"1"
        assert "204" in server.log() or name == "gunicorn-gthread"  # which keeps no access log
    assert seen["messages"] == ["Hel", "lo ", "你好\nzwei", '{"count":1}', "你", "[1.5,null]"]
    assert (seen["done"], seen["opened"]) == (1, 1)


# The states in which `onerror` is called, until the browser has given up.
STATES = """
path => new Promise(resolve => {
    const states = [];
    const source = new EventSource(path);
    source.onerror = () => {
        states.push(source.readyState);
        if (source.readyState === EventSource.CLOSED) resolve(states);
    };
})
"""


def test_after_a_good_end_onerror_is_called_once_to_reconnect_and_once_for_good(
    page: Page, tmp_path: Path
) -> None:
    with running("uvicorn", APPS["uvicorn"], tmp_path / "log") as server:
        page.goto(f"{server.url}/health")
        assert page.evaluate(STATES, "/sync/told?retry=50") == [0, 2]


@pytest.mark.parametrize(
    "path, answer, status",
    [
        ("/sync/told?key=page", "Hel", "Finished."),
        ("/sync/failing", "onetwo", "The answer was interrupted by an error."),
        ("/nothing", "", "The server refused."),
    ],
)
def test_the_documented_page_tells_a_good_end_from_a_failure_and_from_a_refusal(
    page: Page, path: str, answer: str, status: str, tmp_path: Path
) -> None:
    with running("uvicorn", APPS["uvicorn"], tmp_path / "log") as server:
        html = MOVING.replace("/events", path)
        page.route(
            f"{server.url}/", lambda route: route.fulfill(body=html, content_type="text/html")
        )
        page.goto(f"{server.url}/")
        expect(page.locator("#status")).to_have_text(status)
        assert (page.text_content("#answer") or "").startswith(answer)
        assert "204" not in server.log()  # it was closed, and did not come again
