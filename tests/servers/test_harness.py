"""Each server starts, streams piece by piece, tells how it ended, and is ended itself."""

from pathlib import Path

import pytest

from .harness import ASGI_SERVERS, WSGI_SERVERS, running

ALL = [(name, "raw_wsgi:app") for name in WSGI_SERVERS]
ALL += [(name, "raw_asgi:app") for name in ASGI_SERVERS]
FRAMES = [b"data: one\n\n", b"data: two\n\n", b"data: three\n\n"]

every_server = pytest.mark.parametrize(("name", "app"), ALL, ids=[name for name, _ in ALL])


@every_server
def test_a_frame_arrives_before_the_next_is_made(serve, gate, name, app):
    server = serve(name, app)
    with server.connect() as connection:
        connection.send("GET", f"/?gate={gate.port}")
        gate.release()
        response = connection.response()
        assert response.read_until() == FRAMES[0]
        for frame in FRAMES[1:]:
            gate.release()
            assert response.read_until() == frame
        assert response.read_all() == b""
        assert response.ended_cleanly
        assert [piece.data for piece in response.pieces] == FRAMES
        assert "Traceback" not in server.log()


@every_server
def test_a_whole_body_is_read_at_once(serve, name, app):
    with serve(name, app).get() as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.read_all() == b"".join(FRAMES)


def test_the_same_server_serves_the_whole_session(serve):
    assert serve("werkzeug", "raw_wsgi:app") is serve("werkzeug", "raw_wsgi:app")


def test_what_a_server_prints_can_be_read_from_a_mark_on(serve):
    server = serve("werkzeug", "raw_wsgi:app")
    mark = server.mark()
    with server.get("/marked") as response:
        response.read_all()
    assert "GET /marked" in server.log(mark)
    assert "/ready" in server.log()
    assert "/ready" not in server.log(mark)


@every_server
def test_nothing_is_left_of_a_server_that_was_stopped(tmp_path, name, app):
    with running(name, app, tmp_path / "log") as server:
        assert group_members(server.process.pid)
    assert server.process.returncode is not None
    assert group_members(server.process.pid) == []


def test_a_server_that_cannot_start_says_why(tmp_path):
    with (
        pytest.raises(RuntimeError, match="No module named 'missing_app'"),
        running("werkzeug", "missing_app:app", tmp_path / "log"),
    ):
        pass


@every_server
def test_a_gate_tells_when_its_source_has_ended(serve, gate, name, app):
    with serve(name, app).connect() as connection:
        connection.send("GET", f"/?gate={gate.port}")
        gate.release()
        response = connection.response()
        response.read_until()
        response.hang_up()
        gate.release(2)  # a plain source ends when a write of its server fails, or all is said
        gate.wait_closed()


def group_members(group: int) -> list[int]:
    """List the processes of a group that are alive; a zombie is not."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            members.append(int(stat.parent.name))
    return members
