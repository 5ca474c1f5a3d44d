"""The story in Flask: /sync/NAME and /async/NAME, by the decorator and by hand."""

from typing import Any

from flask import Flask, Response, request, stream_with_context
from story import ENDINGS, PINGS, RUNS, resident, source_for, stream_options

from sse_bridge.flask import EventSourceResponse, event_stream

app = Flask(__name__)


@app.route("/<kind>/<name>", methods=["GET", "POST"])
def story(kind: str, name: str) -> Any:
    source = source_for(name, kind, request.args)
    return EventSourceResponse(source, **stream_options(request.args))


@app.get("/by-hand")
@event_stream(ping=0.1)
def by_hand() -> Any:
    @stream_with_context
    def frames() -> Any:
        for chunk in source_for("gated", "sync", request.args):
            yield f"data: {chunk}\n\n"

    return Response(frames(), mimetype="text/event-stream")


@app.get("/runs")
def runs() -> str:
    return str(RUNS[request.args["key"]])


@app.get("/pings")
def pings() -> str:
    return str(PINGS.get(request.args["key"], ""))


@app.get("/ending")
def ending() -> str:
    return str(ENDINGS.get(request.args["key"], ""))


@app.get("/memory")
def memory() -> str:
    return str(resident())


@app.get("/health")
def health() -> str:
    return "well"
