"""When the client leaves, the model stops: real SDKs, real servers, a model that stalls.

The times are printed at the end and asserted nowhere; `python -m servers.leaving` takes more of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import certificate

from .gate import Gate
from .harness import Pool, Server, running
from .kinds import UVICORNS, WSGI_SERVERS
from .leaving import APPS, BLIND, NEVER, Case, Models, Samples, cases, measure

# DashScope's SDK takes long to load: on some servers it is left to the command.
DASHSCOPE = {"gunicorn-gthread", "gunicorn-gevent", "a2wsgi", "uvicorn", "hypercorn"}
MATRIX = [case for case in cases(APPS) if case.vendor == "openai" or case.server in DASHSCOPE]

# Those that show a handle on the connection itself.
HANDLES = sorted(set(WSGI_SERVERS) - BLIND)
# Those that do not themselves end a stream whose client has closed its sending side.
PATIENT = [
    "werkzeug",
    "gunicorn-gthread",
    "gunicorn-sync",
    "gunicorn-gevent",
    "waitress",
    "cheroot",
    "wsgiref",
    "uwsgi-http-socket",
]
# Those that can be given a single thread.
SINGLE = [
    "gunicorn-gthread",
    "gunicorn-sync",
    "waitress",
    "waitress-lookahead",
    "cheroot",
    "a2wsgi",
    "uwsgi-http-socket",
]
TRICKS = {
    # All of it fits the kernel's receive buffer, however it is cut: behind what does not, no FIN comes through.
    "unread body": {"body": b"x" * 30_000},
    "pipelined request": {"pipelined": b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n" * 10},
}
TRICKED = [(name, trick) for name in HANDLES for trick in TRICKS]
# Here the server itself takes a pipelined request for the one to be told.
TRICKED.remove(("a2wsgi", "pipelined request"))
# uWSGI's router does not see it then, until a write to the client fails.
ONLY_PINGS = {("uwsgi-http", "unread body")}
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with Models() as models:
        yield models


@pytest.fixture(scope="module")
def samples(request: pytest.FixtureRequest) -> Iterator[Samples]:
    samples = Samples()
    yield samples
    if samples.seconds:
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\n\nFrom the client's close to the model's end, in ms:\n{samples.table()}")


# Cheroot's own on Python 3.13: its writer may be collected after a reset has closed its socket.
CHEROOTS_OWN = re.compile(r"Exception ignored in.*?OSError: \[Errno 9\][^\n]*\n", re.DOTALL)


@pytest.mark.parametrize("case", MATRIX, ids=str)
def test_the_models_connection_ends_and_it_was_asked_once(
    serve: Pool, models: Models, samples: Samples, case: Case
):
    server = serve(case.server, APPS[case.server])
    mark = server.mark()
    samples.add(case, measure(server, models, case, str(case)))
    assert server.logged("client disconnected after", mark) == 1
    assert "Traceback" not in CHEROOTS_OWN.sub("", server.log(mark))
    assert models.asked()[str(case)] == 1


@pytest.mark.parametrize("name, trick", TRICKED)
def test_neither_an_unread_body_nor_a_pipelined_request_hides_that_it_left(
    serve: Pool, models: Models, name: str, trick: str
):
    case = Case(name, "sync", "openai", "mid-stream", "FIN")
    ping = 0.2 if (name, trick) in ONLY_PINGS else NEVER
    tag = f"{name}, {trick}"
    measure(serve(name, APPS[name]), models, case, tag, ping=ping, **TRICKS[trick])


def test_it_is_noticed_through_tls(models: Models, tmp_path: Path):
    made, name = certificate(tmp_path), "gunicorn-gthread"
    env = {"GUNICORN_CMD_ARGS": f"--certfile {made.path} --keyfile {made.path}"}
    with running(name, APPS[name], tmp_path / "log", env=env, tls=made.trust()) as server:
        for way in ("FIN", "RST"):
            for moment in ("mid-stream", "before the first token"):
                case = Case(name, "sync", "openai", moment, way)
                measure(server, models, case, f"TLS, {case}")


def test_no_model_was_asked_again(models: Models):
    # Here, long after: an SDK waits a while before it tries again.
    assert {model: times for model, times in models.asked().items() if times > 1} == {}


@pytest.mark.parametrize("name", PATIENT)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "mid-stream"])
def test_a_client_that_closed_its_sending_side_still_gets_the_rest(
    serve: Pool, name: str, at_once: bool, gate: Gate
):
    connection = serve(name, "bridge_flask:app").connect()
    with connection:
        connection.send("GET", f"/sync/gated?gate={gate.port}&hold={NEVER}&ping={NEVER}")
        if at_once:
            connection.half_close()
        gate.release()
        response = connection.response()
        if not at_once:
            assert response.read_until() == b"data: chunk 1\n\n"
            connection.half_close()
        assert response.read_until() == b": ping\n\n"  # the question whether it is still there
        gate.release(permits=2)
        first = 1 if at_once else 2
        for number in range(first, 4):
            assert response.read_until() == f"data: chunk {number}\n\n".encode()
        gate.no_more()
        assert response.read_all() == DONE


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("way", ["FIN", "RST"])
def test_a_request_whose_client_has_left_already_never_starts_its_source(
    serve: Pool, name: str, way: str, gate: Gate
):
    server = serve(name, "bridge_flask:app", threads=1)
    key = f"{name} {way}"
    with server.connect() as busy:
        busy.send("GET", f"/sync/gated?gate={gate.port}")
        gate.release()
        response = busy.response()
        assert response.read_until() == b"data: chunk 1\n\n"
        queued = server.connect()
        queued.send("GET", f"/sync/told?key={key.replace(' ', '+')}")
        queued.reset() if way == "RST" else queued.hang_up()
        gate.release(permits=1)
        assert response.read_until() == b"data: chunk 2\n\n"
        gate.no_more()
        assert response.read_all() == DONE
    assert runs(server, key) == 0


# Behind a middleware that wraps `receive`, hypercorn tells of a FIN only later than anybody waits.
BUSY = [
    (name, app, way)
    for name in [*UVICORNS, "hypercorn", "hypercorn-trio"]
    for app in ("bridge_starlette:app", "bridge_based:app")
    for way in ("FIN", "RST")
    if not (name.startswith("hypercorn") and app == "bridge_based:app" and way == "FIN")
]


@pytest.mark.parametrize("name, app, way", BUSY)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_client_that_left_while_the_loop_was_busy_never_has_its_source_started(
    serve: Pool, name: str, app: str, way: str, kind: str, gate: Gate
):
    server = serve(name, app)
    key = f"{name} {app} {way} {kind}".replace(":", " ")
    with server.connect() as busy:
        busy.send("GET", f"/block?gate={gate.port}")
        gate.accept()
        for queued in [server.connect() for _ in range(5)]:
            queued.send("GET", f"/{kind}/told?key={key.replace(' ', '+')}")
            queued.reset() if way == "RST" else queued.hang_up()
        gate.release()
        assert busy.response().read_all() == b"over"
    assert runs(server, key) == 0


def runs(server: Server, key: str) -> int:
    with server.get(f"/runs?key={key.replace(' ', '+')}") as response:
        return int(response.read_all())
