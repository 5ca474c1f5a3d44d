"""Thousands of streams that end in every way, in one process, which then has open what it had before.

`python -m soak.endings 2000` does so with gunicorn's gthread worker and Flask, then with uvicorn and Starlette.

A stream ends as drawn: finished, failed, left by FIN or by RST, stalled, left unread by a slow reader, refused
before its first byte; or it is asked for by HEAD only. Each client checks what it must have seen, and the process
what `on_end` was told.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers.client import Connection
from servers.harness import Server, running

from .upstream import upstream

SERVERS = {"gunicorn-gthread": "soaked_flask:app", "uvicorn": "soaked_starlette:app"}
WEIGHTS = {
    "finish": 6, "failure": 2, "leave": 6, "reset": 3, "stall": 2, "slow": 1, "head": 1, "refusal": 2
}  # fmt: skip
AT_ONCE = 40
THREADS = 64  # of gunicorn's worker
WARM_UP = 400  # streams; by then pools, caches and the allocator have what they want
PATIENCE = 30.0  # seconds until all that was left has ended

# What may have grown: the allocator's fragments. A leak of one stream in ten would be more, with all that it holds.
MEMORY = 4096  # KiB
MEMORY_BY_STREAM = 0.25  # KiB
EXACT = ("descriptors", "threads", "tasks", "generators", "streams", "stragglers")

# How a stream of each way ends, by what `on_end` is told; HEAD runs nothing.
ENDINGS = {
    "finish": "finished", "failure": "failed", "leave": "gone", "reset": "gone", "stall": "stalled",
    "refusal": "failed",
}  # fmt: skip
SLOW = {"gunicorn-gthread": "gone", "uvicorn": "slow"}  # WSGI knows no time limit of a write


@dataclass
class Figures:
    """One server's soak."""

    server: str
    streams: int
    seconds: float = 0.0
    ways: Counter[str] = field(default_factory=Counter)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [f"{self.server}: {self.streams} streams in {self.seconds:.0f} s", ""]
        rows += ["| | before | after |", "| --- | --- | --- |"]
        rows += [
            f"| {name} | {self.before[name]} | {self.after[name]} |" for name in ("memory", *EXACT)
        ]
        rows += ["", ", ".join(f"{number} {way}" for way, number in sorted(self.ways.items()))]
        return "\n".join([*rows, *self.faults])


def soak(server: str, streams: int, warm_up: int = WARM_UP, seed: int = 1) -> Figures:
    """Stream, end, and compare."""
    figures = Figures(server, streams)
    with tempfile.TemporaryDirectory() as folder, upstream() as port:
        environment = {"UPSTREAM": str(port)}
        log = Path(folder) / "log"
        with running(server, SERVERS[server], log, threads=THREADS, env=environment) as process:
            run(process, draw(warm_up, random.Random(seed)), figures)
            figures.before = settled(process)
            began, mark = time.monotonic(), process.mark()
            ways = draw(streams, random.Random(seed + 1))
            run(process, ways, figures)
            figures.seconds = time.monotonic() - began
            figures.after = settled(process)
            figures.ways = Counter(way for _, way in ways)
            compare(figures, process.log(mark))
    return figures


def draw(number: int, chance: random.Random) -> list[tuple[str, str]]:
    """So many streams: sync or async, and how each ends."""
    ways = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=number)
    return [(chance.choice(("sync", "async")), way) for way in ways]


def run(server: Server, ways: list[tuple[str, str]], figures: Figures) -> None:
    """Be the clients."""

    def one(drawn: tuple[str, str]) -> str | None:
        kind, way = drawn
        try:
            CLIENTS.get(way, read)(server, f"/{kind}/{way}", way)
        except Exception as error:
            return f"{kind} {way}: {error!r}"
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        figures.faults += filter(None, pool.map(one, ways))


