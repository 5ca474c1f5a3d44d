"""The dialect for somebody else's frames: they pass, and they end in the protocol that they speak."""

from __future__ import annotations

from typing import ClassVar

from ..parts import Failure, Relayed
from .base import Say, Voice
from .openai import OpenAIVoice
from .plain import PlainVoice

# The protocols that can be ended, with a dialect's failure or its last frame: a voice is used for nothing else.
_VOICES: dict[str | None, Voice] = {"delta": PlainVoice(), "openai": OpenAIVoice("")}


class Relay:
    """Passes frames, and ends them in their own protocol where it is known; as `Plain` does where it is not.

    Arguments: `cuts`, whether a failure in an unknown protocol also ends with a cut connection, for readers
    that recognize no other failure.
    """

    name = "relay"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = True

    def __init__(self, *, cuts: bool) -> None:
        self.cuts = cuts

    def voice(self) -> Say:
        """The voice for a new stream."""
        return RelayVoice(self.cuts)


class RelayVoice(PlainVoice):
    name: ClassVar[str] = "relay"

    def __init__(self, cuts: bool) -> None:
        super().__init__()
        self._cuts = cuts
        self._protocol: str | None = None

    def relayed(self, part: Relayed) -> bytes:
        self._protocol = part.protocol
        return super().relayed(part)

    @property
    def cuts(self) -> bool:
        """Whether the client may not understand the failure that was sent."""
        return self._cuts and self._protocol not in _VOICES

    def failure(self, part: Failure) -> bytes:
        known = _VOICES.get(self._protocol)
        return known.failure(part) if known is not None else super().failure(part)

    def end(self) -> bytes:
        if self._protocol is None:
            return super().end()
        known = _VOICES.get(self._protocol)
        return known.last_frame if known is not None else b""
