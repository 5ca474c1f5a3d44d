"""`auto` among every vendor's chunks: none is taken for another's, and what is an app's own is nobody's.

Each module of tests/recorded that has an ``ANSWER`` is found by itself.
"""

from __future__ import annotations

import contextvars
import copy
import dataclasses
import importlib
import json
import logging
import pkgutil
from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recorded
from chunks import dashscope_text, openai_chunk
from odd_chunks import GOOD
from recorded import anthropic
from sse_bridge import Decoder, Ending, Summary
from sse_bridge.adapters.anthropic import VENDOR as ANTHROPIC
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.vendors import FIELDS, VENDORS, vendor_of
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams
from told import as_plain, in_delta

MODULES = {
    name: importlib.import_module(f"recorded.{name}")
    for _, name, _ in pkgutil.iter_modules(recorded.__path__)
}
ANSWERS: dict[str, list[Any]] = {
    name: list(module.ANSWER) for name, module in MODULES.items() if hasattr(module, "ANSWER")
}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
every_answer = pytest.mark.parametrize("name", ANSWERS)


def owners(chunk: Any) -> list[str]:
    """Whose it would be, if each were asked alone."""
    return [vendor.reader(Wish()).name for vendor in VENDORS if vendor.looks_like(chunk)]


def as_object(chunk: Any) -> Any:
    """The same as an object with attributes, as SDKs make them."""
    if isinstance(chunk, dict) and all(isinstance(key, str) for key in chunk):
        return SimpleNamespace(**{key: as_object(value) for key, value in chunk.items()})
    return [as_object(one) for one in chunk] if isinstance(chunk, list) else chunk


# -- what is an app's own -------------------------------------------------------------------------


@dataclasses.dataclass
class Note:
    type: str
    text: str


@dataclasses.dataclass
class Progress:
    event: str
    delta: Any
    index: int = 0


@dataclasses.dataclass
class Output:
    output: str


@dataclasses.dataclass
class Message:
    role: str
    content: str
    tool_calls: list[Any] | None = None


class Step(pydantic.BaseModel):
    type: str = "step"
    message: str = "searching"
    done: bool = False


class Event(pydantic.BaseModel):
    event: str = "on_progress"
    data: dict[str, Any] = {}


class Pair(NamedTuple):
    type: str
    delta: str


class Point(NamedTuple):
    index: int
    content_block: str


Loose = namedtuple("Loose", "candidates choices")  # as older apps write it


@dataclasses.dataclass
class Lenient:
    """Has whatever it is asked for."""

    own: str = "words"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


