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
    "a text in the choice": ([choice(content="Hello"), STOP], Heard("Hello", finish="stop")),
    "messages in the choice": (
        [choice(messages=[{"text": "Hello"}], finish_reason="stop")],
        Heard("Hello", finish="stop"),
    ),
    "a list for a delta": ([choice(delta=["Hel", "lo"]), STOP], Heard("Hello", finish="stop")),
    "an empty delta beside the message": (
        [choice(delta={}, message={"content": "Hello"}, finish_reason="stop")],
        Heard("Hello", finish="stop"),
    ),
    "one choice, and no list": (
        [{**envelope([]), "choices": {"index": 0, "delta": {"content": "Hello"}}}, STOP],
        Heard("Hello", finish="stop"),
    ),
    "the same words in two places": (
        [choice(delta={"content": "Hello"}, text="Hello"), STOP],
        Heard("Hello", finish="stop"),
    ),
    "thinking by other names": (
        [
            openai_chunk(
                {"content": [piece("thinking_delta", thinking="h"), piece("thought", text="m")]}
            ),
            word("x"),
            STOP,
        ],
        Heard("x", "hm", finish="stop"),
    ),
    # tool calls
    "calls with 0 for all, and no ids": (
        [
            openai_chunk(
                {
                    "tool_calls": [
                        {"index": 0, "id": "", "function": {"name": name, "arguments": "{}"}}
                        for name in ("f", "g")
                    ]
                }
            ),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("", "f", "{}"), ("", "g", "{}")), finish="tool_calls"),
    ),
    "whole calls of one name": (
        [
            call(None, "f", {"x": 1}),
            call(None, "f", {"x": 2}),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("", "f", '{"x":1}'), ("", "f", '{"x":2}')), finish="tool_calls"),
    ),
    "a new id behind a whole call": (
        [
            call("a", "f", {"x": 1}, index=0),
            call("b", None, {"x": 2}, index=0),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", '{"x":1}'), ("b", "", '{"x":2}')), finish="tool_calls"),
    ),
    "a custom tool": (
        [
            openai_chunk(
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "a",
                            "type": "custom",
                            "custom": {"name": "f", "input": "print(1)"},
                        }
                    ]
                }
            ),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", "print(1)"),), finish="tool_calls"),
    ),
    "a call told twice": (
        [
            openai_chunk(
                {
                    "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
                    "function_call": {"name": "f", "arguments": "{}"},
                }
            ),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", "{}"),), finish="tool_calls"),
    ),
    "a call, and no list": (
        [
            openai_chunk(
                {
                    "tool_calls": {
                        "index": 0,
                        "id": "a",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                }
            ),
            openai_chunk({}, "tool_calls"),
        ],
        Heard(calls=(("a", "f", "{}"),), finish="tool_calls"),
    ),
    "empty calls beside the text": (
        [openai_chunk({"content": "Hello", "function_call": {}, "tool_calls": [{}]}), STOP],
        Heard("Hello", finish="stop"),
    ),
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
    "a whole answer that goes on": (
        [word(), whole("Hello")],
        Heard("Hello", finish="stop"),
    ),
    "the whole answer without its name": (
        [word(), word("lo"), {**whole("Hello"), "object": ""}],
        Heard("Hello", finish="stop"),
    ),
    "a role, then the whole answer": (
        [openai_chunk({"role": "assistant", "content": ""}), whole("Hello")],
        Heard("Hello", finish="stop"),
    ),
    "deltas by the name of a whole answer": (
        [
            {
                **envelope(
                    [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": so_far},
                            "delta": {"role": "assistant", "content": text},
                            "finish_reason": reason,
                        }
                    ]
                ),
                "object": "chat.completion",
            }
            for so_far, text, reason in [("Hel", "Hel", None), ("Hello", "lo", "stop")]
        ],
        Heard("Hello", finish="stop"),
    ),
    "one delta by that name": (
        [word(), {**word("lo"), "object": "chat.completion"}, STOP],
        Heard("Hello", finish="stop"),
    ),
    "a call that only the whole answer has": (
        [
            call("a", "f", "{}", index=0),
            {
                **envelope(
                    [
                        {
                            "index": 0,
                            "message": {
                                "content": None,
                                "tool_calls": [
                                    {"id": id_, "function": {"name": "f", "arguments": "{}"}}
                                    for id_ in ("a", "b")
                                ],
                            },
                            "finish_reason": "tool_calls",
                        }
                    ]
                ),
                "object": "chat.completion",
            },
        ],
        Heard(calls=(("a", "f", "{}"), ("b", "f", "{}")), finish="tool_calls"),
    ),
    # usage
    "usage as text": (
        [word("Hello"), {**STOP, "usage": {name: str(count) for name, count in USAGE.items()}}],
        Heard("Hello", finish="stop", usage=(7, 3)),
    ),
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
    "a reason to finish with every word": (
        [openai_chunk({"content": text}, "stop") for text in ("Hel", "lo")],
        Heard("Hello", finish="stop"),
    ),
    # half a character
    "half a character, and then others": (
        [word("x\ud83d"), word("y"), STOP],
        Heard("x\ufffdy", finish="stop"),
    ),
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
    "an error in a choice": (
        choice(delta={"content": ""}, error={"message": MESSAGE, "code": 502}),
        "upstream_error",
        502,
    ),
    "an error in a delta": (
        openai_chunk({"error": {"message": MESSAGE, "code": 429}}),
        "rate_limited",
        429,
    ),
    "a finish reason of a broken network": (
        openai_chunk({}, "network_error"),
        "upstream_error",
        None,
    ),
    "minimax's beside the choices": (
        openai_chunk({}, base_resp={"status_code": 1027, "status_msg": MESSAGE}),
        "bad_request",
        400,
    ),
    "spark's of old": (
        {"header": {"code": 11200, "message": MESSAGE}},
        "credentials_refused",
        401,
    ),
    "tencent's": (
        {"Response": {"Error": {"Code": "AuthFailure", "Message": MESSAGE}}},
        "credentials_refused",
        None,
    ),
    "cloudflare's": (
        {"success": False, "errors": [{"code": 7009, "message": MESSAGE}]},
        "upstream_error",
        None,
    ),
    "a typed error": (
        piece("error", code="server_error", message=MESSAGE),
        "upstream_error",
        None,
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
    "empty calls": [openai_chunk({"function_call": {}}), openai_chunk({"tool_calls": [{}]})],
    "empty deltas": [openai_chunk(), openai_chunk({"content": None})],
}
