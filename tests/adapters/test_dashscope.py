"""DashScope's responses, cumulative and incremental: the same deltas."""

from __future__ import annotations

import copy
import json
import logging

import dashscope
import pytest

from chunks import (
    CUMULATIVE,
    INCREMENTAL,
    dashscope_choice,
    dashscope_chunk,
    dashscope_response,
    dashscope_text,
    read,
    read_stream,
    run,
    spoken,
    told,
)
from doubles import (
    SECRET,
    DashScopeDouble,
    Fault,
    HttpError,
    OpenAIDouble,
    Raw,
    Reply,
    ToolCall,
)
from doubles.delivery import to_json
from sse_bridge import Decoder, UpstreamError
from sse_bridge.adapters import DashScope, by_name
from sse_bridge.adapters.base import Wish
from sse_bridge.failures import diagnose
from sse_bridge.parts import Choice, Finish, Reasoning, Usage
from sse_bridge.parts import ToolCall as Call


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def _quiet_sdk(monkeypatch):
    monkeypatch.setattr(logging.getLogger("dashscope"), "disabled", True)  # it logs each failure


def choice(number, content="", finish="null"):
    return {"index": number, **dashscope_choice(content, finish)}


# -- what a response says -------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL])
def test_text_and_message_are_read_alike(adapter):
    as_text = read(adapter, dashscope_text("Hel"), dashscope_text("Hello", "stop"))
    as_message = read(
        adapter,
        dashscope_chunk(dashscope_choice("Hel")),
        dashscope_chunk(dashscope_choice("Hello", "stop")),
    )
    assert as_text == spoken(as_message)
    assert as_text[-1] == Finish("stop")


def test_cumulative_text_is_told_as_what_is_new():
    texts = ["", "你", "你好", "你好", "你好🌍"]
    parts = read(CUMULATIVE, *map(dashscope_text, texts), dashscope_text("你好🌍", "stop"))
    assert parts == ["你", "好", "🌍", Finish("stop")]


def test_incremental_text_is_told_as_it_is():
    parts = read(INCREMENTAL, *map(dashscope_text, ["ha", "ha", "", "ha"]))
    assert parts == ["ha", "ha", "ha"]


def test_the_word_null_is_no_finish_and_comes_until_the_end():
    chunks = [dashscope_text("a"), dashscope_text("ab"), dashscope_text("ab", "length")]
    assert read(CUMULATIVE, *chunks) == ["a", "b", Finish("length")]


def test_multi_modal_content_is_the_text_of_its_pieces():
    content = [{"text": "a"}, {"image": "http://x"}, {"text": "b"}]
    parts = read(INCREMENTAL, dashscope_chunk(dashscope_choice(content)))
    assert spoken(parts) == ["ab"]
    assert spoken(read(INCREMENTAL, dashscope_chunk(dashscope_choice([])))) == []


def test_usage_is_final_at_the_end_only():
    parts = read(
        CUMULATIVE,
        dashscope_chunk(dashscope_choice("a"), tokens=1),
        dashscope_chunk(dashscope_choice("ab"), tokens=2),
        dashscope_chunk(dashscope_choice("ab", "stop"), tokens=2),
    )
    counts = [part for part in parts if isinstance(part, Usage)]
    assert [(usage.output_tokens, usage.final) for usage in counts] == [
        (1, False),
        (2, False),
        (2, False),
        (2, True),
    ]


@pytest.mark.parametrize("output", [None, {}, {"choices": []}, {"text": None}])
def test_a_response_may_say_nothing(output):
    assert read(CUMULATIVE, dashscope_response(output)) == []


class OldResponse(dict):
    """As in dashscope 1.24.6 and older: getattr, even with a default, raises KeyError."""

    def __getattr__(self, name):
        return self[name]


def old(thing):
    if isinstance(thing, dict):
        return OldResponse({key: old(value) for key, value in thing.items()})
    return [old(each) for each in thing] if isinstance(thing, list) else thing


@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL])
def test_old_responses_are_read_by_key(adapter):
    chunks = [dashscope_text("a"), dashscope_chunk(dashscope_choice("ab", "stop"))]
    assert read(adapter, *map(old, chunks)) == read(adapter, *chunks)


def test_old_responses_are_told_by_auto_too():
    chunk = dashscope_text("a")
    assert told([old(chunk)]) == told([chunk])


# -- rewritten text -------------------------------------------------------------------------------


