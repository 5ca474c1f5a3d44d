"""What is measured over real servers, row by row, and how far this library is to come."""

from functools import partial
from statistics import median
from typing import Any

from . import over_cpu, over_idle, over_rate, over_waiting
from .contenders import OURS, RAW
from .over_apps import LINGER, PING, Pace, Paced
from .over_flask import FLASK
from .over_flask import OURS as OURS_IN_FLASK
from .over_flask import RAW as RAW_WSGI
from .over_idle import OF_FASTAPI
from .over_many import WINDOWS, Many
from .over_process import Setting
from .row import KIB, MILLISECONDS, PERCENT, Open, Row, Target, grid
from .row import STREAMS as STREAMS_A_SECOND
from .targets import each, most
from .uvicorns import FAST, PLAIN, label
from .work import Kind, Mode

STREAMS = 2000
MANY_STREAMS = (2500, 5000, 10_000)
CLIENTS = 8
GUNICORN_STREAMS = 100
CLOSE = "starlette"
# Those with a source that hears of its client's end.
SOURCES = ("starlette", "sse_starlette", "fastapi", *OURS)
# The others would take minutes for fifty streams of a thousand events.
FEW = (RAW, "starlette", *OURS)
WSGI = (RAW_WSGI, FLASK, OURS_IN_FLASK)


def cpu(name: str, title: str, setting: Setting, **words: Any) -> Row:
    words = {"per": setting.work.events, "repetitions": 5, **words}
    title = f"CPU of a server ({label(setting.server)}), {setting.work.mode} source {title}"
    return Row(name, title, partial(over_cpu.field, setting), **words)


def on(server: str, name: str) -> str:
    """Return a row's name: uvicorn as people install it goes without saying."""
    return f"{name}-h11" if server == PLAIN else name


def lone(server: str, kind: Kind) -> Row:
    """One chunk at a time; what is made of OpenAI's chunks is the same bytes as in `raw_src`."""
    openai = kind == "openai"
    return cpu(
        on(server, "uvicorn-ticks-openai" if openai else "uvicorn-ticks"),
        f"of {TITLES[kind]} that has one chunk at a time",
        Setting(server, Paced(kind, "async", 1000, "ticking")),
        baseline="raw_src" if openai else RAW,
        quick=(server, kind) == (FAST, "str"),
        note=LONE_NOTE,
    )


def backlog(
    mode: Mode, clients: int, who: tuple[str, ...] = (), server: str = FAST, **words: Any
) -> Row:
    several = "stream" if clients == 1 else "streams at once"
    # A thread for each event, which is the way of our peers, takes its time.
    work = Paced("str", mode, 2000 if (clients, mode) == (1, "async") else 1000)
    return cpu(
        on(server, f"uvicorn-{clients}-{mode}"),
        f"with a backlog, {clients} {several}",
        Setting(server, work, clients, who),
        **words,
    )


def short(server: str, **words: Any) -> Row:
    return cpu(
        on(server, "uvicorn-short"),
        f"of 10 events, {CLIENTS} clients at once",
        Setting(server, Paced("str", "async", 10), CLIENTS),
        unit="a stream",
        per=1,
        **words,
    )


def rate(server: str, **words: Any) -> Row:
    setting = Setting(server, Paced("str", "async", 10), CLIENTS, seconds=0.4)
    return Row(
        on(server, "uvicorn-rate"),
        f"Streams of 10 events a second ({label(server)}), {CLIENTS} clients, async source",
        partial(over_waiting.field, setting, over_rate.per_second),
        "a second",
        repetitions=5,
        scale=STREAMS_A_SECOND,
        note="Higher is better. Each client sends its next request as soon as it has its answer.",
        **words,
    )


def other_server(server: str) -> Row:
    # Granian's threads of its own make short samples uneven.
    setting = Setting(server, Paced("str", "async", 2000), who=FEW, seconds=0.2)
    return cpu(f"{server}-1", "with a backlog, 1 stream", setting, quick=False)


def first_event(mode: Mode, server: str = FAST) -> Row:
    setting = Setting(server, paced("lingering", mode))
    title = f"Time to the first event ({label(server)}), {mode} source"
    note = f"The source yields its first event at once, and the second after {LINGER * 1e3:g} ms."
    open_field = partial(over_waiting.field, setting, over_waiting.first_event)
    return Row(
        on(server, f"uvicorn-first-{mode}"),
        title,
        open_field,
        f"(median of {over_waiting.REQUESTS})",
        relation="added",
        quick=(mode, server) == ("async", FAST),
        repetitions=5,
        note=note,
    )


def close(name: str, title: str, summary: over_waiting.Summary) -> Row:
    setting = Setting(FAST, paced("telling"), who=SOURCES)
    make = partial(over_waiting.end_of_source, summary)
    return Row(
        name,
        f"From a client's close to the `finally` of an async source ({label(FAST)}), {title}",
        partial(over_waiting.field, setting, make),
        "a close",
        baseline=CLOSE,
        relation="value",
        quick=False,
        repetitions=5,
        scale=MILLISECONDS,
    )


