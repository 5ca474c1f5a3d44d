"""What a client waits for: its first event, and the end of its source when it has left."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median

from .inprocess import refuse_other_events
from .measure import Field, Sampler
from .over_http import LAST, REQUEST, await_event, connect, read, receive, unchunked
from .over_process import Server, Setting

REQUESTS = 60
LEAVINGS = 30

Summary = Callable[[Sequence[float]], float]


@contextmanager
def field(
    setting: Setting, make: Callable[[ExitStack, Server, Setting], Sampler], names: tuple[str, ...]
) -> Iterator[Field]:
    with ExitStack() as stack:
        servers = setting.servers(names)
        for server in servers.values():
            stack.enter_context(server)
        entered = Field()
        for name, server in servers.items():
            entered.enter(name, partial(make, stack, server, setting))
        yield entered


def first_event(stack: ExitStack, server: Server, setting: Setting) -> Sampler:
    """Sample the median time from a request to its first event."""
    connection = stack.enter_context(connect(server.port()))
    refuse_other_events(setting.work, unchunked(read([connection])[0]))
    return lambda: median(time_to_first_event(connection) for _ in range(REQUESTS))


def time_to_first_event(connection: socket.socket) -> float:
    start = time.perf_counter()
    connection.sendall(REQUEST)
    answer = await_event(connection)
    took = time.perf_counter() - start
    while not answer.endswith(LAST):
        receive(connection, answer)
    return took


def end_of_source(summary: Summary, _stack: ExitStack, server: Server, _: Setting) -> Sampler:
    """Sample the time from a client's close to the `finally` of its source."""
    port = server.port()
    time_to_end(server, port)

    def sample() -> float:
        return summary([time_to_end(server, port) for _ in range(LEAVINGS)])

    return sample


def time_to_end(server: Server, port: int) -> float:
    with connect(port) as connection:
        connection.sendall(REQUEST)
        await_event(connection)
        server.settled_cpu()  # so that it is the source that is waited for, and not its start
        start = time.monotonic()
    return float(server.line()) - start