@dataclasses.dataclass
class Lazy(Lenient):
    """Will not be asked."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(f"too early for {name}")


OWN: dict[str, Any] = {
    "text": {"type": "text", "text": "hi"},
    "text of a helper": {"type": "text", "text": "hi", "snapshot": "hi"},
    "event and data": {"event": "x", "data": {"chunk": "hi"}},
    "event of a name": {"event": "on_progress", "data": {}, "name": "mine"},
    "message": {"message": {"content": "hi"}},
    "message with a role": {"message": {"role": "user", "content": "hi"}, "id": 5},
    "delta": {"delta": "x"},
    "delta as an object": {"delta": {"text": "x"}},
    "delta of a type": {"type": "delta", "delta": {"text": "x"}},
    "error": {"type": "error", "message": "a field is missing", "field": "name"},
    "error of a type": {"type": "error", "error": {"field": "name"}},
    "candidates": {"candidates": []},
    "candidates by name": {"candidates": ["Ann", "Bob"]},
    "choices": {"choices": "no"},
    "response": {"response": "hi"},
    "response and done": {"response": "hi", "done": False},
    "output": {"output": "hi", "is_final_answer": True},
    "content": {"content": "hi", "tool_calls": None, "token_usage": None},
    "role and content": {"role": "assistant", "content": "hi"},
    "model and text": {"model": "mine", "text": "hi", "created": 5},
    "token": {"token": "hi"},
    "token with its place": {"token": {"id": 1}, "index": 0},
    "type of its own": {"type": "response", "value": 1},
    "type with a dot": {"type": "response.mine", "value": 1},
    "ping": {"type": "ping"},
    "kind of an event": {"event_kind": "part_start", "n": 1},
    "usage": {"usage": {"input_tokens": 1, "output_tokens": 2}},
    "finish": {"finish_reason": "stop"},
    "parts": {"parts": [{"text": "hi"}]},
    "content block": {"contentBlock": "hi", "index": 0},
    "nothing": {},
    "a list": [{"type": "text", "text": "hi"}],
    "a pair": ("messages", {"content": "hi"}),
    "a pair of texts": ("values", "hi"),
    "three": ("a", 1, None),
    "a number": 5,
    "a dataclass": Note("text", "hi"),
    "a dataclass with a delta": Progress("x", "hi"),
    "a dataclass with an output": Output("hi"),
    "a message": Message("assistant", "hi"),
    "a model of pydantic": Step(),
    "an event of pydantic": Event(),
    "a named tuple": Pair("content_block_delta", "hi"),
    "a named tuple with a place": Point(0, "hi"),
    "a lenient object": Lenient(),
    "an old named tuple": Loose([], []),
}
every_own = pytest.mark.parametrize("chunk", OWN.values(), ids=OWN)


def as_json(chunk: Any) -> Any:
    def default(value: Any) -> Any:
        is_pydantic = isinstance(value, pydantic.BaseModel)
        return value.model_dump() if is_pydantic else dataclasses.asdict(value)

    return json.loads(json.dumps(chunk, default=default))


# -- the table ------------------------------------------------------------------------------------


def test_there_are_vendors_and_shapes_enough():
    assert len(ANSWERS) >= 3
    assert len(OWN) + len(ANSWERS) >= 40
    assert ANTHROPIC in VENDORS
    assert {"type", "event_kind"} <= FIELDS


@every_answer
def test_a_vendors_chunk_is_no_other_vendors(name: str):
    takers = {tuple(owners(chunk)) for chunk in ANSWERS[name]} - {()}
    assert len(takers) <= 1, "all of an answer is one vendor's"
    assert all(len(found) == 1 for found in takers)


@every_answer
def test_an_object_with_a_dicts_fields_is_at_most_the_same_vendors(name: str):
    for chunk in ANSWERS[name]:
        found, asked = owners(as_object(chunk)), owners(chunk)
        assert len(found) <= 1
        assert set(found) <= set(asked or found)


@every_answer
def test_auto_tells_an_answer_as_its_vendors_adapter_does(name: str):
    told, summary = in_delta(lambda: iter(ANSWERS[name]))
    assert told == MODULES[name].TOLD
    assert summary.ending is Ending.FINISHED


@pytest.mark.parametrize("first", ANSWERS)
@pytest.mark.parametrize("second", ANSWERS)
def test_the_text_of_two_vendors_in_one_source_is_all_told(first: str, second: str):
    source = [*ANSWERS[first], *ANSWERS[second]]
    events, summary = _events(source, "delta")
    text = "".join(event.json()["text"] for event in events if event.event == "delta")
    both = [MODULES[name].TOLD.text for name in (first, second)]
    assert text.replace("\n", "") == "".join(both).replace("\n", "")
    assert summary.ending is Ending.FINISHED


@every_own
def test_what_an_app_has_made_itself_is_nobodys(chunk: Any):
    assert vendor_of(chunk) is None


def test_an_object_that_will_not_be_asked_is_nobodys():
    assert vendor_of(Lazy()) is None


@every_own
def test_what_an_app_has_made_itself_is_its_json_under_plain(chunk: Any):
    said, summary = as_plain(lambda: iter([chunk, chunk]))
    assert said == [as_json(chunk)] * 2
    assert summary.ending is Ending.FINISHED


@every_answer
@every_own
def test_it_is_its_json_among_a_vendors_chunks_too(name: str, chunk: Any):
    """Under `plain`; but for what the vendor's own stream would mean by it, it having begun."""
    first, *others = ANSWERS[name]
    events, summary = _events([first, chunk, *others], "plain")
    if not isinstance(chunk, dict):
        said = [json.loads(event.data or "null") for event in events if event.event is None]
        assert as_json(chunk) in said
    assert summary.ending in (Ending.FINISHED, Ending.FAILED)
    assert _last_words(events, "plain") == 1


@every_answer
@pytest.mark.parametrize("kind", GOOD)
def test_openais_chunks_are_nobody_elses(name: str, kind: str):
    assert all(owners(chunk) == [] for chunk in GOOD[kind][0]), name


def test_dashscopes_responses_are_nobody_elses():
    assert owners(dashscope_text("Hello", "stop")) == []
    assert owners(openai_chunk({"content": "Hello"})) == []


# -- the law, on chunks that are cut, doubled, shuffled and changed --------------------------------

OTHER = [None, True, 0, 5, -1, 1.5, "", "x", "0", "null", "error", "\ud83d", [], {}, ["x"], [None]]
FAILURES = (KeyError, AttributeError, IndexError, TypeError, AssertionError, RecursionError)


