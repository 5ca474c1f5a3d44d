"""The CPU of a server, read from outside while clients in this process read its streams."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from .inprocess import refuse_other_events
from .measure import Field, Sampler
from .over_http import connect, pieces, read
from .over_process import Server, Setting


@contextmanager
def field(setting: Setting, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the server's CPU seconds for a stream, with so many of them at once."""
    with ExitStack() as stack:
        servers = setting.servers(names)
        for server in servers.values():
            stack.enter_context(server)
        entered = Field()
        for name, server in servers.items():
            entered.enter(name, partial(sampler, stack, server, setting))
        yield entered


def sampler(stack: ExitStack, server: Server, setting: Setting) -> Sampler:
    port = server.port()
    connections = [stack.enter_context(connect(port)) for _ in range(setting.clients)]
    check(setting, read(connections)[0])
    events = setting.work.events
    once = sample(server, connections, events, 1) * setting.clients
    rounds = max(1, round(setting.seconds / once))
    return partial(sample, server, connections, events, rounds)


def check(setting: Setting, answer: bytes) -> None:
    """Raise where these are other events, or were sent in other company than they should be."""
    sent = pieces(answer)
    refuse_other_events(setting.work, b"".join(sent))
    alone = sum(b"data: " in piece for piece in sent)
    if setting.work.pace == "ticking" and alone < setting.work.events:
        raise ValueError(f"{setting.work.events} chunks were to go alone, but in {alone} pieces")


def sample(server: Server, connections: list[socket.socket], events: int, rounds: int) -> float:
    # A stream may outlive its client: what the server still does must not count as the next one's.
    before = server.settled_cpu()
    bodies = [body for _ in range(rounds) for body in read(connections)]
    spent = server.settled_cpu() - before
    fewest = min(body.count(b"data: ") for body in bodies)
    if fewest < events:
        raise ValueError(f"a timed stream had {fewest} events instead of {events}")
    return spent / len(bodies)
