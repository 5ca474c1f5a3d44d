"""The browser's own EventSource against our streams."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from servers.harness import running

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
