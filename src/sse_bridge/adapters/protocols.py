"""Recognizes the protocol of somebody else's frames, and whether it has ended.

Rules of this file:

1. Nothing is kept, and hardly anything decoded: each line is searched for a few marks. JSON that has their letters
   as escapes, which no service writes, is unescaped first.
2. In an unknown protocol nothing is assumed: only ``[DONE]`` is an end in all of them, and an event named
   ``error``, with nothing after it, a failure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from ..failures import UpstreamError
from .openai_chunk import told_in


class Protocol(NamedTuple):
    """The marks of a protocol, of its end and of its failure: event names, or values of ``type`` in their JSON."""

    name: str
    spoken: frozenset[bytes]
    finished: frozenset[bytes] = frozenset()
    failed: frozenset[bytes] = frozenset()


def _protocol(name: str, spoken: bytes, finished: bytes = b"", failed: bytes = b"") -> Protocol:
    return Protocol(name, *(frozenset(words.split()) for words in (spoken, finished, failed)))


OPENAI = _protocol("openai", b"", b"", b"error")
DELTA = _protocol("delta", b"", b"done", b"error")
_JSONRPC = _protocol("jsonrpc", b"")
_BY_WORD = (
    _protocol("ag-ui", b"RUN_STARTED", b"RUN_FINISHED", b"RUN_ERROR"),
    _protocol("anthropic", b"message_start", b"message_stop", b"error"),
    _protocol(
        "openai-responses",
        b"response.created response.queued",
        b"response.completed response.incomplete",
        b"response.failed error",
    ),
    _protocol("ai-sdk", b"start-step text-start reasoning-start", b"finish", b"error abort"),
)

FIRST_EVENTS = 200  # so many are searched for marks of a protocol
_TYPE = re.compile(rb'"type"\s*:\s*"([\w.-]{1,60})"')
# Letters, underscore, hyphen and dot, which no service escapes; what many do escape, such as `<`, is in no mark.
_ESCAPED = re.compile(rb"\\u00(?:[4-7]|2[dDeE])")
# What may be a failure or a finish reason in a chunk of OpenAI's: then the chunk is parsed, to know.
_TELLING = re.compile(rb'"(?:error|finish_reason|base_resp)"\s*:\s*[^\sn]')
_TEXT = re.compile(rb'\{"text"\s*:\s*"')
_OBJECT = re.compile(rb'"object"\s*:\s*"(?:chat\.completion|text_completion)')
# Two searches, one after the other: a single one would search for the delta again after each of many choices.
_CHOICES, _DELTA = re.compile(rb'"choices"\s*:\s*\[\s*\{'), re.compile(rb'"delta"\s*:')


class Sightings:
    """What the lines of one stream have shown so far.

    Arguments: `listens`, whether to wait for a model's first word; `named`, whether an event with a name of its own
    may be one.
    """

    def __init__(self, *, listens: bool = False, named: bool = True) -> None:
        self.protocol: Protocol | None = None
        self.began = False  # something came before its end
        self.over = False  # finished or failed, in its own words, and nothing after that
        self.failed = False
        self.failure: UpstreamError | None = None  # one in place of the first word
        self.spoke = not listens
        self._named = named
        self._has_finish_reason = False
        self._event = b""
        self._left = FIRST_EVENTS

    @property
    def name(self) -> str | None:
        """The protocol's name, None while it is unknown."""
        return None if self.protocol is None else self.protocol.name

    @property
    def was_cut(self) -> bool:
        """Whether a stream that ends now would end in the middle, as far as its protocol shows."""
        return self.protocol is OPENAI and not self.over and not self._has_finish_reason

    def see(self, lines: Iterable[bytes]) -> None:
        """Look at whole lines, without their ends."""
        for line in lines:
            if not line:
                self._event = b""
            elif line.startswith(b"data:"):
                self._see_data(_written_out(line[5:].strip()))
            elif line.startswith(b"event:"):
                self._event = line[6:].strip()

    def _see_data(self, data: bytes) -> None:
        if not self.spoke:
            self._listen(data)
        if data == b"[DONE]" and self._event in (b"", b"message", b"done"):
            self.over = True
            return
        self.over = False
        if self.protocol is None and self._left:
            self._left -= 1
            self.protocol = recognized(self._event, data)
        if self.protocol is None:
            self.over = self.failed = self._event == b"error"
        else:
            self._look_for_an_end(self.protocol, data)
        self.began = self.began or not self.over

    def _listen(self, data: bytes) -> None:
        """Look for the model's first word, or for a failure in its place."""
        told = told_in(data)
        is_unnamed = self._event in (b"", b"message")
        if is_unnamed or self._event == b"error":
            self.failure = self.failure or told.failure
        self.spoke = told.speaks and told.failure is None and (self._named or is_unnamed)

    def _look_for_an_end(self, protocol: Protocol, data: bytes) -> None:
        words = _words(self._event, data)
        if protocol is OPENAI and (_TELLING.search(data) or b'"choices"' not in data):
            told = told_in(data)
            self._has_finish_reason = self._has_finish_reason or told.finishes
            self.failed = self.over = told.failure is not None
        elif words & protocol.failed:
            self.failed = self.over = True
        elif words & protocol.finished:
            self.over = True


def _written_out(data: bytes) -> bytes:
    """The same JSON without escaped letters, so that it can be searched for words."""
    if b"\\u00" not in data or not _ESCAPED.search(data):
        return data
    try:
        return json.dumps(json.loads(data)).encode()
    except (ValueError, RecursionError):  # no JSON, or too deep for anybody
        return data


def _words(event: bytes, data: bytes) -> set[bytes]:
    """The event's name, and the ``type`` that its JSON begins with."""
    found = _TYPE.search(data, 0, 400) if data.startswith(b"{") else None
    return {event, found.group(1)} if found else {event}


def recognized(event: bytes, data: bytes) -> Protocol | None:
    """The protocol that an event of this name and data shows; None where it shows none that is known."""
    words = _words(event, data)
    for protocol in _BY_WORD:
        if words & protocol.spoken:
            return protocol
    if _is_chunk(data):
        return OPENAI
    if data.startswith(b"{") and b'"jsonrpc"' in data:
        return _JSONRPC
    is_ours = event in (b"delta", b"reasoning") and _TEXT.match(data)
    return DELTA if is_ours else None


def _is_chunk(data: bytes) -> bool:
    if _OBJECT.search(data):
        return True
    choices = _CHOICES.search(data)
    return choices is not None and _DELTA.search(data, choices.end()) is not None
