"""Passes on the lines of somebody else's event stream, and notes what they show of it.

Rules of this file:

1. A line is passed on with its end, or once it is longer than `LINE_LIMIT` bytes: so something of ours may be put
   between two lines, and a line that was cut can be dropped.
2. A stream that reported its failure has failed, and so has one that ended in the middle of OpenAI's protocol.
3. Where a model must speak, a failure before its first word is raised instead of passed on.
"""

from __future__ import annotations

from ..failures import UpstreamError, upstream_cut
from ..parts import Frame, Relayed
from .base import Parts, broken
from .protocols import Sightings

LINE_LIMIT = 64 * 1024  # bytes of an unfinished line that wait for its end


class RelayedLines:
    """The lines of one stream.

    Arguments: `must_speak`, whether a model's words have to come; `passes`, the protocol that the client speaks, if
    it is a model's; `tells`, whether the dialect is told of the protocol that was seen.
    """

    def __init__(self, *, must_speak: bool, passes: str | None = None, tells: bool = True) -> None:
        self._rest = bytearray()  # an unfinished line
        self._is_cut = False  # whether the beginning of that line was passed on already
        self._after_cr = False
        self._seen = Sightings(listens=must_speak, named=passes is None)
        self._told: tuple[str | None, bool] | None = (None, False) if tells else None

    def read(self, data: bytes) -> Parts:
        """What may be passed on, now that these bytes have come."""
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            piece = bytes(self._rest) + data[:end]
            self._rest = bytearray(data[end:])
            return self._pass(piece)
        self._rest += data
        if len(self._rest) <= LINE_LIMIT:
            return ()
        piece, self._rest = bytes(self._rest), bytearray()
        return self._pass(piece)

    def end(self) -> Parts:
        """What was left over, and the failure that the stream has reported, or has ended with."""
        parts = self._pass(bytes(self._rest)) if self._rest else ()
        if self._seen.failed:
            return broken(parts, UpstreamError("the relayed frames report a failure"))
        return broken(parts, upstream_cut()) if self._seen.was_cut else parts

    def _pass(self, piece: bytes) -> Parts:
        had_spoken = self._seen.spoke and self._seen.began
        self._seen.see(self._whole_lines(piece))
        self._is_cut = not piece.endswith((b"\n", b"\r"))
        if self._seen.failure is not None and not self._seen.spoke:
            raise self._seen.failure  # instead of an answer, and perhaps while it can still be a status
        frame, told = Frame(piece, self._seen.spoke), (self._seen.name, self._seen.over)
        if self._told is None or told == self._told:
            return (frame,)
        self._told = told
        speaks_first = self._seen.spoke and self._seen.began and not had_spoken
        # An end that is told before the first word is that of no answer.
        return (frame, Relayed(*told)) if speaks_first else (Relayed(*told), frame)

    def _whole_lines(self, piece: bytes) -> list[bytes]:
        """The whole lines without their ends, leaving out the rest of one whose beginning was passed on."""
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.removesuffix(b"\n").split(b"\n")
        return lines[1:] if self._is_cut else lines
