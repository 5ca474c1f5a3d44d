"""Views and apps that run whole, on one thread with their streams, on real servers.

Their view opens the upstream itself, and keeps what only the thread that made it may use.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from doubles import OpenAIDouble, Reply
from sse_bridge import Decoder

from .harness import Pool, Server
from .leaving import STALLS, WAYS

SERVERS = ["gunicorn-gthread", "gunicorn-gevent", "waitress", "werkzeug", "cheroot"]
MAKERS = ["decorated", "wrapped", "bottle"]

on_each = pytest.mark.parametrize("name", SERVERS)
by_each = pytest.mark.parametrize("maker", MAKERS)


@pytest.fixture
def server(serve: Pool, name: str) -> Server:
    return serve(name, "whole_wsgi:app")


def path(maker: str, upstream: OpenAIDouble) -> str:
    return f"/{maker}/?{urlencode({'upstream': upstream.base_url})}"


@on_each
@pytest.mark.parametrize("maker", [*MAKERS, "late"])
def test_what_only_one_thread_may_use_can_be_used_by_the_view_and_its_stream(
    server: Server, maker: str
):
    with (
        OpenAIDouble(Reply(["Hel", "lo"])) as upstream,
        server.get(path(maker, upstream)) as response,
    ):
        body = response.read_all()
        assert response.ending == "complete"
    assert response.headers["x-own"] == "1"
    data = [event.data for event in Decoder().feed(body)]
    assert data[-1] == "[DONE]"
    assert '"content":"Hel"' in body.decode().replace(": ", ":")


@on_each
@by_each
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", STALLS)
def test_the_upstream_that_the_view_opened_is_left_when_the_client_leaves(
    server: Server, maker: str, moment: str, way: str
):
    with OpenAIDouble(STALLS[moment]) as upstream, server.connect() as connection:
        connection.send("GET", path(maker, upstream))
        request = upstream.wait_for_request()
        assert request.stalled.wait(5)
        if moment == "mid-stream":
            assert connection.response().read_until().startswith(b"data: ")
        connection.reset() if way == "RST" else connection.hang_up()
        request.wait_hangup(timeout=8)
        assert len(upstream.requests) == 1


@on_each
def test_behind_hold_the_client_is_kept_alive_while_the_view_opens_its_upstream(server: Server):
    stalled = STALLS["before the first token"]
    with OpenAIDouble(stalled) as upstream, server.connect() as connection:
        connection.send("GET", path("late", upstream))
        response = connection.response()
        assert response.status == 200
        assert response.read_until() == b": ping\n\n"
        connection.hang_up()
        upstream.wait_for_request().wait_hangup(timeout=8)


@on_each
def test_what_is_no_stream_passes_through_the_apps_own_thread(server: Server):
    with server.get("/bottle/page") as response:
        assert response.read_all() == b"a page"
    with server.get("/bottle/nothing") as response:
        response.read_all()
    assert response.status == 404
