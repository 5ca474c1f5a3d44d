"""What is measured over real servers, row by row, and how far this library is to come."""

from functools import partial
from statistics import median
from typing import Any

from . import over_cpu, over_idle, over_waiting
from .contenders import OURS, RAW
from .over_apps import LINGER, PING, Pace, Paced
from .over_flask import FLASK
from .over_flask import OURS as OURS_IN_FLASK
from .over_flask import RAW as RAW_WSGI
from .over_process import Setting
from .row import KIB, MILLISECONDS, PERCENT, Row, Target
from .work import Mode

STREAMS = 2000
GUNICORN_STREAMS = 100
CLOSE = "starlette"
# Those with a source that hears of its client's end.
SOURCES = ("starlette", "sse_starlette", "fastapi", *OURS)
# The others would take minutes for fifty streams of a thousand events.
FEW = (RAW, "starlette", *OURS)
WSGI = (RAW_WSGI, FLASK, OURS_IN_FLASK)


def cpu(name: str, title: str, setting: Setting, **words: Any) -> Row:
    words = {"per": setting.work.events, "repetitions": 5, **words}
    title = f"CPU of a {setting.server} process, {setting.work.mode} source {title}"
    return Row(name, title, partial(over_cpu.field, setting), **words)


def backlog(mode: Mode, clients: int, who: tuple[str, ...] = (), **words: Any) -> Row:
    several = "stream" if clients == 1 else "streams at once"
    # A thread for each event, which is the way of our peers, takes its time.
    work = Paced("str", mode, 2000 if (clients, mode) == (1, "async") else 1000)
    return cpu(
        f"uvicorn-{clients}-{mode}",
        f"with a backlog, {clients} {several}",
        Setting("uvicorn", work, clients, who),
        **words,
    )


def other_server(server: str) -> Row:
    # Granian's threads of its own make short samples uneven.
    setting = Setting(server, Paced("str", "async", 2000), who=FEW, seconds=0.2)
    return cpu(f"{server}-1", "with a backlog, 1 stream", setting, quick=False)


def first_event(mode: Mode) -> Row:
    setting = Setting("uvicorn", paced("lingering", mode))
    title = f"Time to the first event over uvicorn, {mode} source"
    note = f"The source has its first event at once, and the second after {LINGER * 1e3:g} ms."
    open_field = partial(over_waiting.field, setting, over_waiting.first_event)
    return Row(
        f"uvicorn-first-{mode}",
        title,
        open_field,
        f"(median of {over_waiting.REQUESTS})",
        relation="added",
        quick=mode == "async",
        repetitions=5,
        note=note,
    )


def close(name: str, title: str, summary: over_waiting.Summary) -> Row:
    setting = Setting("uvicorn", paced("telling"), who=SOURCES)
    make = partial(over_waiting.end_of_source, summary)
    return Row(
        name,
        f"From a client's close to the `finally` of an async source, over uvicorn, {title}",
        partial(over_waiting.field, setting, make),
        "a close",
        baseline=CLOSE,
        relation="value",
        quick=False,
        repetitions=3,
        scale=MILLISECONDS,
    )


def paced(pace: Pace, mode: Mode = "async") -> Paced:
    return Paced("str", mode, 2, pace)


IDLE = Setting("uvicorn", paced("idle"), STREAMS, (RAW, *SOURCES))
IDLE_NOTE = f"""\
A ping every {PING} s on each stream, by hand in `raw`; `starlette` has none, and `fastapi` its own every 15 s.
Every stream is alive at the end and, where it should be, has had pings."""

SERVER_ROWS = (
    cpu(
        "uvicorn-ticks",
        "that has one chunk at a time",
        Setting("uvicorn", Paced("str", "async", 1000, "ticking")),
        note="The loop turns once between chunks, in every contender: nothing else is ready.",
    ),
    backlog("async", 1),
    backlog("async", 50, FEW, quick=False),
    backlog("sync", 1, quick=False),
    backlog("sync", 50, (RAW, *OURS), quick=False),
    cpu(
        "uvicorn-short",
        "of 10 events, 8 clients at once",
        Setting("uvicorn", Paced("str", "async", 10), 8),
        unit="a stream",
        per=1,
        note="A server's rate of streams is the inverse of this: 0.8 of the rate is 1.25 of the cost.",
    ),
    first_event("async"),
    first_event("sync"),
    Row(
        "idle-memory",
        f"Memory of an idle open stream, {STREAMS:,} of them over uvicorn, async source",
        partial(over_idle.memory, IDLE),
        "a stream",
        relation="value",
        quick=False,
        repetitions=3,
        scale=KIB,
        note=IDLE_NOTE,
    ),
    Row(
        "idle-cpu",
        f"CPU of {STREAMS:,} idle open streams over uvicorn, async source",
        partial(over_idle.share, IDLE, RAW),
        "of a core",
        relation="value",
        quick=False,
        repetitions=3,
        scale=PERCENT,
        note=IDLE_NOTE,
    ),
    close("close", f"median of {over_waiting.LEAVINGS}", median),
    close("close-worst", f"worst of {over_waiting.LEAVINGS}", max),
    cpu(
        "gunicorn-1",
        "with a backlog, 1 stream, in Flask",
        Setting("gunicorn", Paced("str", "sync", 2000), who=WSGI, seconds=0.2),
        baseline=FLASK,
    ),
    cpu(
        "gunicorn-short",
        "of 10 events, in Flask",
        Setting("gunicorn", Paced("str", "sync", 10), who=WSGI),
        unit="a stream",
        per=1,
        baseline=FLASK,
    ),
    Row(
        "gunicorn-idle",
        f"Memory of an idle open stream, {GUNICORN_STREAMS} of them over gunicorn, sync source",
        partial(
            over_idle.memory,
            Setting("gunicorn", paced("idle", "sync"), GUNICORN_STREAMS, (FLASK, OURS_IN_FLASK)),
        ),
        "a stream",
        baseline=FLASK,
        relation="added",
        quick=False,
        repetitions=3,
        scale=KIB,
    ),
    other_server("granian"),
    other_server("hypercorn"),
)


def most(row: str, against: str, limit: float, contenders: tuple[str, ...] = OURS) -> list[Target]:
    return [Target(row, contender, against, limit) for contender in contenders]


SERVER_TARGETS = (
    *most("uvicorn-ticks", RAW, 1.2),
    *most("uvicorn-1-async", RAW, 0.3),
    *most("uvicorn-50-async", RAW, 0.3),
    *most("uvicorn-1-sync", RAW, 0.3),
    *most("uvicorn-50-sync", RAW, 0.3),
    *most("uvicorn-short", RAW, 1.25),
    *most("uvicorn-first-async", RAW, 40),
    *most("uvicorn-first-sync", RAW, 200),
    *most("idle-memory", "", 20),
    *most("idle-cpu", "", 1.5),
    *most("close", "", 1),
    *most("gunicorn-1", FLASK, 0.8, (OURS_IN_FLASK,)),
    *most("gunicorn-short", FLASK, 2.5, (OURS_IN_FLASK,)),
    *most("gunicorn-idle", FLASK, 150, (OURS_IN_FLASK,)),
)
