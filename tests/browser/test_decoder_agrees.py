"""The client's decoder beside the browser's own EventSource, on the same bytes.

Times to reconnect are not compared: the browser shows none, and Chromium departs from the standard there (it takes
an empty `retry` for its default, and a huge one too).
"""

import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from sse_bridge.static import FETCH_SSE

# The events that are listened for: an EventSource tells nobody of the others.
NAMES = ["message", "open", "done", "e", "E", "e ", " e", "a:b", "é你", "\0", "x\ufeff", "ping"]

NASTY = {
    "a byte order mark": b"\xef\xbb\xbfdata: a\n\n",
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbfdata: a\ndata: b\n\n",
    "a byte order mark later on": b"data: \xef\xbb\xbfa\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n",
    "half a byte order mark": b"\xef\xbbdata: a\n\ndata: b\n\n",
    "the characters of a mark": "\xef\xbb\xbfdata: a\ndata: b\n\n".encode(),
    "all line ends": b"data: a\rdata: b\ndata: c\r\n\rdata: d\r\n\ndata: e\r\r\n\ndata: f\n\r\n",
    "what ends lines elsewhere": "data: a\v\f\x1c\x1d\x1e\x85\u2028\u2029b\n\n".encode(),
    "a comment with what ends lines elsewhere": ": a\u2028data: b\n\ndata: c\n\n".encode(),
    "bytes that are no UTF-8": b"data: \xff\xc0\x80\xe4\xbd|\xed\xa0\x80|\xf0\x9f\x98\n\n",
    "a character cut by a line end": b"data: \xe4\ndata: \xf0\x9f\n\n",
    "NUL in data and name": b"data: a\0b\nevent: \0\n\nda\0ta: c\n\n",
    "spaces": b"data:a\ndata: b\ndata:  c \ndata:\td\n data: e\ndata : f\n\n",
    "colons": b"data::\ndata: a:b: c\nevent:a:b\n\n:\n::\n",
    "empty data": b"data\n\ndata:\n\ndata: \n\ndata\ndata\n\n",
    "no data": b"event: e\n\nid: 1\n\nretry: 9000\n\n: ping\n\n\n\n\ndata: a\n\n",
    "unknown and misspelt names": b"DATA: a\nError: {}\nfoo\nfoo: b\ndata: c\n\n",
    "names": "event: é你\ndata\n\nevent:  e\ndata\n\nevent: e \ndata\n\nevent: E\ndata\n\n".encode(),
    "a name said twice": b"event: e\nevent: E\ndata\n\nevent: e\nevent\ndata\n\nevent: e\n\ndata\n\n",
    "a name with a mark": "event: x\ufeff\ndata\n\nevent: open\ndata: no\n\n".encode(),
    "ids": b"id: 1\ndata\n\ndata\n\nid: 2\n\ndata\n\nid\ndata\n\nid:  3 \ndata\n\n",
    "an id with NUL": b"id: 1\nid: 2\0\ndata\n\nid: \0\ndata\n\nid: \x01\ndata\n\n",
    "an id beyond ASCII": "id: é你\ndata: a\n\n".encode(),
    "an event of no end": b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
    "a line of no end": b"data: a\n\ndata: b",
    "an end within CR LF": b"data: a\r\n\r",
    "retry that is none": b"retry: x\nretry: -1\nretry: 1.5\nretry\ndata: a\n\n",
    "a long line": b"data: " + b"0123456789" * 20_000 + b"\n\ndata: b\n\n",
    "many small events": b"data: a\n\n" * 2_000,
    "nothing": b"",
}

FRAGMENTS = [b"data", b"event", b"id", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"]
FRAGMENTS += [b"data: x\n\n", b"data: y\n", b"id: 1\n", b"event: e\n", b": c\n", b"\0", b"7"]
FRAGMENTS += [b"\xef\xbb\xbf", b"\xe4\xbd\xa0", b"\xe4", b"\xf0\x9f", b"\xed\xa0\x80", b"\xff"]
FRAGMENTS += ["\u2028".encode(), "\x85".encode(), b"\v", b"\t", b"event: \0\n", b"id\n"]


def at_random(seed: int) -> bytes:
    dice = random.Random(seed)
    return b"".join(dice.choices(FRAGMENTS, k=dice.randint(1, 120)))


STREAMS = {**NASTY, **{f"random {seed}": at_random(seed) for seed in range(60)}}
PATHS = {f"/stream/{number}": stream for number, stream in enumerate(STREAMS.values())}

# What the browser, the decoder and readEvents make of one address, each with a request of its own.
READ_THREE_WAYS = """
async ([path, names]) => {
    const {Decoder, readEvents} = await import("/fetch-sse.js");
    const isKnown = ({event}) => names.includes(event);
    const fields = ({event, data, id}) => [event, data, id];

    const browser = await new Promise(resolve => {
        const seen = [];
        const source = new EventSource(path);
        const listen = ({type, data, lastEventId}) => seen.push([type, data, lastEventId]);
        for (const name of names) {
            source.addEventListener(name, event => event instanceof MessageEvent && listen(event));
        }
        source.onerror = () => {  // the body has ended
            source.close();
            resolve(seen);
        };
    });

    const decoder = new Decoder();
    const decoded = [];
    const reader = (await fetch(path)).body.getReader();
    for (;;) {
        const {done, value} = await reader.read();
        if (done) break;
        decoded.push(...decoder.feed(value));
    }

    const read = [];
    let ending;
    try {
        for await (const event of readEvents(await fetch(path))) read.push(event);
    } catch (error) {
        ending = error.code;
    }
    return {
        browser,
        decoded: decoded.filter(isKnown).map(fields),
        read: read.filter(isKnown).map(fields),
        ending,
    };
}
"""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path in PATHS:
            self._answer("text/event-stream", PATHS[self.path])
        elif self.path == "/fetch-sse.js":
            self._answer("text/javascript", FETCH_SSE.read_bytes())
        else:
            self._answer("text/html", b"<!doctype html><title>A page</title>")

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        size = max(7, len(body) // 100)  # in pieces that no line border agrees with
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    """A page that may ask for the streams."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
        page.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", list(PATHS), ids=list(STREAMS))
def test_the_decoder_reads_what_the_browser_reads(open_page: Page, path: str) -> None:
    seen = open_page.evaluate(READ_THREE_WAYS, [path, NAMES])
    assert seen["decoded"] == seen["browser"]
    assert seen["read"] == seen["browser"]
    assert seen["ending"] == "truncated"


def test_the_streams_say_something() -> None:
    assert sum(b"data" in stream and b"\n\n" in stream for stream in STREAMS.values()) > 70
