"""Tokens of text_generation, as text-generation-inference sends them."""

from __future__ import annotations

from typing import Any

from told import Answer

Event = dict[str, Any]


def token(text: str, *, special: bool = False, index: int = 1, **more: Any) -> Event:
    about = {"id": index, "text": text, "logprob": -0.5, "special": special}
    return {"index": index, "token": about, "generated_text": None, "details": None, **more}


def end(reason: str, text: str, *, words: str = "</s>", special: bool = True) -> Event:
    """The last token; the whole text comes with it."""
    details = {"finish_reason": reason, "generated_tokens": 3, "input_length": 7, "seed": None}
    return token(words, special=special, index=3, generated_text=text, details=details)


def failure(kind: str) -> Event:
    return {"error": "the service's words", "error_type": kind}


ANSWER = [token("Hel"), token("lo", index=2), end("eos_token", "Hello")]
TOLD = Answer(text="Hello", finish="stop", usage=(7, 3, 10))