def test_rewritten_text_goes_on_as_it_is_and_warns_once(caplog):
    texts = ["I think", "No: it is", "No: it is 4", "Or 5"]
    parts = read(CUMULATIVE, *map(dashscope_text, texts))
    assert parts == ["I think", "No: it is", " 4", "Or 5"]
    assert sum("incremental_output" in record.getMessage() for record in caplog.records) == 1


def test_the_next_stream_is_warned_of_rewriting_again(caplog):
    for _ in range(2):
        read(CUMULATIVE, dashscope_text("a"), dashscope_text("b", "stop"))
    assert len(caplog.records) == 2


# -- incremental_output=True was said to the adapter only ------------------------------------------

REPEATS = "DashScope chunks repeat the text before them"


def test_chunks_that_repeat_the_text_before_them_are_warned_of_once_and_both_places_named(caplog):
    chunks = list(
        map(dashscope_text, ["你", "你好", "你好世", "你好世界", "你好世界好", "你好世界好吗"])
    )
    read(INCREMENTAL, *chunks[:3])
    assert REPEATS not in caplog.text
    read(INCREMENTAL, *chunks)
    assert caplog.text.count(REPEATS) == 1
    assert "Generation.call(..., stream=True, incremental_output=True)" in caplog.text
    assert "DashScope(incremental_output=True)" in caplog.text
    assert "你好" not in caplog.text


def test_the_next_stream_is_warned_of_repeats_again(caplog):
    for _ in range(2):
        read(INCREMENTAL, *map(dashscope_text, ["a", "ab", "abc", "abcd"]))
    assert caplog.text.count(REPEATS) == 2


def test_repeated_thoughts_are_warned_of_as_well(caplog):
    said = ["Hm", "Hmm", "Hmm.", "Hmm. A"]
    read(INCREMENTAL, *(dashscope_chunk(dashscope_choice("", reasoning=text)) for text in said))
    assert caplog.text.count(REPEATS) == 1


def test_each_choice_repeats_its_own_text_only(caplog):
    texts = ["a", "ab", "abc", "abcd"]
    read(INCREMENTAL, *(dashscope_chunk(choice(at % 2, text)) for at, text in enumerate(texts)))
    assert REPEATS not in caplog.text
    read(INCREMENTAL, *(dashscope_chunk(choice(0, text), choice(1, "x")) for text in texts))
    assert caplog.text.count(REPEATS) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ["ha", "ha", "haha", "ha", "ha", "haha", "hahaha", "ha"],
        ["ha"] * 10,
        ["", "a", "", "ab", "", "abc", "b"],
        [" ", "  ", "   ", "x", " ", "  "],
        ["\n", "\n\n", "\n\n\n", "\n\n\n\n", "\n\n\n\n\n"],
        ["1", "10", "100", "1000", "10000"],
    ],
    ids=["laughter", "the same", "nothing between", "indents", "line ends", "numbers"],
)
def test_text_that_happens_to_repeat_itself_is_left_alone(texts, caplog):
    parts = read(INCREMENTAL, *map(dashscope_text, texts))
    assert parts == [text for text in texts if text]
    assert REPEATS not in caplog.text


def test_growing_text_is_as_it_should_be_where_the_adapter_was_told_of_it(caplog):
    read(CUMULATIVE, *map(dashscope_text, ["a", "ab", "abc", "abcd", "abcde"]))
    assert REPEATS not in caplog.text


# -- the Client of dashscope 2 -------------------------------------------------------------------

needs_2 = pytest.mark.skipif(not hasattr(dashscope, "Client"), reason="dashscope 1 has no Client")


@pytest.fixture(params=["native", "openai"])
def double_of_2(request):
    """A service in each protocol that the Client speaks, and what the Client streams from it."""
    of_openai = request.param == "openai"
    with (OpenAIDouble if of_openai else DashScopeDouble)() as double:
        url = double.base_url if of_openai else double.base_address
        options = {"base_url": url, "protocol": request.param, "max_retries": 0}

        def stream():
            with dashscope.Client(api_key="sk-double", **options) as client:
                yield from client.chat.completions.create(
                    model="qwen-plus", messages=[{"role": "user", "content": "Hi"}], stream=True
                )

        yield double, stream


@needs_2
@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_chunks_of_the_client_are_read_by_auto(double_of_2, dialect):
    _, stream = double_of_2
    body = run(stream(), dialect=dialect)
    assert [part for part in read(by_name("auto"), *stream()) if isinstance(part, str)] == [
        "Hello",
        ", ",
        "world",
    ]
    assert body.count(b"world") == 1
    assert b'"stop"' in body
    assert b'"total_tokens":10' in body
    assert body.endswith(b"data: [DONE]\n\n")


