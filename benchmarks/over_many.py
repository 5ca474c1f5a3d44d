"""Very many idle streams on one core: how memory grows, what pings cost, and how late the latest is.

Each contender is watched by itself: beside another server's thousands of streams no ping would be on time.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import cast

from .measure import Field, Sampler
from .over_idle import FILES_BESIDES, FIRST, Crowd, allow_files, received_by
from .over_process import Server, Setting
from .row import grid

WINDOWS = 5  # in each of which every stream has a ping


@dataclass
class Seen:
    """What was seen of one contender: bytes a stream by the number of streams, and the rest of all."""

    memory: dict[int, float] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    late: float = 0.0


class Many:
    """Streams of one setting, opened in steps; what was seen is kept, for all rows that ask for it."""

    def __init__(self, setting: Setting, sizes: tuple[int, ...]) -> None:
        self.setting = setting
        self.sizes = sizes
        self.seen: dict[str, Seen] = {}

    def of(self, name: str) -> Seen:
        if name not in self.seen:
            self.seen[name] = self.watched(name)
        return self.seen[name]

    def watched(self, name: str) -> Seen:
        allow_files(self.sizes[-1] + FIRST + FILES_BESIDES)
        seen = Seen()
        with Server(self.setting.server, name, self.setting.work) as server:
            keep_on_one_core(server)
            with closing(Crowd(server, self.sizes[0])) as crowd:
                for size in self.sizes:
                    crowd.add(size - crowd.size)
                    seen.memory[size] = crowd.memory()
                watch = Watch(crowd, self.setting.work.ping)
                seen.shares = [watch.window() for _ in range(WINDOWS)]
                seen.late = watch.latest()
        return seen

    @contextmanager
    def memory(self, _names: tuple[str, ...]) -> Iterator[Field]:
        """Yield samplers of the bytes that each stream holds, for each number of them."""
        entered = Field()
        for name in self.setting.who:
            for size in self.sizes:
                entered.enter(grid(name, size), partial(self.memory_sampler, name, size))
        yield entered

    def memory_sampler(self, name: str, size: int) -> Sampler:
        held = self.of(name).memory[size]
        return lambda: held

    @contextmanager
    def share(self, _names: tuple[str, ...]) -> Iterator[Field]:
        """Yield samplers of the CPU seconds that a server spends in a second: a window's at a time."""
        entered = Field()
        for name in self.setting.who:
            entered.enter(name, partial(self.share_sampler, name))
        yield entered

    @contextmanager
    def late(self, _names: tuple[str, ...]) -> Iterator[Field]:
        """Yield samplers of how late the latest of all pings was, as a share of the wait for it."""
        entered = Field()
        for name in self.setting.who:
            entered.enter(name, partial(self.late_sampler, name))
        yield entered

    def share_sampler(self, name: str) -> Sampler:
        return partial(next, cycle(self.of(name).shares))

    def late_sampler(self, name: str) -> Sampler:
        late = self.of(name).late
        return lambda: late


class Watch:
    """The pings of a crowd, each told by when it came."""

    def __init__(self, crowd: Crowd, ping: float) -> None:
        self.crowd = crowd
        self.ping = ping
        crowd.refuse_dead(pinged=False)
        self.came = dict.fromkeys(crowd.connections, 0.0)
        self.longest = 0.0

    def window(self) -> float:
        """Read pings for as long as each stream needs to have one; return the server's share of a core."""
        start, before = time.monotonic(), self.crowd.server.cpu()
        with selectors.DefaultSelector() as selector:
            for connection in self.came:
                selector.register(connection, selectors.EVENT_READ)
            while (left := start + self.ping - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    self.heard(cast("socket.socket", key.fileobj))
        return (self.crowd.server.cpu() - before) / (time.monotonic() - start)

    def heard(self, connection: socket.socket) -> None:
        received_by(connection)
        now = time.monotonic()
        # How long the first of its pings took is not known.
        if before := self.came[connection]:
            self.longest = max(self.longest, now - before)
        self.came[connection] = now

    def latest(self) -> float:
        """Return by how much of its wait the latest ping was late; one that has yet to come is late too."""
        now = time.monotonic()
        if silent := list(self.came.values()).count(0.0):
            raise ValueError(f"{silent} of {len(self.came)} streams had no ping")
        waited = max(now - came for came in self.came.values())
        return max(self.longest, waited) / self.ping - 1


def keep_on_one_core(server: Server) -> None:
    server.port()
    os.sched_setaffinity(server.process.pid, {max(os.sched_getaffinity(0))})
