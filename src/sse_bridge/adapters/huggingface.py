"""The huggingface adapter: the tokens of ``text_generation(stream=True, details=True)``.

The format: https://huggingface.co/docs/text-generation-inference/messages_api and its OpenAPI, ``generate_stream``.
The last token comes with the whole text again. Chunks of ``chat_completion(stream=True)`` are OpenAI's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..parts import Part
from .base import get, read_usage, text_of
from .refusals import told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words

_STATUSES = {"validation": 400, "overloaded": 503}  # of the kinds of its failures


class HuggingFaceReader(VendorReader):
    name = "huggingface"
    takes = "tokens of text_generation(stream=True, details=True)"

    def knows(self, chunk: Any) -> bool:
        return looks_like_huggingface(chunk) or goes_on(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        if error := get(chunk, "error"):
            kind = text_of(get(chunk, "error_type"))
            told = {"message": error, "code": kind, "status_code": _STATUSES.get(kind)}
            raise told_failure(told)
        token, details = get(chunk, "token"), get(chunk, "details")
        if not get(token, "special"):
            yield from said_words(get(token, "text"))
        if details is not None:
            self.finish(get(details, "finish_reason"))
            counts = get(details, "input_length"), get(details, "generated_tokens")
            yield from self.count(
                read_usage({"input_tokens": counts[0], "output_tokens": counts[1]})
            )
            self.next_call()  # the next token, if there is one, is another call's


def looks_like_huggingface(chunk: Any) -> bool:
    """Whether this is a token of a stream of them."""
    token = get(chunk, "token")
    return isinstance(get(token, "text"), str) and isinstance(get(token, "special"), bool)


def goes_on(chunk: Any) -> bool:
    """Whether this is a failure behind such tokens."""
    return bool(text_of(get(chunk, "error"))) and get(chunk, "error_type") is not None


class HuggingFace(VendorAdapter):
    """Tokens of ``InferenceClient.text_generation(stream=True, details=True)``, or their JSON as dicts.

    Its ``chat_completion(stream=True)`` gives chunks of OpenAI's: `OpenAI` reads them, and so does `Auto`.
    """

    reads_with = HuggingFaceReader


VENDOR = Vendor(
    looks_like_huggingface, HuggingFaceReader, frozenset({"token", "error_type"}), goes_on
)
