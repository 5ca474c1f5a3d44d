"""What is measured, row by row, and how far this library is to come: the two tables to edit."""

from contextlib import AbstractContextManager
from functools import partial

from . import (
    apart,
    first,
    growth,
    imports,
    inprocess,
    latency,
    middleware,
    on_trio,
    wire,
    wsgi,
)
from .measure import Field
from .over_flask import FLASK
from .over_flask import OURS as IN_FLASK
from .row import MILLISECONDS, Open, Row
from .server_rows import SERVER_ROWS, SERVER_TARGETS
from .targets import ASGI, each, most
from .work import Kind, Mode, Work

WSGI = "sse_bridge_wsgi"


def in_process(kind: Kind, mode: Mode, events: int) -> Row:
    title = f"CPU in process, {mode} source of {TITLES[kind]}"
    open_field: Open = partial(inprocess.field, Work(kind, mode, events))
    if kind == "dict":
        open_field = partial(apart.field, open_field, ("orjson",))
        title += ", with the standard library's `json`"
    return Row(f"{mode}-{kind}", title, open_field, per=events, quick=mode == "async")


def with_orjson(mode: Mode, events: int) -> Row:
    title = f"CPU in process, {mode} source of dict, with orjson"
    open_field = partial(inprocess.field, Work("dict", mode, events))
    return Row(f"{mode}-dict-fast", title, open_field, per=events, quick=mode == "async")


def delay(name: str, title: str, open_field: Open) -> Row:
    title = f"Delay of a lone chunk{title}"
    return Row(name, title, open_field, "a chunk", 1, latency.DIRECT, "added")


def first_event(mode: Mode) -> Row:
    title = f"Time to the first event in process, {mode} source, median of {first.LONE_STREAMS}"
    return Row(
        f"first-{mode}",
        title,
        partial(first.alone, mode),
        "a stream",
        relation="added",
        quick=False,
    )


def fairness(mode: Mode) -> Row:
    return Row(
        f"fair-{mode}",
        f"The longest wait for a first event among {first.CROWD} clients, {mode} sources that never wait",
        partial(first.crowded, mode),
        unit="of waiting",
        baseline="raw_src",
        relation="value",
        quick=False,
        repetitions=3,
        scale=MILLISECONDS,
        note=f"The sources end once every client has an event, or after {first.GIVE_UP:g} s.",
    )


def decoding(name: str, title: str, open_field: Open) -> Row:
    return Row(name, title, open_field, per=wire.EVENTS, baseline="httpx_sse")


def wrapping(name: str, title: str, open_field: Open, note: str) -> Row:
    title = f"CPU of a small JSON answer in process, and what wrapping {title} adds to it"
    return Row(
        name, title, open_field, "a request", 1, middleware.BARE, relation="added", note=note
    )


TITLES: dict[Kind, str] = {"str": "str", "dict": "dict", "openai": "OpenAI chunk objects"}


def with_floor(names: tuple[str, ...]) -> AbstractContextManager[Field]:
    return inprocess.field(Work("str", "async", 10), (*names, "floor"))


PASS_THROUGH = (
    "`pass_through` is written by hand: the least code that sees the content type of a response."
)
BASE_HTTP = (
    f"{PASS_THROUGH}\n`base_http` is Starlette's `BaseHTTPMiddleware`, which does nothing here."
)

FLOOR_NOTE = """\
`floor` is two tasks and five turns of the loop around the same source, and nothing else: the least that can stop a
source, and that never starts one for a client that has already disconnected."""

