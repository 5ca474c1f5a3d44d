"""What gunicorn serves: a bare WSGI callable, Flask by hand, and this library in Flask."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .contenders.raw_src import text_frame
from .work import Work

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

FLASK, OURS, RAW = "flask", "sse_bridge_flask", "raw_wsgi"


def app(name: str, work: Work) -> WSGIApp:
    return MAKERS[name](work)


def raw(work: Work) -> WSGIApp:
    frames = [text_frame(text) for text in work.chunks()]

    def respond(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream; charset=utf-8")])
        return iter(frames)

    return respond


def by_hand(work: Work) -> WSGIApp:
    """Flask's bare Response(generator), which has neither pings nor disconnect detection."""
    from flask import Flask, Response

    flask = Flask(__name__)

    @flask.get("/")
    def stream() -> Response:
        frames = (f"data: {text}\n\n" for text in work.source())
        return Response(frames, mimetype="text/event-stream")

    return flask


def sse_bridge(work: Work) -> WSGIApp:
    from flask import Flask

    from sse_bridge.flask import event_stream

    flask = Flask(__name__)

    @flask.get("/")
    @event_stream
    def stream() -> Iterator[str]:
        source: Iterator[str] = work.source()
        return source

    return flask


MAKERS: dict[str, Callable[[Work], WSGIApp]] = {RAW: raw, FLASK: by_hand, OURS: sse_bridge}
