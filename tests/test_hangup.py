"""The watch on a WSGI client: real connections, the kernel's own word."""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from certificates import certificate
from sse_bridge import hangup
from sse_bridge.hangup import BlindWatch, DescriptorWatch, client_descriptor, watch

PATIENCE = 5.0  # seconds until what must come is given up on


class Connection:
    """A server's socket and its client's, over TCP on loopback."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()

    def reset(self) -> None:
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()

    def close(self) -> None:
        self.client.close()
        self.server.close()


class Told:
    """What a watch told, in order."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._come = threading.Condition()

    def doubt(self) -> None:
        self._say("doubt")

    def gone(self) -> None:
        self._say("gone")

    def _say(self, word: str) -> None:
        with self._come:
            self.words.append(word)
            self._come.notify_all()

    def wait_for(self, *words: str) -> None:
        with self._come:
            assert self._come.wait_for(lambda: self.words == list(words), PATIENCE), self.words


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    yield connection
    connection.close()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watched(connection: Connection, told: Told) -> Iterator[DescriptorWatch]:
    watched = DescriptorWatch(connection.server.fileno())
    watched.start(told.doubt, told.gone)
    yield watched
    watched.stop()


# -- what the kernel says -------------------------------------------------------------------------


def test_a_reset_is_told_as_gone(connection: Connection, watched: DescriptorWatch, told: Told):
    connection.reset()
    told.wait_for("gone")


def test_a_close_is_a_doubt_and_gone_after_a_write(
    connection: Connection, watched: DescriptorWatch, told: Told
):
    connection.client.close()
    told.wait_for("doubt")
    connection.server.sendall(b": ping\n\n")
    told.wait_for("doubt", "gone")


def test_a_client_that_closed_its_sending_side_stays_a_doubt_until_it_really_leaves(
    connection: Connection, watched: DescriptorWatch, told: Told
):
    connection.client.shutdown(socket.SHUT_WR)
    told.wait_for("doubt")
    connection.server.sendall(b": ping\n\n")
    assert not watched.has_left(within=0.05)
    assert connection.client.recv(100) == b": ping\n\n"
    connection.client.close()
    connection.server.sendall(b": ping\n\n")
    told.wait_for("doubt", "gone")


def test_unread_bytes_before_the_close_do_not_hide_it(
    connection: Connection, watched: DescriptorWatch, told: Told
):
    connection.client.sendall(b"GET /next HTTP/1.1\r\n\r\n" + b"x" * 100_000)
    connection.client.close()
    told.wait_for("doubt")


def test_bytes_alone_are_nothing_to_tell(
    connection: Connection, watched: DescriptorWatch, told: Told
):
    connection.client.sendall(b"x" * 1000)
    assert not watched.is_doubtful()
    connection.reset()
    told.wait_for("gone")


def test_nothing_is_read_and_the_servers_socket_stays_as_it_was(
    connection: Connection, watched: DescriptorWatch
):
    connection.server.settimeout(7)
    connection.client.sendall(b"abc")
    watched.check()
    assert watched.is_doubtful() is False
    assert connection.server.recv(10) == b"abc"
    assert connection.server.gettimeout() == 7


