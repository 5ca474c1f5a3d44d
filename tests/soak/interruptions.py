"""The law of interrupting: inside an upstream read or not at all, and never at the cost of another request.

`interruptions(1000)` makes streams whose sources read an upstream and between two reads take a lock and
commit to SQLite, and which ask again when a connection fails, as users' code does. It ends them at random
moments until so many were interrupted, and gives the `Figures`. `python -m soak.interruptions 100000`
prints them.
"""

from __future__ import annotations

import contextvars
import gc
import http.client
import itertools
import json
import random
import sqlite3
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import requests

from certificates import certificate
from sse_bridge.drivers.connection import Connection
from sse_bridge.interrupt import Interrupted
from sse_bridge.loops.background import background_home
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.options import Options

from .upstream import upstream

CLIENTS = ("http.client.", "urllib3.", "httpcore.")
TRIES = 50  # while the source runs on
PATIENCE = 30.0  # seconds until a source that has not ended counts as stuck
FAILURES = (http.client.HTTPException, httpx.TransportError, OSError)  # what users ask again after


@dataclass
class Figures:
    """What came of it."""

    interrupted: int = 0
    closed: int = 0  # ended at a yield: it was not blocked when its client left
    faults: list[str] = field(default_factory=list)  # whatever must not be
    raised_in: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        where = "\n".join(
            f"{number:8} in {place}" for place, number in self.raised_in.most_common()
        )
        faults = "\n".join(self.faults[:20])
        return (
            f"{self.interrupted} interrupted, {self.closed} closed between reads, "
            f"{len(self.faults)} faults, {self.seconds:.0f} s\n{where}\n{faults}"
        )


