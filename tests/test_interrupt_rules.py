"""Which reads are upstream reads, told by frames; and what is kept in order around an interruption."""

from __future__ import annotations

import gc
import http.client
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from sse_bridge import interrupt as module
from sse_bridge.interrupt import (
    Blocked,
    Interrupted,
    allowed,
    current_greenlet,
    interrupt,
    reading,
    shut_down,
    upstream_socket,
)

PATIENCE = 5.0


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


@pytest.fixture
def other() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def frames(*calls: tuple[str, str, Any]) -> Any:
    """A thread's frames, the innermost first: module, function, and whose method that is."""
    outer = None
    for name, function, owner in reversed(calls):
        outer = SimpleNamespace(
            f_globals={"__name__": name},
            f_locals={} if owner is None else {"self": owner},
            f_code=SimpleNamespace(co_name=function),
            f_back=outer,
        )
    return outer


USER = ("app", "view", None)
READS = ["recv", "recv_into", "read", "readinto"]
HTTPCORES = ["httpcore", "httpcore2"]


@pytest.mark.parametrize("client", ["http.client", "urllib3.response", "urllib3.connection"])
@pytest.mark.parametrize("plumbing", ["socket", "ssl", "select", "selectors", "gevent.socket"])
@pytest.mark.parametrize("function", READS)
def test_what_reads_for_an_http_client_is_an_upstream_read(
    sock: socket.socket, plumbing: str, function: str, client: str
):
    assert (
        upstream_socket(frames((plumbing, function, sock), (client, "_read", None), USER)) is sock
    )


def test_a_file_of_a_socket_reads_it_too(sock: socket.socket):
    file = SimpleNamespace(_sock=sock)
    assert upstream_socket(frames(("socket", "readinto", file), ("http.client", "x", None))) is sock


def test_the_innermost_socket_is_the_one_that_is_read(sock: socket.socket, other: socket.socket):
    calls = [("ssl", "recv", sock), ("ssl", "read", other), ("socket", "x", None)]
    assert upstream_socket(frames(*calls, ("http.client", "x", other))) is sock


def test_whichever_of_the_inner_calls_reads_it_is_a_read(sock: socket.socket):
    for functions in (("read", "x"), ("x", "read")):
        calls = [("ssl", function, sock) for function in functions]
        assert upstream_socket(frames(*calls, ("http.client", "x", None))) is sock


@pytest.mark.parametrize(
    "calls",
    [
        [("socket", "send", "sock"), ("http.client", "send", None)],
        [("socket", "recv", None), ("http.client", "read", None)],
        [("socket", "recv", "sock"), ("database", "read", None)],
        [("socket", "recv", "sock"), ("my.http.client", "read", None)],
        [("socket", "recv", "sock"), ("urllib3", "read", None)],
        [("socket", "recv", "sock"), ("socket", "recv", "sock")],
        [("geventual", "recv", "sock"), ("http.client", "read", None)],
        [("http.client", "read", "sock"), ("socket", "recv", "sock")],
        [("app", "view", "sock")],
    ],
)
def test_any_other_call_is_none(sock: socket.socket, calls: list[Any]):
    made = [(name, function, sock if owner else None) for name, function, owner in calls]
    assert upstream_socket(frames(*made)) is None


@pytest.mark.parametrize("core", HTTPCORES)
def test_httpcores_own_read_is_an_upstream_read(
    core: str, sock: socket.socket, other: socket.socket
):
    client = SimpleNamespace(_sock=other)
    read = (f"{core}._backends.sync", "read", client)
    above = (f"{core}._sync.http11", "receive", None)
    assert upstream_socket(frames(("ssl", "recv", sock), read, above, USER)) is sock
    assert upstream_socket(frames(read, above, USER)) is other


@pytest.mark.parametrize("core", HTTPCORES)
def test_a_connection_that_many_share_is_left_alone(core: str, sock: socket.socket):
    read = (f"{core}._backends.sync", "read", SimpleNamespace(_sock=sock))
    between = (f"{core}._sync.connection", "x", None)
    above = (f"{core}._sync.http2", "receive", None)
    assert upstream_socket(frames(("ssl", "recv", sock), read, between, above, USER)) is None


