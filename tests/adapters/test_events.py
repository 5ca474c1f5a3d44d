"""Other libraries' events are events, by their shape."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import httpx_sse
import pydantic
import pytest
import sse_starlette
from datastar_py import ServerSentEventGenerator as Datastar
from litestar.response.sse import ServerSentEventMessage

from chunks import read, run, told
from sse_bridge import Decoder, ServerSentEvent
from sse_bridge.adapters import Auto, Frames, Plain
from sse_bridge.parts import Frame

STARLETTE = sse_starlette.ServerSentEvent


@pytest.mark.parametrize(
    "event, same",
    [
        (STARLETTE("x", event="e", id="1", retry=5), ServerSentEvent("x", "e", "1", 5)),
        (STARLETTE("x", comment="c", sep="\r\n"), ServerSentEvent("x", comment="c")),
        (STARLETTE(), None),
        (sse_starlette.JSONServerSentEvent({"a": "你"}), ServerSentEvent('{"a":"你"}')),
        (ServerSentEventMessage(data="x", event="e", id=7), ServerSentEvent("x", "e", "7")),
        (ServerSentEventMessage(data=b"x"), ServerSentEvent("x")),
        (ServerSentEventMessage(data=5), ServerSentEvent("5")),
        (httpx_sse.ServerSentEvent(data="x", event="e", id="1"), ServerSentEvent("x", "e", "1")),
        (httpx_sse.ServerSentEvent(data="x"), ServerSentEvent("x")),
    ],
)
@pytest.mark.parametrize("adapter", [Plain(), Auto(), Frames(exact=True)])
def test_another_librarys_event_is_the_same_event_here(
    event: Any, same: ServerSentEvent | None, adapter: Any
):
    expected = b"" if same is None else same.encode()
    assert b"".join(part.data for part in read(adapter, event)) == expected


@pytest.mark.parametrize(
    "words, same",
    [
        ({"data": "x", "event": "e", "id": "1", "retry": 5}, ServerSentEvent('"x"', "e", "1", 5)),
        ({"data": {"a": 1}}, ServerSentEvent('{"a":1}')),
        ({"data": [1, None]}, ServerSentEvent("[1,null]")),
        ({"raw_data": "x\ny"}, ServerSentEvent("x\ny")),
        ({"comment": "c"}, ServerSentEvent(comment="c")),
    ],
)
@pytest.mark.parametrize("adapter", [Plain(), Auto(), Frames(exact=True)])
def test_so_is_fastapis(words: dict[str, Any], same: ServerSentEvent, adapter: Any):
    sse = pytest.importorskip("fastapi.sse", reason="this FastAPI is too old to have events")
    event = sse.ServerSentEvent(**words)
    assert b"".join(part.data for part in read(adapter, event)) == same.encode()


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_it_passes_every_dialect(dialect: str):
    body = run(["x", STARLETTE("said", event="e")], dialect=dialect)
    assert ("e", "said") in [(event.event, event.data) for event in Decoder().feed(body)]


def test_datastars_events_are_text_that_is_framed():
    events = [Datastar.patch_elements("<p>a</p>"), Datastar.patch_signals({"a": 1})]
    assert read(Auto(), *events) == [Frame(str(event).encode()) for event in events]


class OwnText(str):
    """A kind of text that is no event."""

    __slots__ = ()


@pytest.mark.parametrize("text", [OwnText("data: x\n\n"), "data: x\n\n"])
def test_a_models_text_that_looks_framed_is_still_text(text: str):
    assert read(Auto(), text) == ["data: x\n\n"]


def test_data_that_is_no_text_is_json_with_the_apps_own_hook():
    class Lazy:
        def __str__(self) -> str:
            return "später"

    [event, _done] = told([STARLETTE({"a": Lazy()})], json_default=str)
    assert event == (None, {"a": "später"})


def test_half_a_character_is_replaced():
    assert told([STARLETTE("x\ud83d")])[0] == (None, "x\ufffd")


@dataclasses.dataclass
class Row:
    id: int
    event: dict[str, Any]
    data: str
    retry: bool = False


class Order(pydantic.BaseModel):
    id: str
    event: str
    data: str


@pytest.mark.parametrize("row", [Row(1, {}, "x"), Order(id="1", event="e", data="d")])
def test_an_object_with_some_of_these_fields_is_json(row: Any):
    [(name, data), _done] = told([row])
    assert name is None
    assert data == json.loads(json.dumps(row.__dict__))
