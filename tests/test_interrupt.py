"""A thread that is blocked in an upstream read is freed; any other is left alone."""

from __future__ import annotations

import contextvars
import gc
import http.client
import os
import select
import socket
import ssl
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from types import FrameType
from typing import Any

import dashscope
import httpx
import openai
import pytest
import requests
import urllib3

from certificates import Certificate, certificate
from sse_bridge import interrupt as module
from sse_bridge.drivers.threads import Body
from sse_bridge.interrupt import Interrupted, allowed, interrupt, reading, upstream_socket
from sse_bridge.options import Options
from stalling import PATIENCE, StallingUpstream

FOREVER = 60.0  # as a timeout: longer than any test
LINES = 4  # an event has two


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


# -- what users write: each gives its chunks, and how many connections its pool keeps ------------------------

Left = Callable[[], int]
Reader = Callable[[str, Certificate, ExitStack], tuple[Iterator[Any], Left]]


def by_openai(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    transport = openai.DefaultHttpxClient(verify=proof.trust())
    client = stack.enter_context(
        openai.OpenAI(base_url=url, api_key="k", max_retries=2, http_client=transport)
    )

    def chunks() -> Iterator[Any]:
        messages: Any = [{"role": "user", "content": "?"}]
        yield from client.chat.completions.create(model="m", messages=messages, stream=True)

    return chunks(), lambda: in_pool(transport)


def by_httpx(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    client = stack.enter_context(httpx.Client(verify=proof.trust(), timeout=FOREVER))

    def chunks() -> Iterator[Any]:
        with client.stream("GET", url) as response:
            yield from response.iter_lines()

    return chunks(), lambda: in_pool(client)


def in_pool(client: Any) -> int:
    return len(client._transport._pool.connections)


def by_requests(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    session = stack.enter_context(requests.Session())

    def chunks() -> Iterator[Any]:
        with session.get(url, stream=True, verify=str(proof.path)) as response:
            yield from response.iter_lines(chunk_size=1)

    return chunks(), lambda: 0


def by_urllib3(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    pools = stack.enter_context(urllib3.PoolManager(ssl_context=proof.trust()))

    def chunks() -> Iterator[Any]:
        yield from pools.request("GET", url, preload_content=False).stream(1)

    def left() -> int:
        pool = pools.connection_from_url(url).pool
        assert pool is not None
        return sum(getattr(kept, "sock", None) is not None for kept in pool.queue)

    return chunks(), left


def by_http_client(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    scheme, _, address = url.partition("://")
    connection = (
        http.client.HTTPSConnection(address, context=proof.trust())
        if scheme == "https"
        else http.client.HTTPConnection(address)
    )

    def chunks() -> Iterator[Any]:
        try:
            connection.request("GET", "/")
            yield from connection.getresponse()
        finally:
            connection.close()

    return chunks(), lambda: 0


def by_urllib_request(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    context = proof.trust() if url.startswith("https") else None

    def chunks() -> Iterator[Any]:
        with urllib.request.urlopen(url, context=context) as response:
            yield from response

    return chunks(), lambda: 0


def by_dashscope(url: str, proof: Certificate, stack: ExitStack) -> tuple[Iterator[Any], Left]:
    os.environ["REQUESTS_CA_BUNDLE"], before = str(proof.path), os.environ.get("REQUESTS_CA_BUNDLE")
    stack.callback(restore, "REQUESTS_CA_BUNDLE", before)

    def chunks() -> Iterator[Any]:
        options: Any = {"base_address": url, "api_key": "k", "stream": True}
        for chunk in dashscope.Generation.call("qwen-max", prompt="?", **options):
            assert chunk.status_code == HTTPStatus.OK
            yield chunk

    return chunks(), lambda: 0


def restore(name: str, value: str | None) -> None:
    os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value


READERS: list[Reader] = [
    by_openai,
    by_httpx,
    by_requests,
    by_urllib3,
    by_http_client,
    by_urllib_request,
    by_dashscope,
]
every_reader = pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
plain_and_tls = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
every_moment = pytest.mark.parametrize("events", [None, 2], ids=["before the headers", "amid"])


class Reading(threading.Thread):
    """A thread that iterates a source, and what came of it."""

    def __init__(self, source: Iterator[Any]) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self.chunks = 0
        self.error: BaseException | None = None
        self._source = source
        self.start()

    def run(self) -> None:
        try:
            for _ in self._users_generator():
                self.chunks += 1
        except BaseException as error:
            self.error = error

    def _users_generator(self) -> Iterator[Any]:
        try:
            yield from self._source
        except GeneratorExit:
            self.seen.append("closed")
            raise
        finally:
            self.seen.append("finally")

    @property
    def id(self) -> int:
        assert self.ident is not None
        return self.ident

    @property
    def frame(self) -> FrameType:
        return sys._current_frames()[self.id]

    def ends(self) -> bool:
        self.join(PATIENCE)
        return not self.is_alive()


def until(condition: Callable[[], Any]) -> Any:
    """What it gives, once that is something."""
    over = time.monotonic() + PATIENCE
    while not (outcome := condition()):
        assert time.monotonic() < over, "it did not come about"
        time.sleep(0.002)
    return outcome


def never() -> bool:
    return False


@contextmanager
def blocked(
    read: Reader, proof: Certificate, *, tls: bool = False, events: int | None = 2
) -> Iterator[tuple[Reading, StallingUpstream, Left]]:
    """A thread blocked in a read of a stalled upstream."""
    with StallingUpstream(events, proof.proof() if tls else None) as upstream, ExitStack() as stack:
        source, left = read(upstream.url, proof, stack)
        reading = Reading(source)
        assert upstream.stalled.wait(PATIENCE), reading.error
        until(lambda: reading.chunks or events is None)
        until(lambda: upstream_socket(reading.frame))
        yield reading, upstream, left
        reading.join(0.01)
        stack.callback(reading.join, PATIENCE)
        upstream.__exit__()


@every_reader
@plain_and_tls
@every_moment
def test_a_blocked_read_is_ended_and_to_its_user_it_is_a_close(
    read: Reader, tls: bool, events: int | None, proof: Certificate
):
    with blocked(read, proof, tls=tls, events=events) as (reading, upstream, left):
        until(lambda: interrupt(reading.id, unless=never))
        assert reading.ends()
        assert type(reading.error) is Interrupted
        assert reading.seen == ["closed", "finally"]
        assert upstream.left.wait(PATIENCE)
        assert upstream.requests == 1
        assert left() == 0


@every_reader
@plain_and_tls
def test_the_socket_is_the_one_that_is_read(read: Reader, tls: bool, proof: Certificate):
    with blocked(read, proof, tls=tls) as (reading, upstream, _):
        sock = until(lambda: upstream_socket(reading.frame))
        assert sock.getpeername()[1] == upstream.port
        assert isinstance(sock, ssl.SSLSocket) is tls


def test_of_several_threads_those_that_read_are_told(proof: Certificate):
    with (
        blocked(by_http_client, proof) as (first, _, _),
        blocked(by_httpx, proof) as (second, _, _),
    ):
        both = {first.id, second.id}
        assert until(lambda: reading(both) == both)
        assert reading([first.id, threading.get_ident(), 0]) == {first.id}


# -- it may not be interrupted -------------------------------------------------------------------------------


def test_what_has_begun_to_end_by_itself_is_not_interrupted(proof: Certificate):
    with blocked(by_httpx, proof) as (reading, _, _):
        assert interrupt(reading.id, unless=lambda: True) is False
    assert reading.ends()
    assert not isinstance(reading.error, Interrupted)


def test_a_thread_that_has_ended_is_nobody():
    reading = Reading(iter("ab"))
    assert reading.ends()
    assert interrupt(reading.id, unless=never) is False


def test_a_read_that_is_over_is_not_confused_with_the_next_one(proof: Certificate):
    with blocked(by_http_client, proof) as (reading, upstream, _):
        before, chunks = reading.frame, reading.chunks
        upstream.say()
        until(lambda: reading.chunks > chunks)
        until(lambda: upstream_socket(reading.frame))
        assert reading.frame.f_code is before.f_code
        assert module._raise_in(reading.id, before) is False
        assert reading.is_alive()
    assert reading.ends()
    assert not isinstance(reading.error, Interrupted)


def test_a_thread_that_ended_since_it_was_looked_at_is_nobody(proof: Certificate):
    with blocked(by_http_client, proof) as (reading, _, _):
        before = reading.frame
    assert reading.ends()
    assert module._raise_in(reading.id, before) is False


@pytest.mark.parametrize("forbidden_by", ["the option", "the environment"])
def test_a_driver_that_may_not_interrupt_leaves_the_read_alone(
    monkeypatch: pytest.MonkeyPatch, proof: Certificate, forbidden_by: str
):
    if forbidden_by == "the environment":
        monkeypatch.setenv("SSE_BRIDGE_INTERRUPT", "0")
    with hung_up(proof, interrupt=forbidden_by != "the option") as (upstream, seen):
        assert not upstream.left.is_set()
        assert seen == []


def test_a_driver_that_may_does(proof: Certificate):
    with hung_up(proof, interrupt=True) as (upstream, seen):
        assert upstream.left.wait(PATIENCE)
        assert seen == ["GeneratorExit"]


@contextmanager
def hung_up(proof: Certificate, **options: Any) -> Iterator[tuple[StallingUpstream, list[str]]]:
    """A stream whose client left while its source was blocked: the upstream, and how the source was ended."""
    seen: list[str] = []
    over = threading.Event()
    threads: list[int] = []

    def source() -> Iterator[str]:
        try:
            for _ in chunks:
                threads.append(threading.get_ident())
                yield "a"
        except GeneratorExit:
            seen.append("GeneratorExit")
            raise
        finally:
            over.set()

    with StallingUpstream(LINES // 2) as upstream, ExitStack() as stack:
        chunks, _ = by_httpx(upstream.url, proof, stack)
        body = Body(source(), Options(**options), contextvars.copy_context())
        next(body)
        until(lambda: len(threads) == LINES)
        until(lambda: upstream_socket(sys._current_frames()[threads[0]]))
        body.close()
        yield upstream, seen
        upstream.__exit__()
        assert over.wait(PATIENCE)


def test_only_what_has_a_global_lock_may_interrupt(monkeypatch: pytest.MonkeyPatch):
    assert allowed()
    monkeypatch.setattr(sys, "abiflags", "t")
    assert not allowed()


# -- other ways to be blocked --------------------------------------------------------------------------------

Release = Callable[[], object]


def a_sleep(_: ExitStack) -> tuple[Callable[[], object], Release]:
    return lambda: time.sleep(0.3), lambda: None


def a_lock(_: ExitStack) -> tuple[Callable[[], object], Release]:
    lock = threading.Lock()
    lock.acquire()
    return lock.acquire, lock.release


def a_bare_socket(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    here, there = pair(stack)
    return lambda: here.recv(10), lambda: there.send(b"a")


def a_bare_sockets_file(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    here, there = pair(stack)
    return stack.enter_context(here.makefile("rb")).readline, lambda: there.send(b"a\n")


def a_poll(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    here, there = pair(stack)
    return lambda: select.select([here], [], []), lambda: there.send(b"a")


def a_database(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    here, there = pair(stack)
    return lambda: Database(here).read(10), lambda: there.send(b"a" * 10)


class Database:
    """A client of something that is not HTTP, with a method of a familiar name."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, size: int) -> bytes:
        return bytes(self._sock.recv(size))


def a_writing_http_client(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    connection = http.client.HTTPConnection(*listener.getsockname())
    stack.callback(connection.close)
    body = b" " * 50_000_000
    return expecting(OSError, lambda: connection.request("POST", "/", body)), listener.close


def a_writing_httpx(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stack.enter_context(httpx.Client(timeout=FOREVER))
    url, body = address_of(listener), b" " * 50_000_000
    return expecting(httpx.TransportError, lambda: client.post(url, content=body)), listener.close


def a_tls_handshake_of_http_client(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    connection = http.client.HTTPSConnection(*listener.getsockname())
    stack.callback(connection.close)
    return expecting(OSError, lambda: connection.request("GET", "/")), listener.close


def a_tls_handshake_of_httpx(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stack.enter_context(httpx.Client(timeout=FOREVER))
    url = address_of(listener).replace("http:", "https:")
    return expecting(httpx.TransportError, lambda: client.get(url)), listener.close


def a_connect(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):  # then nobody gets in any more
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    connection = http.client.HTTPConnection(*listener.getsockname())
    stack.callback(connection.close)
    return expecting(OSError, connection.connect), listener.close


def a_multiplexed_connection(stack: ExitStack) -> tuple[Callable[[], object], Release]:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stack.enter_context(httpx.Client(http1=False, http2=True, timeout=FOREVER))
    url = address_of(listener)
    return expecting(httpx.TransportError, lambda: client.get(url)), listener.close


def pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    return stack.enter_context(here), stack.enter_context(there)


def address_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def expecting(kind: type[Exception], call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(kind):
            call()

    return run


@pytest.mark.parametrize(
    "block",
    [
        a_sleep,
        a_lock,
        a_bare_socket,
        a_bare_sockets_file,
        a_poll,
        a_database,
        a_writing_http_client,
        a_writing_httpx,
        a_tls_handshake_of_http_client,
        a_tls_handshake_of_httpx,
        a_connect,
        a_multiplexed_connection,
    ],
    ids=lambda block: block.__name__.replace("_", " "),
)
def test_any_other_blocking_is_left_alone(block: Any):
    with ExitStack() as stack:
        call, release = block(stack)
        reading = Reading(call() for _ in "1")
        still_for_a_while(reading)
        assert upstream_socket(reading.frame) is None
        assert interrupt(reading.id, unless=never) is False
        release()
        assert reading.ends()
        assert reading.error is None


def still_for_a_while(reading: Reading) -> None:
    """Until it looks blocked: at the same place at ten looks."""
    places: list[Any] = []

    def still() -> bool:
        places.append(place(reading))
        return len(places) >= 10 and len(set(places[-10:])) == 1

    until(still)


def place(reading: Reading) -> tuple[FrameType, int]:
    frame = reading.frame
    return frame, frame.f_lasti


# -- garbage -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="garbage waits for the next bytecode there")
def test_no_garbage_is_collected_while_a_thread_is_looked_at(proof: Certificate):
    asked = threading.Event()
    inside: list[int] = []

    def note(phase: str, _: Any) -> None:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code is not interrupt.__code__:
            frame = frame.f_back
        if frame is not None and module._quiet._paused:
            inside.append(frame.f_lineno)

    def unless() -> bool:
        asked.set()
        return len([[] for _ in range(1000)]) == 0  # more than enough to call for a collection

    with blocked(by_http_client, proof) as (reading, _, _), collecting(note, threshold=10):
        assert interrupt(reading.id, unless=unless)
    assert asked.is_set()
    assert inside == []


@pytest.mark.parametrize("enabled", [True, False])
def test_afterwards_garbage_is_collected_as_before(proof: Certificate, enabled: bool):
    with blocked(by_http_client, proof) as (reading, _, _):
        try:
            (gc.enable if enabled else gc.disable)()
            assert interrupt(reading.id, unless=never)
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_that_is_born_meanwhile_can_interrupt_and_collects_its_garbage():
    with module._quiet:
        child = os.fork()
        if child == 0:
            with module._quiet:
                pass
            os._exit(0 if gc.isenabled() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextmanager
def collecting(callback: Callable[[str, Any], None], threshold: int) -> Iterator[None]:
    before = gc.get_threshold()
    gc.callbacks.append(callback)
    gc.set_threshold(threshold)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(callback)
