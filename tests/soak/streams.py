"""Thousands of streams that end in every way, against one process: it has open afterwards what it had before.

`python -m soak.streams 2000` does so with gunicorn's gthread worker and Flask, then with uvicorn and Starlette,
and prints what docs/soak.md shows. A second argument is the seed.

1. A warm-up comes first: pools, caches, connections and the allocator have then what they want.
2. What must be as before is compared exactly. Memory cannot be: see `ALLOWED`.
3. Nothing waits for ever: each step of a client has a limit, and so has the whole.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from doubles import OpenAIDouble
from servers.harness import Server, running

from .ways import ANSWERS, Drawn, ask, be_client, draw

SERVERS = {"gunicorn-gthread": "soak.app_flask:app", "uvicorn": "soak.app_starlette:app"}
AT_ONCE = 50
THREADS = 64  # of gunicorn's worker: a thread for each client, and some to ask the books
WARM_UP = 1000  # streams
SETTLING = 20.0  # seconds until all that was left has ended
TESTS = Path(__file__).resolve().parents[1]

EXACT = (
    "descriptors", "threads", "threads unknown to Python", "asyncio tasks", "generators",
    "upstream requests", "streams", "stragglers",
)  # fmt: skip

# Growth that is no leak: once, and for each stream.
ALLOWED = {"memory, KiB": (4096, 0.1), "blocks": (2000, 0.05)}
POOLS = "threads of pools"
POOLED = THREADS + 32  # gunicorn's and asyncio's: each grows when it likes, up to its own size
ROWS = (*ALLOWED, *EXACT, POOLS)

# Else each thread keeps memory for itself, and what it keeps grows with the threads that come and go.
ONE_HEAP = "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"

A_RECORD = re.compile(r"(?m)^(?=(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):|\[\d)")
AN_ERROR = re.compile(r"(?:ERROR|CRITICAL):|\[[^\n]*\[(?:ERROR|CRITICAL)\]")
# Uvicorn's word for a reader that was given up on: it is still there, so the connection is cut under it.
GIVEN_UP = "ERROR:    ASGI callable returned without completing response."
TROUBLE = ("Traceback", "Exception ignored", "never retrieved", "never awaited")


@dataclass
class Figures:
    """What came of one server's soak."""

    server: str
    streams: int
    seed: int
    seconds: float = 0.0
    drawn: Counter[str] = field(default_factory=Counter)  # by way and what `on_end` must say
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    logged: Counter[str] = field(default_factory=Counter)  # by level
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.server}: {self.streams} streams, seed {self.seed}, {self.seconds:.0f} s"]
        lines += ["", "| | before | after |", "| --- | ---: | ---: |"]
        lines += [f"| {name} | {self.before[name]} | {self.after.get(name)} |" for name in ROWS]
        lines += ["", "Ended: " + _listed(self.drawn), "Logged: " + _listed(self.logged)]
        return "\n".join([*lines, f"{len(self.faults)} faults", *self.faults[:20]])


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counted.items()))


def soak(server: str, streams: int, *, warm_up: int = WARM_UP, seed: int = 1) -> Figures:
    """Stream, end, and compare."""
    figures = Figures(server, streams, seed)
    chance = random.Random(seed)
    first, rest = (draw(r, chance) for r in (range(warm_up), range(warm_up, warm_up + streams)))
    with _served(server, warm_up + streams) as process:
        run(process, first, figures)
        figures.before = settled(process, figures)
        mark, began = process.mark(), time.monotonic()
        run(process, rest, figures)
        figures.seconds = time.monotonic() - began
        figures.after = settled(process, figures)
        figures.faults += grown(figures)
        check_told(figures, [*first, *rest], json.loads(ask(process, "/told")))
        check_log(figures, process.log(mark), rest)
    figures.drawn = Counter(f"{d.way} ({d.expected or 'no stream'})" for d in rest)
    return figures


