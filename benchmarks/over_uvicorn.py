"""The CPU of a uvicorn process, read from outside while a client in this process reads streams."""

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Self, cast

from .inprocess import SAMPLE_SECONDS, refuse_other_events
from .measure import Field, Sampler
from .work import Work

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
# The last chunk of an answer, with the end of the one before: no frame can end like this.
LAST = b"\r\n0\r\n\r\n"
PATIENCE = 30.0


class Server:
    """A contender's process; leaving the context ends it."""

    def __init__(self, name: str, work: Work) -> None:
        command = [sys.executable, "-m", "benchmarks.server", name]
        command += [work.kind, work.mode, str(work.events)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def port(self) -> int:
        """Wait until the server listens; raise its last word where it never will."""
        assert self.process.stdout
        assert self.process.stderr
        port = self.process.stdout.readline()
        if not port:
            words = self.process.stderr.read().decode().strip().splitlines()
            raise RuntimeError(words[-1] if words else "the server ended before it listened")
        return int(port)

    def cpu(self) -> float:
        # POSIX's clock_getcpuclockid, which Python lacks: user and system time of all threads,
        # those that ended included, in nanoseconds where /proc counts hundredths of a second.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def settled_cpu(self) -> float:
        """Return the CPU time when it has stopped growing."""
        before, end = self.cpu(), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(0.01)
            now = self.cpu()
            if now - before < 0.0001:
                return now
            before = now
        raise TimeoutError("the server does not come to rest")


@contextmanager
def field(work: Work, clients: int, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the server's CPU seconds for a stream, with so many of them at once."""
    with ExitStack() as stack:
        # All are started before the first is awaited: importing is most of what they do.
        servers = {name: stack.enter_context(Server(name, work)) for name in names}
        entered = Field()
        for name, server in servers.items():
            entered.enter(name, partial(sampler, stack, server, work, clients))
        yield entered


def sampler(stack: ExitStack, server: Server, work: Work, clients: int) -> Sampler:
    port = server.port()
    connect = partial(socket.create_connection, ("127.0.0.1", port), PATIENCE)
    connections = [stack.enter_context(connect()) for _ in range(clients)]
    refuse_other_events(work, unchunked(read(connections)[0]))
    once = sample(server, connections, work, 1) * clients
    return partial(sample, server, connections, work, max(1, round(SAMPLE_SECONDS / once)))


def sample(server: Server, connections: list[socket.socket], work: Work, rounds: int) -> float:
    # A stream may outlive its client: what the server still does must not count as the next one's.
    before = server.settled_cpu()
    bodies = [body for _ in range(rounds) for body in read(connections)]
    spent = server.settled_cpu() - before
    fewest = min(body.count(b"data: ") for body in bodies)
    if fewest < work.events:
        raise ValueError(f"a timed stream had {fewest} events instead of {work.events}")
    return spent / len(bodies)


def read(connections: list[socket.socket]) -> list[bytes]:
    """Ask on all connections at once and return their answers, chunked encoding and all."""
    answers = {connection: bytearray() for connection in connections}
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(REQUEST)
        while selector.get_map():
            take(selector, answers)
    return [bytes(answer) for answer in answers.values()]


def take(selector: selectors.BaseSelector, answers: dict[socket.socket, bytearray]) -> None:
    ready = selector.select(PATIENCE)
    if not ready:
        raise TimeoutError(f"no byte for {PATIENCE} seconds")
    for key, _ in ready:
        connection = cast("socket.socket", key.fileobj)
        data = connection.recv(1 << 18)
        answers[connection] += data
        if not data:
            raise ConnectionError("the server closed a connection in the middle of an answer")
        if answers[connection].endswith(LAST):
            selector.unregister(connection)


def unchunked(answer: bytes) -> bytes:
    """Return the body of an HTTP/1.1 answer in chunked encoding."""
    _, _, rest = answer.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return body
