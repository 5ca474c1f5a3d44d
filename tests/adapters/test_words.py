"""What a message says, wherever its service puts it."""

from __future__ import annotations

import types
from typing import Any

import pytest

from sse_bridge.adapters.words import say_content, say_reasoning
from sse_bridge.parts import Reasoning


def said(content: Any) -> tuple[list[Any], list[str]]:
    missed: list[str] = []
    return list(say_content(content, missed.append)), missed


def piece(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


@pytest.mark.parametrize(
    "content, parts",
    [
        ("lo", ["lo"]),
        ("", []),
        (None, []),
        (5, ["5"]),
        (True, []),
        ([], []),
        (["l", "o"], ["l", "o"]),
        ([piece("text", text="lo")], ["lo"]),
        ([{"text": "lo"}], ["lo"]),
        (piece("text", text="lo"), ["lo"]),
        ([piece("output_text", text="lo")], ["lo"]),
        ([piece("text", text={"value": "lo"})], ["lo"]),
        ([piece("text", text="")], []),
        ([piece("refusal", refusal="no")], ["no"]),
        ([piece("input_audio", transcript="lo")], ["lo"]),
        ([piece("thinking", thinking="hm")], [Reasoning("hm")]),
        (
            [piece("thinking", thinking=[piece("text", text="h"), piece("text", text="m")])],
            [Reasoning("hm")],
        ),
        ([piece("reasoning", summary=[piece("summary_text", text="hm")])], [Reasoning("hm")]),
        (
            [piece("text", text="lo"), piece("thinking", thinking=[piece("text", text="hm")])],
            ["lo", Reasoning("hm")],
        ),
        ([None, 5, "x", [piece("text", text="y")]], ["5", "x", "y"]),
    ],
)
def test_content_is_text_and_thinking_in_its_own_order(content: Any, parts: list[Any]):
    assert said(content) == (parts, [])


def test_pieces_may_be_objects():
    text = types.SimpleNamespace(type="text", text="lo")
    thinking = types.SimpleNamespace(type="thinking", thinking=[text])
    assert said([text, thinking])[0] == ["lo", Reasoning("lo")]


@pytest.mark.parametrize(
    "odd, told",
    [
        (piece("image_url", image_url={"url": "x"}), "content of type 'image_url'"),
        (piece("reference", reference_ids=[1]), "content of type 'reference'"),
        ({"image": "http://x"}, "content of type 'image'"),
        ({}, "content of type None"),
    ],
)
def test_what_has_no_place_is_told_of(odd: dict[str, Any], told: str):
    assert said([odd, piece("text", text="x")]) == (["x"], [told])


@pytest.mark.parametrize(
    "message, text",
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning": {"content": "hm"}}, "hm"),
        ({"thinking": "hm"}, "hm"),
        (
            {
                "reasoning_details": [
                    piece("reasoning.text", text="h"),
                    piece("reasoning.summary", summary="m"),
                ]
            },
            "hm",
        ),
        ({"reasoning_details": [piece("reasoning.encrypted", data="x")]}, None),
        ({"thinking_blocks": [piece("thinking", thinking="hm", signature="s")]}, "hm"),
        ({"reasoning": "hm", "reasoning_details": [piece("reasoning.text", text="hm")]}, "hm"),
        ({"reasoning_content": "", "reasoning": "hm"}, "hm"),
        ({"reasoning_content": None}, None),
        ({"reasoning_content": False}, None),
        (None, None),
    ],
)
def test_reasoning_is_said_once_wherever_it_stands(message: Any, text: str | None):
    assert list(say_reasoning(message)) == ([] if text is None else [Reasoning(text)])
