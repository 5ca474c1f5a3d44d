"""A server, or a model, that means harm to the page that reads it: nothing but the documented errors comes of it.

What is documented: docs/browser.md and fetch-sse.d.ts. Node runs the client, in each of its ways to read.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import components
from sse_bridge.static import FETCH_SSE

HERE = Path(__file__).parent
DIALECTS = ("plain", "delta", "openai", "ai-sdk")
END = b"event: done\ndata: [DONE]\n\ndata: [DONE]\n\n"

WORD = {
    "plain": b"data: Hello\n\n",
    "delta": b'event: delta\ndata: {"text":"Hello"}\n\n',
    "openai": b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n',
    "ai-sdk": b'data: {"type":"text-delta","id":"0","delta":"Hello"}\n\n',
}


class Outcome(NamedTuple):
    """What came of one way of reading: the error's code and message, None for none, and all the text it gave."""

    way: str
    code: str | None
    message: str | None
    text: str


Read = Callable[..., list[Outcome]]


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    """Reads a body in each way; fails for what is not documented."""
    command = [components.program("node"), str(HERE / "hostile_streams.mjs"), FETCH_SSE.as_uri()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdin is not None
        assert node.stdout is not None

        def ask(body: bytes, dialect: str, *, status: int = 200, size: int = 0, **more: Any) -> Any:
            kind = more.pop("type", "text/event-stream")
            task = {
                "body": base64.b64encode(body).decode(),
                "options": {"dialect": dialect, **more},
            }
            task |= {"status": status, "size": size, "type": kind}
            node.stdin.write(json.dumps(task).encode() + b"\n")
            node.stdin.flush()
            return checked(json.loads(node.stdout.readline()), body)

        try:
            yield ask
        finally:
            with suppress(BrokenPipeError):
                node.stdin.close()
            node.wait(timeout=10)


def checked(told: dict[str, Any], body: bytes) -> list[Outcome]:
    shown = body[:300]
    assert told["unhandled"] == [], shown
    assert told["polluted"] == [], shown
    for outcome in told["outcomes"]:
        assert outcome.pop("fault", None) is None, (outcome, told["outcomes"], shown)
        assert outcome.pop("odd") == [], (outcome["way"], shown)
    return [
        Outcome(each["way"], each["code"], each.get("message"), each["text"])
        for each in told["outcomes"]
    ]


# -- what stands in JSON --------------------------------------------------------------------------

DEEP = (b"[" * 100_000 + b"]" * 100_000, b'{"content":' * 50_000 + b"1" + b"}" * 50_000)

VALUES = (
    *(
        b"null",
        b"true",
        b"false",
        b"0",
        b"-1",
        b"1e999",
        b"123456789012345678901234567890",
        b'""',
        b'"x"',
    ),
    *(b'"error"', b'"\\ud83d"', b"[]", b"{}", b"[[]]", b"[null]", b"[{}]", b"[429]", b'{"trim":1}'),
    *(
        b'{"toString":1,"valueOf":1}',
        b'[{"toString":1,"valueOf":1}]',
        b'{"then":1,"constructor":1}',
    ),
    *(b'{"__proto__":{"polluted":1}}', b'{"length":-1,"map":2,"includes":3,"find":1,"filter":1}'),
    b'{"constructor":{"prototype":{"polluted":1}},"toJSON":1}',
)

# Where the client looks, in any of its dialects; `@` is the place.
PLACES = (
    *(
        b"@",
        b'{"error":@}',
        b'{"x_groq":@}',
        b'{"x_groq":{"error":@}}',
        b'{"base_resp":@}',
        b'{"usage":@}',
    ),
    *(
        b'{"base_resp":{"status_code":@,"status_msg":"x"}}',
        b'{"base_resp":{"code":@,"message":"x"}}',
    ),
    *(
        b'{"code":@,"message":"m"}',
        b'{"status_code":@,"msg":"m"}',
        b'{"code":7,"message":@}',
        b'{"msg":@}',
    ),
    *(
        b'{"type":@}',
        b'{"object":@}',
        b'{"retryable":@}',
        b'{"error":{"message":@}}',
        b'{"error":{"code":@}}',
    ),
    *(b'{"error":{"type":@}}', b'{"error":{"retryable":@}}', b'{"detail":@}', b'{"detail":[@]}'),
    *(
        b'{"detail":[{"msg":@}]}',
        b'{"detail":{"message":@}}',
        b'{"status_msg":@}',
        b'{"__proto__":@}',
    ),
    *(b'{"choices":@}', b'{"choices":[@]}', b'{"choices":[{"index":@,"delta":{"content":"x"}}]}'),
    *(b'{"choices":[{"delta":@}]}', b'{"choices":[{"message":@}]}', b'{"choices":[{"text":@}]}'),
    *(b'{"choices":[{"finish_reason":@}]}', b'{"choices":[{"error":@}]}'),
    *(
        b'{"choices":[{"delta":{"%b":@}}]}' % name
        for name in (b"content", b"refusal", b"audio", b"error")
    ),
    *(
        b'{"choices":[{"delta":{"tool_calls":@}}]}',
        b'{"choices":[{"delta":{"audio":{"transcript":@}}}]}',
    ),
    *(
        b'{"choices":[{"delta":{"content":[@]}}]}',
        b'{"choices":[{"delta":{"content":[{"type":@,"text":"x"}]}}]}',
    ),
    b'{"choices":[{"delta":{"content":[{"type":"text","text":@}]}}]}',
    *(
        b'{"text":@}',
        b'{"choice":@,"text":"x"}',
        b'{"type":"text-delta","delta":@}',
        b'{"type":"finish","x":@}',
    ),
    *(b'{"type":"error","errorText":@}', b'{"type":"abort","reason":@}'),
)


# Where words are looked for, or a text is asked for, of what may be a text.
WHERE_DEPTH_TELLS = (
    *(
        b"@",
        b'{"error":@}',
        b'{"error":{"code":@}}',
        b'{"code":@,"message":"m"}',
        b'{"type":@}',
        b'{"text":@}',
    ),
    *(
        b'{"usage":@}',
        b'{"choices":[{"index":@}]}',
        b'{"choices":[{"delta":@}]}',
        b'{"choices":[{"text":@}]}',
    ),
    *(
        b'{"choices":[{"finish_reason":@}]}',
        b'{"choices":[{"delta":{"content":[{"type":@,"text":"x"}]}}]}',
    ),
)


def frame(data: bytes, event: bytes = b"") -> bytes:
    return (b"event: %b\n" % event if event else b"") + b"data: %b\n\n" % data


@pytest.mark.timeout(120)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_value_of_any_type_at_any_place_makes_no_undocumented_error(read: Read, dialect: str):
    names = (
        (b"", b"error", b"delta", b"finish") if dialect in ("plain", "delta") else (b"", b"error")
    )
    for place in PLACES:
        for value in VALUES:
            for name in names:
                data = place.replace(b"@", value)
                read(WORD[dialect] + frame(data, name) + frame(data) + END, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_hundred_thousand_brackets_make_no_undocumented_error(read: Read, dialect: str):
    for place in WHERE_DEPTH_TELLS:
        for deep in DEEP:
            name = b"delta" if dialect == "delta" else b""
            read(frame(place.replace(b"@", deep), name) + END, dialect)


def test_brackets_that_are_never_closed_are_no_json(read: Read):
    outcomes = read(WORD["openai"] + frame(b"[" * 100_000) + END, "openai")
    assert [outcome.code for outcome in outcomes] == [None, "not_json", "not_json"]


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_the_body_of_a_refusal_makes_no_undocumented_error(read: Read, status: int, kind: str):
    wanted = "not_a_stream" if status == 200 else "http_error"
    for place in PLACES:
        for value in VALUES:
            body = place.replace(b"@", value)
            outcomes = read(body, "plain", status=status, type=kind)
            assert {outcome.code for outcome in outcomes} == {wanted}, body


@pytest.mark.parametrize("value", [b"true", b"[true]", b'{"a":1}', b'{"toString":1}', b"null"])
@pytest.mark.parametrize("dialect", ["delta", "openai", "ai-sdk"])
def test_what_should_be_text_and_is_none_adds_nothing_to_the_answer(
    read: Read, dialect: str, value: bytes
):
    stream = WORD[dialect] + WORD[dialect].replace(b'"Hello"', value) + END
    _, texts, _ = read(stream, dialect)
    assert (texts.code, texts.text) == (None, "Hello")


ESCAPED = [
    ("plain", b"event: error\n" + rb'data: {"\u006dessage":"No.","\u0063ode":"c"}', "c"),
    ("delta", b"event: error\n" + rb'data: {"\u006d\u0065ssage":"No."}', "error"),
    ("openai", rb'data: {"\u0065rror":{"message":"No."}}', "error"),
    (
        "openai",
        rb'data: {"choices":[{"delta":{"\u0065\u0072ror":{"m\u0065ssage":"No."}}}]}',
        "error",
    ),
    ("openai", rb'data: {"b\u0061se_resp":{"status\u005fcode":1002,"status_msg":"No."}}', "1002"),
    (
        "openai",
        rb'data: {"choices":[{"finish_r\u0065ason":"\u0065rror","message":"No."}]}',
        "error",
    ),
    ("ai-sdk", rb'data: {"\u0074ype":"error","errorText":"No."}', "error"),
    ("ai-sdk", rb'data: {"type":"\u0065rror","errorText":"No."}', "error"),
    ("ai-sdk", rb'data: {"type":"\u0061bort","reason":"No."}', "abort"),
]


@pytest.mark.parametrize("dialect, failed, code", ESCAPED)
def test_an_error_cannot_hide_in_escapes(read: Read, dialect: str, failed: bytes, code: str):
    for outcome in read(WORD[dialect] + failed + b"\n\n" + END, dialect):
        assert (outcome.code, outcome.message) == (code, "No."), outcome


# -- what stands in bytes -------------------------------------------------------------------------

BYTES = {
    "names_of_a_prototype": b"event: __proto__\ndata: {}\n\nevent: constructor\ndata: x\n\n__proto__: 1\n\n",
    "an_id_with_nul": b"id: a\0b\ndata: {}\n\nid: \xed\xa0\x80\ndata: {}\n\nid\ndata: {}\n\n",
    "odd_retries": b"retry: 1e30\nretry: -1\nretry: "
    + b"9" * 400
    + b"\nretry: 0x1\nretry:\ndata: {}\n\n",
    "no_utf8": b"data: \xff\xfe\xc3\x28\xe2\x82\n\nevent: \xf0\x9f\ndata: \xf0\x9f\x98\n\n",
    "marks_of_byte_order": b"\xef\xbb\xbf\xef\xbb\xbfdata: {}\n\ndata: \xef\xbb\xbf{}\n\n\xef\xbb\xbfdata: x\n\n",
    "lone_ends_of_lines": b"data: {}\r\r\n\n\rdata\r\ndata: \r\rdata: x\n\r\n\x85\xe2\x80\xa8\n",
    "nothing_but_colons": b":::\n:\n: :\ndata::\n\n\n\n\n",
    "halves_of_characters": rb'data: {"choices":[{"delta":{"content":"\ud83d"}}]}' + b"\n\n",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_cut_anywhere_make_the_same_of_it_and_no_undocumented_error(
    read: Read, dialect: str, name: str
):
    stream = WORD[dialect] + BYTES[name] + END
    whole = read(stream, dialect)
    for size in (1, 2, 3, 5, 7):
        assert read(stream, dialect, size=size) == whole
    for end in range(len(WORD[dialect]), len(stream) - len(END)):
        read(stream[:end], dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("field", [b"data: ", b"event: ", b"id: ", b": ", b"", b"retry: "])
def test_megabytes_without_a_line_end_are_too_large(read: Read, dialect: str, field: bytes):
    stream = WORD[dialect] + field + b"1" * 3_000_000
    for outcome in read(stream, dialect, size=1000, maxBuffer=1_000_000):
        assert outcome.code == "too_large"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_megabytes_in_lines_of_one_event_are_too_large(read: Read, dialect: str):
    stream = WORD[dialect] + b"data: 1\n" * 600_000 + b"\n" + END
    for outcome in read(stream, dialect, size=10_000, maxBuffer=1_000_000):
        assert outcome.code == "too_large"


# -- whatever comes to mind -----------------------------------------------------------------------

NAMES = (
    *(
        "choices",
        "delta",
        "message",
        "content",
        "text",
        "type",
        "error",
        "code",
        "index",
        "finish_reason",
    ),
    *(
        "status_code",
        "base_resp",
        "status_msg",
        "x_groq",
        "usage",
        "errorText",
        "toString",
        "valueOf",
    ),
    *(
        "__proto__",
        "then",
        "constructor",
        "object",
        "retryable",
        "audio",
        "transcript",
        "refusal",
        "value",
    ),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(NAMES)
    | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    said=st.lists(st.tuples(st.sampled_from(["", "error", "delta", "finish"]), values), max_size=4),
    dialect=st.sampled_from(DIALECTS),
    size=st.integers(0, 9),
)
def test_no_json_at_all_makes_an_undocumented_error(
    read: Read, said: list[tuple[str, Any]], dialect: str, size: int
):
    frames = [frame(json.dumps(value).encode(), name.encode()) for name, value in said]
    read(b"".join(frames) + END, dialect, size=size)


@settings(deadline=None)
@given(body=st.binary(max_size=80), dialect=st.sampled_from(DIALECTS), size=st.integers(0, 9))
def test_no_bytes_at_all_make_an_undocumented_error(
    read: Read, body: bytes, dialect: str, size: int
):
    read(body, dialect, size=size)
