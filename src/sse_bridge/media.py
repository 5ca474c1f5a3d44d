"""Media types: of responses, and of what a client accepts."""

from __future__ import annotations

EVENTS = "text/event-stream"
JSON_LINES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
)

_NOT_AT_ALL = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def asks_for_events(accept: str) -> bool:
    """Whether the Accept header names event streams; a wildcard does not."""
    if EVENTS not in accept.lower():  # nearly always all that is to be known
        return False
    for wanted in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in wanted.split(";"))
        if name == EVENTS:
            return not any(parameter.replace(" ", "") in _NOT_AT_ALL for parameter in parameters)
    return False


def is_json(kind: str) -> bool:
    """Whether bodies of this type are lines of JSON."""
    return kind in JSON_LINES or "json" in kind