@needs_2
@pytest.mark.parametrize(
    ("code", "told_code", "retryable"),
    [
        ("DataInspectionFailed", "content_filtered", False),
        ("Throttling.RateQuota", "rate_limited", True),
        ("Model.NotExist", "bad_request", False),
        ("Arrearage", "credentials_refused", False),
        ("InternalError", "upstream_error", True),
    ],
)
def test_a_failure_of_the_client_in_mid_stream_is_told_by_its_code(
    double_of_2, code, told_code, retryable
):
    double, stream = double_of_2
    double.answer = Reply(at={2: Fault(code=code, status=400)})
    body = run(stream(), dialect="delta")
    *_, last = Decoder().feed(body)
    assert b"Hello" in body
    assert last.json()["code"] == told_code
    assert last.json()["retryable"] is retryable
    assert SECRET.encode() not in body


@needs_2
@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_failure_of_the_client_from_the_start_keeps_its_status(double_of_2, status):
    double, stream = double_of_2
    double.answer = HttpError(status, code=None)
    with pytest.raises(Exception, match="too many requests") as raised:
        list(stream())
    assert diagnose(raised.value).is_upstream
    assert diagnose(raised.value).retryable is (status != 400)


# -- stream=True was forgotten ---------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL])
def test_the_fields_of_a_whole_response_ask_for_stream(dashscope_double, adapter):
    dashscope_double.answer = Reply()
    whole = dashscope.Generation.call("qwen-plus", prompt="Hi", **dashscope_double.call_options)
    with pytest.raises(TypeError, match=r"did you forget stream=True\? Got 'status_code'"):
        read(adapter, *whole)


def test_any_other_text_is_no_response_and_quoted_nowhere():
    with pytest.raises(TypeError, match="takes DashScope's responses, got a str of 6 characters"):
        read(INCREMENTAL, "secret")


def test_text_that_shrinks_cannot_be_taken_back_and_says_nothing(caplog):
    chunks = [*map(dashscope_text, ["abc", "ab", "abcd"]), dashscope_text("abcd", "stop")]
    assert read(CUMULATIVE, *chunks) == ["abc", "d", Finish("stop")]
    assert not caplog.records


# -- several choices ------------------------------------------------------------------------------


def test_each_choice_has_its_own_text_so_far():
    parts = read(
        CUMULATIVE,
        dashscope_chunk(choice(0, "a"), choice(1, "A")),
        dashscope_chunk(choice(0, "ab"), choice(1, "AB")),
    )
    assert spoken(parts) == ["a", Choice(1, "A"), "b", Choice(1, "B")]


def test_choices_may_stand_in_any_order():
    parts = read(INCREMENTAL, dashscope_chunk(choice(1, "A"), choice(0, "a")))
    assert spoken(parts) == [Choice(1, "A"), "a"]


@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL])
def test_a_choice_alone_in_its_response_says_which_it_is(adapter):
    parts = read(adapter, dashscope_chunk(choice(1, "A")), dashscope_chunk(choice(0, "a")))
    assert spoken(parts) == [Choice(1, "A"), "a"]


def test_a_choice_finishes_once_although_responses_repeat_it():
    parts = read(
        CUMULATIVE,
        dashscope_chunk(choice(0, "a", "stop"), choice(1, "A")),
        dashscope_chunk(choice(0, "a", "stop"), choice(1, "AB")),
        dashscope_chunk(choice(0, "a", "stop"), choice(1, "AB", "stop")),
    )
    assert [part for part in spoken(parts) if part == Finish("stop")] == [Finish("stop")]
    assert len([part for part in parts if isinstance(part, Usage) and part.final]) == 1


# -- failures in band -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, code, means, retryable",
    [
        (429, "Throttling", 429, True),
        (500, "InternalError", 500, True),
        (401, "InvalidApiKey", 401, False),
        (400, "Throttling.AllocationQuota", 429, True),
        (400, "InvalidParameter", 400, False),
        (400, "DataInspectionFailed", 400, False),
        (400, "InternalError.Algo", 500, True),
        (400, "", None, True),
        (400, None, None, True),
        (400, "Unknown", None, True),
    ],
)
@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL])
def test_another_status_than_200_is_a_failure_told_by_its_code(
    adapter, status, code, means, retryable
):
    chunk = dashscope_response(None, status_code=status, code=code, message="m")
    with pytest.raises(UpstreamError) as raised:
        read(adapter, chunk)
    error = raised.value
    assert (error.status_code, error.code, error.retryable) == (means, code or None, retryable)


