"""Apps that stream by hand under WSGI, and know nothing of us, each wrapped by our middleware.

/WRAP/MAKER/STORY: how it is wrapped, in which framework it is written, and what it tells.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask, Response, request, stream_with_context
from relay import openai_answer, openai_client
from story import Options, source_for
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from sse_bridge.wsgi import Middleware

NEVER = 60.0
EVENTS = "text/event-stream"

App = Callable[..., Any]
Read = Callable[[int], bytes]


def frames(name: str, options: Options, read: Read) -> Iterator[str]:
    if name == "half":
        yield "data: one\n\ndata: ha"
        raise RuntimeError("the secret")
    for text in texts(name, options, read):
        yield f"data: {text}\n\n"


def texts(name: str, options: Options, read: Read) -> Iterator[Any]:
    if name == "model":
        return model(options)
    if name == "echo":
        return echo(read)
    if name == "broken":
        return broken(options)
    return source_for(name, "sync", options)  # type: ignore[no-any-return]


def broken(options: Options) -> Iterator[Any]:
    """A failure after the last permit."""
    yield from source_for("gated", "sync", options)
    raise RuntimeError("the secret")


def model(options: Options) -> Iterator[str]:
    for chunk in openai_answer(openai_client, options):
        if chunk.choices and (text := chunk.choices[0].delta.content):
            yield text


def echo(read: Read) -> Iterator[str]:
    """The request's body, read only while the answer is on its way."""
    yield "start"
    rest = b""
    while piece := read(10_000):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in lines)


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    name = environ["PATH_INFO"].strip("/")
    options = dict(parse_qsl(environ["QUERY_STRING"]))
    headers = [("Content-Type", EVENTS)]
    compressed = "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "")
    if compressed:
        headers.append(("Content-Encoding", "gzip"))
    start_response("200 OK", headers)
    told = frames(name, options, environ["wsgi.input"].read)
    return gzipped(told) if compressed else (frame.encode() for frame in told)


def gzipped(told: Iterable[str]) -> Iterator[bytes]:
    compress = zlib.compressobj(wbits=31)
    for frame in told:
        yield compress.compress(frame.encode()) + compress.flush(zlib.Z_SYNC_FLUSH)
    yield compress.flush()


flask_app = Flask(__name__)


@flask_app.route("/<name>", methods=["GET", "POST"])
def story(name: str) -> Response:
    @stream_with_context
    def by_hand() -> Iterator[str]:
        yield from frames(name, request.args, request.stream.read)

    return Response(by_hand(), mimetype=EVENTS)


@flask_app.get("/lines")
def lines() -> Response:
    return Response(('{"n":1}\n', '{"n":', "2}\n"), mimetype="application/x-ndjson")


def django_app() -> App:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    def view(asked: Any, name: str) -> StreamingHttpResponse:
        return StreamingHttpResponse(frames(name, asked.GET, asked.read), content_type=EVENTS)

    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],  # it spares no event stream
        ROOT_URLCONF=(path("<name>", view),),
    )
    return get_wsgi_application()


APPS: dict[str, App] = {"bare": bare, "flask": flask_app.wsgi_app}
if find_spec("django"):
    APPS["django"] = django_app()

WRAPS: dict[str, Callable[[App], App]] = {
    "quiet": lambda app: Middleware(app, ping=NEVER, hold=NEVER),
    "pinging": lambda app: Middleware(app, ping=0.05),
    "ending": lambda app: Middleware(app, end=True),
    "limited": lambda app: Middleware(app, max_streams=1),
    "twice": lambda app: Middleware(Middleware(app, ping=NEVER), ping=NEVER),
    "below": lambda app: ProxyFix(Middleware(app, ping=NEVER)),
    "above": lambda app: Middleware(ProxyFix(app), ping=NEVER),
}

app = DispatcherMiddleware(
    Flask("nothing here"),
    {f"/{wrap}/{maker}": WRAPS[wrap](APPS[maker]) for wrap, maker in product(WRAPS, APPS)},
)