def settled(server: Server) -> dict[str, Any]:
    """The process's books, once all that was left has ended."""
    until = time.monotonic() + PATIENCE
    while True:
        with server.get("/books") as response:
            books: dict[str, Any] = json.loads(response.read_all())
        if not any(books[name] for name in ("streams", "stragglers", "generators")):
            time.sleep(0.5)  # and what they had open is closed
            with server.get("/books") as response:
                return dict(json.loads(response.read_all()))
        if time.monotonic() > until:
            return books
        time.sleep(0.1)


def compare(figures: Figures, log: str) -> None:
    """Note all that is not as it was, or not as it was drawn."""
    before, after, faults = figures.before, figures.after, figures.faults
    faults += [
        f"{name}: {before[name]} before, {after[name]} after"
        for name in EXACT
        if after[name] > before[name] or (name == "generators" and after[name])
    ]
    if (grown := after["memory"] - before["memory"]) > MEMORY + MEMORY_BY_STREAM * figures.streams:
        faults.append(f"memory grew by {grown} KiB")
    told = Counter(after["endings"]) - Counter(before["endings"])
    expected = Counter(
        f"{way} {ENDINGS.get(way, SLOW[figures.server])}"
        for way in figures.ways.elements()
        if way != "head"
    )
    if told != expected:
        faults.append(f"on_end: too few {expected - told}, too many {told - expected}")
    faults += unexpected(figures, [line for line in log.splitlines() if "ERROR" in line])


def unexpected(figures: Figures, errors: list[str]) -> list[str]:
    """Errors in the log that should not be there, or are missing; clients that leave are none."""
    deliberate = [line for line in errors if "stream failed after" in line]
    # Uvicorn's way of closing the connection of a reader that was given up on.
    incomplete = [line for line in errors if "returned without completing response" in line]
    others = [line for line in errors if line not in deliberate and line not in incomplete]
    faults = [f"logged: {line}" for line in others[:3]]
    if len(deliberate) != figures.ways["failure"]:
        faults.append(f"{len(deliberate)} failures logged, there were {figures.ways['failure']}")
    if len(incomplete) > figures.ways["slow"]:
        faults.append(
            f"{len(incomplete)} responses not completed, {figures.ways['slow']} slow readers"
        )
    return faults


# -- the clients ----------------------------------------------------------------------------------

LAST = {"finish": b"event: done\n", "failure": b"event: error\n", "stall": b'"upstream_stalled"'}


def read(server: Server, path: str, way: str) -> None:
    """Read to the end, which is as it should be."""
    with server.get(path) as response:
        body = response.read_all()
    assert response.status == 200, response.status
    assert response.ended_cleanly, response.ending
    assert body.startswith(b"data: word 0 \n\n"), body[:80]
    assert LAST[way] in body.split(b"\n\n")[-2], body[-120:]


def leave(server: Server, path: str, way: str) -> None:
    """Leave in the middle."""
    connection = server.connect()
    response = connection.request("GET", path, {})
    assert response.read_until() == b"data: word 0 \n\n"
    time.sleep(random.random() * 0.02)
    if way == "reset":
        connection.reset()
    else:
        connection.hang_up()


def stop_reading(server: Server, path: str, way: str) -> None:
    """Take what fits into a small buffer; after a while, leave."""
    with Connection(server.port) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send("GET", path)
        time.sleep(0.8)


def head(server: Server, path: str, way: str) -> None:
    """Ask for the headers only."""
    with server.connect() as connection:
        response = connection.request("HEAD", path, {})
        assert response.status == 200, response.status
        assert response.headers["content-type"].startswith("text/event-stream")


def refused(server: Server, path: str, way: str) -> None:
    """Get a real status."""
    with server.get(path) as response:
        assert response.status == 429, response.status


CLIENTS: dict[str, Callable[[Server, str, str], None]] = {
    "leave": leave, "reset": leave, "slow": stop_reading, "head": head, "refusal": refused
}  # fmt: skip


if __name__ == "__main__":
    number = int(sys.argv[1])
    for name in SERVERS:
        done = soak(name, number)
        print(done, end="\n\n", flush=True)
        if done.faults:
            sys.exit(1)
