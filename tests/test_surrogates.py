"""Halves of characters: put together where they meet, replaced where they stay alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_bridge.parts import Choice, Finish, Part, Reasoning, ToolCall, Usage
from sse_bridge.surrogates import Halves, whole

HIGH, LOW, FACE = "\ud83d", "\ude00", "😀"


@pytest.mark.parametrize(
    "text, mended",
    [
        ("plain", "plain"),
        ("你好🌍", "你好🌍"),
        (HIGH + LOW, FACE),
        (f"a{HIGH}{LOW}b", f"a{FACE}b"),
        (HIGH, "\ufffd"),
        (LOW, "\ufffd"),
        (LOW + HIGH, "\ufffd\ufffd"),
        (HIGH + HIGH + LOW, f"\ufffd{FACE}"),
    ],
)
def test_halves_that_meet_are_their_character_and_one_alone_is_replaced(text: str, mended: str):
    assert whole(text) == mended
    whole(text).encode()


def mend(*parts: Part) -> list[Part]:
    halves = Halves()
    mended = [each for part in parts for each in halves.mend(part)]
    rest = halves.rest()
    assert halves.rest() == []
    return [*mended, *rest]


def test_a_half_waits_for_the_next_text():
    assert mend("a" + HIGH, LOW + "b") == ["a", FACE + "b"]
    assert mend(HIGH, "b") == ["\ufffdb"]
    assert mend("a" + HIGH) == ["a", "\ufffd"]


def test_each_kind_of_text_and_each_choice_waits_by_itself():
    assert mend(
        "a" + HIGH,
        Reasoning("r" + HIGH),
        Choice(1, "A" + HIGH),
        ToolCall(0, "c", "f", HIGH),
        ToolCall(1, "d", "g", HIGH),
        LOW,
        Reasoning(LOW),
        Choice(1, LOW),
        ToolCall(1, None, None, LOW),
        ToolCall(0, None, None, LOW),
    ) == [
        "a",
        Reasoning("r"),
        Choice(1, "A"),
        ToolCall(0, "c", "f", ""),
        ToolCall(1, "d", "g", ""),
        FACE,
        Reasoning(FACE),
        Choice(1, FACE),
        ToolCall(1, None, None, FACE),
        ToolCall(0, None, None, FACE),
    ]


def test_what_says_nothing_does_not_part_two_halves():
    assert mend(HIGH, Usage(1, 2, 3), LOW) == [Usage(1, 2, 3), FACE]


def test_at_its_choices_finish_nothing_more_is_waited_for():
    assert mend(HIGH, Choice(1, HIGH), Finish("stop"), Choice(1, LOW)) == [
        "\ufffd",
        Finish("stop"),
        Choice(1, FACE),
    ]


def test_names_and_reasons_are_mended_too():
    assert mend(ToolCall(0, HIGH, LOW, "{}")) == [ToolCall(0, "\ufffd", "\ufffd", "{}")]
    assert mend(Finish(HIGH)) == [Finish("\ufffd")]


def test_what_stayed_alone_in_a_call_goes_on_with_it():
    assert mend(ToolCall(2, "c", "f", HIGH)) == [
        ToolCall(2, "c", "f", ""),
        ToolCall(2, None, None, "\ufffd"),
    ]


pieces = st.lists(st.text(st.sampled_from(["a", "你", FACE, HIGH, LOW]), max_size=3), max_size=6)


@given(pieces)
def test_however_a_text_is_cut_it_says_what_the_whole_says(texts: list[str]):
    assert "".join(map(str, mend(*texts))) == whole("".join(texts))