class Soak:
    """One run: the upstreams, the database and its lock, and the books."""

    def __init__(
        self, folder: Path, ports: dict[str, int], trust: ssl.SSLContext, ca: Path
    ) -> None:
        self.figures = Figures()
        self._ports = ports
        self._trust = trust
        self._numbers = itertools.count()
        self._httpx = {
            "http": httpx.Client(limits=httpx.Limits(max_connections=None)),
            "https": httpx.Client(verify=trust),
        }
        self._requests = requests.Session()
        self._ca = str(ca)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "rows.db", check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE rows (stream INTEGER)")
        self._committed = 0
        self._failures: dict[str, list[str]] = {}  # what a stream asked again after

    # -- what users write -------------------------------------------------------------------------

    def source(self, number: int, scheme: str, read: Any, pace: str) -> Iterator[str]:
        try:
            for _ in range(3):
                try:
                    for line in read(self, scheme, f"/{pace}/{number}"):
                        self._commit(number)
                        yield line
                except FAILURES as failure:
                    said = " > ".join([*_places(failure), repr(failure)])
                    self._failures.setdefault(str(number), []).append(said)
            self.figures.faults.append(f"{number} gave up asking")
        except GeneratorExit as exit:
            self._note(exit)
            raise

    def _commit(self, number: int) -> None:
        with self._lock:
            self._database.execute("INSERT INTO rows VALUES (?)", (number,))
            self._database.commit()
            self._committed += 1

    def by_http_client(self, scheme: str, path: str) -> Iterator[str]:
        address = ("127.0.0.1", self._ports[scheme])
        connection = (
            http.client.HTTPSConnection(*address, timeout=PATIENCE, context=self._trust)
            if scheme == "https"
            else http.client.HTTPConnection(*address, timeout=PATIENCE)
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            while line := response.readline():
                yield line.decode()
        finally:
            connection.close()

    def by_requests(self, scheme: str, path: str) -> Iterator[str]:
        with self._requests.get(
            self._url(scheme, path), stream=True, timeout=PATIENCE, verify=self._ca
        ) as response:
            for line in response.iter_lines(chunk_size=64):
                yield line.decode()

    def by_httpx(self, scheme: str, path: str) -> Iterator[str]:
        url = self._url(scheme, path)
        with self._httpx[scheme].stream("GET", url, timeout=PATIENCE) as response:
            yield from response.iter_lines()

    def _url(self, scheme: str, path: str) -> str:
        return f"{scheme}://127.0.0.1:{self._ports[scheme]}{path}"

    # -- their clients, who leave -----------------------------------------------------------------

    def run(self, count: int, seed: int) -> None:
        """Open a stream and end it, one after the other, until so many were interrupted."""
        chance = random.Random(seed)
        while self.figures.interrupted < count and len(self.figures.faults) < 100:
            number = next(self._numbers)
            scheme = chance.choices(["http", "https"], [9, 1])[0]
            read = chance.choice([Soak.by_http_client, Soak.by_requests, Soak.by_httpx])
            pace = chance.choices(["silent", "stalling", "trickling", "flooding"], [1, 1, 6, 1])[0]
            self._end_one(number, self.source(number, scheme, read, pace), chance)

    def _end_one(self, number: int, source: Iterator[str], chance: random.Random) -> None:
        signal = ThreadSignal()
        options = Options(ping=None, send_timeout=None)
        context = contextvars.copy_context()
        connection = Connection(source, options, context, signal.set, background_home)
        connection.open(time.monotonic())
        connection.begin()
        self._read_on(connection, signal, time.monotonic() + chance.random() * 0.006)
        if chance.random() < 0.5:
            self._insist(connection, chance)
        connection.stream.gone()
        connection.conclude(since := time.monotonic())
        until = time.monotonic() + PATIENCE
        while not connection.worker.done and time.monotonic() < until:
            signal.wait(time.monotonic() + 0.1)
        if not connection.worker.done:
            self.figures.faults.append(f"{number} is stuck")
        connection.release(since)

    def _read_on(self, connection: Connection, signal: ThreadSignal, until: float) -> None:
        while (now := time.monotonic()) < until:
            connection.step(now)
            if connection.pipe.idle():
                signal.wait(until)

    def _insist(self, connection: Connection, chance: random.Random) -> None:
        """Try and try while the source is running at full speed: the worst that can be done to it."""
        worker: Any = connection.worker
        for _ in range(TRIES):
            if worker.cleaning or worker._place.interrupt(lambda: worker.cleaning):
                return
            connection.pipe.take()
            time.sleep(chance.random() * 0.0001)

    # -- the books --------------------------------------------------------------------------------

    def _note(self, exit: GeneratorExit) -> None:
        if not isinstance(exit, Interrupted):
            self.figures.closed += 1
            return
        self.figures.interrupted += 1
        places = list(_places(exit))
        self.figures.raised_in[places[-1]] += 1
        if not any(place.startswith(CLIENTS) for place in places):
            self.figures.faults.append("raised outside of a read: " + " > ".join(places))

    def audit(self) -> None:
        """Compare what is there with what should be."""
        rows = self._database.execute("SELECT count(*) FROM rows").fetchone()[0]
        if rows != self._committed:
            self.figures.faults.append(f"{self._committed} rows were committed, {rows} are there")
        if self._database.in_transaction:
            self.figures.faults.append("a transaction is open")
        if self._lock.locked():
            self.figures.faults.append("the lock is held")
        for scheme in self._ports:
            asked = json.loads("".join(self.by_http_client(scheme, "/asked")))
            self.figures.faults += [
                f"{number} asked {times} times, after {self._failures.get(number)}"
                for number, times in asked.items()
                if times > 1
            ]

    def close(self) -> None:
        for client in self._httpx.values():
            client.close()
        self._requests.close()
        self._database.close()


def _places(error: BaseException) -> Iterator[str]:
    """The functions that it went through, the outermost first."""
    at = error.__traceback__
    while at is not None:
        yield f"{at.tb_frame.f_globals.get('__name__')}.{at.tb_frame.f_code.co_name}"
        at = at.tb_next


def interruptions(
    count: int, *, clients: int = 6, switch_interval: float = 1e-5, seed: int = 0
) -> Figures:
    """Interrupt so many, and say what came of it; whatever must not happen is among `faults`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        proof = certificate(folder)
        ports = {
            "http": stack.enter_context(upstream()),
            "https": stack.enter_context(upstream(proof)),
        }
        soak = Soak(folder, ports, proof.trust(), proof.path)
        stack.callback(soak.close)
        stack.enter_context(_hooks(soak.figures))
        stack.enter_context(_switching(switch_interval))
        stack.enter_context(_collecting())
        began = time.monotonic()
        _all(lambda client: soak.run(count, seed * 1000 + client), clients)
        soak.figures.seconds = time.monotonic() - began
        soak.audit()
    return soak.figures


def _all(run: Callable[[int], None], clients: int) -> None:
    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _hooks(figures: Figures) -> Iterator[None]:
    """What is raised where nobody can catch it is a fault, too."""
    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = lambda args: figures.faults.append(
        f"ignored in {args.object}: {args.exc_value!r}"
    )
    threading.excepthook = lambda args: figures.faults.append(
        f"ended {args.thread}: {args.exc_value!r}"
    )
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = before


@contextmanager
def _switching(interval: float) -> Iterator[None]:
    """Threads take turns so often that whatever can come between does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _collecting() -> Iterator[None]:
    """Garbage is collected often, and each time Python code is run: an exception must not end up there."""
    before = gc.get_threshold()
    gc.callbacks.append(_collected)
    gc.set_threshold(100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(_collected)


def _collected(phase: str, info: dict[str, int]) -> None:
    """Do nothing, in Python."""


if __name__ == "__main__":
    figures = interruptions(int(sys.argv[1]))
    print(figures)
    sys.exit(bool(figures.faults))
