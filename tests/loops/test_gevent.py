"""What gevent takes the place of."""

from __future__ import annotations

import select
import subprocess
import sys

import pytest

from sse_bridge.loops.gevent import original, threads_are_greenlets

LOOP = """
from gevent import monkey; monkey.patch_all()
import asyncio, gevent, os, socket, threading
from sse_bridge.drivers.threads import background_home
from sse_bridge.loops.base import ThreadSignal, run_in
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


ORIGINAL = """
from gevent import monkey; monkey.patch_all()
import select, time
from sse_bridge.loops.gevent import original, threads_are_greenlets

print(threads_are_greenlets(), original(select, "poll").__module__, original(select, "select") is select.select)
"""


def test_under_gevent_a_name_that_it_replaces_can_be_had_as_the_system_has_it():
    ran = subprocess.run(
        [sys.executable, "-c", ORIGINAL], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr) == ("True select False\n", "")


def test_without_gevent_all_is_the_systems(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)
    assert not threads_are_greenlets()
    assert original(select, "select") is select.select
