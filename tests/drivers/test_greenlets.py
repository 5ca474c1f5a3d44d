"""A greenlet blocked in an upstream read is freed, and one blocked in anything else is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sse_bridge.drivers import greenlets

SCRIPT = """
from gevent import monkey; monkey.patch_all()
import http.client, os, socket, threading
import gevent
from sse_bridge.drivers import greenlets

server = socket.create_server(("127.0.0.1", 0))
blocked, seen = [], []

def read():
    blocked.append(greenlets.current())
    connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1])
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except GeneratorExit:
        seen.append("freed")

def sleep():
    blocked.append(greenlets.current())
    gevent.sleep(0.3)
    seen.append("slept")

thread = threading.Thread(target={target})
thread.start()
gevent.sleep(0.1)
for _ in range(3):
    blocked[0].interrupt(unless=lambda: {unless})
    gevent.sleep(0.01)
print(seen, blocked[0].interrupt(unless=lambda: True), flush=True)
os._exit(0)  # the thread may still be blocked
"""


def run(target: str, unless: bool = False) -> str:
    script = SCRIPT.format(target=target, unless=unless)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    return ran.stdout.strip()


def test_a_greenlet_that_reads_from_upstream_is_freed():
    assert run("read") == "['freed'] True"


def test_a_greenlet_that_sleeps_is_left_alone():
    assert run("sleep") == "[] False"


def test_a_greenlet_is_left_alone_if_its_time_has_passed():
    assert run("read", unless=True) == "[] False"


LOOP = """
from gevent import monkey; monkey.patch_all()
import asyncio, gevent, os, socket, threading
from sse_bridge.drivers.threads import background_home
from sse_bridge.drivers.waiting import ThreadSignal, run_in
import contextvars

server = socket.create_server(("127.0.0.1", 0))
ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)

def serve():
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()

async def talk():
    reader, writer = await asyncio.open_connection(*server.getsockname())
    said = await reader.read()
    writer.close()
    slept = await asyncio.to_thread(gevent.sleep, 0.1)
    return said

gevent.spawn(tick)
gevent.spawn(serve)
home = background_home()
said = run_in(home, talk(), contextvars.copy_context())
print(said, background_home() is home, len(ticks) > 2, flush=True)
os._exit(0)  # the loop's thread runs on
"""


def test_under_gevent_an_event_loop_runs_on_a_thread_of_the_system():
    ran = subprocess.run(
        [sys.executable, "-c", LOOP], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("b'hello' True True\n", "", 0)


def test_without_gevent_a_thread_is_no_greenlet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)
    assert greenlets.current() is None
