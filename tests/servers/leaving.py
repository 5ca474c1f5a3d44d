"""How soon does the model's connection end when the client leaves? `python -m servers.leaving`, in tests/.

Between the client and the model's double stands an app with the real SDKs on a real server. The source is blocked
in its read, and neither a chunk nor a ping nor the end of `hold` is due: only noticing ends it.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from doubles import BEFORE_HEADERS, DashScopeDouble, OpenAIDouble, Reply, Request, Stall

from .harness import ASGI_SERVERS, WSGI_SERVERS, Pool, Server
from .kinds import SERVERS

APPS = dict.fromkeys(WSGI_SERVERS, "relay_flask:app")
APPS |= dict.fromkeys(ASGI_SERVERS, "relay_starlette:app")

BLIND = {"granian-wsgi"}  # it shows no handle on the connection: a ping tells
BLIND_PING = 0.5
PHASES = {
    "granian-wsgi": BLIND_PING,
}  # those who ask now and then, are left any time
NEVER = 60.0  # seconds: nothing of ours comes up by itself while a case is measured

STALLS = {
    "mid-stream": Reply(["a", "b"], at={2: Stall()}),
    "before the first token": Reply(["a", "b"], at={BEFORE_HEADERS: Stall()}),
}


@dataclass(frozen=True)
class Case:
    server: str
    kind: str  # of the source: sync or async
    vendor: str
    moment: str
    way: str  # FIN or RST

    def __str__(self) -> str:
        return f"{self.server}, {self.kind}, {self.vendor}, {self.moment}, {self.way}"


def cases(servers: Iterable[str]) -> Iterator[Case]:
    """The whole matrix: with OpenAI's SDK in every way, with DashScope's by FIN."""
    for server in servers:
        for kind in ("sync", "async"):
            for vendor, way in (("openai", "FIN"), ("openai", "RST"), ("dashscope", "FIN")):
                for moment in STALLS:
                    case = Case(server, kind, vendor, moment, way)
                    if not impossible(case):
                        yield case


def impossible(case: Case) -> bool:
    return case.kind == "async" and case.vendor == "dashscope" and case.server == "hypercorn-trio"


@dataclass
class Models:
    """A double for each vendor and moment, and how often each was asked, by the `model` of the request."""

    doubles: dict[tuple[str, str], Any] = field(default_factory=dict)
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        for moment, stall in STALLS.items():
            self.doubles["openai", moment] = self._running.enter_context(OpenAIDouble(stall))
            self.doubles["dashscope", moment] = self._running.enter_context(DashScopeDouble(stall))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def asked(self) -> Counter[str]:
        requests = [request for double in self.doubles.values() for request in double.requests]
        return Counter(request.json()["model"] for request in requests)

    def request(self, case: Case, model: str, timeout: float = 40.0) -> Request:
        """The first request for this model, once it has come."""
        double, end = self.doubles[case.vendor, case.moment], time.monotonic() + timeout
        while time.monotonic() < end:
            for request in reversed(double.requests):
                if request.json()["model"] == model:
                    return request  # type: ignore[no-any-return]
            time.sleep(0.002)
        raise AssertionError(f"the model was not asked: {case}")


def path(case: Case, models: Models, model: str, ping: float = NEVER) -> str:
    double = models.doubles[case.vendor, case.moment]
    query = {
        "vendor": case.vendor,
        "upstream": double.base_url if case.vendor == "openai" else double.base_address,
        "incremental_output": "true",
        "dialect": "delta",
        "inside": "1",
        "retries": "2",  # the SDK's default: it would ask again, and be billed again
        "model": model,
        "hold": NEVER,
        "ping": ping,
    }
    if case.server in BLIND:
        query["ping"] = BLIND_PING
        if case.moment != "mid-stream":
            query["hold"] = 0.05  # until it is over nothing can be written
    return f"/{case.kind}/chat/completions?{urlencode(query)}"


def measure(
    server: Server,
    models: Models,
    case: Case,
    model: str,
    *,
    ping: float = NEVER,
    body: bytes = b"{}",
    pipelined: bytes = b"",
) -> float:
    """Seconds from the client's close until the model's server sees its own connection end.

    The request has `body`, which the app leaves unread, and `pipelined` comes after it.
    """
    with server.connect() as connection:
        connection.send("POST", path(case, models, model, ping), body=body)
        request = models.request(case, model)
        assert request.stalled.wait(5)
        if case.moment == "mid-stream":
            assert connection.response("POST").read_until().startswith(b"event: delta")
        elif case.server in BLIND:
            connection.response("POST")
        connection.socket.sendall(pipelined)
        time.sleep(
            random.uniform(0.02, PHASES.get(case.server, 0.03))
        )  # until all has come to rest
        left = time.monotonic()
        connection.reset() if case.way == "RST" else connection.hang_up()
        return request.wait_hangup(timeout=8.0).at - left


@dataclass
class Samples:
    """Measured seconds, by case."""

    seconds: dict[Case, list[float]] = field(default_factory=dict)

    def add(self, case: Case, seconds: float) -> None:
        self.seconds.setdefault(case, []).append(seconds)

    def table(self) -> str:
        """In milliseconds, median and worst, as Markdown."""
        servers = dict.fromkeys((case.server, case.kind) for case in self.seconds)
        lines = [
            "| server | source | " + " | ".join(f"{m}, {w}" for m in STALLS for w in WAYS) + " |",
            "| --- | --- |" + " --- |" * (len(STALLS) * len(WAYS)),
        ]
        for server, kind in servers:
            cells = [self._cell(server, kind, m, w) for m in STALLS for w in WAYS]
            lines.append(f"| {server} | {kind} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _cell(self, server: str, kind: str, moment: str, way: str) -> str:
        found = [
            seconds
            for case, taken in self.seconds.items()
            if (case.server, case.kind, case.moment, case.way) == (server, kind, moment, way)
            for seconds in taken
        ]
        if not found:
            return ""
        return f"{statistics.median(found) * 1000:.1f} / {max(found) * 1000:.0f}"


WAYS = ("FIN", "RST")


def main(samples: int, *only: str) -> None:
    measured = Samples()
    with tempfile.TemporaryDirectory() as directory, Models() as models:
        for name in only or SERVERS:
            pool = Pool(Path(directory))
            try:
                server = pool(name, APPS[name])
                for case in cases([name]):
                    for number in range(samples):
                        try:
                            measured.add(case, measure(server, models, case, f"{case} {number}"))
                        except (AssertionError, OSError) as error:
                            print(f"failed: {case}: {error!r}\n{server.log()[-2000:]}")
            finally:
                pool.close()
        again = [model for model, times in models.asked().items() if times != 1]
    print(measured.table())
    print(f"\nEach cell: median / worst in ms, of {samples} samples and as many with DashScope.")
    print(f"Asked more than once: {again or 'nothing'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, *sys.argv[2:])
