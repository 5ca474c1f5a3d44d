"""Stopping the server: what the streams are told, when, and what the process looks like before and after."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from flask import Flask

import signals
import sse_bridge
from sse_bridge import stopping, wsgi
from sse_bridge.flask import EventSourceResponse
from sse_bridge.notice import Notice
from sse_bridge.registry import Registry, ShuttingDown
from sse_bridge.stopping import closing, shutdown, shutdown_on_signal

PATIENCE = 10.0
SOURCE = Path(sse_bridge.__file__).parents[1]


def wait_for(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.001)


class Clock:
    """Time passes only by sleeping, and sleeping takes none."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: dict[float, Callable[[], None]] = {}  # what is to happen then

    def sleep(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 6)
        for due in [due for due in self.at if due <= self.now]:
            self.at.pop(due)()


class Told:
    """An open stream that leaves when it is told to, and notes when that was."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self.times: list[float] = []
        self._registry, self._clock = registry, clock
        registry.enter(self.shut_down, None)

    def shut_down(self) -> None:
        self.times.append(self._clock.now)
        self.leave()

    def leave(self) -> None:
        self._registry.leave(self.shut_down)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopping, "monotonic", lambda: clock.now)
    monkeypatch.setattr(stopping, "time", SimpleNamespace(sleep=clock.sleep))
    return clock


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A process of its own, as far as this module sees."""
    registry, notice = Registry(), Notice()
    for name, thing in {
        "streams": registry,
        "notice": notice,
        "_shutdown": stopping._Shutdown(),
        "_lookout": stopping._Lookout(),
    }.items():
        monkeypatch.setattr(stopping, name, thing)
    with signals.kept():
        yield registry
        wait_for(lambda: not ours())
        for descriptor in notice._pipe or ():
            os.close(descriptor)


def ours() -> list[str]:
    """The threads that wait for something here."""
    names = ("sse_bridge shutdown", "sse_bridge lookout")
    return [thread.name for thread in threading.enumerate() if thread.name in names]


# -- shutdown -------------------------------------------------------------------------------------


def test_open_streams_are_told_when_the_grace_is_over(registry: Registry, clock: Clock):
    streams = [Told(registry, clock) for _ in range(3)]
    shutdown(10)
    wait_for(lambda: not ours())
    assert [stream.times for stream in streams] == [[10.0]] * 3


def test_without_grace_they_are_told_at_once(registry: Registry, clock: Clock):
    stream = Told(registry, clock)
    shutdown(0)
    wait_for(lambda: not ours())
    assert stream.times == [0.0]


def test_a_stream_that_finishes_within_the_grace_is_not_told(registry: Registry, clock: Clock):
    stream = Told(registry, clock)
    clock.at[9.0] = stream.leave
    shutdown(10)
    wait_for(lambda: not ours())
    assert stream.times == []


@pytest.mark.parametrize(("grace", "end"), [(2, 5.0), (100, 10.0), (0, 3.0)])
def test_a_second_shutdown_may_make_the_grace_shorter_and_not_longer(
    registry: Registry, clock: Clock, grace: float, end: float
):
    stream = Told(registry, clock)
    clock.at[3.0] = lambda: shutdown(grace)
    shutdown(10)
    wait_for(lambda: not ours())
    assert stream.times == [pytest.approx(end, abs=0.2)]


def test_meanwhile_streams_are_refused_and_afterwards_they_open_again(
    registry: Registry, clock: Clock
):
    seen: list[bool] = []
    clock.at = {1.0: lambda: seen.append(refused()), 9.0: lambda: seen.append(refused())}

    def refused() -> bool:
        assert closing()
        with pytest.raises(ShuttingDown):
            registry.enter(Told, None)
        return True

    shutdown(10)  # nothing is open: the grace lasts all the same
    wait_for(lambda: not ours())
    assert seen == [True, True]
    assert not closing()
    assert Told(registry, clock).times == []