def test_the_adapter_must_be_told_and_told_truly():
    with pytest.raises(TypeError, match="incremental_output"):
        DashScope()
    with pytest.raises(TypeError, match="must be True or False, got None"):
        DashScope(incremental_output=None)


def test_one_adapter_serves_many_streams():
    one, other = CUMULATIVE.reader(Wish()), CUMULATIVE.reader(Wish())
    assert one.read(dashscope_text("a")) == ("a",)
    assert other.read(dashscope_text("ab")) == ("ab",)
    assert one.read(dashscope_text("ac")) == ("c",)


# -- the real SDK ---------------------------------------------------------------------------------

EVERYTHING = Reply(
    ["Hel", "lo ", "lo ", "你好🌍"],
    reasoning=["hm", "m", "m"],
    tool_calls=[ToolCall(), ToolCall("other", ["{", "}"], "call_2")],
)
MODES = {"the server's default": None, "merged by the SDK": False, "incremental": True}


def generation(double, mode, **options):
    if mode is not None:
        options["incremental_output"] = mode
    options = {"prompt": "hi", "stream": True, "result_format": "message"} | options
    return dashscope.Generation.call("qwen-max", **options, **double.call_options)


def adapter_for(mode):
    return DashScope(incremental_output=bool(mode))


@pytest.mark.parametrize("result_format", ["text", "message"])
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_gives_the_same_text(dashscope_double, mode, result_format):
    dashscope_double.answer = Reply(["Hel", "lo ", "lo ", "你好🌍"])
    chunks = generation(dashscope_double, mode, result_format=result_format)
    parts = spoken(read_stream(adapter_for(mode), chunks))
    assert parts == ["Hel", "lo ", "lo ", "你好🌍", Finish("stop")]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_gives_the_same_thoughts_text_and_tool_calls(dashscope_double, mode):
    dashscope_double.answer = EVERYTHING
    parts = spoken(read_stream(adapter_for(mode), generation(dashscope_double, mode)))
    assert parts == [
        *map(Reasoning, ["hm", "m", "m"]),
        *["Hel", "lo ", "lo ", "你好🌍"],
        Call(0, "call_1", "get_weather", ""),
        Call(0, None, None, '{"city":'),
        Call(0, None, None, ' "Oslo"}'),
        Call(1, "call_2", "other", ""),
        Call(1, None, None, "{"),
        Call(1, None, None, "}"),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_writes_the_same_bytes(dashscope_double, mode):
    dashscope_double.answer = EVERYTHING
    adapter = adapter_for(mode)
    body = run(generation(dashscope_double, mode), adapter=adapter, dialect="delta")
    dashscope_double.answer = EVERYTHING
    assert body == run(generation(dashscope_double, True), adapter=INCREMENTAL, dialect="delta")
    assert body.count(b"event: usage") == 1
    assert b'{"input_tokens":7,"output_tokens":13,"total_tokens":20}' in body


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
async def test_the_async_api_says_the_same(dashscope_double, mode):
    dashscope_double.answer = Reply(["Hel", "lo"])
    options = {} if mode is None else {"incremental_output": mode}
    try:
        stream = await dashscope.AioGeneration.call(
            "qwen-max", prompt="hi", stream=True, **options, **dashscope_double.call_options
        )
        chunks = [chunk async for chunk in stream]
    finally:
        await dashscope.close_shared_aio_session()
    assert spoken(read(adapter_for(mode), *chunks)) == ["Hel", "lo", Finish("stop")]


class TwoChoices(DashScopeDouble):
    """As the real service with ``n=2``: one choice in each frame, each told to its end."""

    def frames(self, reply, request):
        rows = [(0, "a", "null"), (1, "A", "null"), (0, "b", "null"), (1, "B", "null")]
        rows += [(0, "", "stop"), (1, "", "stop")]
        return [self.frame(number, row) for number, row in enumerate(rows, 1)]

    def frame(self, number, row):
        body = {
            "output": {"choices": [choice(*row)]},
            "usage": {"input_tokens": 7, "output_tokens": number, "total_tokens": 7 + number},
            "request_id": "r",
        }
        return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%b\n\n" % (number, to_json(body))


@pytest.mark.parametrize("mode", [False, True])
def test_two_choices_give_the_same_deltas_in_every_mode(mode):
    with TwoChoices() as double:
        parts = spoken(read_stream(adapter_for(mode), generation(double, mode, n=2)))
    assert [part for part in parts if type(part) is str] == ["a", "b"]
    assert [part.part for part in parts if type(part) is Choice and type(part.part) is str] == [
        "A",
        "B",
    ]
    assert parts.count(Finish("stop")) == parts.count(Choice(1, Finish("stop"))) == 1


@pytest.mark.parametrize("mode", [False, True])
def test_two_choices_tell_their_usage_once(mode):
    with TwoChoices() as double:
        names = [
            name
            for name, _ in told(
                generation(double, mode, n=2), adapter=adapter_for(mode), dialect="delta"
            )
        ]
    assert names.count("usage") == 1


def test_the_sdk_changes_one_shared_list_and_each_delta_is_right_nonetheless(dashscope_double):
    """Read at once, as a driver does; the chunks kept would all be the last one."""
    dashscope_double.answer = Reply((), tool_calls=[ToolCall()])
    reader, parts, kept = CUMULATIVE.reader(Wish()), [], []
    for chunk in generation(dashscope_double, False):
        kept.append(chunk)
        parts += spoken(reader.read(chunk))
    assert "".join(part.arguments for part in parts[:-1]) == '{"city": "Oslo"}'
    lists = [chunk.output.choices[0].message.get("tool_calls") for chunk in kept]
    assert all(each is lists[0] for each in lists), "the SDK has given up its shared list"


def test_a_shared_list_of_multi_modal_pieces_is_told_piece_by_piece():
    def merging():
        content = [{"text": ""}]
        for text in "abc":
            content[0]["text"] += text
            yield dashscope_chunk(dashscope_choice(content))

    assert spoken(read_stream(CUMULATIVE, merging())) == ["a", "b", "c"]
    whole = [chunk for _, chunk in told(merging())[:-1]]
    texts = [chunk["output"]["choices"][0]["message"]["content"] for chunk in whole]
    assert texts == [[{"text": "a"}], [{"text": "ab"}], [{"text": "abc"}]]


def test_a_whole_response_is_written_before_the_sdk_changes_it(dashscope_double):
    dashscope_double.answer = Reply((), tool_calls=[ToolCall()])
    chunks = told(generation(dashscope_double, False))[:-1]
    calls = [chunk["output"]["choices"][0]["message"]["tool_calls"][0] for _, chunk in chunks]
    arguments = [call["function"]["arguments"] for call in calls]
    assert arguments == ["", '{"city":', '{"city": "Oslo"}', '{"city": "Oslo"}']


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_services_headers_never_reach_the_wire(dashscope_double, mode):
    stream = generation(dashscope_double, mode)
    chunks = [copy.deepcopy(chunk) for chunk in stream]
    assert "req-cost-time" in json.dumps(chunks[0]).lower()
    for options in (
        {"dialect": "plain"},
        {"dialect": "plain", "adapter": adapter_for(mode)},
        {"dialect": "delta", "adapter": adapter_for(mode)},
        {"dialect": "openai", "adapter": adapter_for(mode)},
    ):
        body = run(chunks, **options).lower()
        assert b"req-cost-time" not in body
        assert b"headers" not in body


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_an_error_frame_in_the_middle_ends_the_stream_as_a_failure(dashscope_double, dialect):
    dashscope_double.answer = Reply(at={2: Fault(code="Throttling.AllocationQuota", status=429)})
    body = run(generation(dashscope_double, None), adapter=CUMULATIVE, dialect=dialect)
    assert body.count(b"rate_limited") == 1
    assert SECRET.encode() not in body
    assert b"event: done" not in body


def test_what_follows_a_broken_frame_is_not_told(dashscope_double):
    dashscope_double.answer = Reply(at={1: Raw(b"id:2\nevent:result\ndata:nonsense\n\n")})
    chunks = list(generation(dashscope_double, True))
    assert [chunk.status_code for chunk in chunks] == [200, 400, 200, 200, 200]
    *said, (last, _) = told(chunks, adapter=INCREMENTAL)
    assert (said, last) == ([(None, "Hello")], "error")


@pytest.mark.parametrize("sse", [False, True], ids=["json", "sse"])
def test_an_error_from_the_start_is_raised_while_nothing_was_said(dashscope_double, sse):
    dashscope_double.answer = HttpError(429, code="Throttling", sse=sse)
    with pytest.raises(UpstreamError) as raised:
        run(generation(dashscope_double, None), adapter=CUMULATIVE)
    assert (raised.value.status_code, raised.value.code) == (429, "Throttling")
    with pytest.raises(UpstreamError):
        run(generation(dashscope_double, None))