IN_PROCESS = (
    in_process("str", "async", 2000),
    in_process("dict", "async", 2000),
    with_orjson("async", 2000),
    in_process("openai", "async", 2000),
    in_process("str", "sync", 2000),
    in_process("dict", "sync", 2000),
    with_orjson("sync", 2000),
    in_process("openai", "sync", 2000),
    Row(
        "short",
        "CPU in process of a whole stream of 10 events, async source of str",
        with_floor,
        unit="a stream",
        note=FLOOR_NOTE,
    ),
    Row(
        "trio-str",
        "CPU in process under trio, async source of str",
        partial(on_trio.field, Work("str", "async", 1000)),
        per=1000,
        quick=False,
    ),
    Row(
        "wsgi-str",
        "CPU in process of iterating a WSGI body, sync source of str",
        partial(wsgi.field, Work("str", "sync", 2000)),
        per=2000,
        baseline="generator",
    ),
    Row(
        "wsgi-short",
        "CPU in process of a whole WSGI body of 10 events, sync source of str",
        partial(wsgi.field, Work("str", "sync", 10)),
        unit="a stream",
        baseline="generator",
    ),
    Row(
        "flask-str",
        "CPU in process of iterating a Flask app's body, sync source of str",
        partial(wsgi.apps, Work("str", "sync", 2000)),
        per=2000,
        baseline=FLASK,
    ),
    Row(
        "flask-short",
        "CPU in process of a whole stream of 10 events of a Flask app, sync source of str",
        partial(wsgi.apps, Work("str", "sync", 10)),
        unit="a stream",
        baseline=FLASK,
    ),
    wrapping("middleware-wsgi", "a WSGI app", middleware.wsgi_field, PASS_THROUGH),
    wrapping("middleware-asgi", "an ASGI app", middleware.asgi_field, BASE_HTTP),
    first_event("async"),
    first_event("sync"),
    delay("delay-async", ", async source", partial(latency.asgi_field, "async")),
    delay("delay-sync", ", sync source", partial(latency.asgi_field, "sync")),
    delay("delay-wsgi-sync", " in a WSGI body, sync source", partial(latency.wsgi_field, "sync")),
    delay(
        "delay-wsgi-async", " in a WSGI body, async source", partial(latency.wsgi_field, "async")
    ),
    fairness("async"),
    fairness("sync"),
    Row(
        "growth-streams",
        "How cost grows with the number of open streams",
        growth.open_streams,
        baseline="raw_src @ 1",
        quick=False,
        repetitions=3,
        columns="streams, all of them active",
        note="CPU per event, which includes waking a waiting source, and memory per stream.",
    ),
    Row(
        "growth-events",
        "How cost grows with the events of one stream",
        growth.lengths,
        baseline="raw_src @ 1,000",
        quick=False,
        repetitions=3,
        columns="events",
        note="CPU per event, including its share of opening the stream, and the stream's peak memory.",
    ),
    decoding(
        "decode",
        "CPU of decoding a body that comes event by event",
        partial(wire.decoding, wire.in_events),
    ),
    decoding(
        "decode-blocks",
        f"CPU of decoding a body that comes in pieces of {wire.BLOCK} bytes",
        partial(wire.decoding, wire.in_blocks),
    ),
    Row("encode", "CPU of making and encoding an event", wire.encoding, per=wire.EVENTS),
    Row(
        "imports",
        "CPU of importing, beyond starting Python",
        imports.field,
        unit="a process",
        baseline=imports.BARE,
        relation="added",
        quick=False,
        repetitions=5,
        scale=MILLISECONDS,
    ),
)


IN_PROCESS_TARGETS = (
    *most("async-str", "raw_src", 1.05),
    # The standard library's json costs more than all the rest.
    *most("async-dict", "starlette", 1.0),
    *most("async-dict-fast", "raw_src", 1.25),
    *most("async-openai", "raw_src", 1.15),
    *most("sync-str", "raw_src", 1.5),
    *most("sync-dict", "raw_src", 2.0),
    *most("sync-dict-fast", "raw_src", 2.0),
    *most("sync-openai", "raw_src", 1.8),
    *each("short", "raw", 7, 4.5),
    *most("flask-str", FLASK, 2, (IN_FLASK,)),
    *most("flask-short", FLASK, 3.5, (IN_FLASK,)),
    *most("middleware-wsgi", middleware.BARE, 5, (WSGI,)),
    *most("middleware-asgi", middleware.BARE, 10, (ASGI,)),
    *each("first-async", "raw", 45, 35),
    *most("first-sync", "raw", 200),
    *most("delay-async", latency.DIRECT, 60, (ASGI,)),
    *most("delay-sync", latency.DIRECT, 60, (ASGI,)),
    *most("delay-wsgi-sync", latency.DIRECT, 60, (WSGI,)),
    *most("delay-wsgi-async", latency.DIRECT, 60, (WSGI,)),
    *most("fair-async", "", 100),
    *most("fair-sync", "", 100),
    *most("decode", "httpx_sse", 1.0, ("sse_bridge",)),
    *most("decode", "openai", 1.0, ("sse_bridge",)),
    *most("decode-blocks", "httpx_sse", 1.0, ("sse_bridge",)),
    *most("decode-blocks", "openai", 1.0, ("sse_bridge",)),
    *most("encode", "sse_starlette", 1.0, ("sse_bridge",)),
)


ROWS = (*IN_PROCESS, *SERVER_ROWS)
TARGETS = (*IN_PROCESS_TARGETS, *SERVER_TARGETS)
