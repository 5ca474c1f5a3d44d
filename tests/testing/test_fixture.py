"""The fixture, as pytest runs it in a user's project; and this package where pytest or anyio is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytests import SOURCE, run_pytest
from sse_bridge.testing import fixture

CONFTEST = "from sse_bridge.testing import no_open_streams\n"

APP = """
import itertools, threading
from flask import Flask
from sse_bridge.flask import event_stream
from sse_bridge.testing import AsyncClient, Client
import pytest

app, release, kept = Flask(__name__), threading.Event(), []
app.add_url_rule("/count", "count", event_stream(lambda: itertools.count()))

@app.get("/blocked")
@event_stream
def blocked():
    yield "a"
    release.wait(20)

def leave_open(client):
    opening = client.stream("GET", "/count")
    opening.__enter__().take(1)
    kept.append(opening)
"""


def outcome(tmp_path: Path, test: str) -> tuple[int, str]:
    ran = run_pytest(tmp_path, {"conftest.py": CONFTEST, "test_it.py": APP + test})
    return ran.returncode, ran.stdout


def test_a_test_that_closes_all_passes(tmp_path: Path):
    test = """
def test_it():
    with Client(app).stream("GET", "/count") as stream:
        stream.take(3)
"""
    code, said = outcome(tmp_path, test)
    assert code == 0, said


def test_a_test_that_leaves_streams_open_fails_and_is_told_how_many(tmp_path: Path):
    test = """
def test_one():
    leave_open(Client(app))

def test_two():
    leave_open(Client(app))
    leave_open(Client(app))

def test_none():
    pass
"""
    code, said = outcome(tmp_path, test)
    assert code == 1
    assert "the test is over, and 1 stream is open" in said
    assert "the test is over, and 2 streams are open" in said
    assert "3 passed, 2 errors" in said


def test_a_test_that_leaves_a_source_running_fails(tmp_path: Path):
    test = """
def test_it():
    with Client(app).stream("GET", "/blocked") as stream:
        stream.take(1)
        with pytest.raises(AssertionError, match="the source blocked still runs 0.3 s after"):
            stream.hang_up(timeout=0.3)
        stream._leave = lambda **_: None  # as a test that does not look
"""
    code, said = outcome(tmp_path, test)
    assert code == 1
    assert "the test is over, and 1 source still runs though its stream is over" in said


def test_async_tests_are_watched_too(tmp_path: Path):
    test = """
async def leave_open_here():
    opening = AsyncClient(app).stream("GET", "/count")
    stream = await opening.__aenter__()
    await stream.take(1)
    kept.append(opening)

@pytest.mark.asyncio
async def test_under_pytest_asyncio():
    await leave_open_here()

@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_under_anyio(anyio_backend):
    await leave_open_here()
"""
    code, said = outcome(tmp_path, test)
    assert code == 1
    assert "2 passed, 2 errors" in said
    assert said.count("the test is over, and 1 stream is open") >= 2


@pytest.mark.parametrize(
    ("still_open", "still_running", "said"),
    [
        (0, 0, ""),
        (-1, 0, ""),
        (1, 0, "1 stream is open"),
        (2, 1, "2 streams are open and 1 source still runs though its stream is over"),
        (0, 3, "3 sources still run though their streams are over"),
    ],
)
def test_what_is_left_is_said_in_a_sentence(still_open: int, still_running: int, said: str):
    assert fixture._left(still_open, still_running) == said


WITHOUT = """
import sys
sys.modules["pytest"] = sys.modules["anyio"] = None
from sse_bridge.testing import Client
from sse_bridge.wsgi import EventStream
with Client(EventStream(["a"])).stream("GET", "/") as stream:
    print(stream.take()[0].data)
try:
    from sse_bridge.testing import no_open_streams
except ImportError as error:
    print(error)
"""


def test_a_wsgi_app_is_tested_without_pytest_and_anyio_and_the_fixture_says_what_it_lacks():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout == "a\nno_open_streams is a pytest fixture, and pytest is not installed\n"
