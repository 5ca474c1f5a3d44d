"""A greenlet blocked in an upstream read is freed, and one blocked in anything else is left alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sse_bridge.interrupt import current_greenlet

SCRIPT = """
from gevent import monkey; monkey.patch_all()
import http.client, os, socket, threading
import gevent
from sse_bridge.interrupt import current_greenlet

server = socket.create_server(("127.0.0.1", 0))
blocked, seen = [], []

def read():
    blocked.append(current_greenlet())
    connection = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1])
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except GeneratorExit:
        seen.append("freed")

def sleep():
    blocked.append(current_greenlet())
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


def test_without_gevent_a_thread_is_no_greenlet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)
    assert current_greenlet() is None
