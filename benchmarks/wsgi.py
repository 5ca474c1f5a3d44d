"""The CPU of iterating a WSGI body, in this process: no server, no socket."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from . import over_flask
from .contenders.raw_src import encoder
from .inprocess import SAMPLE_SECONDS, refuse_other_events
from .measure import Field, Sampler
from .work import Work

Body = Callable[[Work], Iterable[bytes]]


def environ() -> dict[str, Any]:
    """Return a request's environ, without any server's handle on a socket."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
    }


def raw(work: Work) -> Iterable[bytes]:
    return iter([encoder(work.kind)(chunk) for chunk in work.chunks()])


def generator(work: Work) -> Iterator[bytes]:
    encode = encoder(work.kind)
    for chunk in work.source():
        yield encode(chunk)


def flask(work: Work) -> Iterable[bytes]:
    """Flask's way to stream by hand: what a WSGI server iterates when a view returns this."""
    from flask import Response

    frames = (f"data: {text}\n\n" for text in work.source())
    response = Response(frames, mimetype="text/event-stream")
    return response(environ(), start_response)


def start_response(_status: str, _headers: object, _exc_info: object = None) -> Callable[..., None]:
    """Take a status line and headers and do nothing with them."""
    return print


def sse_bridge(work: Work) -> Iterable[bytes]:
    from sse_bridge.wsgi import stream

    return stream(work.source(), environ())


BODIES: dict[str, Body] = {
    "raw": raw,
    "generator": generator,
    "flask": flask,
    "sse_bridge_wsgi": sse_bridge,
}


def read(body: Iterable[bytes]) -> bytes:
    """Iterate and close, as a WSGI server does."""
    try:
        return b"".join(body)
    finally:
        close = getattr(body, "close", None)
        if close:
            close()


def streams(body: Body, work: Work, count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        read(body(work))
    return time.process_time() - start


@contextmanager
def field(work: Work, _names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds that this process spends on one body of this work."""
    entered = Field()
    for name, body in BODIES.items():
        entered.enter(name, partial(sampler, body, work))
    yield entered


@contextmanager
def apps(work: Work, _names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of one stream of each app that gunicorn serves elsewhere."""
    entered = Field()
    for name in over_flask.MAKERS:
        entered.enter(name, partial(sampler, answers(over_flask.app(name, work)), work))
    yield entered


def answers(app: over_flask.WSGIApp) -> Body:
    return lambda _work: app(environ(), start_response)


def sampler(body: Body, work: Work) -> Sampler:
    refuse_other_events(work, read(body(work)))
    count = max(1, round(SAMPLE_SECONDS / streams(body, work, 1)))

    def sample() -> float:
        gc.collect()
        # The worker of the stream before may still be on its way out.
        time.sleep(0.005)
        return streams(body, work, count) / count

    return sample
