"""What a model can say, and what the Stream says around it.

A source may yield some of these itself, among a model's chunks or instead of them: `Reasoning`, `ToolCall`,
`ToolResult`, `Approval`, `Source`, `File`, `Data`, `Step`, `Metadata`, `Finish` and `Usage`.

Rules of this file:

1. A part is immutable: it is made where the chunk is produced and crosses to the writer's thread or task.
2. Text is a plain ``str``; one line of JSON that the dialect sends unchanged is plain ``bytes``: no object is made
   for either. Readers return the second only where it is asked for (`Wish.lines`).
3. Parts speak of the first choice. A part of another choice (``n > 1``) travels inside a `Choice`.
4. Adapters make parts out of chunks; `Start`, `Failure` and `End` are made by the Stream alone, which hears
   `Broken` itself: no dialect has to say it.
5. A value that may be anything is any JSON value to who makes the part, and crosses as one line of JSON, ``bytes``.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias


class Start(NamedTuple):
    """The stream begins; the id and the time of creation that a protocol may want to send."""

    id: str
    created: int  # seconds since 1970


class Origin(NamedTuple):
    """What the model's service says about its answer: the answer's id, its time of creation, the model's name."""

    id: str  # "" where the service tells none
    created: int | None  # seconds since 1970; None where the service tells no time
    model: str  # "" where the service does not name it


class Reasoning(NamedTuple):
    """A piece of the model's thinking, shown apart from its answer."""

    text: str


class ToolCall(NamedTuple):
    """A fragment of a call the model wants made; `id` and `name` come with the first fragment only."""

    number: int  # which of the answer's calls, from 0
    id: str | None
    name: str | None
    arguments: str


class ToolResult(NamedTuple):
    """What came of a call that was made on this side.

    Arguments: `id`, the call's; `output`, any JSON value; `error`, what went wrong, for the client to read (None:
    nothing); `preliminary`, whether another result of the same call will replace this one.
    """

    id: str
    output: Any
    error: str | None = None
    preliminary: bool = False


class Approval(NamedTuple):
    """A call waits until the user allows it: `id` is this question's, `call_id` the call's."""

    id: str
    call_id: str


class Source(NamedTuple):
    """Where the answer has something from: a citation's address, its title, and its own id."""

    url: str
    title: str | None = None
    id: str | None = None


class File(NamedTuple):
    """A file that belongs to the answer: `url` is its address, or all of it as a ``data:`` URL."""

    url: str
    media_type: str
    name: str | None = None


class Data(NamedTuple):
    """Something of the app's own.

    Arguments: `name`, its kind; `value`, any JSON value; `id`, with which a later one replaces this (None: it
    stays); `transient`, whether it is for this moment and not for the history.
    """

    name: str
    value: Any
    id: str | None = None
    transient: bool = False


class Step(NamedTuple):
    """Another call of a model begins within the same answer."""

    name: str | None = None


class Metadata(NamedTuple):
    """What is to be known about the answer as a whole: any JSON value."""

    value: Any


class Finish(NamedTuple):
    """The model says why it stopped: ``stop``, ``length``, ``tool_calls``, ``content_filter`` ...

    Only the final one is told to the client; another call of the model may follow on one that is for the Summary.
    """

    reason: str
    final: bool = True


class Usage(NamedTuple):
    """Tokens so far; only the final count is told to the client, the others are for the Summary.

    `cached_tokens` are those of the input that cost less, `reasoning_tokens` those of the output that were
    thoughts; None where nobody has counted them.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    final: bool = True
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Value(NamedTuple):
    """An object that is not a model's output, as one line of JSON; it is not checked for line ends again."""

    json: bytes


class Frame(NamedTuple):
    """Bytes that are framed already and pass any dialect unchanged; `speaks`, whether they say anything."""

    data: bytes
    speaks: bool = True


class Raw(NamedTuple):
    """Bytes of a body that is not an event stream: they pass, and no ping or frame of ours may come in between."""

    data: bytes


class Relayed(NamedTuple):
    """What somebody else's frames have shown: their protocol, if known, and whether their end frame has come."""

    protocol: str | None
    over: bool


class Native(NamedTuple):
    """A whole chunk in its own protocol, with the two fields that the Summary needs of it.

    `parts` is what it says, as our parts, and only there if somebody asked (``collect``); `speaks`, whether it says
    anything at all.
    """

    protocol: str
    json: bytes
    finish_reason: str | None
    usage: Usage | None
    parts: tuple[Part, ...] = ()
    speaks: bool = True


class Choice(NamedTuple):
    """A part that belongs to another choice than the first."""

    number: int
    part: Part


class Broken(NamedTuple):
    """The source reported its failure in a chunk that also has words before it; nothing after it is read."""

    error: Exception


class Failure(NamedTuple):
    """The stream failed; the code and the message that the client may see."""

    message: str
    code: str
    retryable: bool


class End(NamedTuple):
    """Nothing more will come."""


Part: TypeAlias = (
    str
    | bytes
    | Start
    | Origin
    | Reasoning
    | ToolCall
    | ToolResult
    | Approval
    | Source
    | File
    | Data
    | Step
    | Metadata
    | Finish
    | Usage
    | Value
    | Frame
    | Raw
    | Relayed
    | Native
    | Choice
    | Broken
    | Failure
    | End
)


def inner_of(part: Part) -> Part:
    """The part itself, whichever choice it belongs to."""
    return part.part if type(part) is Choice else part


def speaks(kind: type, parts: list[Any]) -> bool:
    """Whether these parts of one kind are a model's output, and not what goes around it."""
    if kind is str:
        return any(parts)
    if kind is Native or kind is Frame:
        return any(part.speaks for part in parts)
    return kind not in _AROUND


# Not a model's, but of whoever asks it.
_AROUND = frozenset({Origin, Relayed, Step, Metadata, Data, Source, ToolResult})