@pytest.mark.parametrize("core", HTTPCORES)
def test_httpcore_that_writes_is_left_alone(core: str, sock: socket.socket):
    write = (f"{core}._backends.sync", "write", SimpleNamespace(_sock=sock))
    assert upstream_socket(frames(("ssl", "read", sock), write, USER)) is None


@pytest.mark.parametrize("names", [{}, {"__name__": None}])
def test_a_frame_without_a_modules_name_is_nobodys(names: dict[str, Any]):
    frame = frames(USER)
    frame.f_globals = names
    assert upstream_socket(frame) is None


# -- what is shut down ----------------------------------------------------------------------------


def test_who_reads_is_woken_and_a_socket_that_is_closed_is_shut_down():
    here, there = socket.socketpair()
    with here, there:
        shut_down(here, socket.SHUT_RD)
        assert here.recv(1) == b""
        there.settimeout(0)
        with pytest.raises(BlockingIOError):
            there.recv(1)
        shut_down(here, socket.SHUT_RDWR)
        assert there.recv(1) == b""
    shut_down(here, socket.SHUT_RDWR)


def test_an_interruption_is_a_close_to_a_generator():
    assert issubclass(Interrupted, GeneratorExit)


# -- whether it may be ----------------------------------------------------------------------------


@pytest.mark.parametrize("value, may", [(None, True), ("1", True), ("", True), ("0", False)])
def test_the_environment_may_forbid_it(
    monkeypatch: pytest.MonkeyPatch, value: str | None, may: bool
):
    monkeypatch.delenv("SSE_BRIDGE_INTERRUPT", raising=False)
    if value is not None:
        monkeypatch.setenv("SSE_BRIDGE_INTERRUPT", value)
    assert allowed() is may


@pytest.mark.parametrize("name, flags, may", [("pypy", "", False), ("cpython", None, True)])
def test_what_it_needs_of_python(
    monkeypatch: pytest.MonkeyPatch, name: str, flags: str | None, may: bool
):
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name=name))
    if flags is None:
        monkeypatch.delattr(sys, "abiflags")
    assert allowed() is may


# -- a thread that reads ---------------------------------------------------------------------------


