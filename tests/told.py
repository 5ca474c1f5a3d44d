"""What a client hears of a source: the same answer under `delta` and under `openai`.

assert_answers(lambda: client.messages.create(..., stream=True), Answer("Hello", finish="stop"))
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sse_bridge import Decoder, Ending, ServerSentEvent, Summary
from sse_bridge.wsgi import stream

Call = tuple[str | None, str | None, str]  # id, name, arguments

ARRIVED: dict[str, set[str]] = {}


class Answer(NamedTuple):
    """What was said; `usage` is input, output and total tokens, `code` the failure's."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish: str | None = None
    usage: tuple[int, int, int] | None = None
    code: str | None = None
    results: tuple[tuple[str, Any], ...] = ()  # a call's id and what came of it
    sources: tuple[str, ...] = ()  # their addresses
    files: tuple[tuple[str, str], ...] = ()  # their addresses and media types


def assert_answers(make_source: Callable[[], Any], expected: Answer, **options: Any) -> Summary:
    """Assert that both dialects tell this; gives the Summary under `delta`. `options` are the faces'."""
    told, summary = in_delta(make_source, **options)
    assert told == expected
    compatible, _ = in_openai(make_source, **options)
    # OpenAI's protocol has no place for these, and does not end well without a reason.
    reason = expected.finish or (None if expected.code else "stop")
    assert compatible == expected._replace(results=(), files=(), finish=reason)
    if expected.code is None:
        assert summary.ending is Ending.FINISHED
        assert summary.finish_reason == expected.finish
    return summary


def in_delta(make_source: Callable[[], Any], **options: Any) -> tuple[Answer, Summary]:
    """What `delta` tells."""
    events, summary = _heard(make_source, dialect="delta", **options)
    said: dict[str, list[Any]] = {}
    for event in events:
        if event.event != "done":
            said.setdefault(event.event or "", []).append(event.json())
    assert (events[-1].event == "done") is ("error" not in said)
    [finish] = said.get("finish", [None])
    [usage] = said.get("usage", [None])
    [error] = said.get("error", [None])
    answer = Answer(
        text="".join(one["text"] for one in said.get("delta", [])),
        reasoning="".join(one["text"] for one in said.get("reasoning", [])),
        calls=_calls((one["index"], one) for one in said.get("tool_call", [])),
        finish=finish and finish["reason"],
        usage=usage and (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]),
        code=error and error["code"],
        results=tuple((one["id"], one["output"]) for one in said.get("tool_result", [])),
        sources=tuple(one["url"] for one in said.get("source", [])),
        files=tuple((one["url"], one["media_type"]) for one in said.get("file", [])),
    )
    # By the file of tests that runs: what has arrived in it. See vendors/test_table.py.
    where = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0].rpartition("/")[2]
    kinds = ARRIVED.setdefault(where, set())
    kinds |= {field for field, value in answer._asdict().items() if value}
    return answer, summary


def in_openai(make_source: Callable[[], Any], **options: Any) -> tuple[Answer, Summary]:
    """What `openai` tells."""
    events, summary = _heard(make_source, dialect="openai", **options)
    assert events[-1].data == "[DONE]"
    chunks = [event.json() for event in events[:-1]]
    error = next((chunk["error"] for chunk in chunks if "error" in chunk), None)
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    deltas = [choice["delta"] for choice in choices]
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(reasons) <= 1
    assert len(usages) <= 1
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    cited = [note["url_citation"] for delta in deltas for note in delta.get("annotations", ())]
    answer = Answer(
        text="".join(delta.get("content") or "" for delta in deltas),
        reasoning="".join(delta.get("reasoning_content") or "" for delta in deltas),
        calls=_calls((call["index"], {"id": _told_id(call), **call["function"]}) for call in calls),
        finish=reasons[0] if reasons else None,
        usage=next(
            (
                (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"])
                for usage in usages
            ),
            None,
        ),
        code=error and error["code"],
        sources=tuple(source["url"] for source in cited),
    )
    return answer, summary


def as_plain(make_source: Callable[[], Any], **options: Any) -> tuple[list[Any], Summary]:
    """What `plain` tells: each chunk as its JSON."""
    events, summary = _heard(make_source, dialect="plain", **options)
    return [json.loads(event.data or "null") for event in events if event.event is None], summary


def _heard(make_source: Callable[[], Any], **options: Any) -> tuple[list[ServerSentEvent], Summary]:
    summaries: list[Summary] = []
    # `hold=0`: a failure before the first chunk is told in the stream, too.
    options = {"hold": 0, "ping": None, "on_end": summaries.append, **options}
    body = b"".join(stream(make_source, {}, **options))
    [summary] = summaries
    return Decoder().feed(body), summary


def _told_id(call: dict[str, Any]) -> str | None:
    """A call's id; None for one that was made for a client of OpenAI's, which needs one."""
    id_ = call.get("id")
    return None if id_ is None or re.fullmatch(r"call_.*_\d", id_) else id_


def _calls(fragments: Any) -> tuple[Call, ...]:
    calls: dict[int, list[Any]] = {}
    for number, fragment in fragments:
        call = calls.setdefault(number, [None, None, ""])
        call[0] = call[0] or fragment.get("id")
        call[1] = call[1] or fragment.get("name")
        call[2] += fragment["arguments"]
    assert list(calls) == list(range(len(calls)))
    return tuple((id_, name, arguments) for id_, name, arguments in calls.values())
