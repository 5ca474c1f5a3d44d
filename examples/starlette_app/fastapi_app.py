"""The same chat in FastAPI: `python fastapi_app.py`; what does not differ is taken from app.py."""

import os
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from app import PAGE, SETTINGS, count_up, model, no_model, save
from guard import MIDDLEWARE, UNFRAMED
from model import NoModelError
from sse_bridge.starlette import EventSourceResponse
from sse_bridge.static import FETCH_SSE

app = FastAPI(
    title="A small chat", middleware=MIDDLEWARE, exception_handlers={NoModelError: no_model}
)


class Asked(BaseModel):
    """What a client may send; OpenAI's clients send more."""

    model_config = ConfigDict(extra="allow")

    messages: list[dict[str, Any]] = Field(min_length=1)


class Prompt(BaseModel):
    prompt: str = Field(min_length=1)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [{"role": "user", "content": self.prompt}]


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(PAGE, headers=UNFRAMED)


@app.get("/fetch-sse.js")
async def fetch_sse() -> FileResponse:
    return FileResponse(FETCH_SSE, media_type="text/javascript")


@app.post("/chat")
async def chat(asked: Asked | Prompt) -> EventSourceResponse:
    return EventSourceResponse(
        model.ask(asked.messages),
        dialect="delta",
        adapter=model.adapter,
        collect=True,
        on_end=partial(save, asked.messages),
    )


@app.post("/v1/chat/completions")
async def completions(asked: Asked) -> EventSourceResponse:
    settings = asked.model_dump(include=set(SETTINGS))
    source = model.ask(asked.messages, **settings)
    return EventSourceResponse(source, dialect="openai", adapter=model.adapter)


@app.api_route("/events", methods=["GET", "POST"])
async def events() -> EventSourceResponse:
    return EventSourceResponse(count_up())


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "4000")))
