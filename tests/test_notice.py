"""What a server shows of itself: each way to learn that it stops, with stand-ins that have what ours reads."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing.process
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

import signals
from sse_bridge import notice as module
from sse_bridge.notice import Notice, warn_of_sync_worker
from sse_bridge.registry import Registry


class Handler:
    """A server's handler, which counts."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.numbers.append(number)


class Uvicorn:
    __module__ = "uvicorn.server"

    def __init__(self) -> None:
        self.should_exit = False
        self.listens = True
        self.servers = [SimpleNamespace(is_serving=lambda: self.listens)]

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        self.should_exit = True


class Gunicorn:
    __module__ = "gunicorn.workers.gthread"

    def __init__(self) -> None:
        self.alive = True
        self.cfg = SimpleNamespace(timeout=7)

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        self.alive = False


@pytest.fixture
def notice() -> Iterator[Notice]:
    with signals.kept():
        notice = Notice()
        yield notice
        for descriptor in notice._pipe or ():
            os.close(descriptor)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    registry = Registry()
    monkeypatch.setattr(module, "streams", registry)
    return registry


# -- our own handler ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_handler_that_was_there_is_called_as_ever(notice: Notice, number: int):
    theirs = Handler()
    signal.signal(number, theirs)
    notice.install()
    assert not notice.is_given
    for times in (1, 2):
        signal.raise_signal(number)
        assert theirs.numbers == [number] * times
    assert notice.is_given


def test_installed_twice_it_calls_them_once(notice: Notice):
    theirs = Handler()
    signal.signal(signal.SIGTERM, theirs)
    notice.install()
    notice.install()
    signal.raise_signal(signal.SIGTERM)
    assert theirs.numbers == [signal.SIGTERM]


def test_installed_once_more_it_has_heard_nothing_yet(notice: Notice):
    signal.signal(signal.SIGTERM, Handler())
    notice.install()
    signal.raise_signal(signal.SIGTERM)
    assert notice.is_given
    notice.install()
    assert not notice.is_given


def test_what_is_ignored_stays_so(notice: Notice):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    notice.install()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_pythons_ctrl_c_waits_for_open_streams_once(notice: Notice, registry: Registry):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    notice.install()
    registry.enter(Handler, None)
    signal.raise_signal(signal.SIGINT)
    assert notice.is_given
    assert notice.kept_back == signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_ends_the_process_waits_for_open_streams(notice: Notice, registry: Registry):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    notice.install()
    assert notice.kept_back is None
    registry.enter(Handler, None)
    signal.raise_signal(signal.SIGTERM)
    assert notice.is_given
    assert notice.kept_back == signal.SIGTERM


def test_a_signal_that_somebody_else_acts_upon_is_not_ours_to_end_the_process_by(notice: Notice):
    signal.signal(signal.SIGTERM, Handler())
    notice.install()
    signal.raise_signal(signal.SIGTERM)
    assert notice.kept_back is None


# -- the wakeup descriptor ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_handler_that_came_later_is_overheard(notice: Notice, number: int):
    notice.install()
    theirs = Handler()
    signal.signal(number, theirs)
    assert not notice.is_given
    signal.raise_signal(number)
    assert theirs.numbers == [number]
    assert notice.is_given
    assert notice.is_given  # also when the pipe is empty again
    assert notice.kept_back is None


def test_another_signal_says_nothing(notice: Notice):
    notice.install()
    signal.signal(signal.SIGUSR1, Handler())
    signal.raise_signal(signal.SIGUSR1)
    assert not notice.is_given


def test_a_descriptor_that_is_somebodys_stays_theirs(notice: Notice):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        notice.install()
        assert signal.set_wakeup_fd(-1) == theirs.fileno()
        assert not notice.is_given


# -- the server's own note ------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_uvicorn_has_a_flag(notice: Notice, when: str):
    server = Uvicorn()
    beside(notice, server, when)
    assert not notice.is_given
    server.should_exit = True
    assert notice.is_given


@pytest.mark.parametrize("when", ["before", "after"])
def test_uvicorn_at_its_limit_of_requests_listens_no_more(notice: Notice, when: str):
    server = Uvicorn()
    beside(notice, server, when)
    server.listens = False
    assert notice.is_given


def test_uvicorn_that_has_not_begun_to_listen_is_not_stopping(notice: Notice):
    server = Uvicorn()
    del server.servers
    beside(notice, server, "before")
    assert not notice.is_given


