"""What is measured, row by row, and how far this library is to come: the two tables to edit."""

from functools import partial

from . import inprocess, latency, over_uvicorn, wsgi
from .row import Open, Row, Target
from .work import Work


def in_process(name: str, title: str, work: Work) -> Row:
    return Row(name, title, partial(inprocess.field, work), per=work.events)


def over(name: str, title: str, work: Work, clients: int) -> Row:
    open_field = partial(over_uvicorn.field, work, clients)
    return Row(name, title, open_field, per=work.events, quick=clients == 1)


def delay(name: str, title: str, open_field: Open) -> Row:
    return Row(name, title, open_field, "a chunk", 1, latency.DIRECT, "added")


ROWS = (
    in_process("async-str", "CPU in process, async source of str", Work("str", "async", 2000)),
    in_process("async-dict", "CPU in process, async source of dict", Work("dict", "async", 2000)),
    in_process(
        "async-openai",
        "CPU in process, async source of OpenAI chunk objects",
        Work("openai", "async", 2000),
    ),
    in_process("sync-str", "CPU in process, sync source of str", Work("str", "sync", 500)),
    over(
        "uvicorn-1",
        "CPU of a uvicorn process, async source with a backlog, 1 stream",
        Work("str", "async", 2000),
        1,
    ),
    over(
        "uvicorn-50",
        "CPU of a uvicorn process, async source with a backlog, 50 streams at once",
        Work("str", "async", 100),
        50,
    ),
    Row(
        "short",
        "CPU in process of a whole stream of 10 events, async source of str",
        partial(inprocess.field, Work("str", "async", 10)),
        unit="a stream",
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
    delay(
        "delay-async", "Delay of a lone chunk, async source", partial(latency.asgi_field, "async")
    ),
    delay("delay-sync", "Delay of a lone chunk, sync source", partial(latency.asgi_field, "sync")),
    delay(
        "delay-wsgi-sync",
        "Delay of a lone chunk in a WSGI body, sync source",
        partial(latency.wsgi_field, "sync"),
    ),
    delay(
        "delay-wsgi-async",
        "Delay of a lone chunk in a WSGI body, async source",
        partial(latency.wsgi_field, "async"),
    ),
)

ASGI, STARLETTE, WSGI = "sse_bridge_asgi", "sse_bridge_starlette", "sse_bridge_wsgi"

TARGETS = (
    Target("async-str", ASGI, "raw_src", 1.25),
    Target("async-str", STARLETTE, "raw_src", 1.25),
    # With the standard library's json, which costs more than all the rest.
    Target("async-dict", ASGI, "starlette", 1.0),
    Target("async-dict", STARLETTE, "starlette", 1.0),
    Target("async-openai", ASGI, "raw_src", 1.25),
    Target("async-openai", STARLETTE, "raw_src", 1.25),
    Target("sync-str", ASGI, "raw_src", 2.0),
    Target("sync-str", STARLETTE, "raw_src", 2.0),
    Target("uvicorn-1", ASGI, "raw", 0.3),
    Target("uvicorn-1", STARLETTE, "raw", 0.3),
    Target("uvicorn-50", ASGI, "raw", 0.3),
    Target("uvicorn-50", STARLETTE, "raw", 0.3),
    Target("short", ASGI, "raw", 3.5),
    Target("short", STARLETTE, "raw", 3.5),
    Target("delay-async", ASGI, latency.DIRECT, 60),
    Target("delay-sync", ASGI, latency.DIRECT, 60),
    Target("delay-wsgi-sync", WSGI, latency.DIRECT, 60),
    Target("delay-wsgi-async", WSGI, latency.DIRECT, 60),
)
