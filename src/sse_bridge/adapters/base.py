"""What every adapter is: a chunk in, parts out, on the side where the chunk was produced.

Rules of this file:

1. An `Adapter` is configuration and may serve many streams at once; its `reader` belongs to one stream.
2. No adapter imports a vendor's SDK: it looks at a chunk's shape.
3. What a reader raises ends the stream as a failure; a failure told in band is raised as `UpstreamError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..parts import Part, Usage

Parts = Sequence[Part]


class Wish(NamedTuple):
    """What the other end of the stream would like of a reader."""

    passes: str | None = None  # the protocol whose chunks the dialect passes unchanged
    takes_objects: bool = False  # the dialect sends any object as its JSON
    collect: bool = False  # tell in parts, too, what passes unchanged
    lines: bool = False  # what is sent as it is and tells the Summary nothing may be plain bytes


class Reader(Protocol):
    """One stream's way of reading chunks."""

    def read(self, chunk: Any) -> Parts:
        """What this chunk says."""

    def end(self) -> Parts:
        """What was left over when the source ran dry."""


class Adapter(Protocol):
    """A vendor's words into ours."""

    name: str

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""


def get(thing: Any, name: str) -> Any:
    """A field of an object or a dict; None where there is none.

    A dict is asked by key only: DashScope's older chunks raise KeyError from getattr with a default.
    """
    if isinstance(thing, dict):
        return thing.get(name)
    return getattr(thing, name, None)


def read_usage(usage: Any, *, final: bool = True) -> Usage | None:
    """Token counts in our words, from OpenAI's names or from the others'."""
    if usage is None:
        return None
    given = _count(usage, "prompt_tokens", "input_tokens")
    made = _count(usage, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    total = _count(usage, "total_tokens")
    return Usage(
        given or 0, made or 0, total if total is not None else (given or 0) + (made or 0), final
    )


def _count(usage: Any, *names: str) -> int | None:
    for name in names:
        count = get(usage, name)
        if isinstance(count, int):
            return count
    return None


def real_reason(reason: Any) -> str | None:
    """A finish reason; DashScope writes the string "null" until there is one."""
    return reason if isinstance(reason, str) and reason and reason != "null" else None
