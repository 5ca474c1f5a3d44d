"""The same story on every server: the same bytes, live, kept alive, and truthful to the end."""

from __future__ import annotations

import pytest

from .client import Response
from .gate import Gate
from .harness import ASGI_SERVERS, SERIAL_SERVERS, WSGI_SERVERS, Pool, Server

APPS = {**dict.fromkeys(WSGI_SERVERS, "bridge_flask:app")}
APPS |= dict.fromkeys(ASGI_SERVERS, "bridge_starlette:app")

PAIRS = [
    pytest.param(name, kind, id=f"{name}, {kind} source")
    for name in APPS
    for kind in ("sync", "async")
]
every_pair = pytest.mark.parametrize(("name", "kind"), PAIRS)
every_server = pytest.mark.parametrize("name", APPS)

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
TOLD = (
    "data: Hel\n\ndata: lo \n\ndata: 你好\ndata: zwei\n\n"
    'data: {"count":1}\n\ndata: 你\n\ndata: [1.5,null]\n\n'
).encode() + DONE


@pytest.fixture
def server(serve: Pool, name: str) -> Server:
    return serve(name, APPS[name])


def permitted(server: Server, path: str, gate: Gate) -> Response:
    """Ask for a gated stream and permit its first chunk, without which no status leaves."""
    connection = server.connect()
    connection.send("GET", f"{path}?gate={gate.port}")
    gate.release()
    return connection.response()


@every_pair
def test_the_same_source_gives_the_same_bytes_everywhere(server: Server, kind: str):
    with server.get(f"/{kind}/told") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.read_all() == TOLD
        assert response.ended_cleanly


@every_pair
def test_a_long_stream_arrives_whole(server: Server, kind: str):
    with server.get(f"/{kind}/long") as response:
        body = response.read_all()
    frames = [f"data: chunk {number} {'x' * 1000}\n\n".encode() for number in range(1000)]
    assert body == b"".join(frames) + DONE


@every_pair
def test_a_chunk_is_readable_before_the_next_is_produced(server: Server, kind: str, gate: Gate):
    with permitted(server, f"/{kind}/gated", gate) as response:
        for number in range(1, 6):
            assert response.read_until() == f"data: chunk {number}\n\n".encode()
            gate.release()


@every_pair
def test_pings_arrive_while_the_source_is_silent(server: Server, kind: str, gate: Gate):
    path = f"/{kind}/silent?gate={gate.port}&ping=0.05"
    with server.get(path) as response:
        assert response.read_until() == b"data: one\n\n"
        assert [response.read_until() for _ in range(3)] == [b": ping\n\n"] * 3
        gate.release()
        rest = response.read_all()
    assert rest.removeprefix(b": ping\n\n").startswith(b"data: two\n\n")
    assert rest.endswith(DONE)


@every_pair
def test_a_failure_in_mid_stream_is_one_failure_ending_and_a_clean_end_of_body(
    server: Server, kind: str
):
    mark = server.mark()
    with server.get(f"/{kind}/failing") as response:
        body = response.read_all()
    assert response.ended_cleanly
    assert body.startswith(b"data: one\n\ndata: two\n\nevent: error\n")
    assert body.count(b"event: ") == 1
    assert b"secret" not in body
    assert server.logged("RuntimeError: the secret", mark) == 1


@every_pair
def test_a_failure_before_the_first_chunk_is_a_real_status(server: Server, kind: str):
    with server.get(f"/{kind}/refused") as response:
        response.read_all()
    assert response.status == 500


@every_pair
def test_after_hold_the_headers_leave_although_the_source_is_silent(
    server: Server, kind: str, gate: Gate
):
    with server.get(f"/{kind}/gated?gate={gate.port}&hold=0.05") as response:
        assert response.status == 200
        assert response.read_until() == b": ping\n\n"
        gate.release()
        assert response.read_until() == b"data: chunk 1\n\n"


@every_server
def test_a_post_streams_like_a_get(server: Server):
    with server.post(
        "/sync/told", b'{"prompt": "hi"}', content_type="application/json"
    ) as response:
        assert response.read_all() == TOLD


@every_server
def test_a_reconnect_after_a_finished_stream_is_answered_204(server: Server):
    with server.get("/sync/told", last_event_id="[DONE]") as response:
        assert response.status == 204


@pytest.mark.parametrize("name", sorted(set(WSGI_SERVERS) - SERIAL_SERVERS))
def test_a_hand_made_flask_stream_gains_pings_by_the_decorator_alone(
    serve: Pool, name: str, gate: Gate
):
    with permitted(serve(name, "bridge_flask:app"), "/by-hand", gate) as response:
        assert response.read_until() == b"data: chunk 1\n\n"
        assert response.read_until() == b": ping\n\n"
        gate.release()
        assert response.read_until(b"chunk 2\n\n")


@every_pair
def test_other_requests_are_answered_while_and_after_sources_are_silent(
    serve: Pool, name: str, kind: str
):
    if name in SERIAL_SERVERS:
        streams = 1  # it serves nothing beside a stream
    elif name in WSGI_SERVERS:
        streams = 5  # each takes one of its eight threads while it lasts
    else:
        streams = 60  # more than the threads of any pool
    server = serve(name, APPS[name])
    gates = [Gate() for _ in range(streams)]
    responses = []
    for gate in gates:
        path = f"/{kind}/silent?gate={gate.port}&ping=0.2"
        responses.append(server.get(path))
    for response in responses:
        assert response.read_until() == b"data: one\n\n"
    if streams > 1:
        with server.get("/health") as health:
            assert health.read_all() == b"well"
    for gate, response in zip(gates, responses, strict=True):
        gate.release()
        assert response.read_all().endswith(DONE)
        response.hang_up()
        gate.__exit__()
    for _ in range(10):
        with server.get("/health") as health:
            assert health.read_all() == b"well"
