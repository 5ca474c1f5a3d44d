"""Apps that know nothing of us, wrapped by the middleware, on real servers.

Their streams are live, kept alive, and truthful to the end, and their generators stop when the client leaves.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import pytest

from components import missing
from doubles import OpenAIDouble
from sse_bridge import Decoder, ServerSentEvent

from .client import Connection, Response
from .gate import Gate
from .harness import Pool, Server, running
from .leaving import STALLS, WAYS, Case, Samples

WSGI = {"gunicorn-gthread": "wrapped_wsgi:app", "waitress": "wrapped_wsgi:app"}
ASGI = {"uvicorn": "wrapped_asgi:app", "hypercorn": "wrapped_asgi:app"}
APPS = WSGI | ASGI
WSGI_MAKERS = ["bare", "flask", "django"]
ASYNC_MAKERS = ["bare", "starlette", "sse-starlette", "fastapi", "django"]
SYNC_MAKERS = ["starlette-sync", "fastapi-def"]  # sync generators under ASGI
PACKAGES = {
    "django": "django",
    "sse-starlette": "sse_starlette",
    "fastapi": "fastapi",
    "fastapi-def": "fastapi",
}

SAMPLES = 2  # of each case
PATIENCE = 15.0  # seconds that a server may take to stop

# Before 4.16 a cancellation that meets anyio.connect_tcp() just as it connects is lost, by whomever it comes.
LOSES_CANCELLATIONS = tuple(map(int, version("anyio").split(".")[:2])) < (4, 16)
BODY = "".join(
    f"{number} {'x' * 1000}\n" for number in range(300)
)  # more than a server reads at once
LONG = [f"chunk {number} {'x' * 1000}" for number in range(1000)]
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


def over(servers: dict[str, str], makers: list[str]) -> list[tuple[str, str]]:
    return [(name, maker) for name in servers for maker in makers]


in_wsgi = over(WSGI, WSGI_MAKERS)
in_async = over(ASGI, ASYNC_MAKERS)
in_sync = over(ASGI, SYNC_MAKERS)


def each(*pairs: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name, maker", pairs, ids=[", ".join(pair) for pair in pairs])


everywhere = each(*in_wsgi, *in_async, *in_sync)


@pytest.fixture
def server(serve: Pool, name: str, maker: str) -> Server:
    package = PACKAGES.get(maker)
    if package is not None and not find_spec(package):
        missing(f"{maker} needs {package}, which is not installed beside this Python")
    if package == "fastapi" and not find_spec("fastapi.sse"):
        pytest.skip("this FastAPI is too old to have event streams of its own")
    return serve(name, APPS.get(name, "wrapped_wsgi:app"))


@pytest.fixture(scope="module")
def samples(request: pytest.FixtureRequest) -> Iterator[Samples]:
    samples = Samples()
    yield samples
    if samples.seconds:
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n\nFrom the client's close to the inner generator's end:\n{samples.table()}")


def frame(text: str, maker: str) -> bytes:
    return f"data: {text}".encode() + (b"\r\n\r\n" if maker == "sse-starlette" else b"\n\n")


def events(response: Response) -> list[ServerSentEvent]:
    return Decoder().feed(response.read_all())


def permitted(server: Server, path: str, gate: Gate, **headers: str) -> Response:
    """Ask for a gated stream and permit its first chunk, without which no status leaves."""
    connection = server.connect()
    connection.send("GET", f"{path}?gate={gate.port}", headers)
    gate.release()
    return connection.response()


def leave(connection: Connection, way: str) -> float:
    """Leave, and say when."""
    left = time.monotonic()
    connection.reset() if way == "RST" else connection.hang_up()
    return left


def is_live(response: Response, gate: Gate, maker: str) -> None:
    """Each frame is read before the next is permitted."""
    for number in range(1, 5):
        expected = frame(f"chunk {number}", maker)
        assert response.read_until(expected) == expected
        gate.release()


def ends_truthfully(response: Response, gate: Gate, maker: str, ending: str = "cut") -> None:
    """What was told before the failure, then one failure ending; then a cut, for who knows no such ending."""
    first = frame("chunk 1", maker)
    assert response.read_until(first) == first
    gate.no_more()
    body = response.read_all()
    assert response.ending == ending
    (failure,) = Decoder().feed(body)
    assert failure.event == "error"
    assert json.loads(failure.data)["code"] == "upstream_error"
    assert b"secret" not in body


# -- live, kept alive, truthful -------------------------------------------------------------------


@everywhere
def test_a_frame_is_readable_before_the_next_is_produced(server: Server, maker: str, gate: Gate):
    with permitted(server, f"/quiet/{maker}/gated", gate) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        is_live(response, gate, maker)


@everywhere
def test_pings_arrive_while_the_app_is_silent(server: Server, maker: str, gate: Gate):
    with permitted(server, f"/pinging/{maker}/gated", gate) as response:
        first = frame("chunk 1", maker)
        assert response.read_until(first) == first
        assert [response.read_until() for _ in range(3)] == [b": ping\n\n"] * 3
        gate.release()
        rest = response.read_until(b"chunk 2")
    assert rest.replace(b": ping\n\n", b"") == b"data: chunk 2"


@everywhere
def test_an_ended_stream_ends_as_the_app_ended_it(server: Server, maker: str, gate: Gate):
    with permitted(server, f"/quiet/{maker}/gated", gate) as response:
        gate.no_more()
        assert response.read_all() == frame("chunk 1", maker)
        assert response.ending == "complete"


@everywhere
def test_a_long_stream_arrives_whole(server: Server, maker: str):
    with server.get(f"/quiet/{maker}/long") as response:
        data = [event.data for event in events(response)]
    assert data == LONG


@everywhere
def test_a_failure_after_the_start_is_one_failure_ending_and_a_cut(
    server: Server, maker: str, gate: Gate
):
    mark = server.mark()
    with permitted(server, f"/quiet/{maker}/broken", gate) as response:
        ends_truthfully(response, gate, maker)
    assert server.logged("RuntimeError: the secret", mark) >= 1


@each(*over(APPS, ["bare"]))
def test_a_frame_that_the_app_did_not_finish_is_dropped(server: Server, maker: str):
    with server.get(f"/quiet/{maker}/half") as response:
        data = [(event.event, event.data) for event in events(response)]
        assert response.ending == "cut"
    assert data[0] == (None, "one")
    assert [event for event, _ in data[1:]] == ["error"]


@everywhere
def test_a_failure_before_the_first_frame_is_a_real_status(server: Server, maker: str):
    with server.get(f"/quiet/{maker}/refused") as response:
        body = response.read_all()
    assert response.status == 500
    assert b"event:" not in body


@everywhere
def test_a_stream_more_than_max_streams_is_answered_503(server: Server, maker: str, gate: Gate):
    path = f"/limited/{maker}"
    with permitted(server, f"{path}/gated", gate) as response:
        assert response.read_until(frame("chunk 1", maker))
        with server.get(f"{path}/long") as refused:
            refused.read_all()
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        gate.no_more()
        response.read_all()


@everywhere
def test_asked_to_the_middleware_says_the_end_and_a_finished_stream_is_not_run_twice(
    server: Server, maker: str
):
    with server.get(f"/ending/{maker}/long") as response:
        assert response.read_all().endswith(DONE)
    with server.get(
        f"/ending/{maker}/long", last_event_id="[DONE]", accept="text/event-stream"
    ) as response:
        assert response.status == 204


# -- leaving --------------------------------------------------------------------------------------


@each(*in_async)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", STALLS)
def test_the_silent_async_generator_is_closed_when_the_client_leaves(
    server: Server, samples: Samples, maker: str, moment: str, way: str
):
    if LOSES_CANCELLATIONS and moment == "before the first token":
        pytest.skip("this anyio loses a cancellation that comes while it connects: 4.16 does not")
    case = Case(server.name, maker, "", moment, way)
    mark = server.mark()
    for _ in range(SAMPLES):
        with Gate() as gate, server.connect() as connection:
            connection.send("GET", f"/quiet/{maker}/gated?gate={gate.port}")
            gate.accept()
            if moment == "mid-stream":
                gate.release()
                assert connection.response().read_until(b"chunk 1")
            left = leave(connection, way)
            samples.add(case, gate.wait_closed() - left)
    assert server.logged("client disconnected after", mark) >= 1
    assert "Traceback" not in server.log(mark)


@each(*in_wsgi)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", STALLS)
def test_the_model_stops_when_the_client_leaves(
    server: Server, samples: Samples, maker: str, moment: str, way: str
):
    case = Case(server.name, maker, "", moment, way)
    mark = server.mark()
    with OpenAIDouble(STALLS[moment]) as upstream:
        query = urlencode({"upstream": upstream.base_url, "retries": 2})
        for number in range(1, SAMPLES + 1):
            with server.connect() as connection:
                connection.send("GET", f"/quiet/{maker}/model?{query}")
                if moment == "mid-stream":
                    assert connection.response().read_until() == b"data: a\n\n"
                request = upstream.wait_for_request(number)
                assert request.stalled.wait(5)
                left = leave(connection, way)
                samples.add(case, request.wait_hangup(timeout=8.0).at - left)
        assert len(upstream.requests) == SAMPLES  # the SDK did not ask again
    assert server.logged("client disconnected after", mark) >= 1
    assert "Traceback" not in server.log(mark)


@each(*in_wsgi)
def test_a_generator_that_nothing_can_interrupt_is_closed_at_its_next_frame(
    server: Server, maker: str, gate: Gate
):
    mark = server.mark()
    with permitted(server, f"/quiet/{maker}/gated", gate) as response:
        assert response.read_until(b"chunk 1")
        response.hang_up()
    assert server.logged("client disconnected after", mark) == 1
    gate.release()
    gate.wait_closed()


@each(*in_sync)
def test_it_is_noticed_that_a_client_left_a_blocked_generator_of_starlettes_threads(
    server: Server, maker: str, gate: Gate
):
    # Starlette itself leaves such a generator to the collector.
    mark = server.mark()
    with permitted(server, f"/quiet/{maker}/gated", gate) as response:
        assert response.read_until(b"chunk 1")
        response.hang_up()
    assert server.logged("client disconnected after", mark) == 1


# -- what else the app does -----------------------------------------------------------------------


@each(*in_wsgi, *in_async)
def test_the_body_of_the_request_is_the_apps_to_read(server: Server, maker: str):
    with server.post(f"/quiet/{maker}/echo", BODY.encode()) as response:
        pieces = [event.data for event in events(response)]
    assert pieces == ["start", *BODY.splitlines()]


@each(*over(APPS, ["django"]))
def test_what_django_compresses_passes_unharmed(server: Server, maker: str):
    with server.get(f"/pinging/{maker}/long", accept_encoding="gzip") as response:
        body = response.read_all()
    assert response.headers["content-encoding"] == "gzip"
    data = [event.data for event in Decoder().feed(gzip.decompress(body))]
    assert data == LONG


@each(*over(APPS, ["bare"]))
def test_a_compressed_event_stream_passes_unharmed_and_live(server: Server, maker: str, gate: Gate):
    path = f"/pinging/{maker}/gated"
    with permitted(server, path, gate, accept_encoding="gzip") as response:
        assert response.headers["content-encoding"] == "gzip"
        unpacked, decompressor = b"", zlib.decompressobj(wbits=31)
        for number in range(1, 4):
            while not unpacked.endswith(f"chunk {number}\n\n".encode()):
                unpacked += decompressor.decompress(response.read_piece())
            gate.release() if number < 3 else gate.no_more()
        unpacked += decompressor.decompress(response.read_all())
    assert unpacked == b"data: chunk 1\n\ndata: chunk 2\n\ndata: chunk 3\n\n"
    assert decompressor.eof


@each(*over(WSGI, ["flask"]), *over(ASGI, ["fastapi"]))
def test_json_lines_become_an_event_stream_for_those_who_ask_for_one(server: Server, maker: str):
    with server.get(f"/quiet/{maker}/lines") as response:
        assert list(map(json.loads, response.read_all().splitlines())) == [{"n": 1}, {"n": 2}]
    with server.get(f"/quiet/{maker}/lines", accept="text/event-stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = [event.data for event in events(response)]
    assert [json.loads(data) for data in told[:2]] == [{"n": 1}, {"n": 2}]
    assert told[2:] == ["[DONE]"]


# -- among others ---------------------------------------------------------------------------------

stacked = pytest.mark.parametrize("stack", ["above", "below"])
amid_others = each(*over(WSGI, ["flask"]), *over(ASGI, ["starlette"]))


@stacked
@amid_others
def test_amid_other_middleware_a_stream_is_live(server: Server, maker: str, stack: str, gate: Gate):
    headers = {"origin": "http://elsewhere.example", "accept_encoding": "gzip"}
    with permitted(server, f"/{stack}/{maker}/gated", gate, **headers) as response:
        if server.name in ASGI:
            assert response.headers["x-stamp"] == "here"
            assert response.headers["access-control-allow-origin"] == "*"
        is_live(response, gate, maker)


@stacked
@amid_others
def test_amid_other_middleware_a_failure_ends_truthfully(
    server: Server, maker: str, stack: str, gate: Gate
):
    # BaseHTTPMiddleware completes every body, whatever came of it: there only the words tell.
    is_within = (stack, maker) == ("below", "starlette")
    with permitted(server, f"/{stack}/{maker}/broken", gate) as response:
        ends_truthfully(response, gate, maker, "complete" if is_within else "cut")
    with server.get(f"/{stack}/{maker}/refused") as response:
        response.read_all()
    assert response.status == 500


@stacked
@each(*over(ASGI, ["starlette"]))
def test_amid_other_middleware_the_silent_generator_is_closed_when_the_client_leaves(
    server: Server, maker: str, stack: str, gate: Gate
):
    mark = server.mark()
    with permitted(server, f"/{stack}/{maker}/gated", gate) as response:
        assert response.read_until(b"chunk 1")
        response.hang_up()
    gate.wait_closed()
    assert server.logged("client disconnected after", mark) == 1


@stacked
@each(*over(ASGI, ["starlette"]))
def test_amid_other_middleware_the_body_of_the_request_is_the_apps(
    server: Server, maker: str, stack: str
):
    with server.post(f"/{stack}/{maker}/echo", BODY.encode()) as response:
        pieces = [event.data for event in events(response)]
    assert pieces == ["start", *BODY.splitlines()]


@stacked
@each(*over(ASGI, ["starlette"]))
def test_a_page_is_compressed_as_ever(server: Server, maker: str, stack: str):
    with server.get(f"/{stack}/{maker}/page", accept_encoding="gzip") as response:
        body = response.read_all()
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"well " * 1000


@each(*in_wsgi, *in_async)
def test_two_of_ours_do_the_work_once(server: Server, maker: str, gate: Gate):
    with Gate() as breaking, permitted(server, f"/twice/{maker}/broken", breaking) as response:
        ends_truthfully(response, breaking, maker)
    mark = server.mark()
    with permitted(server, f"/twice/{maker}/gated", gate) as response:
        assert response.read_until(b"chunk 1")
        response.hang_up()
    assert server.logged("client disconnected after", mark) == 1
    if server.name in WSGI:
        gate.release()  # nothing can interrupt it
    gate.wait_closed()
    assert server.log(mark).count("client disconnected after") == 1


# -- early failures -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent", "waitress", "werkzeug"])
@pytest.mark.parametrize("maker", ["bare", "flask"])
def test_an_upstream_that_cannot_be_reached_is_a_status_and_not_a_hang_up(
    server: Server, maker: str
):
    with server.get(f"/quiet/{maker}/lost") as response:
        body = response.read_all()
    assert (response.status, response.ending) == (502, "complete")
    assert body == b"The model cannot be reached."


# -- the server stops -----------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", ["quiet", "ending"])
def test_an_app_that_returns_because_the_server_stops_has_not_finished(
    wrap: str, gate: Gate, tmp_path: Path
):
    """As sse-starlette's do under uvicorn, at its SIGTERM: they return without the end of their body."""
    if version("sse-starlette").startswith("3.0."):
        pytest.skip(
            "this sse-starlette does not hear that this uvicorn stops: it is cancelled instead"
        )
    with running("uvicorn", "wrapped_asgi:app", tmp_path / "log") as server:
        with permitted(server, f"/{wrap}/sse-starlette/gated", gate) as response:
            first = frame("chunk 1", "sse-starlette")
            assert response.read_until(first) == first
            server.terminate()
            body = response.read_all()
        assert server.ended(PATIENCE)
    assert response.ending == "cut"
    (failure,) = Decoder().feed(body)
    assert failure.event == "error"
    assert json.loads(failure.data)["code"] == "shutdown"
