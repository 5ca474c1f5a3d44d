"""What the adapters of vendors share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chunks import read, run, told
from sse_bridge import UpstreamError, parts
from sse_bridge.adapters.base import Wish, get
from sse_bridge.adapters.vendor import VendorAdapter, VendorReader, said_words, thought
from sse_bridge.parts import Broken, Finish, Native, Origin, Part, Reasoning, Source, Usage
from told import Answer, assert_answers


class Reader(VendorReader):
    """Reads dicts: each field says what its name says."""

    name, takes = "made-up", "dicts of this test"

    def knows(self, chunk: Any) -> bool:
        return isinstance(chunk, dict)

    def say(self, chunk: Any) -> Iterator[Part]:
        if "again" in chunk:
            self.next_call()
        yield from self.begin(chunk.get("id"), chunk.get("model"))
        yield from said_words(chunk.get("text"))
        yield from thought(chunk.get("thought"))
        if "call" in chunk:
            key, *fragment = chunk["call"]
            yield self.call(key, **dict(zip(("id_", "name", "arguments"), fragment, strict=False)))
        yield from self.source(get(chunk, "url"), get(chunk, "title"))
        yield from self.count(chunk.get("usage"))
        self.finish(chunk.get("reason"))
        if "fail" in chunk:
            raise UpstreamError(chunk["fail"])


class Vendor(VendorAdapter):
    reads_with = Reader


def test_one_finish_and_one_count_are_told_when_the_source_has_run_dry():
    chunks = [
        {"text": "Hel", "usage": Usage(1, 1, 2)},
        {"text": "lo", "reason": "MAX_TOKENS", "usage": Usage(1, 2, 3)},
    ]
    told = Answer("Hello", finish="length", usage=(1, 2, 3))
    assert_answers(lambda: iter(chunks), told, adapter=Vendor())


def test_several_calls_of_the_model_are_one_answer():
    chunks = [
        {"call": ("a", "id1", "add", "{}"), "reason": "tool_use", "usage": Usage(1, 2, 3)},
        {"again": True, "call": ("a", "id2", "add", {"x": 1}), "usage": Usage(10, 20, 30)},
        {"text": "3", "reason": "end_turn", "usage": Usage(10, 21, 31)},
    ]
    told = Answer(
        "3",
        calls=(("id1", "add", "{}"), ("id2", "add", '{"x":1}')),
        finish="stop",
        usage=(11, 23, 34),
    )
    assert_answers(lambda: iter(chunks), told, adapter=Vendor())


def test_another_call_of_the_model_is_a_step_where_it_begins_to_speak():
    chunks = [
        {"text": "a"},
        {"again": True},
        {"usage": Usage(1, 2, 3)},
        {"text": "b"},
        {"text": "c"},
    ]
    events = [(name, data) for name, data in told(chunks, adapter=Vendor(), dialect="delta")]
    assert events[:4] == [
        ("delta", {"text": "a"}),
        ("step", {}),
        ("delta", {"text": "b"}),
        ("delta", {"text": "c"}),
    ]


def test_the_first_call_is_none():
    assert read(Vendor(), {"again": True}, {"text": "a", "reason": "stop"}) == ["a", Finish("stop")]


@pytest.mark.parametrize(
    ("first", "second", "both"), [(None, None, None), (1, None, 1), (None, 2, 2), (1, 2, 3)]
)
def test_counts_that_were_told_are_added_up(first, second, both):
    chunks = [
        {"text": "a", "usage": Usage(1, 2, 3, cached_tokens=first)},
        {"again": True, "usage": Usage(1, 2, 3, cached_tokens=second)},
    ]
    assert read(Vendor(), *chunks)[-1] == Usage(2, 4, 6, cached_tokens=both)


def test_a_call_of_the_model_that_counts_nothing_costs_no_count():
    assert read(Vendor(), {"usage": Usage(1, 2, 3)}, {"again": True}, {})[-1] == Usage(1, 2, 3)


def test_what_was_said_before_a_failure_is_not_lost():
    [text, broken] = Vendor().reader(Wish()).read({"text": "Hel", "fail": "oh"})
    assert text == "Hel"
    assert isinstance(broken, Broken)
    assert str(broken.error) == "oh"
    with pytest.raises(UpstreamError, match="oh"):
        Vendor().reader(Wish()).read({"fail": "oh"})


@pytest.mark.parametrize("takes_objects", [False, True])
def test_another_call_that_is_cut_is_not_told_with_the_reason_of_the_one_before(
    caplog, takes_objects
):
    cut = [{"text": "a", "reason": "tool_use"}, {"again": True}, {"text": "Half"}]
    said = read(Vendor(), *cut, takes_objects=takes_objects)
    assert Finish("tool_calls") not in said
    [record] = caplog.records
    assert "without a finish_reason" in record.getMessage()


def test_counts_and_results_behind_a_reason_leave_it():
    late = [
        {"text": "a", "reason": "end_turn"},
        {"usage": Usage(1, 2, 3)},
        {"url": "https://a.test/"},
    ]
    assert Finish("stop") in read(Vendor(), *late)


def test_an_answer_without_a_reason_to_finish_is_warned_of(caplog):
    read(Vendor(), {"text": "Hel"})
    [record] = caplog.records
    assert "without a finish_reason" in record.getMessage()


@pytest.mark.parametrize("chunks", [[], [{}], [{"text": "a", "reason": "stop"}]])
def test_one_that_says_nothing_or_finishes_is_not(chunks, caplog):
    read(Vendor(), *chunks)
    assert not caplog.records


def test_a_reason_of_nobodys_passes_as_it_is():
    assert read(Vendor(), {"text": "a", "reason": "pause_turn"})[-1] == Finish("pause_turn")


def test_under_a_dialect_that_takes_objects_a_chunk_goes_whole():
    chunks = [{"text": "a", "usage": Usage(1, 2, 3)}, {"reason": "stop"}]
    first, second = read(Vendor(), *chunks, takes_objects=True)
    assert first == Native(
        "made-up", b'{"text":"a","usage":[1,2,3,true,null,null]}', None, Usage(1, 2, 3)
    )
    assert (second.finish_reason, second.speaks) == ("stop", False)


def test_what_is_no_json_goes_as_words_all_the_same():
    [text, finish] = read(Vendor(), {"text": "a", "url": None, "reason": "stop", "o": object()})
    assert (text, finish) == ("a", Finish("stop"))
    assert read(Vendor(), {"text": "a", "o": object()}, takes_objects=True) == ["a"]


def test_collected_a_whole_chunk_tells_what_it_says():
    [native] = read(Vendor(), {"thought": "hm"}, takes_objects=True, collect=True)
    assert native.parts == (Reasoning("hm"),)


def test_whose_answer_it_is_is_told_once_and_to_who_asks():
    chunks = [{"id": "i", "model": "m", "text": "a"}, {"id": "j", "model": "n", "reason": "stop"}]
    assert read(Vendor(), *chunks, names=True)[:2] == [Origin("i", None, "m"), "a"]
    assert read(Vendor(), *chunks) == ["a", Finish("stop")]
    half = {"id": 7, "model": "m", "text": "a", "reason": "stop"}
    assert read(Vendor(), half, names=True)[:2] == [Origin("", None, "m"), "a"]


def test_a_cut_answer_of_a_service_that_names_nothing_gets_no_reason_to_stop():
    assert b'finish_reason":"' not in run([{"text": "a"}], adapter=Vendor(), dialect="openai")


def test_a_reason_that_says_that_it_failed_is_a_failure():
    with pytest.raises(UpstreamError):
        read(Vendor(), {"reason": "error"})


def test_a_citation_without_an_address_is_none():
    assert read(Vendor(), {"url": "u", "title": "t", "reason": "stop"})[0] == Source("u", "t")
    assert read(Vendor(), {"url": "", "title": "t", "reason": "stop"}) == [Finish("stop")]


def test_parts_and_nothing_pass_and_anything_else_is_an_error():
    step = parts.Step("s")
    assert read(Vendor(), None, step) == [step]
    with pytest.raises(TypeError, match="'made-up' takes dicts of this test, got 7"):
        read(Vendor(), 7)


def test_more_calls_than_any_answer_has_are_refused():
    reader = Reader(Wish())
    for number in range(10_000):
        reader.read({"call": (number,)})
    with pytest.raises(UpstreamError, match="fewer than 10000"):
        reader.read({"call": (10_000,)})


def test_what_has_no_place_is_warned_of_once(caplog):
    reader = Reader(Wish())
    with caplog.at_level(logging.WARNING):
        reader.missed("a video")
        reader.missed("a video")
    [record] = caplog.records
    assert (
        record.getMessage()
        == "left out, because it cannot be translated: a video of dicts of this test"
    )
