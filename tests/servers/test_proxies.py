"""Proxies in front of a server, configured as docs/production.md says, and as it says not to.

The times are printed at the end and asserted nowhere.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

import pages

from .client import Response
from .gate import Gate
from .harness import Pool, Server, running
from .proxies import proxy

PAGE = pages.ROOT / "docs" / "production.md"
FILES = {
    "nginx": "nginx.conf",
    "haproxy": "haproxy.cfg",
    "caddy": "Caddyfile",
    "apache": "apache.conf",
}
# A page's chat is at /chat, the story at /async.
SITES = {kind: pages.file(PAGE, name)[0].replace("/chat", "/async") for kind, name in FILES.items()}
LISTENING = ["nginx", "haproxy", "caddy"]  # while nothing is to be sent
SAMPLES = 5
A_WHILE = 0.5  # seconds in which nothing may come

# What a page would not recommend.
BARE = "location / { proxy_pass http://127.0.0.1:8000; }"
BARE_1_1 = "location / { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1; }"
UNBUFFERED = "location / { proxy_pass http://127.0.0.1:8000; proxy_buffering off; }"
GZIP = "gzip on; gzip_types text/event-stream; gzip_min_length 0;"
DEAF = {
    "nginx": "location / { proxy_pass http://127.0.0.1:8000; proxy_ignore_client_abort on; }",
    "haproxy": SITES["haproxy"].replace("option abortonclose", ""),
    "caddy": "http://127.0.0.1:8080 { \n reverse_proxy 127.0.0.1:8000 { \n flush_interval -1 \n } \n }",
    "apache": SITES["apache"],
}
COMPRESSING = {
    "nginx": GZIP + BARE,
    "apache": SITES["apache"].replace("ProxyPass", "SetOutputFilter DEFLATE\nProxyPass", 1),
}

Before = Callable[..., Server]


@pytest.fixture
def before(serve: Pool, tmp_path: Path) -> Iterator[Before]:
    """Give `before(kind, site)`: a proxy before uvicorn, or before another server."""
    with ExitStack() as stack:

        def before(kind: str, site: str, server: Server | None = None) -> Server:
            behind = server or serve("uvicorn", "bridge_starlette:app")
            folder = tmp_path / f"proxy-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(proxy(kind, site, behind.port, folder))

        yield before


@pytest.fixture(scope="module")
def samples(request: pytest.FixtureRequest) -> Iterator[dict[str, list[float]]]:
    taken: dict[str, list[float]] = defaultdict(list)
    yield taken
    if taken:
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\n\nFrom the client's close to the source's end, in ms, median / worst:\n")
            for name, times in taken.items():
                print(f"{name}: {statistics.median(times) * 1e3:.1f} / {max(times) * 1e3:.0f}")


def gated(server: Server, gate: Gate, query: str = "ping=0", **headers: str) -> Response:
    """A stream whose first chunk is permitted, once its head has come."""
    connection = server.connect()
    connection.send("GET", f"/async/gated?gate={gate.port}&{query}", headers)
    gate.release()
    return connection.response()


def is_live(server: Server, gate: Gate, **headers: str) -> None:
    """Each chunk comes before the next is permitted."""
    with gated(server, gate, **headers) as response:
        assert response.read_until() == b"data: chunk 1\n\n"
        for number in (2, 3):
            gate.release()
            assert response.read_until() == b"data: chunk %d\n\n" % number
        assert "content-encoding" not in response.headers


def is_held_back(server: Server, gate: Gate, **headers: str) -> None:
    """Nothing comes until the source has ended, and then all of it does."""
    with server.connect() as connection:
        connection.send("GET", f"/async/gated?ping=0&gate={gate.port}", headers)
        gate.release(3)
        connection.timeout = A_WHILE
        with pytest.raises(TimeoutError):
            connection.response()
        gate.no_more()
        connection.timeout = 10.0
        body = connection.response().read_all()
        assert (b"chunk 3" in body) is not bool(headers)  # or compressed


def unzipped(response: Response) -> Iterator[bytes]:
    """The pieces of a compressed body as they come."""
    assert response.headers["content-encoding"] == "gzip"
    unzip = zlib.decompressobj(wbits=31)
    while piece := response.read_piece():
        if text := unzip.decompress(piece):
            yield text


@pytest.mark.parametrize("kind", SITES)
def test_each_chunk_comes_through_before_the_next_is_made(kind: str, before: Before, gate: Gate):
    is_live(before(kind, SITES[kind]), gate, Accept_Encoding="gzip")


@pytest.mark.parametrize("kind", LISTENING)
def test_a_disconnect_in_the_middle_is_noticed_without_a_ping(
    kind: str, before: Before, samples: dict[str, list[float]]
):
    server = before(kind, SITES[kind])
    for _ in range(SAMPLES):
        with Gate() as gate, gated(server, gate) as response:
            assert response.read_until() == b"data: chunk 1\n\n"
            since = time.monotonic()
            response.hang_up()
            samples[kind].append(gate.wait_closed() - since)


@pytest.mark.parametrize("kind", LISTENING)
def test_a_disconnect_before_the_first_chunk_is_noticed_too(kind: str, before: Before, gate: Gate):
    with before(kind, SITES[kind]).connect() as connection:
        connection.send("GET", f"/async/gated?ping=0&hold=60&gate={gate.port}")
        gate.accept()
        connection.hang_up()
        gate.wait_closed()


@pytest.mark.parametrize("kind, pings", {**dict.fromkeys(DEAF, 2), "caddy": 4}.items())
def test_a_proxy_that_does_not_listen_leaves_a_disconnect_to_the_pings(
    kind: str, pings: int, before: Before, serve: Pool, gate: Gate
):
    server = before(kind, DEAF[kind])
    with gated(server, gate) as response:
        assert response.read_until() == b"data: chunk 1\n\n"
        response.hang_up()
        gate.accept().settimeout(A_WHILE)
        with pytest.raises(TimeoutError):
            gate.wait_closed()
    with Gate() as second, gated(server, second, f"ping=0.3&key=deaf-{kind}") as response:
        assert response.read_until() == b"data: chunk 1\n\n"
        response.hang_up()
        second.wait_closed()
    # One may have left before the client did.
    assert (
        pings <= told_pings(serve("uvicorn", "bridge_starlette:app"), f"deaf-{kind}") <= pings + 1
    )


def told_pings(server: Server, key: str) -> int:
    """How many keep-alives a stream had, once it has told."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with server.get(f"/pings?key={key}") as response:
            if told := response.read_all():
                return int(told)
        time.sleep(0.01)
    raise AssertionError(f"the stream {key} told nothing of its end")