@pytest.mark.parametrize("when", ["before", "after"])
def test_gunicorns_worker_is_alive_until_it_is_recycled(notice: Notice, when: str):
    worker = Gunicorn()
    beside(notice, worker, when)
    assert not notice.is_given
    worker.alive = False
    assert notice.is_given


def test_hypercorn_tells_its_workers_by_an_event(notice: Notice, monkeypatch: pytest.MonkeyPatch):
    event = threading.Event()
    process = multiprocessing.process.current_process()
    monkeypatch.setattr(process, "_kwargs", {"shutdown_event": event}, raising=False)
    notice.install()
    assert not notice.is_given
    event.set()
    assert notice.is_given


def beside(notice: Notice, server: Any, when: str) -> None:
    """Install beside a server whose handler is there before, or comes after."""
    if when == "after":
        notice.install()
    signal.signal(signal.SIGTERM, server.handle_exit)
    if when == "before":
        notice.install()


# -- forks ----------------------------------------------------------------------------------------


forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # beside threads


@forks
def test_what_the_parent_was_told_is_not_for_its_child(notice: Notice):
    signal.signal(signal.SIGTERM, Handler())
    notice.install()
    signal.raise_signal(signal.SIGTERM)
    assert exit_code(notice, lambda: notice.is_given) == 0
    assert notice.is_given


@forks
def test_what_a_child_is_told_is_not_for_its_parent(notice: Notice):
    notice.install()
    signal.signal(signal.SIGTERM, Handler())  # so the pipe has to tell

    def told() -> bool:
        signal.raise_signal(signal.SIGTERM)
        return notice.is_given

    assert exit_code(notice, told) == 1
    assert not notice.is_given


def exit_code(notice: Notice, ask: Any) -> int:
    """What a forked child answers, as the hooks of a fork leave it."""
    child = os.fork()
    if child == 0:
        try:
            notice.after_fork()
            os._exit(ask())
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# -- gunicorn's sync worker -----------------------------------------------------------------------

SYNC = {"wsgi.multithread": False, "gunicorn.socket": object()}


@pytest.fixture
def warnings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(module, "_warned", False)
    caplog.set_level(logging.WARNING, "sse_bridge")
    return caplog


def test_one_warning_names_the_sync_worker_its_timeout_and_the_fix(
    notice: Notice, warnings: pytest.LogCaptureFixture
):
    beside(notice, Gunicorn(), "after")
    for _ in range(3):
        warn_of_sync_worker(SYNC)
    (message,) = warnings.messages
    for word in ("gunicorn's sync worker", "after 7 seconds (timeout)", "--worker-class gthread"):
        assert word in message


def test_the_timeout_is_found_behind_our_own_handler(
    notice: Notice, warnings: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "notice", notice)
    beside(notice, Gunicorn(), "before")
    warn_of_sync_worker(SYNC)
    assert "after 7 seconds" in warnings.text


@pytest.mark.parametrize(
    "environ",
    [
        {**SYNC, "wsgi.multithread": True},
        {"wsgi.multithread": False},
        {},
    ],
    ids=["gthread", "another server", "a test"],
)
def test_nobody_else_is_warned(warnings: pytest.LogCaptureFixture, environ: dict[str, Any]):
    warn_of_sync_worker(environ)
    assert warnings.messages == []


class Runner:
    """Somebody's, with names like a server's."""

    should_exit, alive, servers = threading.Event(), False, None

    def handle_exit(self, number: int, frame: FrameType | None) -> None: ...


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_object_that_only_looks_like_a_server_is_none(notice: Notice, when: str):
    beside(notice, Runner(), when)
    assert not notice.is_given


def test_a_loops_own_ctrl_c_is_left_to_it(notice: Notice):
    async def main() -> tuple[Any, Any]:
        before = signal.getsignal(signal.SIGINT)
        notice.install()
        return before, signal.getsignal(signal.SIGINT)

    before, after = asyncio.run(main())
    assert before == after
    assert before is not signal.default_int_handler


def test_a_ctrl_c_that_python_raises_does_not_count(notice: Notice):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    notice.install()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not notice.is_given


def test_who_keeps_the_signal_back_owes_the_end_whoever_wraps_it(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    notice.install()
    ours = signal.getsignal(signal.SIGTERM)
    assert callable(ours)
    signal.signal(signal.SIGTERM, lambda number, frame: ours(number, frame))
    assert notice.kept_back is None
    monkeypatch.setattr(module, "streams", SimpleNamespace(open=1))
    signal.raise_signal(signal.SIGTERM)
    assert notice.kept_back == signal.SIGTERM
