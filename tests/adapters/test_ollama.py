"""Ollama's chunks by their shape, without its SDK: see vendors/test_ollama.py for that."""

from __future__ import annotations

import pytest

from chunks import read
from recorded.ollama import ANSWER, FAILING, GENERATED, GENERATED_TOLD, TOLD, says, stop, writes
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Ollama
from sse_bridge.adapters.ollama import looks_like_ollama
from told import Answer, assert_answers, in_delta

every_adapter = pytest.mark.parametrize("adapter", ["auto", "ollama", Ollama()])


@every_adapter
def test_chunks_of_a_chat_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@every_adapter
def test_chunks_of_a_generation_are_one_too(adapter):
    assert_answers(lambda: iter(GENERATED), GENERATED_TOLD, adapter=adapter)


@every_adapter
def test_an_error_in_mid_stream_is_a_failure(adapter):
    told = Answer("Hel", code="upstream_error")
    assert_answers(lambda: iter(FAILING), told, adapter=adapter)


def test_an_error_in_the_first_line_is_a_failure_as_well():
    with pytest.raises(UpstreamError, match="model 'x' not found"):
        read(Auto(), {"error": "model 'x' not found"})


def test_two_answers_of_one_source_are_one():
    call = TOLD.calls[0]
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=(call, call), usage=(14, 18, 32)
    )
    assert_answers(lambda: iter([*ANSWER, *ANSWER]), twice)


def test_an_answer_behind_one_that_called_has_stopped_for_good():
    told = TOLD._replace(text="HelloHi", finish="stop", usage=(14, 18, 32))
    assert_answers(lambda: iter([*ANSWER, says("Hi"), stop()]), told)


def test_calls_keep_the_ids_that_newer_servers_give_them():
    calls = [{"id": name, "function": {"name": name, "arguments": {}}} for name in ("a", "b")]
    told = Answer(calls=(("a", "a", "{}"), ("b", "b", "{}")), finish="tool_calls", usage=(7, 9, 16))
    assert_answers(lambda: iter([says(tool_calls=calls), stop()]), told)


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_model_that_was_only_loaded_has_not_answered(reason):
    loaded = [{**chunk, "done": True, "done_reason": reason} for chunk in (says(), writes())]
    told, _ = in_delta(lambda: iter(loaded), adapter="ollama")
    assert told == Answer(code="empty_answer")


def test_the_last_chunk_may_say_nothing_but_counts():
    last = {name: value for name, value in stop().items() if name != "message"}
    told = Answer("Hel", finish="stop", usage=(7, 9, 16))
    assert_answers(lambda: iter([says("Hel"), last]), told)


def test_an_image_is_a_file():
    drawn = {**writes(), "done": True, "image": "iVBORw0K"}
    [file] = read(Auto(), {**writes(), "completed": 1, "total": 2}, drawn)
    assert file == ("data:image/png;base64,iVBORw0K", "image/png", None)


@pytest.mark.parametrize(
    "chunk",
    [
        {"done": True},
        {"model": "m", "done": False, "response": "x"},
        {"model": "m", "created_at": "now", "done": "no"},
        {"status": "pulling manifest", "completed": 1, "total": 2},
        {"model": "m", "created_at": "now", "done": True, "answer": "x"},
        {"model": "m", "created_at": "now", "done": False, "message": "x"},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_ollama(chunk)


@pytest.mark.parametrize(
    "odd",
    [
        {"message": []},
        {"message": {"content": ["x"], "tool_calls": {"function": 1}, "images": [None, 3]}},
        {"message": {"tool_calls": [None, "x", {"function": {"arguments": {}}}]}},
        {"done": True, "done_reason": 3.5j, "eval_count": "many"},
    ],
)
def test_fields_of_any_type_are_no_error(odd):
    assert read(Auto(), {**says(), **odd}) == []


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes chunks of Ollama's API, got a dict"):
        read(Ollama(), {"text": "x"})
