"""The mistral adapter: events of Mistral's SDK, each a chunk of OpenAI's in its ``data``.

A chunk is read as it came over the wire: the SDK's objects have fields that the service did not send, such as the
id "null" of a call.
"""

from __future__ import annotations

import json
from typing import Any

from ..failures import SerializationError
from ..objects import is_sdks
from ..shapes import noted
from .base import Numbering, Parts, Reader, Wish, get
from .given import YIELDED
from .openai import OpenAIReader
from .openai_chunk import has_choices, looks_like_openai
from .refusals import refusal_in
from .vendor import Vendor


class Mistral:
    """Events of ``chat.stream()`` and ``chat.stream_async()``, or the chunks in their ``data``."""

    name = "mistral"
    is_model = True

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return MistralReader(wish, strict=True)


class MistralReader:
    """Says what `OpenAIReader` says of the chunks; `strict`, whether anything else that comes is an error."""

    def __init__(
        self, wish: Wish, *, strict: bool = False, numbering: Numbering | None = None
    ) -> None:
        openai = OpenAIReader(wish, numbering=numbering)
        self._openai = openai
        self._read = openai.whole if wish.takes_objects and not strict else openai.read
        self._write = wish.objects.write
        self._strict = strict

    def read(self, chunk: Any) -> Parts:
        if chunk is None or isinstance(chunk, YIELDED):
            return self._read(chunk)
        inner = get(chunk, "data")
        inner = inner if has_choices(inner) else chunk
        if self._strict and not has_choices(inner):
            raise refusal_in(chunk) or TypeError(
                f"adapter='mistral' takes events of Mistral's chat.stream(), got {noted(chunk)}"
            )
        return self._read(self._as_sent(inner))

    def end(self) -> Parts:
        return self._openai.end()

    @property
    def spoke(self) -> bool:
        """Whether this source has given a model's words."""
        return self._openai.spoke

    def _as_sent(self, chunk: Any) -> Any:
        if isinstance(chunk, dict):
            return chunk
        try:
            return json.loads(self._write(chunk))
        except SerializationError:
            return chunk


def looks_like_mistral(chunk: Any) -> bool:
    """Whether this is an event of the SDK's; as JSON, there is no more of it than the chunk."""
    if isinstance(chunk, dict) or not is_sdks(type(chunk)):
        return False
    return getattr(chunk, "__dict__", {}).keys() == {"data"} and looks_like_openai(chunk.data)


VENDOR = Vendor(looks_like_mistral, MistralReader, frozenset())
