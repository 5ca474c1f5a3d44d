"""A page that reads a stream, and another to go to; `/notes` has what the streams and the page have told."""

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sse_bridge import Summary
from sse_bridge.starlette import EventSourceResponse
from sse_bridge.static import FETCH_SSE

NEVER = 60.0
noted: dict[str, list[str]] = {"endings": [], "page": []}

PAGE = """<!doctype html><title>chat</title><script type="module">
import { streamEvents } from "/fetch-sse.js";
const query = new URLSearchParams(location.search);
const note = (word) => fetch("/note?word=" + word, { keepalive: true });
addEventListener("pageshow", ({ persisted }) => persisted && note("shown"));
try {
  const options = { pagehide: query.get("pagehide") !== "no" };
  for await (const { data } of streamEvents(query.get("from") + "/stream", options)) await note(data);
} catch (error) {
  await note(error.code);
}
</script>"""


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE if request.url.path == "/" else "<!doctype html><title>other</title>")


async def script(request: Request) -> Response:
    return FileResponse(FETCH_SSE)


async def note(request: Request) -> Response:
    noted["page"].append(request.query_params["word"])
    return Response(status_code=204)


async def notes(request: Request) -> Response:
    return JSONResponse(noted)


async def stream(request: Request) -> Response:
    async def source():
        yield "begun"
        await anyio.sleep(NEVER)

    def on_end(summary: Summary) -> None:
        noted["endings"].append(str(summary.ending))

    return EventSourceResponse(source(), ping=NEVER, on_end=on_end)


routes = [
    Route("/", page),
    Route("/other", page),
    Route("/fetch-sse.js", script),
    Route("/note", note),
    Route("/notes", notes),
    Route("/stream", stream),
]
app = Starlette(routes=routes, middleware=[Middleware(CORSMiddleware, allow_origins=["*"])])