def many(name: str, title: str, open_field: Open, **words: Any) -> Row:
    """Return one of three rows that share what was seen in a minute and a half of each contender."""
    title = f"{title} idle open streams on one core ({label(FAST)}), async source"
    return Row(name, title, open_field, quick=False, repetitions=5, note=MANY_NOTE, **words)


def paced(pace: Pace, mode: Mode = "async") -> Paced:
    return Paced("str", mode, 2, pace)


TITLES: dict[Kind, str] = {"str": "str", "openai": "OpenAI chunk objects"}
LONE_NOTE = "In every contender the loop turns once between chunks, with nothing else to do."

IDLE = Setting(FAST, paced("idle"), STREAMS, (RAW, *SOURCES))
IDLE_NOTE = f"""\
A heartbeat every {PING:g} s on each stream, hand-written in `raw`; `starlette` has none, and `fastapi` its own
every 15 s. Every stream is alive at the end, and has had heartbeats where it should."""

# FastAPI's ping is every 15 s; Starlette's response has none.
MANY_PING = OF_FASTAPI
MANY_WORK = Paced("str", "async", 2, "idle", MANY_PING)
MANY = Many(Setting(FAST, MANY_WORK, who=(RAW, "sse_starlette", "fastapi", *OURS)), MANY_STREAMS)
MANY_NOTE = f"""\
A heartbeat every {MANY_PING:g} s on each stream, hand-written in `raw`, for {WINDOWS} heartbeats;
one server at a time."""

SERVER_ROWS = (
    lone(FAST, "str"),
    lone(FAST, "openai"),
    lone(PLAIN, "str"),
    lone(PLAIN, "openai"),
    backlog("async", 1),
    backlog("async", 50, FEW, quick=False),
    backlog("async", 1, server=PLAIN, quick=False),
    backlog("async", 50, FEW, server=PLAIN, quick=False),
    backlog("sync", 1, quick=False),
    backlog("sync", 50, (RAW, *OURS), quick=False),
    short(FAST),
    short(PLAIN, quick=False),
    rate(FAST),
    rate(PLAIN, quick=False),
    first_event("async"),
    first_event("async", PLAIN),
    first_event("sync"),
    Row(
        "idle-memory",
        f"Memory of an idle open stream, {STREAMS:,} of them ({label(FAST)}), async source",
        partial(over_idle.memory, IDLE),
        "a stream",
        relation="value",
        quick=False,
        repetitions=5,
        scale=KIB,
        note=IDLE_NOTE,
    ),
    Row(
        "idle-cpu",
        f"CPU of {STREAMS:,} idle open streams ({label(FAST)}), async source",
        partial(over_idle.share, IDLE, RAW),
        "of a core",
        quick=False,
        repetitions=5,
        scale=PERCENT,
        note=IDLE_NOTE,
    ),
    many(
        "many-memory",
        "Memory of one of many",
        MANY.memory,
        baseline=grid(RAW, MANY_STREAMS[0]),
        columns="streams",
        scale=KIB,
    ),
    many(
        "many-cpu",
        f"CPU of {MANY_STREAMS[-1]:,}",
        MANY.share,
        unit="of a core",
        relation="value",
        scale=PERCENT,
    ),
    many(
        "many-late",
        f"The latest ping of {MANY_STREAMS[-1]:,}",
        MANY.late,
        unit="of the wait for it",
        relation="value",
        scale=PERCENT,
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


def linear(row: str, name: str) -> list[Target]:
    """Hold a stream among the most to what one costs among the fewest."""
    few, most_of_them = MANY_STREAMS[0], MANY_STREAMS[-1]
    return [Target(row, grid(name, most_of_them), grid(name, few), 1.05)]


SERVER_TARGETS = (
    *most("uvicorn-ticks", RAW, 1.55),
    *most("uvicorn-ticks", "starlette", 1.1),
    *most("uvicorn-ticks-openai", "raw_src", 1.35),
    *most("uvicorn-ticks-openai", "starlette", 1.1),
    *most("uvicorn-ticks-h11", RAW, 1.3),
    *most("uvicorn-1-async", RAW, 0.25),
    *most("uvicorn-50-async", RAW, 0.3),
    *most("uvicorn-1-sync", RAW, 0.3),
    *most("uvicorn-50-sync", RAW, 0.3),
    *each("uvicorn-rate", RAW, 0.6, 0.7, least=True),
    *each("uvicorn-first-async", RAW, 45, 35),
    *most("uvicorn-first-sync", RAW, 200),
    *each("idle-memory", "", 20, 16),
    *most("idle-cpu", RAW, 1),
    *(target for name in OURS for target in linear("many-memory", name)),
    *most("many-cpu", "", 5),
    *most("many-late", "", 100 / 16),
    *most("close", "", 0.5),
    *most("gunicorn-1", FLASK, 0.8, (OURS_IN_FLASK,)),
    *most("gunicorn-short", FLASK, 2.5, (OURS_IN_FLASK,)),
    *most("gunicorn-idle", FLASK, 150, (OURS_IN_FLASK,)),
)
