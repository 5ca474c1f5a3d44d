"""An attacker who asks for many streams at once, and for streams that are never walked."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
from flask import Flask

from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.registry import streams

CROWD = 20
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def _no_place_is_left() -> Iterator[None]:
    yield
    assert streams.open == 0


class Model:
    """Counts how often it is asked, and answers when the crowd has been refused."""

    def __init__(self) -> None:
        self.asked = 0
        self._answers = threading.Event()

    def ask(self) -> list[str]:
        self.asked += 1
        assert self._answers.wait(PATIENCE)
        return ["text"]

    def answer(self) -> None:
        self._answers.set()


def gives(model: Model) -> Any:
    return model.ask()


def responds(model: Model) -> Any:
    return EventSourceResponse(iter(model.ask()), max_streams=1)


async def gives_later(model: Model) -> Any:
    return model.ask()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("view", [gives, responds, gives_later])
def test_a_crowd_at_a_view_that_returns_its_stream_asks_the_model_as_often_as_there_is_room(
    view: Callable[[Model], Any], whole: bool
):
    app, model = Flask(__name__), Model()
    decorated = event_stream(max_streams=1, whole=whole, hold=PATIENCE)(view)
    app.get("/")(lambda: decorated(model))

    def get(_: int) -> int:
        return app.test_client().get("/").status_code

    with ThreadPoolExecutor(CROWD) as pool:
        futures = [pool.submit(get, number) for number in range(CROWD)]
        refused = itertools.islice(as_completed(futures, PATIENCE), CROWD - 1)
        assert {future.result() for future in refused} == {503}
        model.answer()
    assert sorted(future.result() for future in futures) == [200] + [503] * (CROWD - 1)
    assert model.asked == 1


def fail() -> Any:
    raise LookupError("the view fails")


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("view", [fail, lambda: "a page", lambda: {"json": 1}, lambda: ("no", 404)])
def test_a_view_that_gives_no_stream_keeps_no_place(view: Callable[[], Any], whole: bool):
    app = Flask(__name__)
    app.get("/")(event_stream(max_streams=1, whole=whole)(view))
    for _ in range(3):
        assert app.test_client().get("/").status_code in (200, 404, 500)
    assert streams.open == 0


def test_a_place_is_good_for_one_stream_only():
    app = Flask(__name__)

    @app.get("/")
    @event_stream(max_streams=1)
    def two() -> Any:
        first = EventSourceResponse(iter(["first"]), max_streams=1)
        try:
            return EventSourceResponse(iter(["second"]), max_streams=1)
        finally:
            first.close()

    assert app.test_client().get("/").status_code == 503


def test_head_requests_take_no_room():
    app = Flask(__name__)
    app.get("/")(event_stream(max_streams=1)(lambda: iter(["text"])))
    for _ in range(5):
        assert app.test_client().head("/").status_code == 200
    assert app.test_client().get("/").data.endswith(b"data: [DONE]\n\n")


def test_a_response_of_a_decorated_view_keeps_to_a_limit_of_its_own():
    app = Flask(__name__)
    open_ones = []

    @app.get("/")
    @event_stream
    def one() -> Any:
        response = EventSourceResponse(itertools.repeat("text"), max_streams=1)
        open_ones.append(response)
        return response

    first = app.test_client().get("/")
    assert (first.status_code, app.test_client().get("/").status_code) == (200, 503)
    first.close()
    for response in open_ones:
        response.close()


def test_a_crowd_at_the_last_place_keeps_no_probe_from_its_answer():
    app = Flask(__name__)
    app.get("/")(event_stream(max_streams=1)(lambda: itertools.repeat("text")))
    first = app.test_client().get("/")
    assert (first.status_code, app.test_client().get("/").status_code) == (200, 503)
    assert app.test_client().head("/").status_code == 200
    first.close()