def test_after_a_signal_it_is_for_good_and_lasts_no_longer_than_the_last_stream(
    registry: Registry, clock: Clock
):
    stream = Told(registry, clock)
    clock.at[3.0] = stream.leave
    run = stopping._shutdown.begin(10, final=True)
    assert run is not None
    run()
    assert clock.now == pytest.approx(3.0, abs=0.2)
    assert closing()
    shutdown(0)
    assert closing()
    assert ours() == []


@pytest.mark.parametrize("call", [shutdown, shutdown_on_signal])
@pytest.mark.parametrize("grace", [-1, -0.001, True, nan, inf, "1", None])
def test_a_grace_that_is_none_is_refused_and_shown(call: Any, grace: Any):
    with pytest.raises(ValueError, match="grace must be a number of seconds") as raised:
        call(grace)
    assert str(raised.value).endswith(f"got {grace!r}")
    assert not closing()


# -- real streams ---------------------------------------------------------------------------------


async def silent() -> AsyncIterator[str]:
    await anyio.sleep_forever()
    yield "never"


@pytest.fixture
def _reopened() -> Iterator[None]:
    yield
    wait_for(lambda: not closing())


@pytest.mark.usefixtures("_reopened")
def test_a_held_stream_is_raised_as_a_503_of_its_own():
    with ThreadPoolExecutor(1) as server:
        asked = server.submit(wsgi.stream, silent(), {}, hold=60.0)
        wait_for(lambda: stopping.streams.open == 1)
        shutdown(0)
        with pytest.raises(ShuttingDown, match="the server is shutting down") as raised:
            asked.result(PATIENCE)
    assert raised.value.status_code == 503


@pytest.mark.usefixtures("_reopened")
def test_flask_answers_a_held_stream_as_a_new_one():
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: EventSourceResponse(silent(), hold=60.0))
    with ThreadPoolExecutor(1) as server:
        asked = server.submit(app.test_client().get, "/")
        wait_for(lambda: stopping.streams.open == 1)
        shutdown(0)
        answer = asked.result(PATIENCE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.usefixtures("_reopened")
def test_a_source_may_ask_and_finish():
    def source() -> Iterator[str]:
        yield "one"
        while not closing():
            time.sleep(0.001)
        yield "bye"

    body = wsgi.stream(source(), {})
    assert next(body) == b"data: one\n\n"
    shutdown(0.5)
    assert b"".join(body).startswith(b"data: bye\n\nevent: done")


@pytest.mark.usefixtures("_reopened")
def test_a_shutdown_that_is_forgotten_is_over():
    shutdown(60)
    stopping.forget()
    assert not closing()
    wait_for(lambda: not ours())


# -- shutdown_on_signal ---------------------------------------------------------------------------


def test_outside_the_main_thread_it_only_warns(
    registry: Registry, caplog: pytest.LogCaptureFixture
):
    before = signal.getsignal(signal.SIGTERM)
    caplog.set_level(logging.WARNING, "sse_bridge")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(shutdown_on_signal, 1).result(PATIENCE)
    assert caplog.messages == [
        "shutdown_on_signal: only the main thread of the main interpreter receives signals; here, call shutdown() "
        "yourself"
    ]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_begins_a_shutdown_and_reaches_whoever_was_there(registry: Registry, clock: Clock):
    numbers: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    shutdown_on_signal(10)
    stream = Told(registry, clock)
    signal.raise_signal(signal.SIGTERM)
    wait_for(lambda: stream.times != [])
    assert numbers == [signal.SIGTERM]
    assert closing()


def test_nobody_looks_out_before_the_first_stream_and_one_does_after(
    registry: Registry, clock: Clock
):
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    shutdown_on_signal(10)
    assert ours() == []
    for _ in range(3):
        Told(registry, clock)
    assert ours() == ["sse_bridge lookout"]
    signal.raise_signal(signal.SIGTERM)  # it has seen enough


def test_for_another_server_in_this_process_streams_open_again(registry: Registry, clock: Clock):
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    for _ in range(2):
        shutdown_on_signal(1)
        assert not closing()
        stream = Told(registry, clock)
        signal.raise_signal(signal.SIGTERM)
        wait_for(lambda stream=stream: stream.times != [] and not ours())  # type: ignore[misc]
        assert closing()


# -- processes ------------------------------------------------------------------------------------

OPEN = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
import sse_bridge
from sse_bridge import wsgi

def stop(): os.kill(os.getpid(), signal.SIGTERM)
def ticking():
    while True:
        yield "one"
        time.sleep(0.01)
def read(body):
    for data in body: pass
    print(data.decode().count("shutdown"), flush=True)
def opened():
    body = wsgi.stream(ticking(), {})
    next(body)
    threading.Thread(target=read, args=[body]).start()
"""


def ran(script: str) -> tuple[int, list[str]]:
    """A process's exit code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN + script],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.split()


def test_importing_changes_nothing():
    code, words = ran("""
look = lambda: (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT),
    signal.set_wakeup_fd(-1), threading.active_count())
after = look()
for name in [name for name in sys.modules if name.startswith("sse_bridge")]: del sys.modules[name]
import sse_bridge
print(after == look() == (signal.SIG_DFL, signal.default_int_handler, -1, 1))
""")
    assert (code, words) == (0, ["True"])


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("sse_bridge.shutdown_on_signal(60); stop(); time.sleep(60)", []),
        ("sse_bridge.shutdown_on_signal(0.1); opened(); stop(); time.sleep(60)", ["1"]),
        ("sse_bridge.shutdown_on_signal(60); opened(); stop(); stop(); time.sleep(60)", []),
    ],
    ids=["without streams, at once", "with a stream, after its end", "told twice, at once"],
)
def test_a_process_that_a_signal_ends_still_ends_by_it(script: str, printed: list[str]):
    assert ran(script) == (-signal.SIGTERM, printed)


