"""Steps of an interaction by their shape: see vendors/test_google.py for the SDK's."""

from __future__ import annotations

import copy
import json

import pytest

from chunks import read
from recorded.google import STOPPED, completed, created, step, text
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto
from told import Answer, as_plain, assert_answers


def test_what_came_whole_with_a_steps_start_is_told_at_its_end():
    chunks = [
        created(),
        *step(0, "user_input", content=text("hi")),
        *step(1, "thought", summary=text("Hm.")),
        *step(2, "model_output", content=text("Hello")),
        *step(3, "function_call", id="c", name="f", arguments={"a": 1}),
        completed("requires_action"),
    ]
    told = Answer("Hello", "Hm.", (("c", "f", '{"a":1}'),), "tool_calls", (7, 7, 14))
    assert_answers(lambda: iter(chunks), told)


def test_what_the_services_tools_do_is_a_call_with_its_result():
    searched = {"type": "google_search_call", "arguments": {"queries": ["b"]}}
    found = {"type": "url_context_result", "result": [{"url": "https://a.test/"}]}
    chunks = [
        created(),
        *step(0, "google_search_call", searched, id="s", arguments={}),
        *step(1, "url_context_result", found, call_id="s", result=[], is_error=False),
        *step(2, "file_search_call", {"type": "file_search_call", "signature": "x"}, id="t"),
        completed(),
    ]
    told = Answer(
        calls=(("s", "google_search", '{"queries":["b"]}'), ("t", "file_search", "{}")),
        results=(("s", [{"url": "https://a.test/"}]),),
        sources=("https://a.test/",),
        **STOPPED,
    )
    assert_answers(lambda: iter(chunks), told)


def test_citations_and_files_are_told():
    notes = [
        {"type": "url_citation", "url": "https://a.test/", "title": "A"},
        {"type": "place_citation", "url": "https://m.test/", "name": "M"},
        {"type": "file_citation", "document_uri": "gs://b", "file_name": "B"},
        {"type": "word_info", "text": "x"},
    ]
    deltas = [
        *text("x"),
        {"type": "text_annotation_delta", "annotations": notes},
        {"type": "image", "mime_type": "image/png", "data": "eA=="},
        {"type": "video", "mime_type": "video/mp4", "uri": "https://a.test/v"},
    ]
    told = Answer(
        "x",
        sources=("https://a.test/", "https://m.test/", "gs://b"),
        files=(("data:image/png;base64,eA==", "image/png"), ("https://a.test/v", "video/mp4")),
        **STOPPED,
    )
    chunks = [created(), *step(0, "model_output", *deltas), completed()]
    assert_answers(lambda: iter(chunks), told)


@pytest.mark.parametrize(
    ("status", "finish"),
    [("incomplete", "length"), ("budget_exceeded", "length")],
)
def test_what_an_interaction_has_become_is_its_reason_to_stop(status, finish):
    chunks = [created(), *step(0, "model_output", *text("x")), completed(status)]
    assert_answers(lambda: iter(chunks), Answer("x", finish=finish, usage=(7, 7, 14)))


def test_an_interaction_or_a_step_that_failed_is_a_failure():
    spoken = [created(), *step(0, "model_output", *text("x"))]
    told = Answer("x", code="upstream_error")
    assert_answers(lambda: iter([*spoken, completed("failed")]), told)
    assert_answers(lambda: iter([*spoken, completed("cancelled")]), told)
    with pytest.raises(UpstreamError, match="the interaction was cancelled"):
        read(Auto(), completed("cancelled", usage=None))
    refused = step(1, "model_output", error={"code": 8, "message": "no more"})
    assert_answers(lambda: iter([*spoken, *refused]), told._replace(code="rate_limited"))


def test_under_plain_no_event_shows_what_the_model_was_asked():
    asked = {"system_instruction": "a secret", "input": "a secret", "tools": [{"name": "secret"}]}
    begun = created()
    begun["interaction"] |= asked
    steps = [
        {"type": "user_input", "content": text("a secret")},
        {"type": "model_output", "content": text("Hi")},
    ]
    events = [
        begun,
        *step(0, "user_input", *text("a secret"), content=text("a secret")),
        *step(1, "model_output", *text("Hi")),
        completed(steps=steps, **asked),
    ]
    before = copy.deepcopy(events)
    said, _ = as_plain(lambda: iter(events))
    assert "secret" not in json.dumps(said)
    assert events == before
    assert said[0] == created()
    assert said[1]["step"] == {"type": "user_input"}
    assert said[3:-1] == events[3:-1]
    assert said[-1] == completed(steps=steps[1:])


def test_kinds_that_are_not_known_are_left_alone():
    odd = [{"event_type": "step.later", "index": 1}, *step(9, "later", {"type": "x", "text": "y"})]
    chunks = [created(), *odd[1:], *step(1, "model_output", *text("x")), completed()]
    assert_answers(lambda: iter(chunks), Answer("x", **STOPPED))
