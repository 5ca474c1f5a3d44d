"""Runs a page's JavaScript in Node, against a real server with the page's app.

1. The client is what the app itself serves as /fetch-sse.js, beside the script.
2. An address without a host is the app's, as on a page of it.
3. `document` has elements, made when they are asked for: they keep their text, and their buttons are pressed
   a moment later; once something was asked for, not before there is something of it to be seen. What an element
   shows at the end is printed after what the script has logged.
"""

import contextlib
import inspect
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import uvicorn
from anyio.from_thread import BlockingPortal
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

import components

SECONDS = 20  # that a script may run
PAGE = """
const { fetch } = globalThis;
let asked = false;
globalThis.fetch = (url, init) => {
  asked = true;
  return fetch(new URL(url, "BASE"), init);
};

class Element {
  textContent = "";
  append(...pieces) { this.textContent += pieces.join(""); }
  addEventListener(type, heard) { if (type === "click") setTimeout(press, 200, heard); }
}
const elements = new Map();
function press(heard) {
  if (!asked || [...elements.values()].some(({ textContent }) => textContent)) heard();
  else setTimeout(press, 20, heard);
}
globalThis.document = {
  querySelector(selector) {
    if (!elements.has(selector)) elements.set(selector, new Element());
    return elements.get(selector);
  },
};
process.on("exit", () => {
  for (const { textContent } of elements.values()) if (textContent) console.log(textContent);
});
"""


def printed(app: Any, script: str, portal: BlockingPortal) -> str:
    """What a script prints that is run as a module of a page of this app."""
    node = components.program("node", "nodejs")
    with tempfile.TemporaryDirectory() as name, serving(app, portal) as base:
        folder = Path(name)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "fetch-sse.js").write_bytes(_client(base))
        (folder / "page.js").write_text(PAGE.replace("BASE", base))
        (folder / "script.js").write_text(script, encoding="utf-8")
        command = [node, "--import", "./page.js", "script.js"]
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert not ran.stderr, ran.stderr
        return ran.stdout


def serving(app: Any, portal: BlockingPortal) -> contextlib.AbstractContextManager[str]:
    """Serve a page's app; gives its address."""
    is_asgi = inspect.iscoroutinefunction(type(app).__call__)
    return _asgi(app, portal) if is_asgi else _wsgi(app)


def _client(base: str) -> bytes:
    with urlopen(f"{base}/fetch-sse.js", timeout=SECONDS) as answer:
        assert "javascript" in answer.headers["content-type"]
        client: bytes = answer.read()
        return client


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def _wsgi(app: Any) -> Iterator[str]:
    server = ThreadedWSGIServer("127.0.0.1", 0, app, _Quiet)
    server.daemon_threads = False  # so that its close waits for the requests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _asgi(app: Any, portal: BlockingPortal) -> Iterator[str]:
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # In the loop of the page's async clients.
        serving = portal.start_task_soon(server.serve, [listening])
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            serving.result(SECONDS)