def test_ctrl_c_in_a_script_is_the_scripts():
    code, words = ran("""
sse_bridge.shutdown_on_signal(0)
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
""")
    assert (code, words) == (0, ["interrupted"])


@pytest.mark.parametrize("again", [False, True])
def test_ctrl_c_with_open_streams_is_told_to_them_first_and_a_second_one_ends_at_once(again: bool):
    code, words = ran(f"""
sse_bridge.shutdown_on_signal({60 if again else 0})
opened()
try:
    signal.raise_signal(signal.SIGINT)
    if {again}: signal.raise_signal(signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os._exit(3)
""")
    assert (code, words) == (3, ["interrupted"] if again else ["1", "interrupted"])


SUB_INTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
run = getattr(interpreters, "run_string")
SCRIPT = "; ".join([
    "import logging, sse_bridge",
    "logging.basicConfig(format='%(message)s')",
    "sse_bridge.shutdown_on_signal(5)",
    "sse_bridge.shutdown_on_signal(5)",
])
try:
    made = interpreters.create("legacy")
except TypeError:
    made = interpreters.create(isolated=False)
print(run(made, SCRIPT))
"""


def test_in_a_sub_interpreter_as_mod_wsgis_it_warns_once_and_lets_the_app_live():
    done = subprocess.run(
        [sys.executable, "-c", SUB_INTERPRETER],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "None\n")
    assert done.stderr.count("\n") == done.stderr.count("receives signals") == 1


def test_a_forked_child_is_told_by_itself_and_only_it():
    code, words = ran("""
signal.signal(signal.SIGTERM, lambda number, frame: None)
sse_bridge.shutdown_on_signal(0)
child = os.fork()
opened()
if child == 0:
    stop()
    while sse_bridge.stopping.streams.open or not sse_bridge.closing(): time.sleep(0.01)
    time.sleep(0.2)  # until the other thread has printed
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), sse_bridge.closing(), flush=True)
stop()
while sse_bridge.stopping.streams.open: time.sleep(0.01)
""")
    assert (code, words) == (0, ["1", "7", "False", "1"])
