"""The frames adapter: what is framed already passes whole, frame by frame."""

from __future__ import annotations

import logging
import re
from typing import Any

from ..parts import Frame
from ..wire import ServerSentEvent
from .base import Parts, Reader, Wish

_log = logging.getLogger("sse_bridge")

# Two line ends in a row; atomic groups keep CR LF from being taken for two.
_FRAME_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
# At the very end of what has arrived, these lack a line feed that is on its way.
_CUT_ENDS = (b"\r\n\r", b"\n\r")
_BOM = b"\xef\xbb\xbf"

FRAME_LIMIT = 16 * 1024 * 1024  # bytes of one frame; more is no event stream


class Frames:
    """``str`` or ``bytes``, cut anywhere, that are text/event-stream already; a `ServerSentEvent` too."""

    name = "frames"

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return FramesReader()


class FramesReader:
    def __init__(self) -> None:
        self._rest = bytearray()
        self._looked = 0  # how far `_rest` is known to hold no end of a frame
        self._first = True

    def read(self, chunk: Any) -> Parts:
        self._rest += _framed_bytes(chunk)
        if self._first and len(self._rest) >= len(_BOM):
            self._first = False
            if self._rest.startswith(_BOM):  # inside a stream it would spoil the first field
                del self._rest[: len(_BOM)]
        return self._cut()

    def end(self) -> Parts:
        frames = self._cut(final=True)
        if self._rest.strip(b"\r\n"):
            # A client drops a frame without its empty line; sent, it would swallow the frame after it.
            _log.warning(
                "the source ended within a frame, which is dropped: %.80r", bytes(self._rest)
            )
        return frames

    def _cut(self, *, final: bool = False) -> Parts:
        frames, start = [], 0
        for match in _FRAME_END.finditer(self._rest, self._looked):
            if not final and match.end() == len(self._rest) and match.group() in _CUT_ENDS:
                break
            frame = bytes(self._rest[start : match.end()]).lstrip(b"\r\n")
            start = match.end()
            if frame:
                frames.append(Frame(frame))
        del self._rest[:start]
        self._looked = max(0, len(self._rest) - 3)  # an end may be cut within its last three bytes
        if len(self._rest) > FRAME_LIMIT:
            raise ValueError(f"a frame of more than {FRAME_LIMIT} bytes: no event stream")
        return frames


def _framed_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    if isinstance(chunk, ServerSentEvent):
        return chunk.encode()
    if chunk is None:
        return b""
    raise TypeError(
        f'adapter="frames" takes str or bytes that are framed already, got {chunk!r:.200}'
    )
