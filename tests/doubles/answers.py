"""What a double answers: what the model says, and where the answer goes astray.

Frames are counted from 0 as they stand on the wire: OpenAI's role chunk is frame 0, its `[DONE]`
the last one. A turn at k comes instead of frame k, when exactly k frames have left; a turn at the
number of frames, instead of the end. A gated answer asks for a permit before each frame, and before
the turn that stands in a frame's place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

# Stands in every error message here, so that a test can assert that no client was shown it.
SECRET = "key-that-no-client-may-see"

BEFORE_HEADERS = -1


@dataclass(frozen=True)
class ToolCall:
    """One call, its arguments in fragments; the id and the name come with the first only."""

    name: str = "get_weather"
    arguments: Sequence[str] = ('{"city":', ' "Oslo"}')
    id: str = "call_1"


@dataclass(frozen=True)
class Stall:
    """Say nothing more, until the client hangs up or the double ends."""


@dataclass(frozen=True)
class Cut:
    """Close the connection (FIN) in the middle of the frame that was due."""


@dataclass(frozen=True)
class Reset:
    """Reset the connection (RST)."""


@dataclass(frozen=True)
class Fault:
    """An error in band, as the vendor frames it, and the end of the answer."""

    message: str = f"the model broke down, {SECRET}"
    code: str | None = "server_error"
    status: int = 500


@dataclass(frozen=True)
class Raw:
    """Bytes of the test's own, sent before the frame; the answer goes on after them."""

    data: bytes


Turn = Stall | Cut | Reset | Fault | Raw


@dataclass(frozen=True)
class Reply:
    """What the model says, in this order: reasoning, refusal, text, tool calls, finish, usage."""

    text: Sequence[str] = ("Hello", ", ", "world")
    _: KW_ONLY
    more: Sequence[Sequence[str]] = ()  # further choices, interleaved
    reasoning: Sequence[str] = ()
    refusal: Sequence[str] = ()
    tool_calls: Sequence[ToolCall] = ()
    finish: str | None = None
    empty_tool_ids: bool = False  # `"id": ""` in later fragments
    done: bool = True  # False: OpenAI's answer ends without [DONE]
    at: Mapping[int, Turn] = field(default_factory=dict)
    gated: bool = False
    bytewise: bool = False

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True)
class HttpError:
    """An answer that is an error from its first line on."""

    status: int = 429
    message: str = f"too many requests, {SECRET}"
    code: str = "rate_limit_exceeded"
    headers: Mapping[str, str] = field(default_factory=dict)
    sse: bool = False  # DashScope can put its error frame under a status that is not 2xx
    body: bytes | None = None  # what a gateway in front would answer, as text/html


Answer = Reply | HttpError
