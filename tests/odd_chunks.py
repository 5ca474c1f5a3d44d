"""Chunks as services really send them: each kind of oddity, and what a client should hear of it."""

from __future__ import annotations

from typing import Any

from chunks import envelope, openai_chunk
from heard import Heard

Chunks = list[dict[str, Any]]

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
STOP = openai_chunk({}, "stop")


def word(text: str = "Hel", **more: Any) -> dict[str, Any]:
    return openai_chunk({"content": text}, **more)


def piece(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def choice(**fields: Any) -> dict[str, Any]:
    """A chunk of one choice with just these fields."""
    return envelope([{"index": 0, **fields}])


def call(id_: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    fragment = {"id": id_, "function": {"name": name, "arguments": arguments}, **more}
    return openai_chunk({"tool_calls": [fragment]})


def whole(text: str, **more: Any) -> dict[str, Any]:
    """The whole answer again, as some services end their streams."""
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {**envelope(choices), "object": "chat.completion", **more}


# -- answers ---------------------------------------------------------------------------------------

GOOD: dict[str, tuple[Chunks, Heard]] = {
    # content as a list of typed pieces
    "text and thinking in pieces": (
        [
            word(),
            openai_chunk(
                {
                    "content": [
                        piece("text", text="lo"),
                        piece("thinking", thinking=[piece("text", text="hm")]),
                    ]
                }
            ),
            STOP,
        ],
        Heard("Hello", "hm", finish="stop"),
    ),
    "pieces throughout": (
        [
            openai_chunk({"content": [piece("thinking", thinking="h")]}),
            openai_chunk({"content": [piece("thinking", thinking="m")]}),
            openai_chunk({"content": [piece("text", text="Hello")]}, "stop"),
        ],
        Heard("Hello", "hm", finish="stop"),
    ),
    "one piece": (
        [openai_chunk({"content": piece("text", text="Hello")}), STOP],
        Heard("Hello", finish="stop"),
    ),
    "texts": ([openai_chunk({"content": ["Hel", "lo"]}), STOP], Heard("Hello", finish="stop")),
    "a number": ([openai_chunk({"content": 42}), STOP], Heard("42", finish="stop")),
    # words elsewhere
    "a transcript of audio": (
        [openai_chunk({"audio": {"transcript": "Hello", "data": "AAAA"}}), STOP],
        Heard("Hello", finish="stop"),
    ),
    "a message in place of the delta": (
        [choice(message={"role": "assistant", "content": "Hello"}, finish_reason="stop")],
        Heard("Hello", finish="stop"),
    ),
    "a text for a delta": ([choice(delta="Hello"), STOP], Heard("Hello", finish="stop")),
    "reasoning details": (
        [
            openai_chunk({"reasoning_details": [piece("reasoning.text", text="hm")]}),
            word("x"),
            STOP,
        ],
        Heard("x", "hm", finish="stop"),
    ),
    "reasoning twice": (
        [
            openai_chunk(
                {"reasoning": "hm", "reasoning_details": [piece("reasoning.text", text="hm")]}
            ),
            word("x"),
            STOP,
        ],
        Heard("x", "hm", finish="stop"),
    ),
    "no name for the object": (
        [
            {"choices": [{"delta": {"content": "Hello"}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        ],
        Heard("Hello", finish="stop"),
    ),
    "another name for the object": (
        [{**word("Hello"), "object": "chat.completion.delta"}, STOP],
        Heard("Hello", finish="stop"),
    ),
    "a text completion": (
        [
            {
                "object": "text_completion",
                "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}],
            }
        ],
        Heard("Hello", finish="stop"),
    ),
    # tool calls
    "calls without numbers": (
        [
            call("a", "f", "{"),
            call(None, None, "}"),
            call("b", "g", "[]"),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", "{}"), ("b", "g", "[]")), finish="tool_calls"),
    ),
    "calls with 0 for all": (
        [
            call("a", "f", "{}", index=0),
            call("b", "g", "[", index=0),
            call(None, None, "]", index=0),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", "{}"), ("b", "g", "[]")), finish="tool_calls"),
    ),
    "a number as text, then none": (
        [call("a", "f", "{", index="0"), call(None, None, "}"), openai_chunk({}, "tool_calls")],
        Heard(calls=(("a", "f", "{}"),), finish="tool_calls"),
    ),
    "arguments as an object": (
        [call("a", "f", {"x": ["你"]}, index=0), openai_chunk({}, "tool_calls")],
        Heard(calls=(("a", "f", '{"x":["你"]}'),), finish="tool_calls"),
    ),
    "arguments as a list": (
        [call("a", "f", ["x"], index=0), openai_chunk({}, "tool_calls")],
        Heard(calls=(("a", "f", '["x"]'),), finish="tool_calls"),
    ),
    # the whole answer again
    "the whole answer at the end": (
        [word(), word("lo"), whole("Hello", usage=USAGE)],
        Heard("Hello", finish="stop", usage=(7, 3)),
    ),
    "the whole answer after the finish": (
        [word(), word("lo"), STOP, whole("Hello", usage=USAGE)],
        Heard("Hello", finish="stop", usage=(7, 3)),
    ),
    "a whole answer whose text is news": (
        [openai_chunk({"reasoning_content": "hm"}), whole("Hello")],
        Heard("Hello", "hm", finish="stop"),
    ),
    # usage
    "usage in every chunk": (
        [
            word(usage={**USAGE, "completion_tokens": 1}),
            word("lo", usage={**USAGE, "completion_tokens": 2}),
            {**STOP, "usage": USAGE},
        ],
        Heard("Hello", finish="stop", usage=(7, 3)),
    ),
    "usage as floats": (
        [
            word("Hello"),
            STOP,
            envelope(
                [], usage={"prompt_tokens": 7.0, "completion_tokens": 3.0, "total_tokens": 10.0}
            ),
        ],
        Heard("Hello", finish="stop", usage=(7, 3)),
    ),
    # finish
    "a repeated reason to finish": (
        [word("Hello"), STOP, STOP, openai_chunk(), STOP],
        Heard("Hello", finish="stop"),
    ),
    # half a character
    "half a character a chunk": (
        [word("x\ud83d"), word("\ude00y"), STOP],
        Heard("x😀y", finish="stop"),
    ),
    "half a character alone": ([word("x\ud83d"), STOP], Heard("x\ufffd", finish="stop")),
    "half a character of thought": (
        [
            openai_chunk({"reasoning_content": "\ud83d"}),
            openai_chunk({"reasoning_content": "\ude00"}),
            word("x"),
            STOP,
        ],
        Heard("x", "😀", finish="stop"),
    ),
    "half a character of arguments": (
        [
            call("a", "f", '{"x":"\ud83d', index=0),
            call(None, None, '\ude00"}', index=0),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", '{"x":"😀"}'),), finish="tool_calls"),
    ),
    # nothing much
    "no reason to finish": ([word("Hello")], Heard("Hello")),
    "a filter's reason alone": (
        [openai_chunk({}, "content_filter")],
        Heard(finish="content_filter"),
    ),
    "an empty object among the chunks": ([word("Hello"), {}, STOP], Heard("Hello", finish="stop")),
    "an object that is no chunk, later": (
        [word("Hello"), {"request_id": "r"}, STOP],
        Heard("Hello", finish="stop"),
    ),
}


# -- failures --------------------------------------------------------------------------------------

# What is in the chunk, the code that a client is told, and the status that was read off it.
MESSAGE = "a secret of the service"
FAILED: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "an error in a chunk": (
        envelope([], error={"message": MESSAGE, "code": 429}),
        "rate_limited",
        429,
    ),
    "no choices": (
        envelope(None, error={"message": MESSAGE, "code": 401}),
        "credentials_refused",
        401,
    ),
    "a text": (envelope([], error=MESSAGE), "upstream_error", None),
    "a type": (
        envelope([], error={"message": MESSAGE, "type": "overloaded_error"}),
        "overloaded",
        None,
    ),
    "a choice beside it": (
        {**openai_chunk(), "error": {"message": MESSAGE, "code": "context_length_exceeded"}},
        "context_too_long",
        None,
    ),
    "a finish reason": (openai_chunk({}, "error"), "upstream_error", None),
    "a finish reason, and why": (
        {**openai_chunk({}, "error"), "error": {"message": MESSAGE, "code": 503}},
        "overloaded",
        503,
    ),
    "a reason in the choice": (
        choice(delta={}, finish_reason="error", error={"message": MESSAGE, "code": 400}),
        "bad_request",
        400,
    ),
    "an error object": (
        {"object": "error", "message": MESSAGE, "code": 500, "choices": None},
        "upstream_error",
        500,
    ),
    "an error object without choices": (
        {"object": "error", "message": MESSAGE, "code": 429},
        "rate_limited",
        429,
    ),
    "a bare error": ({"error": {"message": MESSAGE, "code": 429}}, "rate_limited", 429),
    "groq's": (envelope([], x_groq={"error": MESSAGE}), "upstream_error", None),
    "anthropic's": (
        piece("error", error=piece("rate_limit_error", message=MESSAGE)),
        "rate_limited",
        None,
    ),
    "minimax's": (
        {"base_resp": {"status_code": 1004, "status_msg": MESSAGE}},
        "credentials_refused",
        401,
    ),
    "spark's": ({"code": 10013, "message": MESSAGE}, "bad_request", 400),
    "fastapi's": ({"detail": MESSAGE}, "upstream_error", None),
}


# -- no answers ------------------------------------------------------------------------------------

EMPTY: dict[str, Chunks] = {
    "nothing": [],
    "a role": [openai_chunk({"role": "assistant", "content": ""})],
    "chunks without choices": [envelope([]), envelope(None)],
    "empty deltas": [openai_chunk(), openai_chunk({"content": None})],
}