def places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a chunk something stands that could be missing or be something else."""
    found = [path] if path else []
    return found + [place for key, value in _inside(thing) for place in places(value, (*path, key))]


def _inside(thing: Any) -> list[tuple[Any, Any]]:
    if isinstance(thing, dict):
        return list(thing.items())
    if isinstance(thing, list):
        return list(enumerate(thing))
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return list(vars(thing).items())
    return []


def changed(draw: Callable[..., Any], chunk: Any) -> Any:
    """The chunk with some fields removed or of another type."""
    chunk = copy.deepcopy(chunk)
    for _ in range(draw(st.integers(0, 3))):
        known = places(chunk)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        holder = chunk
        for key in way:
            holder = holder[key] if isinstance(holder, (dict, list)) else getattr(holder, key)
        other = copy.deepcopy(draw(st.sampled_from(OTHER)))
        removes = draw(st.booleans())
        if isinstance(holder, (dict, list)):
            if removes:
                del holder[last]
            else:
                holder[last] = other
        elif removes:
            vars(holder).pop(last)  # a default of its class stands in
        else:
            setattr(holder, last, other)
    return chunk


@st.composite
def sources(draw: Callable[..., Any]) -> list[Any]:
    """A vendor's answer: cut, with a chunk doubled, shuffled, and with changes; an app's own among it."""
    chunks = list(ANSWERS[draw(st.sampled_from(list(ANSWERS)))])
    chunks = chunks[: draw(st.integers(0, len(chunks)))]
    if chunks and draw(st.booleans()):
        chunks.insert(
            draw(st.integers(0, len(chunks))), chunks[draw(st.integers(0, len(chunks) - 1))]
        )
    if draw(st.booleans()):
        chunks = draw(st.permutations(chunks))
    if draw(st.booleans()):
        chunks = [changed(draw, chunk) for chunk in chunks]
    if draw(st.booleans()):
        another = draw(st.sampled_from(list(ANSWERS)))
        more = [*OWN.values(), *ANSWERS[another]]
        chunks.insert(draw(st.integers(0, len(chunks))), draw(st.sampled_from(more)))
    return chunks


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sse_bridge"), "disabled", True)


@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    chunks=sources(),
    dialect=st.sampled_from(["plain", "delta", "openai"]),
    collect=st.booleans(),
)
def test_no_vendors_chunk_breaks_the_end_of_a_stream(
    chunks: list[Any], dialect: str, collect: bool
):
    open_before = streams.open
    events, summary = _events(chunks, dialect, collect=collect)
    assert _last_words(events, dialect) == 1, "one last word, and one only"
    is_refused = "takes chunks of chat.completions, got" in str(summary.error)
    is_fault = isinstance(summary.error, FAILURES) and not is_refused
    assert not is_fault, "an odd chunk was read without looking"
    assert streams.open == open_before


def _events(chunks: list[Any], dialect: str, **options: Any) -> tuple[list[Any], Summary]:
    """What is told of these chunks; `hold=0`, so that a failure at once is told, too."""
    summaries: list[Summary] = []
    asked = Options(dialect=dialect, hold=0, ping=None, on_end=summaries.append, **options)
    body = b"".join(Body(iter(chunks), asked, contextvars.copy_context()))
    [summary] = summaries
    return Decoder().feed(body), summary


def _last_words(events: list[Any], dialect: str) -> int:
    if dialect != "openai":
        return sum(event.event in ("done", "error") for event in events)
    return sum(event.data == "[DONE]" for event in events)


# -- several vendors in one source ----------------------------------------------------------------


def test_the_words_of_two_vendors_in_one_source_are_one_answer():
    """Such as a model that is asked where another has failed to find something."""
    chunks = [
        openai_chunk({"tool_calls": [{"index": 0, "id": "o1", "function": {"name": "add"}}]}),
        openai_chunk(finish="tool_calls"),
        *anthropic.ANSWER,
        openai_chunk({"content": "."}, id="c2"),
        openai_chunk(
            {"tool_calls": [{"index": 0, "id": "o2", "function": {"name": "add"}}]}, id="c2"
        ),
        openai_chunk(finish="tool_calls", id="c2", usage=USAGE),
    ]
    told = anthropic.TOLD._replace(
        text="Hello.",
        calls=(("o1", "add", ""), *anthropic.TOLD.calls, ("o2", "add", "")),
        finish="tool_calls",
        usage=(8, 11, 19),
    )
    answer, _ = in_delta(lambda: iter(chunks))
    assert answer == told