def test_of_two_nginx_the_inner_swallows_the_header_and_an_outer_on_http_1_0_holds_all_back(
    before: Before, gate: Gate
):
    inner = before("nginx", BARE_1_1)
    with Gate() as first, gated(inner, first) as response:
        assert response.status == 200
        assert "x-accel-buffering" not in response.headers
    is_held_back(before("nginx", BARE, inner), gate)


def test_the_page_s_nginx_passes_the_header_on(before: Before, gate: Gate):
    with gated(before("nginx", SITES["nginx"]), gate) as response:
        assert response.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize(
    "inner, outer",
    [
        (SITES["nginx"], BARE),
        (BARE, BARE_1_1),
        (SITES["nginx"], SITES["nginx"]),
        (BARE, UNBUFFERED),
    ],
)
def test_two_nginx_in_a_row_are_live_if_the_header_is_passed_on_or_the_outer_helps(
    inner: str, outer: str, before: Before, gate: Gate
):
    is_live(before("nginx", outer, before("nginx", inner)), gate)


@pytest.mark.parametrize("kind", COMPRESSING)
def test_a_proxy_that_is_told_to_compress_does_so_in_spite_of_no_transform(
    kind: str, before: Before, gate: Gate
):
    server = before(kind, COMPRESSING[kind])
    with gated(server, gate, "ping=0&size=2000", Accept_Encoding="gzip") as response:
        assert "no-transform" in response.headers["cache-control"]
        texts = unzipped(response)
        assert next(texts).startswith(b"data: chunk 1x")
        gate.release()
        assert any(b"data: chunk 2x" in text for text in texts)  # before the third is permitted


def test_caddy_with_encode_holds_back_a_stream_whose_first_event_is_large(
    before: Before, gate: Gate
):
    server = before("caddy", SITES["caddy"].replace("@others gzip", "gzip"))
    with gated(server, gate, "ping=0&size=2000", Accept_Encoding="gzip") as response:
        texts = unzipped(response)
        response.connection.timeout = A_WHILE
        with pytest.raises(TimeoutError):
            next(texts)
        gate.no_more()
        response.connection.timeout = 10.0
        assert b"chunk 1x" in zlib.decompressobj(wbits=31).decompress(
            response.body + response.read_all()
        )


def test_caddy_with_encode_for_others_only_compresses_no_stream(before: Before, gate: Gate):
    server = before("caddy", SITES["caddy"])
    with gated(server, gate, "ping=0&size=2000", Accept_Encoding="gzip") as response:
        assert "content-encoding" not in response.headers
        assert response.read_until().startswith(b"data: chunk 1x")


def test_the_page_s_nginx_does_not_compress_though_its_server_block_says_so(
    before: Before, gate: Gate
):
    is_live(before("nginx", GZIP + SITES["nginx"]), gate, Accept_Encoding="gzip")


def test_haproxy_heeds_no_transform(before: Before, gate: Gate):
    site = SITES["haproxy"] + "    compression algo gzip\n    compression type text/event-stream\n"
    is_live(before("haproxy", site), gate, Accept_Encoding="gzip")


def test_an_outer_nginx_that_compresses_and_buffers_holds_all_back(before: Before, gate: Gate):
    outer = before("nginx", GZIP + BARE_1_1, before("nginx", BARE))
    is_held_back(outer, gate, Accept_Encoding="gzip")


@pytest.mark.parametrize("site, ending", [(BARE, "complete"), (SITES["nginx"], "cut")])
def test_over_http_1_0_the_answer_of_a_killed_server_ends_like_a_whole_one(
    site: str, ending: str, before: Before, gate: Gate, tmp_path: Path
):
    start: AbstractContextManager[Server]
    start = running("gunicorn-gthread", "bridge_flask:app", tmp_path / "log")
    with start as server, gated(before("nginx", site, server), gate) as response:
        assert response.read_until() == b"data: chunk 1\n\n"
        os.killpg(server.process.pid, signal.SIGKILL)
        response.read_all()
        assert response.ending == ending
