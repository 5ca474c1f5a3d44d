"""Many open streams in which nothing happens but pings: what they hold, and what they cost.

All contenders are open at once and are watched in the same seconds. A figure counts only while every
connection is alive and, where pings were asked for, has had them.
"""

import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from .measure import Field, Sampler
from .over_apps import PING
from .over_http import REQUEST, await_event, connect
from .over_process import Server, Setting

FIRST = 10  # streams that pay for imports, caches and first pages
BATCH = 50
OF_FASTAPI = 15.0  # its ping, which cannot be set
WINDOW = OF_FASTAPI
# Starlette and Flask have none, and FastAPI's comes once a window at best.
PINGED = ("raw", "sse_starlette", "sse_bridge_asgi", "sse_bridge_starlette")
FILES_BESIDES = 200


class Crowd:
    """The open streams of one server; leaving the context closes them."""

    def __init__(self, server: Server, size: int) -> None:
        self.server = server
        self.connections: list[socket.socket] = []
        self.add(FIRST)
        server.settled_cpu()
        self.memory_before = server.memory()
        self.add(size)
        server.settled_cpu()

    @property
    def size(self) -> int:
        return len(self.connections) - FIRST

    def add(self, count: int) -> None:
        port = self.server.port()
        for start in range(0, count, BATCH):
            batch = [connect(port) for _ in range(min(BATCH, count - start))]
            self.connections += batch
            for connection in batch:
                connection.sendall(REQUEST)
            for connection in batch:
                await_event(connection)
                connection.setblocking(False)

    def memory(self) -> float:
        """Return the bytes that each stream holds, once it is certain that all are open."""
        self.refuse_dead(pinged=False)
        return (self.server.memory() - self.memory_before) / self.size

    def refuse_dead(self, pinged: bool) -> None:
        """Raise where a connection is closed, or has had nothing since this was last asked."""
        received = [received_by(connection) for connection in self.connections]
        if pinged and not all(received):
            raise ValueError(f"{received.count(0)} of {len(received)} streams had no ping")

    def close(self) -> None:
        for connection in self.connections:
            # A reset: thousands of sockets that wait out their time would be in the way.
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()


def received_by(connection: socket.socket) -> int:
    try:
        data = connection.recv(1 << 16)
    except BlockingIOError:
        return 0
    if not data:
        raise ConnectionError("an idle stream was closed")
    return len(data)


@contextmanager
def crowds(setting: Setting, names: tuple[str, ...]) -> Iterator[tuple[Field, dict[str, Crowd]]]:
    """Yield those whose streams are all open, and a field that knows why others are not."""
    with ExitStack() as stack:
        allow_files((setting.clients + FIRST) * len(setting.who or names) + FILES_BESIDES)
        servers = setting.servers(names)
        for server in servers.values():
            stack.enter_context(server)
        entered, opened = Field(), dict[str, Crowd]()

        def gather(name: str, server: Server) -> Sampler:
            opened[name] = crowd = Crowd(server, setting.clients)
            stack.callback(crowd.close)
            return crowd.memory

        for name, server in servers.items():
            entered.enter(name, partial(gather, name, server))
        yield entered, opened


def allow_files(count: int) -> None:
    """Raise this process's limit of open files, so far as it may; the servers inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def memory(setting: Setting, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the bytes by which each open stream has made its server grow."""
    with crowds(setting, names) as (field, _):
        yield field


@contextmanager
def share(setting: Setting, baseline: str, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds that a server spends in a second on its open streams."""
    with crowds(setting, names) as (field, opened):
        window = Window(opened, baseline)
        field.samplers = {name: window.of(name) for name in opened}
        yield field


class Window:
    """Some seconds in which all are watched at once, so that the baseline's two ends are one."""

    def __init__(self, crowds: dict[str, Crowd], baseline: str, seconds: float = WINDOW) -> None:
        self.crowds = crowds
        self.baseline = baseline
        self.seconds = seconds
        self.untold: dict[str, list[float]] = {}

    def of(self, name: str) -> Callable[[], float]:
        def sample() -> float:
            if not self.untold.get(name):
                self.untold = self.watch()
            return self.untold[name].pop()

        return sample

    def watch(self) -> dict[str, list[float]]:
        start = time.monotonic()
        before = {name: crowd.server.cpu() for name, crowd in self.crowds.items()}
        time.sleep(self.seconds)
        spent = {name: crowd.server.cpu() - before[name] for name, crowd in self.crowds.items()}
        seconds = time.monotonic() - start
        for name, crowd in self.crowds.items():
            crowd.refuse_dead(pinged=name in PINGED and self.seconds > PING)
        return {
            name: [cpu / seconds] * (2 if name == self.baseline else 1)
            for name, cpu in spent.items()
        }
