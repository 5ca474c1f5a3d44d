"""The ways in which the soak's streams end: what the client does and must see, and what `on_end` must say."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from doubles import BEFORE_HEADERS, Cut, HttpError, Reply, Stall
from servers.client import Response
from servers.harness import Server
from sse_bridge import Decoder, ServerSentEvent

WORDS = [f"word {number} " for number in range(20)]
STALL_TIMEOUT = 0.3  # seconds
PATIENCE = 20.0  # seconds for one step of a client

# What the model answers. Where a client leaves or a timeout ends the stream, the source is blocked in a read.
STALLING = Reply(WORDS, at={5: Stall()})
ANSWERS = {
    "finish": Reply(WORDS),
    "failure": Reply(WORDS, at={5: Cut()}),
    "leave": STALLING,
    "reset": STALLING,
    "early leave": Reply(at={BEFORE_HEADERS: Stall()}),
    "stall": STALLING,
    "head": Reply(WORDS),
    "refusal": HttpError(429),
}

WEIGHTS = {
    "finish": 6, "failure": 2, "leave": 4, "reset": 4, "early leave": 2, "stall": 2, "slow": 1, "head": 1,
    "refusal": 2,
}  # fmt: skip

# What `on_end` says; an answer to HEAD is no stream.
ENDINGS = {
    "finish": "finished", "failure": "failed", "leave": "gone", "reset": "gone", "early leave": "gone",
    "stall": "stalled", "slow": "slow", "head": "", "refusal": "failed",
}  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One stream that is to be."""

    number: int
    way: str
    kind: str
    place: str
    dialect: str

    @property
    def path(self) -> str:
        way = self.way.replace(" ", "%20")
        query = f"number={self.number}&dialect={self.dialect}"
        return f"/streams/{self.kind}/{self.place}/{way}?{query}"

    @property
    def expected(self) -> str:
        """What `on_end` must say."""
        return ENDINGS[self.way]


def draw(numbers: range, chance: random.Random) -> list[Drawn]:
    ways = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=len(numbers))
    return [_drawn(number, way, chance) for number, way in zip(numbers, ways, strict=True)]


def _drawn(number: int, way: str, chance: random.Random) -> Drawn:
    kind, dialect = chance.choice(["sync", "async"]), chance.choice(["delta", "openai"])
    place = chance.choice(["own", "inside", "bare"])
    if way == "slow":  # a model is never that fast
        place = "own"
    elif (way == "early leave" or (way, kind) == ("stall", "sync")) and place == "own":
        place = "inside"  # nothing stops a thread that sleeps
    return Drawn(number, way, kind, place, dialect)


# -- the clients; each fails if it sees what it must not --------------------------------------------


def be_client(server: Server, drawn: Drawn) -> None:
    CLIENTS[drawn.way](server, drawn)


def read(server: Server, drawn: Drawn) -> None:
    """Read to the end: all of it, and the one end frame."""
    with server.connect(PATIENCE).request("GET", drawn.path) as response:
        body = response.read_all()
    assert response.status == 200, response.status
    assert response.ended_cleanly, response.ending
    events = list(Decoder().feed(body))
    check_end(events, drawn)
    said = text(events, drawn.dialect)
    whole = "".join(WORDS)
    assert said == whole if drawn.way == "finish" else said and whole.startswith(said), said


def check_end(events: list[ServerSentEvent], drawn: Drawn) -> None:
    done = [event for event in events if event.data == "[DONE]"]
    errors = [event for event in events if '"code":"upstream_' in event.data]
    if drawn.way == "finish":
        assert (len(done), errors, done) == (1, [], events[-1:]), events[-2:]
        return
    # What is not the test's own source's is a service that has hung up.
    codes = {"stall": "upstream_stalled", "own": "upstream_error"}
    code = codes.get(drawn.way) or codes.get(drawn.place) or "upstream_unreachable"
    ends = {"delta": events[-1:], "openai": events[-2:-1]}[drawn.dialect]
    assert errors == ends, events[-2:]
    assert f'"code":"{code}"' in errors[0].data, errors
    assert done == (events[-1:] if drawn.dialect == "openai" else []), events[-2:]


def text(events: list[ServerSentEvent], dialect: str) -> str:
    """What the model said."""
    if dialect == "delta":
        return "".join(json.loads(e.data)["text"] for e in events if e.event == "delta")
    chunks = [json.loads(event.data) for event in events if event.data.startswith('{"id"')]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)


def leave(server: Server, drawn: Drawn) -> None:
    """Leave in the middle, at a random moment."""
    response = server.connect(PATIENCE).request("GET", drawn.path)
    assert response.status == 200, response.status
    assert response.read_until().startswith((b"data: ", b"event: delta"))
    time.sleep(random.uniform(0, 0.03))
    if drawn.way == "reset":
        response.reset()
    else:
        response.hang_up()


def leave_early(server: Server, drawn: Drawn) -> None:
    """Leave before the model has said a word, and so before there is a status."""
    connection = server.connect(PATIENCE)
    connection.send("GET", drawn.path)
    time.sleep(random.uniform(0, 0.03))
    connection.hang_up()  # FIN: after RST the server might not even read the request


def stop_reading(server: Server, drawn: Drawn) -> None:
    """Read no more, and stay until the server gives up."""
    with server.connect(PATIENCE).request("GET", drawn.path) as response:
        assert response.read_piece()
        wait_until_told(server, drawn)


def wait_until_told(server: Server, drawn: Drawn) -> None:
    until = time.monotonic() + PATIENCE
    while not ask(server, f"/told/{drawn.number}"):
        assert time.monotonic() < until, "the server never gave up on a slow reader"
        time.sleep(0.1)


def ask(server: Server, path: str) -> bytes:
    with server.connect(PATIENCE).request("GET", path) as response:
        return response.read_all()


def head(server: Server, drawn: Drawn) -> None:
    """Get the headers, and no body."""
    with server.connect(PATIENCE).request("HEAD", drawn.path) as response:
        check_headers(response)


def check_headers(response: Response) -> None:
    assert response.status == 200, response.status
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.read_all() == b""


def refused(server: Server, drawn: Drawn) -> None:
    """Get the app's own status."""
    with server.connect(PATIENCE).request("GET", drawn.path) as response:
        assert response.status == 429, response.status
        assert response.read_all() == b"no"


CLIENTS: dict[str, Callable[[Server, Drawn], None]] = {
    "finish": read, "failure": read, "stall": read, "leave": leave, "reset": leave,
    "early leave": leave_early, "slow": stop_reading, "head": head, "refusal": refused,
}  # fmt: skip
