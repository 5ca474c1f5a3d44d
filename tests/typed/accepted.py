"""What both type checkers take, strictly: the faces as users write them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from flask import Blueprint, Flask, Response
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from sse_bridge import ServerSentEvent, Summary, adapters, asgi, dialects, flask, starlette, wsgi
from sse_bridge.adapters.base import Parts, Reader, Wish
from sse_bridge.dialects.base import Voice
from sse_bridge.parts import Failure, Part

# -- sources --------------------------------------------------------------------------------------


def letters() -> Iterator[str]:
    yield "a"


async def later_letters() -> AsyncIterator[str]:
    yield "a"


async def opens() -> list[int]:
    return [1, 2]


def per_environ(environ: dict[str, Any]) -> Iterator[str]:
    yield environ["PATH_INFO"]


async def per_scope(scope: Any) -> AsyncIterator[str]:
    yield scope["path"]


flask.EventSourceResponse(letters(), status=201, headers={"X-Own": "1"}, ping=5)
flask.EventSourceResponse(later_letters, dialect="delta")
starlette.EventSourceResponse(opens(), adapter="openai", dialect="openai")
starlette.EventSourceResponse(opens, ping_form="line", hold=None)
starlette.EventSourceResponse(lambda: later_letters())
asgi.EventStream(["a"], max_streams=5)
asgi.EventStream(per_scope)
wsgi.EventStream(per_environ, status="201 Created")
wsgi.EventStream(letters())
wsgi.stream([{"a": 1}], {}, retry=5)
wsgi.headers("openai")

# -- adapters and dialects ------------------------------------------------------------------------


class OwnReader:
    def read(self, chunk: Any) -> Parts:
        return (str(chunk),)

    def end(self) -> Parts:
        return ()


class OwnAdapter:
    name = "own"

    def reader(self, wish: Wish) -> Reader:
        return OwnReader()


class OwnVoice(Voice):
    name = "own"
    done = ServerSentEvent("[]")

    def text(self, part: str) -> bytes:
        return part.encode()

    def failure(self, part: Failure) -> bytes:
        return b""


class OwnDialect:
    name = "own"
    headers = (("X-Protocol", "own"),)
    passes = None
    takes_objects = False

    def voice(self) -> OwnVoice:
        return OwnVoice()


class BareDialect:
    name = "bare"
    headers = ()
    passes = "openai"
    takes_objects = True

    def voice(self) -> Any:
        def say(part: Part) -> bytes:
            return b""

        return say


flask.EventSourceResponse(letters(), dialect=OwnDialect(), adapter=OwnAdapter())
starlette.EventSourceResponse(
    letters(), dialect=BareDialect(), adapter=adapters.DashScope(incremental_output=True)
)
starlette.EventSourceResponse(letters(), dialect=dialects.Delta(), adapter=adapters.Frames())

# -- Flask's routes -------------------------------------------------------------------------------

app, part = Flask(__name__), Blueprint("part", __name__)


def save(summary: Summary) -> None: ...


@app.get("/texts")
@flask.event_stream
def texts() -> Iterator[str]:
    yield "a"


@app.post("/objects/<int:number>")
@flask.event_stream(dialect="delta", on_end=save)
def objects(number: int) -> Iterator[dict[str, int]]:
    yield {"number": number}


@app.route("/later", methods=["GET", "POST"])
@flask.event_stream
async def later() -> AsyncIterator[object]:
    yield object()


@part.get("/events")
@flask.event_stream(status=201, headers=[("X-Own", "1")])
async def events() -> AsyncIterator[ServerSentEvent | int]:
    yield ServerSentEvent("a")


@part.get("/returned")
@flask.event_stream
def returned() -> Response | Iterator[int]:
    return iter([1])


@part.get("/awaited")
@flask.event_stream(whole=True)
async def awaited() -> list[object] | AsyncIterator[float]:
    return []


class Chat(MethodView):
    @flask.event_stream
    def get(self, number: int) -> Iterator[int]:
        yield number


app.add_url_rule("/chat/<int:number>", view_func=Chat.as_view("chat"))
app.add_url_rule("/added", view_func=flask.event_stream(objects))

# -- Starlette's and FastAPI's --------------------------------------------------------------------

api, router = FastAPI(), APIRouter()


@api.get("/count/{upto}", response_class=starlette.EventSourceResponse)
@starlette.event_stream(ping=10)
async def count(upto: int) -> AsyncIterator[int]:
    yield upto


@router.post("/texts")
@starlette.event_stream
def plain_texts(prompt: str) -> Iterator[str]:
    yield prompt


@starlette.event_stream
async def endpoint(request: Request) -> AsyncIterator[str]:
    yield request.url.path


Starlette(routes=[Route("/", endpoint), Route("/bare", asgi.EventStream(["a"]))])
