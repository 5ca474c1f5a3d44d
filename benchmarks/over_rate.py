"""How many streams a second a server answers to clients that ask again at once."""

import selectors
import socket
import time
from contextlib import ExitStack
from functools import partial
from typing import cast

from .inprocess import refuse_other_events
from .measure import Sampler
from .over_http import LAST, REQUEST, connect, read, receive, unchunked
from .over_process import PATIENCE, Server, Setting


def per_second(stack: ExitStack, server: Server, setting: Setting) -> Sampler:
    """Sample the streams a second, for as many seconds as the setting asks for."""
    port = server.port()
    connections = [stack.enter_context(connect(port)) for _ in range(setting.clients)]
    refuse_other_events(setting.work, unchunked(read(connections)[0]))
    return lambda: Clients(connections, setting.work.events).rate(setting.seconds)


class Clients:
    """Clients that each ask again as soon as they have a whole answer."""

    def __init__(self, connections: list[socket.socket], events: int) -> None:
        self.events = events
        self.streams = 0
        self.answers = {connection: bytearray() for connection in connections}

    def rate(self, seconds: float) -> float:
        """Return the streams a second, from the first question to the last answer."""
        start = time.perf_counter()
        ended = partial(self.ended, start + seconds)
        with selectors.DefaultSelector() as selector:
            for connection in self.answers:
                selector.register(connection, selectors.EVENT_READ)
                connection.sendall(REQUEST)
            while selector.get_map():
                for connection in readable(selector):
                    if self.heard(connection) and ended(connection):
                        selector.unregister(connection)
        return self.streams / (time.perf_counter() - start)

    def heard(self, connection: socket.socket) -> bool:
        """Read once, and return whether the answer is whole."""
        answer = self.answers[connection]
        receive(connection, answer)
        return answer.endswith(LAST)

    def ended(self, end: float, connection: socket.socket) -> bool:
        """Count this answer; return whether it was the last, or ask again."""
        answer = self.answers[connection]
        if (found := answer.count(b"data: ")) < self.events:
            raise ValueError(f"a timed stream had {found} events instead of {self.events}")
        self.streams += 1
        answer.clear()
        if time.perf_counter() >= end:
            return True
        connection.sendall(REQUEST)
        return False


def readable(selector: selectors.BaseSelector) -> list[socket.socket]:
    ready = selector.select(PATIENCE)
    if not ready:
        raise TimeoutError(f"no byte for {PATIENCE:g} seconds")
    return [cast("socket.socket", key.fileobj) for key, _ in ready]