def tls_pair(folder: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """The server's and the client's end of a connection that speaks TLS."""
    made, plain = certificate(folder), Connection()
    with ThreadPoolExecutor(1) as server_side:
        shaking = server_side.submit(made.proof().wrap_socket, plain.server, server_side=True)
        client = made.trust().wrap_socket(plain.client, server_hostname="127.0.0.1")
        return shaking.result(PATIENCE), client


def test_a_tls_client_that_says_goodbye_has_left(tmp_path: Path, told: Told):
    server, client = tls_pair(tmp_path)
    watched = watch({"gunicorn.socket": server})
    assert watched is not None
    watched.start(told.doubt, told.gone)
    client.settimeout(0.05)
    with contextlib.suppress(TimeoutError):
        client.unwrap()  # says it, and would wait for the server to say it too
    client.close()
    told.wait_for("doubt")
    server.sendall(b": ping\n\n")
    told.wait_for("doubt", "gone")
    watched.stop()
    server.close()


# -- a client that does not read --------------------------------------------------------------------


def write_on(sock: socket.socket) -> None:
    """What a server's thread does that has much to write."""
    while True:
        sock.sendall(b"x" * 65536)


def is_blocked_in_a_write(sock: socket.socket) -> bool:
    return not select.select([], [sock], [], 0.05)[1]


def fill(sock: socket.socket) -> None:
    """Until the kernel takes no more."""
    sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        write_on(sock)
    sock.settimeout(None)


def read_all(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def test_a_write_that_blocks_fails_when_its_connection_is_broken_off(
    connection: Connection, watched: DescriptorWatch
):
    with ThreadPoolExecutor(1) as server:
        writing = server.submit(write_on, connection.server)
        while not is_blocked_in_a_write(connection.server):
            pass
        watched.break_off()
        assert isinstance(writing.exception(PATIENCE), BrokenPipeError)


def test_a_write_over_tls_fails_likewise(tmp_path: Path):
    server, client = tls_pair(tmp_path)
    with ThreadPoolExecutor(1) as server_side:
        watched = watch({"gunicorn.socket": server})
        assert watched is not None
        writing = server_side.submit(write_on, server)
        while not is_blocked_in_a_write(server):
            pass
        watched.break_off()
        assert isinstance(writing.exception(PATIENCE), OSError)
    watched.stop()
    client.close()
    server.close()


def test_what_was_broken_off_ends_in_a_reset_and_not_like_a_whole_answer(
    connection: Connection, watched: DescriptorWatch
):
    fill(connection.server)
    watched.break_off()
    watched.stop()
    connection.server.close()
    with pytest.raises(ConnectionResetError):
        read_all(connection.client)


def test_after_stop_nothing_is_broken_off(connection: Connection, watched: DescriptorWatch):
    watched.stop()
    watched.break_off()
    connection.server.sendall(b"the next answer")
    assert connection.client.recv(100) == b"the next answer"


def test_a_client_that_has_left_cannot_be_broken_off_and_nothing_is_raised(
    connection: Connection, watched: DescriptorWatch
):
    connection.reset()
    watched.break_off()


@pytest.mark.parametrize(("protocol", "breaks"), [("HTTP/1.1", True), ("HTTP/2.0", False)])
def test_a_connection_that_many_streams_share_is_not_for_one_of_them_to_break_off(
    connection: Connection, protocol: str, breaks: bool
):
    environ = {"gunicorn.socket": connection.server, "SERVER_PROTOCOL": protocol}
    watched = watch(environ)
    assert watched is not None
    assert watched.breaks is breaks
    watched.stop()


# -- before the start, and after the stop ---------------------------------------------------------


def test_who_has_left_already_is_doubtful_and_then_known_to_have_left(
    connection: Connection, told: Told
):
    connection.client.close()
    watched = DescriptorWatch(connection.server.fileno())
    assert watched.is_doubtful()
    watched.start(told.doubt, told.gone)
    flush()
    assert told.words == []  # it was known
    connection.server.sendall(b": ping\n\n")
    assert watched.has_left(within=PATIENCE)
    told.wait_for("gone")
    watched.stop()
    assert not watched.has_left(within=0)


def test_a_close_between_the_look_and_the_start_is_told(connection: Connection, told: Told):
    watched = DescriptorWatch(connection.server.fileno())
    assert not watched.is_doubtful()
    connection.client.close()
    watched.start(told.doubt, told.gone)
    told.wait_for("doubt")
    watched.stop()


def test_the_servers_own_close_reaches_the_client_after_stop(
    connection: Connection, watched: DescriptorWatch
):
    connection.server.close()
    connection.client.settimeout(0.05)
    with pytest.raises(TimeoutError):  # the duplicate holds it back
        connection.client.recv(1)
    watched.stop()
    connection.client.settimeout(PATIENCE)
    assert connection.client.recv(1) == b""


def test_after_stop_nothing_is_told(connection: Connection, watched: DescriptorWatch, told: Told):
    watched.stop()
    connection.reset()
    watched.check()
    flush()
    assert told.words == []
    watched.stop()  # twice is harmless


def test_a_number_that_is_used_again_is_another_connection(told: Told):
    first = Connection()
    watched = DescriptorWatch(first.server.fileno())
    watched.start(told.doubt, told.gone)
    number = first.server.fileno()
    first.server.close()
    second = Connection()
    os.dup2(second.server.fileno(), number)  # as chance would have it
    second.reset()
    flush()
    assert told.words == []
    first.client.close()
    told.wait_for("doubt")
    watched.stop()
    os.close(number)
    second.close()


def test_a_duplicates_number_that_is_used_again_is_watched_for_the_new_one(told: Told):
    for _ in range(50):
        connection, words = Connection(), Told()
        watched = DescriptorWatch(connection.server.fileno())
        watched.start(words.doubt, words.gone)
        connection.client.close()  # its event comes as it is stopped, or just before or behind it
        watched.stop()
        connection.server.close()
        connection = Connection()
        watched = DescriptorWatch(connection.server.fileno())
        words = Told()
        watched.start(words.doubt, words.gone)
        connection.client.close()
        words.wait_for("doubt")
        watched.stop()
        connection.server.close()


# -- the watcher's thread -------------------------------------------------------------------------


def test_many_are_watched_by_one_thread():
    connections = [Connection() for _ in range(100)]
    tolds = [Told() for _ in connections]
    watches = [DescriptorWatch(connection.server.fileno()) for connection in connections]
    for watched, told in zip(watches, tolds, strict=True):
        watched.start(told.doubt, told.gone)
    for connection in connections[::2]:
        connection.reset()
    for told in tolds[::2]:
        told.wait_for("gone")
    assert not any(told.words for told in tolds[1::2])
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("sse_bridge hang-ups") == 1
    for watched, connection in zip(watches, connections, strict=True):
        watched.stop()
        connection.close()
    assert hangup._watcher._watches == {}


@pytest.mark.parametrize("leave", [Connection.reset, Connection.close, "half-close"])
def test_a_hang_up_wakes_the_thread_a_few_times_and_then_lets_it_sleep(
    monkeypatch: pytest.MonkeyPatch, connection: Connection, told: Told, leave: Any
):
    looks: list[int] = []
    look = hangup._Watcher._look

    def counted(self: Any, epoll: Any, descriptor: int) -> None:
        looks.append(descriptor)
        look(self, epoll, descriptor)

    monkeypatch.setattr(hangup._Watcher, "_look", counted)
    duplicate = os.dup(connection.server.fileno())
    watched = DescriptorWatch(duplicate)
    watched.start(told.doubt, told.gone)
    if callable(leave):
        leave(connection)
    else:
        connection.client.shutdown(socket.SHUT_WR)
    for _ in range(20):  # each passes through the thread, behind whatever it would be busy with
        flush()
    assert looks.count(watched.descriptor) <= 3
    watched.stop()
    os.close(duplicate)


def flush() -> None:
    """Wait until the watcher's thread has told all that happened before."""
    connection, told = Connection(), Told()
    watched = DescriptorWatch(connection.server.fileno())
    watched.start(told.doubt, told.gone)
    connection.reset()
    told.wait_for("gone")
    watched.stop()
    connection.close()


def test_where_nothing_is_left_for_a_thread_it_is_asked_now_and_then(
    monkeypatch: pytest.MonkeyPatch, connection: Connection, told: Told
):
    monkeypatch.setattr(hangup._watcher, "add", lambda watch: False)
    watched = DescriptorWatch(connection.server.fileno())
    watched.start(told.doubt, told.gone)
    assert watched.every == hangup.PROBE
    connection.client.close()
    watched.check()
    assert told.words == ["doubt"]
    assert watched.every == hangup.CLOSER
    for _ in range(10):
        watched.check()
    assert watched.every == hangup.PROBE  # it may read on for long
    connection.server.sendall(b": ping\n\n")
    assert watched.has_left(PATIENCE)
    watched.check()
    assert told.words == ["doubt", "gone"]
    watched.stop()


def in_a_process(code: str) -> str:
    """What such a process of its own prints; it has this module's helpers."""
    here, source = Path(__file__).parent, Path(hangup.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{here}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


LAZY = """
import threading
from test_hangup import Connection, DescriptorWatch, Told
before = threading.active_count()
connection, told = Connection(), Told()
watched = DescriptorWatch(connection.server.fileno())
made = threading.active_count()
watched.start(told.doubt, told.gone)
print(before, made, threading.active_count())
"""


def test_the_thread_starts_with_the_first_watch():
    assert in_a_process(LAZY) == "1 1 2"


FORK = """
import os
from test_hangup import Connection, DescriptorWatch, Told, flush
parents, told = Connection(), Told()
watched = DescriptorWatch(parents.server.fileno())
watched.start(told.doubt, told.gone)
child = os.fork()
if child == 0:
    flush()  # a watch of the child's own
    watched.stop()  # and an inherited one
    print("child", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
parents.reset()
told.wait_for("gone")
print("parent")
"""


def test_it_survives_a_fork_on_both_sides():
    assert in_a_process(FORK).split() == ["child", "parent"]


GEVENT = """
from gevent import monkey
monkey.patch_all()
from test_hangup import Connection, hangup
from sse_bridge.loops.base import ThreadSignal
connection, signal, words = Connection(), ThreadSignal(), []

def tell(word):
    words.append(word)
    signal.set()

def wait_for(*expected):
    while words != list(expected):
        signal.wait()
    print(words, watched.every)

watched = hangup.watch({"gunicorn.socket": connection.server})
watched.start(lambda: tell("doubt"), lambda: tell("gone"))
connection.client.close()
wait_for("doubt")
connection.server.sendall(b": ping")
assert watched.has_left(5)
wait_for("doubt", "gone")
watched.stop()
"""


def test_under_gevent_a_thread_of_the_system_watches_and_wakes_a_greenlet():
    assert in_a_process(GEVENT).splitlines() == ["['doubt'] None", "['doubt', 'gone'] None"]


# -- each server's handle -------------------------------------------------------------------------


class KnownLength:
    """Cheroot's body: a reader of a reader of the connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.rfile = sock.makefile("rb")


class Channel:
    """Waitress's."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    def check_client_disconnected(self) -> bool:
        return False


HANDLES: dict[str, Callable[[socket.socket], dict[str, Any]]] = {
    "gunicorn": lambda sock: {"gunicorn.socket": sock},
    "werkzeug": lambda sock: {"werkzeug.socket": sock},
    "waitress": lambda sock: {
        "waitress.client_disconnected": Channel(sock).check_client_disconnected
    },
    "cheroot": lambda sock: {"wsgi.input": KnownLength(sock)},
    "wsgiref": lambda sock: {"wsgi.input": sock.makefile("rb")},
}


@pytest.mark.parametrize("server", HANDLES)
def test_each_servers_own_handle_gives_the_connection(connection: Connection, server: str):
    environ = HANDLES[server](connection.server)
    assert client_descriptor(environ) == connection.server.fileno()
    watched = watch(environ)
    assert isinstance(watched, DescriptorWatch)
    assert watched.descriptor != connection.server.fileno()
    watched.stop()


def test_uwsgi_tells_the_descriptor_itself(monkeypatch: pytest.MonkeyPatch, connection: Connection):
    uwsgi = SimpleNamespace(connection_fd=connection.server.fileno)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)  # type: ignore[arg-type]
    assert client_descriptor({"uwsgi.version": b"2"}) == connection.server.fileno()


@pytest.mark.parametrize("handle", [None, object(), SimpleNamespace(fileno=lambda: -1)])
def test_a_handle_that_is_not_what_it_was_leaves_it_to_the_writes(handle: Any):
    assert isinstance(watch({"gunicorn.socket": handle}), BlindWatch)


def test_a_closed_socket_leaves_it_to_the_writes(connection: Connection):
    connection.server.close()
    assert isinstance(watch({"werkzeug.socket": connection.server}), BlindWatch)


def test_a_body_from_a_file_or_a_pipe_is_no_connection(tmp_path: Path):
    read, write = os.pipe()
    with open(read, "rb") as pipe:
        assert isinstance(watch({"wsgi.input": pipe}), BlindWatch)
    os.close(write)


def test_where_a_server_shows_no_handle_a_second_ping_follows_each():
    watched = watch({"wsgi.input": object()})
    assert isinstance(watched, BlindWatch)
    assert watched.second_ping == 0.02
    assert not watched.is_doubtful()
    assert not watched.breaks


def test_without_descriptors_left_the_writes_tell(
    monkeypatch: pytest.MonkeyPatch, connection: Connection
):
    def dup(number: int) -> int:
        raise OSError("too many open files")

    monkeypatch.setattr(os, "dup", dup)
    assert isinstance(watch({"gunicorn.socket": connection.server}), BlindWatch)


def test_a_platform_without_the_kernels_word_leaves_it_to_the_writes(
    monkeypatch: pytest.MonkeyPatch, connection: Connection
):
    monkeypatch.setattr(hangup, "_RDHUP", 0)
    assert isinstance(watch({"gunicorn.socket": connection.server}), BlindWatch)


@pytest.mark.parametrize("environ", [{"wsgi.input": io.BytesIO(b"x")}])
def test_a_request_that_came_over_no_connection_has_no_watch(environ: dict[str, Any]):
    assert watch(environ) is None
