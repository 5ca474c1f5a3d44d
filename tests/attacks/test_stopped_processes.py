"""Attacks by signals at odd moments: the process ends, whatever its sources want."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import sse_bridge
from servers.harness import Server, running

PATIENCE = 10.0
SOURCE = Path(sse_bridge.__file__).parents[1]
LAST = b'data: {"code":"shutdown","message":"The server is shutting down.","retryable":true}\n\n'
SERVERS = [
    ("deployed gunicorn gthread", "attacked:flask_app"),
    ("deployed uvicorn", "attacked:starlette_app"),
]


SCENE = """
import contextvars, os, random, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import sse_bridge
from sse_bridge import wsgi
from sse_bridge.registry import ShuttingDown, streams

def ticking():
    while True:
        yield "one"
        time.sleep(0.002)
def opened(source=ticking):
    body = wsgi.stream(source(), {})
    next(body)
    return body
"""


def ran(script: str) -> tuple[int, list[str]]:
    """A process's exit code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCENE + script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.split()


def test_a_storm_of_signals_whose_handler_shuts_down_finds_no_lock_that_it_waits_for_in_vain():
    """Each comes in wherever the main thread is: opening a stream, closing one, shutting down."""
    code, words = ran("""
told = 0
def handler(number, frame):
    global told
    told += 1
    sse_bridge.shutdown(0)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
until = time.monotonic() + 2
while time.monotonic() < until:
    try:
        opened().close()
    except (ShuttingDown, StopIteration):
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
print(told > 100, streams.open)
""")
    assert (code, words) == (0, ["True", "0"])


def test_a_signal_in_the_middle_of_the_registry_stops_the_server_and_not_the_process():
    code, words = ran("""
body = opened()
signal.signal(signal.SIGTERM, lambda number, frame: sse_bridge.shutdown(0))
with streams._lock, sse_bridge.stopping._shutdown._lock:
    os.kill(os.getpid(), signal.SIGTERM)
    print(sse_bridge.closing())
print(b"".join(body).count(b"shutdown"))
""")
    assert (code, words) == (0, ["True", "1"])


@pytest.mark.parametrize("number", [2, 20])
def test_however_often_a_process_is_told_to_end_it_ends_by_that_signal(number: int):
    code, _ = ran(f"""
sse_bridge.shutdown_on_signal(60)
bodies = [opened() for _ in range(3)]
for _ in range({number}):
    os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
""")
    assert code == -signal.SIGTERM


def test_a_process_whose_sources_are_blocked_for_good_ends_at_its_end():
    code, words = ran("""
def blocked():
    yield "one"
    threading.Event().wait()
async def blocked_in_a_loop():
    import asyncio
    yield "one"
    await asyncio.sleep(3600)
bodies = [opened(source) for source in (blocked, blocked_in_a_loop, ticking)]
print("end")
""")
    assert (code, words) == (0, ["end"])


def test_a_shutdown_when_the_interpreter_ends_already_keeps_nobody():
    code, words = ran("""
import atexit
body = opened()
def last():
    try:
        sse_bridge.shutdown(0)
    except RuntimeError:  # no thread is started any more
        pass
    print("end", flush=True)
atexit.register(last)
""")
    assert (code, words) == (0, ["end"])


# -- real servers ----------------------------------------------------------------------------------

WAYS = ["named", "silent", "stubborn"]


def last_word(server: Server, way: str, kind: str) -> Callable[[], bytes]:
    """What a client reads from now on to its end, however that comes."""
    answer = server.get(f"/{way}/{way}-{kind}?kind={kind}")
    assert answer.read_until().startswith(b"data: ")

    def rest() -> bytes:
        with answer, suppress(OSError, EOFError, ValueError):
            answer.read_all()
        return answer.body

    return rest


@pytest.mark.parametrize("name, app", SERVERS)
@pytest.mark.parametrize("signals", [1, 2])
def test_a_server_full_of_sources_that_do_not_want_to_end_ends_when_it_is_told(
    name: str, app: str, signals: int, tmp_path: Path
):
    with (
        running(name, app, tmp_path / "log", threads=12, env={"GRACE": "0.2"}) as server,
        ThreadPoolExecutor(12) as clients,
    ):
        asked = [last_word(server, way, kind) for way in WAYS for kind in ("sync", "async")]
        reading = [clients.submit(rest) for rest in asked]
        server.terminate()
        if signals == 2 and name != "deployed uvicorn":  # to which a second one means: at once
            time.sleep(0.05)
            server.terminate()
        assert server.ended(15)
        bodies = [read.result(PATIENCE) for read in reading]
        if signals == 1:
            assert [body.endswith(LAST) for body in bodies] == [True] * len(bodies)


@pytest.mark.parametrize("name, app", SERVERS)
def test_a_server_that_is_told_to_stop_while_clients_come_ends(name: str, app: str, tmp_path: Path):
    with running(name, app, tmp_path / "log", threads=12, env={"GRACE": "0.2"}) as server:
        stop = threading.Event()

        def come() -> None:
            while not stop.is_set():
                with suppress(OSError, EOFError, ValueError), server.connect() as connection:
                    connection.request("GET", "/named/x").read_until()

        with ThreadPoolExecutor(4) as clients:
            coming = [clients.submit(come) for _ in range(4)]
            time.sleep(0.3)
            server.terminate()
            has_ended = server.ended(15)
            stop.set()
            assert has_ended
            for one in coming:
                one.result(PATIENCE)