@contextmanager
def _served(server: str, streams: int) -> Iterator[Server]:
    """The process, and the models that its sources read."""
    with ExitStack() as stack:
        models = {way: stack.enter_context(OpenAIDouble(a)) for way, a in ANSWERS.items()}
        log = Path(stack.enter_context(TemporaryDirectory())) / "log"
        environment = {
            "GLIBC_TUNABLES": ONE_HEAP,
            "STREAMS": str(streams),
            "UPSTREAMS": json.dumps({way: model.base_url for way, model in models.items()}),
            "PYTHONPATH": ":".join([str(TESTS), *filter(None, sys.path)]),
        }
        app = SERVERS[server]
        yield stack.enter_context(running(server, app, log, threads=THREADS, env=environment))


def run(server: Server, drawn: list[Drawn], figures: Figures) -> None:
    """Be the clients."""
    until = time.monotonic() + 60 + 0.2 * len(drawn)

    def one(stream: Drawn) -> None:
        try:
            assert time.monotonic() < until, "the whole takes too long"
            be_client(server, stream)
        except Exception as error:
            figures.faults.append(f"{stream}: {error!r}")

    with ThreadPoolExecutor(AT_ONCE) as clients:
        list(clients.map(one, drawn))


def settled(server: Server, figures: Figures) -> dict[str, int]:
    """The books once all that was left has ended: as before, or twice the same when there is no before."""
    until = time.monotonic() + SETTLING
    last: dict[str, int] = {}
    while time.monotonic() < until:
        seen: dict[str, int] = json.loads(ask(server, "/books"))
        idle = not (seen["streams"] or seen["stragglers"] or seen["upstream requests"])
        still = all(seen[name] == (figures.before or last).get(name) for name in EXACT)
        if idle and still:
            return seen
        last = seen
        time.sleep(0.5)
    return last


# -- what must be so -------------------------------------------------------------------------------


def grown(figures: Figures) -> Iterator[str]:
    """What is not as it was."""
    before, after = figures.before, figures.after
    for name in EXACT:
        if before[name] != after[name]:
            yield f"{name}: {before[name]} before, {after[name]} after"
    for name in ("generators", "upstream requests", "streams", "stragglers"):
        if after[name]:
            yield f"{name}: {after[name]}"
    if after[POOLS] > POOLED:
        yield f"{POOLS}: {after[POOLS]}"
    for name, (beyond, each) in ALLOWED.items():
        if (more := after[name] - before[name]) > beyond + each * figures.streams:
            yield f"{name}: {more} more"


def check_told(figures: Figures, drawn: list[Drawn], told: list[str]) -> None:
    """`on_end` was called once for each stream, with the ending that was drawn."""
    for stream in drawn:
        if (said := told[stream.number]) != (due := stream.expected):
            figures.faults.append(f"{stream}: on_end said {said!r}, not {due!r}")


def check_log(figures: Figures, log: str, drawn: list[Drawn]) -> None:
    """Each deliberate failure is one error in the log, a slow reader may be one of uvicorn's, and that is all."""
    records = [record.strip() for record in A_RECORD.split(log) if record.strip()]
    figures.logged = Counter(map(_level, records))
    ways = Counter(stream.way for stream in drawn)
    failed = [r for r in records if r.startswith("ERROR:sse_bridge:stream failed after")]
    given_up = [record for record in records if record == GIVEN_UP]
    if len(failed) != ways["failure"] or len(given_up) > ways["slow"]:
        figures.faults.append(
            f"logged: {len(failed)} failures, {len(given_up)} given up, of {ways}"
        )
    for record in records:
        bad = AN_ERROR.match(record) or any(words in record for words in TROUBLE)
        if bad and record not in failed and record != GIVEN_UP:
            figures.faults.append(f"logged: {record[:2000]}")


def _level(record: str) -> str:
    found = re.search(r"[A-Z]{4,}", record)
    return found[0] if found else "other"


def main(streams: int, seed: int) -> int:
    faults = 0
    for server in SERVERS:
        figures = soak(server, streams, seed=seed)
        print(figures, end="\n\n", flush=True)
        faults += len(figures.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    number, seed, *_ = [*map(int, sys.argv[1:]), *(2000, 1)[len(sys.argv) - 1 :]]
    sys.exit(main(number, seed))
