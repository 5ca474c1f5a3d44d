"""A small chat in Flask: its page, a stream for it, one for OpenAI's clients, and a counter.

Run `python app.py` and open http://127.0.0.1:4000; in earnest: `gunicorn --threads 16 app:app`.
"""

import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request, send_file
from werkzeug.exceptions import BadRequest

from guard import UNFRAMED, guard
from model import NoModelError, choose
from sse_bridge import Summary
from sse_bridge.flask import event_stream
from sse_bridge.static import FETCH_SSE

PAGE = Path(__file__).resolve().parents[1] / "chat.html"
ANSWERS = Path(os.environ.get("ANSWERS", "answers.jsonl"))
SETTINGS = ("tools", "tool_choice", "temperature", "max_tokens")

app = Flask(__name__)
guard(app)
model = choose()


@app.get("/")
def page() -> tuple[Response, dict[str, str]]:
    return send_file(PAGE), UNFRAMED


@app.get("/fetch-sse.js")
def fetch_sse() -> Response:
    return send_file(FETCH_SSE, mimetype="text/javascript")


def asked() -> dict[str, Any]:
    """What the client sent, with `messages` in it."""
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        body = None
    match body:
        case {"prompt": str(prompt)} if prompt:
            return {**body, "messages": [{"role": "user", "content": prompt}]}
        case {"messages": [*messages]} if messages and all(isinstance(m, dict) for m in messages):
            return dict(body)
    raise BadRequest('Send {"prompt": "..."} or {"messages": [...]}.')


def save(summary: Summary) -> None:
    """Keep what was asked and all that was answered, also when the user left in the middle."""
    if "messages" not in g:  # refused before the model was asked
        return
    line = {
        "messages": g.messages,
        "answer": summary.text,
        "reasoning": summary.reasoning,
        "usage": summary.usage,
        "ending": summary.ending,
    }
    with ANSWERS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


@app.post("/chat")
@event_stream(dialect="delta", adapter=model.adapter, collect=True, on_end=save)
def chat() -> Iterator[Any]:
    g.messages = asked()["messages"]
    yield from model.ask(g.messages)


@app.post("/v1/chat/completions")
@event_stream(dialect="openai", adapter=model.adapter)
def completions() -> Iterator[Any]:
    """What an OpenAI client calls: `OpenAI(base_url="http://127.0.0.1:4000/v1")`."""
    body = asked()
    settings = {name: body[name] for name in SETTINGS if name in body}
    yield from model.ask(body["messages"], **settings)


@app.route("/events", methods=["GET", "POST"])
@event_stream
def events() -> Iterator[str]:
    for count in itertools.count(1):
        yield json.dumps({"count": count})
        time.sleep(1)


@app.errorhandler(NoModelError)
def no_model(error: NoModelError) -> tuple[str, int]:
    return str(error), 503


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "4000")), threaded=True)
