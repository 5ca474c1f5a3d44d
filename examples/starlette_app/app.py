"""A small chat in Starlette: its page, a stream for it, one for OpenAI's clients, and a counter.

Run `python app.py` and open http://127.0.0.1:4000; fastapi_app.py is the same in FastAPI.
"""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from guard import MIDDLEWARE, UNFRAMED
from model import NoModelError, choose
from sse_bridge import Summary
from sse_bridge.starlette import EventSourceResponse
from sse_bridge.static import FETCH_SSE

PAGE = Path(__file__).resolve().parents[1] / "chat.html"
ANSWERS = Path(os.environ.get("ANSWERS", "answers.jsonl"))
SETTINGS = ("tools", "tool_choice", "temperature", "max_tokens")

model = choose()


async def page(request: Request) -> Response:
    return FileResponse(PAGE, headers=UNFRAMED)


async def fetch_sse(request: Request) -> Response:
    return FileResponse(FETCH_SSE, media_type="text/javascript")


async def asked(request: Request) -> dict[str, Any]:
    """What the client sent, with `messages` in it."""
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        body = None
    match body:
        case {"prompt": str(prompt)} if prompt:
            return {**body, "messages": [{"role": "user", "content": prompt}]}
        case {"messages": [*messages]} if messages and all(isinstance(m, dict) for m in messages):
            return dict(body)
    raise HTTPException(400, 'Send {"prompt": "..."} or {"messages": [...]}.')


def save(messages: list[Any], summary: Summary) -> None:
    """Keep what was asked and all that was answered, also when the user left in the middle."""
    line = {
        "messages": messages,
        "answer": summary.text,
        "reasoning": summary.reasoning,
        "usage": summary.usage,
        "ending": summary.ending,
    }
    with ANSWERS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


async def chat(request: Request) -> Response:
    messages = (await asked(request))["messages"]
    return EventSourceResponse(
        model.ask(messages),
        dialect="delta",
        adapter=model.adapter,
        collect=True,
        on_end=partial(save, messages),
    )


async def completions(request: Request) -> Response:
    """What an OpenAI client calls: `OpenAI(base_url="http://127.0.0.1:4000/v1")`."""
    body = await asked(request)
    settings = {name: body[name] for name in SETTINGS if name in body}
    source = model.ask(body["messages"], **settings)
    return EventSourceResponse(source, dialect="openai", adapter=model.adapter)


async def count_up() -> AsyncIterator[str]:
    for count in itertools.count(1):
        yield json.dumps({"count": count})
        await asyncio.sleep(1)


async def events(request: Request) -> Response:
    return EventSourceResponse(count_up())


async def no_model(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 503)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/fetch-sse.js", fetch_sse),
        Route("/chat", chat, methods=["POST"]),
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/events", events, methods=["GET", "POST"]),
    ],
    middleware=MIDDLEWARE,
    exception_handlers={NoModelError: no_model},
)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "4000")))
