"""What a model can say, and what the Stream says around it.

Rules of this file:

1. A part is immutable: it is made where the chunk is produced and crosses to the writer's thread or task.
2. Text is a plain ``str``; one line of JSON that the dialect sends as it is, is plain ``bytes``: nothing is made
   for them. Readers give the second only where it is wished for (`Wish.lines`).
3. Parts speak of the first choice. A part of another choice (``n > 1``) travels inside a `Choice`.
4. Adapters make parts out of chunks; `Start`, `Failure` and `End` are made by the Stream alone.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Start(NamedTuple):
    """The stream begins; the name and birth time that a protocol may want to show."""

    id: str
    created: int  # seconds since 1970


class Reasoning(NamedTuple):
    """A piece of the model's thinking, shown apart from its answer."""

    text: str


class ToolCall(NamedTuple):
    """A fragment of a call the model wants made; `id` and `name` come with the first fragment only."""

    number: int  # which of the answer's calls
    id: str | None
    name: str | None
    arguments: str


class Finish(NamedTuple):
    """The model says why it stopped: ``stop``, ``length``, ``tool_calls``, ``content_filter`` ..."""

    reason: str


class Usage(NamedTuple):
    """Tokens so far; only the final count is told to the client, the others are for the Summary."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    final: bool = True


class Value(NamedTuple):
    """An object that is no model's word, as one line of JSON; nobody looks for line ends in it again."""

    json: bytes


class Frame(NamedTuple):
    """Bytes that are framed already and pass any dialect untouched."""

    data: bytes


class Native(NamedTuple):
    """A chunk in its own protocol, whole; with the two fields that the Summary wants read off it.

    `parts` is what it says in our words, and only there if somebody asked (``collect``).
    """

    protocol: str
    json: bytes
    finish_reason: str | None
    usage: Usage | None
    parts: tuple[Part, ...] = ()


class Choice(NamedTuple):
    """A part that belongs to another choice than the first."""

    number: int
    part: Part


class Failure(NamedTuple):
    """The stream failed; the words that the client may see."""

    message: str
    code: str
    retryable: bool


class End(NamedTuple):
    """Nothing more will come."""


Part: TypeAlias = (
    str
    | bytes
    | Start
    | Reasoning
    | ToolCall
    | Finish
    | Usage
    | Value
    | Frame
    | Native
    | Choice
    | Failure
    | End
)


def may_work_later(status_code: object) -> bool:
    """Whether the same request may succeed later; not if it was wrong in itself."""
    return status_code not in (400, 401, 403, 404, 405, 409, 410, 413, 422)


class UpstreamError(Exception):
    """The model's service failed, in a way that it told in band or that a limit of patience told for it.

    Arguments: `message`, for the log; `status_code`, the HTTP status that fits (None: unknown);
    `code`, the service's own word for it (None: none given); `retryable`, whether the same request
    may succeed later (None, the default: as the status says).
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.retryable = may_work_later(status_code) if retryable is None else retryable


class SerializationError(ValueError):
    """A chunk cannot be written as JSON or as UTF-8 text."""