class Reader(threading.Thread):
    """One that waits for the answer to its request."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self.here, self.there = socket.socketpair()
        self._connection = http.client.HTTPConnection("localhost")
        self._connection.sock = self.here
        self._connection.request("GET", "/")

    def run(self) -> None:
        try:
            self._connection.getresponse()
        except BaseException as error:
            self.error = error

    @property
    def id(self) -> int:
        assert self.ident is not None
        return self.ident

    @property
    def frame(self) -> FrameType:
        return sys._current_frames()[self.id]


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader()
    with made.here, made.there:
        made.start()
        over = time.monotonic() + PATIENCE
        while made.ident not in sys._current_frames() or made.frame.f_code.co_name != "readinto":
            assert time.monotonic() < over
            time.sleep(0.001)
        yield made
        made.there.close()
        made.join(PATIENCE)


def test_a_thread_that_reads_is_freed_by_a_close(reader: Reader):
    assert upstream_socket(reader.frame) is reader.here
    assert interrupt(reader.id, unless=lambda: False) is True
    reader.join(PATIENCE)
    assert type(reader.error) is Interrupted
    assert reader.there.recv(65536).startswith(b"GET / ")
    assert reader.there.recv(1) == b""
    assert not module._quiet._lock.locked()


def test_a_thread_whose_time_has_passed_is_left_alone_and_asked_for_in_quiet(reader: Reader):
    collects: list[bool] = []

    def unless() -> bool:
        collects.append(gc.isenabled())
        return True

    assert interrupt(reader.id, unless=unless) is False
    assert collects == [False]
    reader.there.close()
    reader.join(PATIENCE)
    assert not isinstance(reader.error, Interrupted)


def test_it_comes_to_its_end_before_its_socket_is_broken(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    steps: list[Any] = []
    frame = reader.frame
    monkeypatch.setattr(module, "shut_down", lambda sock, how: steps.append((sock, how)))
    monkeypatch.setattr(module, "_see_off", lambda *who: steps.append(who))
    assert interrupt(reader.id, unless=lambda: False)
    assert steps == [
        (reader.here, socket.SHUT_RD),
        (reader.id, frame),
        (reader.here, socket.SHUT_RDWR),
    ]


def test_a_thread_is_given_ten_milliseconds_to_leave(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
):
    pauses: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=pauses.append))
    module._see_off(reader.id, reader.frame)
    assert pauses == [0.0002] * 50
    pauses.clear()
    module._see_off(reader.id, frames(USER))
    module._see_off(0, reader.frame)
    assert pauses == []


def test_of_several_threads_the_one_that_reads_is_told(reader: Reader):
    assert reading([]) == reading([0, threading.get_ident()]) == set()
    assert reading([0, reader.id, threading.get_ident()]) == {reader.id}


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_while_several_threads_are_looked_at(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, enabled: bool
):
    """In the middle of `frame.f_back` another thread could leave that frame, and the process would crash."""
    collects: list[bool] = []

    def look(frame: FrameType) -> socket.socket | None:
        collects.append(gc.isenabled())
        return upstream_socket(frame)

    monkeypatch.setattr(module, "upstream_socket", look)
    try:
        (gc.enable if enabled else gc.disable)()
        assert reading([reader.id, threading.get_ident()]) == {reader.id}
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert collects == [False, False]


def test_nothing_is_raised_in_a_thread_that_is_elsewhere_or_gone(reader: Reader):
    assert module._raise_in(reader.id, frames(USER)) is False
    assert module._raise_in(0, reader.frame) is False
    assert interrupt(0, unless=lambda: False) is False
    reader.there.close()
    reader.join(PATIENCE)
    assert not isinstance(reader.error, Interrupted)


# -- greenlets ------------------------------------------------------------------------------------


class Greenlet:
    """One that is where its frame says."""

    def __init__(self, frame: Any) -> None:
        self.gr_frame = frame
        self.thrown: list[type[BaseException]] = []

    def throw(self, kind: type[BaseException]) -> None:
        self.thrown.append(kind)


def test_a_greenlet_that_reads_is_freed_in_the_loop_and_once(sock: socket.socket):
    soon: list[Callable[[], None]] = []
    greenlet = Greenlet(frames(("socket", "recv", sock), ("http.client", "x", None)))
    blocked = Blocked(greenlet, soon.append)
    for _ in range(2):
        assert blocked.interrupt(unless=lambda: False) is False
    assert greenlet.thrown == []
    for call in soon:
        call()
    assert greenlet.thrown == [Interrupted]
    assert blocked.interrupt(unless=lambda: False) is True
    assert len(soon) == 2


@pytest.mark.parametrize("where", ["elsewhere", "nowhere", "too late"])
def test_a_greenlet_that_is_elsewhere_is_left_alone(sock: socket.socket, where: str):
    read = frames(("socket", "recv", sock), ("http.client", "x", None))
    frame = {"elsewhere": frames(USER), "nowhere": None, "too late": read}[where]
    greenlet = Greenlet(frame)
    blocked = Blocked(greenlet, lambda call: call())
    assert blocked.interrupt(unless=lambda: where == "too late") is False
    assert greenlet.thrown == []


def test_the_current_greenlet_is_freed_by_the_hubs_own_loop(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "threads_are_greenlets", lambda: False)
    assert current_greenlet() is None
    greenlet, soon = Greenlet(None), []
    loop = SimpleNamespace(run_callback_threadsafe=soon.append)
    gevent = SimpleNamespace(
        getcurrent=lambda: greenlet, get_hub=lambda: SimpleNamespace(loop=loop)
    )
    monkeypatch.setattr(module, "threads_are_greenlets", lambda: True)
    monkeypatch.setitem(sys.modules, "gevent", gevent)
    blocked = current_greenlet()
    assert blocked is not None
    assert blocked.interrupt(unless=lambda: False) is False
    assert len(soon) == 1
    soon[0]()
    assert greenlet.thrown == []


# -- garbage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_quiet_is_as_before_afterwards(enabled: bool):
    quiet = module._Quiet()
    try:
        (gc.enable if enabled else gc.disable)()
        for _ in range(2):
            with quiet:
                assert not gc.isenabled()
                assert quiet._lock.locked()
            assert gc.isenabled() is enabled
            assert not quiet._lock.locked()
            quiet.forked()
            assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_a_child_that_was_born_inside_is_not_inside():
    quiet = module._Quiet()
    try:
        quiet.__enter__()
        quiet.forked()
        assert gc.isenabled()
        assert not quiet._lock.locked()
        gc.disable()
        quiet.forked()
        assert not gc.isenabled()
    finally:
        gc.enable()
